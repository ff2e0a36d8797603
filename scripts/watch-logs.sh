#!/usr/bin/env bash
# Follows the log, filtered: one readable line for each thing that happened.
#
#   scripts/watch-logs.sh all|authz|deny|signup|provision|errors [local|preview|production]
#   TENANT_ID=tenant_… scripts/watch-logs.sh tenant [local|preview|production]
#
# all        everything that was logged
# authz      who was let in or refused, and what was revoked; `deny` the refusals alone
# signup     signups, and the requests to their routes
# provision  provisioning runs and removals, their steps, the calls that they make, and what upstreams' breakers do
# errors     lines of level error, answers from 500, exceptions, and requests that the platform ended
# tenant     what concerns the club that TENANT_ID names
#
# Without an environment it is the one that ENV names (RUNBOOK.md has it set), and nothing when there is none. `local` follows the log
# of `npm start`, in STATE_DIR as there. --json prints the logged objects, one a line; --from FILE reads what was captured with
# `wrangler tail --format json` in place of following (`-` is standard input).
#
# Needs bash and jq 1.6 or newer; preview and production need wrangler to be logged in.
set -euo pipefail

here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/scripts/lib/common.sh"
[ "${1:-}" != --help ] || help "$0"

filter="" environment="" from="" form=line
while [ $# -gt 0 ]; do
  case "$1" in
    --json) form=json ;;
    --from) [ $# -gt 1 ] || fail "Say what to read: --from FILE, or --from - for standard input."; from=$2; shift ;;
    all | authz | deny | signup | provision | errors | tenant)
      [ -z "$filter" ] || fail "One filter at a time: $filter or $1."
      filter=$1
      ;;
    local | preview | production)
      [ -z "$environment" ] || fail "One environment at a time: $environment or $1."
      environment=$1
      ;;
    *) fail "Unknown argument: $1. Say all, authz, deny, signup, provision, errors or tenant, and local, preview or production." ;;
  esac
  shift
done
[ -n "$filter" ] || fail "Say what to watch: scripts/watch-logs.sh all|authz|deny|signup|provision|errors|tenant [environment]"
[ "$filter" != tenant ] || [ -n "${TENANT_ID:-}" ] || fail "Say which tenant: TENANT_ID=tenant_… scripts/watch-logs.sh tenant"
[ -z "$from" ] || [ -z "$environment" ] || fail "--from reads a file, $environment is not asked: leave one of them out."
[ -z "$from" ] || [ "$from" = - ] || { [ -f "$from" ] && [ -r "$from" ]; } || [ -p "$from" ] || fail "$from can't be read."
if [ -z "$from" ]; then
  environment=${environment:-${ENV:-}}
  case "$environment" in
    local | preview | production) ;;
    "") fail "Say where: scripts/watch-logs.sh $filter local|preview|production (or set ENV)." ;;
    *) fail "ENV is $environment: use local, preview or production." ;;
  esac
fi
needs_jq

show() {
  jq -nRr --unbuffered -L "$here/scripts/lib" --arg filter "$filter" --arg tenant "${TENANT_ID:-}" --arg form "$form" -f "$here/scripts/lib/log.jq"
}

if [ "$from" = - ]; then show; exit; fi
if [ -n "$from" ]; then show <"$from"; exit; fi

cd "$here"
trap 'exit 0' INT
if [ "$environment" = local ]; then
  log="${STATE_DIR:-.wrangler/state}/product.log"
  [ -r "$log" ] || fail "$log is not there: run npm start, which writes it (with the same STATE_DIR)."
  printf '· %s of local, in %s, until Ctrl-C\n' "$filter" "$log" >&2
  tail -n +1 -F "$log" | show
else
  needs_wrangler
  printf '· %s of %s, until Ctrl-C\n' "$filter" "$environment" >&2
  if ! { { wrangler tail --env "$environment" --format json 2>&1 >&3 | harmless >&2; } 3>&1 | show; }; then
    fail "wrangler tail ended: see what it said. Is it logged in (npx wrangler whoami), and is $environment deployed?"
  fi
  printf '· wrangler tail ended by itself: nothing is followed any more\n' >&2
fi
