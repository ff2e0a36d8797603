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
# production is what is followed when no environment is named. `local` follows the log of `npm start`, in STATE_DIR as there.
# --json prints the logged objects as they are, one a line; --from FILE reads what was captured with
# `wrangler tail --format json` in place of following (`-` is standard input).
#
# Needs bash and jq 1.6 or newer; preview and production need wrangler to be logged in.
set -euo pipefail

[ "${1:-}" != --help ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0; }
fail() { printf '✗ %s\n' "$1" >&2; exit 2; }

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
[ -z "$from" ] || [ "$from" = - ] || [ -r "$from" ] || fail "$from can't be read."
command -v jq >/dev/null || fail "jq is missing: install it."

here=$(cd "$(dirname "$0")/.." && pwd)
show() {
  jq -nRr --unbuffered --arg filter "$filter" --arg tenant "${TENANT_ID:-}" --arg form "$form" -f "$here/scripts/lib/log.jq"
}

if [ "$from" = - ]; then show; exit; fi
if [ -n "$from" ]; then show <"$from"; exit; fi

cd "$here"
trap 'exit 0' INT
environment=${environment:-production}
if [ "$environment" = local ]; then
  log="${STATE_DIR:-.wrangler/state}/product.log"
  [ -r "$log" ] || fail "$log is not there: run npm start, which writes it (with the same STATE_DIR)."
  printf '· %s\n' "$log" >&2
  tail -n +1 -F "$log" | show
else
  [ -x node_modules/.bin/wrangler ] || fail "wrangler is missing: run npm install."
  printf '· %s of %s, until Ctrl-C\n' "$filter" "$environment" >&2
  PATH="$PWD/node_modules/.bin:$PATH" WRANGLER_SEND_METRICS=false wrangler tail --env "$environment" --format json | show \
    || fail "wrangler tail ended: see what it said. Is it logged in (npx wrangler whoami), and is $environment deployed?"
fi
