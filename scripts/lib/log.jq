# The filters of scripts/watch-logs.sh, for jq 1.6 and newer. Reads text lines; $filter, $tenant and $form ("line" or "json") say what is
# wanted. A line that is not JSON, or was cut off, is skipped: `wrangler tail` prints more than its objects.

include "harmless";

# The objects in a text: one that is spread over lines, as `wrangler tail` indents them, begins with `{` alone and ends with `}` alone.
def objects_in(lines):
  foreach lines as $raw ({open: null, whole: null};
    ($raw | rtrimstr("\r")) as $line
    | if $line == "{" then {open: [$line], whole: null}
      elif .open != null then
        if $line == "}" then {open: null, whole: ((.open + [$line]) | join("\n"))}
        # An object that never ends is no event: the next one begins again.
        elif (.open | length) > 50000 then {open: null, whole: null}
        else {open: (.open + [$line]), whole: null}
        end
      elif ($line | startswith("{")) then {open: null, whole: $line}
      else {open: null, whole: null}
      end;
    .whole | strings | (fromjson? // empty) | objects);

def time: if type == "number" then (. / 1000 | floor | todate) else "-" end;

def level_of_console: if . == "log" or . == "debug" then "info" elif type == "string" then . else "info" end;

# What a request was for, without its query: a query may hold what a log must not.
def request_of: (.event? | objects | .request? | objects | {method, path: (.url | strings | split("?")[0] | sub("^https?://[^/]*"; ""))}) // {};

# The log lines in one object of `wrangler tail`, or in one line of the local log. Our own objects stay as they are. Everything else is told
# under `text`, `exception`, `outcome` and `truncated`.
def lines_in:
  if (.logs | type) == "array" then
    . as $event
    | (.logs[] | objects | . as $log | (if (.message | type) == "array" then .message[] else .message end)
        | if type == "object" and (.msg | type) == "string" then .
          else {ts: ($log.timestamp | time), level: ($log.level | level_of_console), msg: "text", text: (if type == "string" then . else tojson end)}
          end),
      (.exceptions | arrays | .[] | objects
        | {ts: (.timestamp | time), level: "error", msg: "exception", name: .name, error: .message} + ($event | request_of)),
      (select((.outcome | type) == "string" and ([.outcome] | inside(["ok", "canceled", "exception"]) | not))
        | {ts: (.eventTimestamp | time), level: "error", msg: "outcome", outcome: .outcome} + request_of),
      (select(.truncated == true) | {ts: (.eventTimestamp | time), level: "warn", msg: "truncated", error: "Cloudflare cut this request's lines off"})
  elif (.msg | type) == "string" then .
  else empty
  end;

def is_authz: [.msg] | inside(["authz_grant", "authz_deny", "token_revoked"]);
def is_provisioning: (.msg | test("^(tenant_(de)?provision|provision_|circuit_)")) or ([.msg] | inside(["webhook_delivery", "sweep"]))
  or (.msg == "upstream_call" and .runId != null);
def is_signup: (.msg | startswith("signup_")) or (((.route | strings) // "") | startswith("/public/signup/"));
def is_error: .level == "error" or ((.status | numbers) // 0) >= 500;

def wanted:
  if $filter == "all" then true
  elif $filter == "authz" then is_authz
  elif $filter == "deny" then .msg == "authz_deny"
  elif $filter == "signup" then is_signup
  elif $filter == "provision" then is_provisioning
  elif $filter == "errors" then is_error
  elif $filter == "tenant" then .tenantId == $tenant or .requestedTenant == $tenant
  else error("no such filter: \($filter)")
  end;

def shown:
  if type == "string" then (if test("^[^\\s\"=]+$") then . else tojson end)
  elif type == "array" then (map(if type == "string" then . else tojson end) | join(","))
  else tojson
  end
  | harmless;

# `time level word`, what matters first, the ids that lead on last.
def line:
  ["ts", "level", "msg", "event", "decision", "version", "hasAuthHeader", "traceId"] as $hidden
  | ["code", "reason", "error", "method", "route", "path", "status", "outcome", "step", "attempt", "ms", "plan"] as $first
  | ["tenantId", "requestedTenant", "runId", "requestId"] as $last
  | . as $log
  | ($first + ((keys_unsorted - $hidden) - $first - $last) + $last) as $order
  | [(.ts // "-" | shown), (((.level // "-" | shown) + "     ")[0:5]), (.msg | shown)]
    + [$order[] | select($log[.] != null and $log[.] != []) | "\(shown)=\($log[.] | shown)"]
  | join(" ");

objects_in(inputs) | lines_in | select(wanted) | if $form == "json" then tojson | harmless_json else line end
