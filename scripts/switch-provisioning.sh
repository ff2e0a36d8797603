#!/usr/bin/env bash
# Pauses all provisioning, or resumes it: while it is off, no run and no removal makes an external call.
#
#   scripts/switch-provisioning.sh on|off local|preview|production
#
# Each running run stops before its next call and waits. Runs that are queued meanwhile are stored and wait too. Signups, sign-ins and
# events continue. It takes effect at once, and resumed runs continue within some minutes. `local` is the database of `npm start`; STATE_DIR
# as there. Only POST /api/v1/bgops/provisioning/pause and /resume are written to the audit log, and need no wrangler.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/switch.sh
[ "${1:-}" != --help ] || help "scripts/${0##*/}"

case "${1:-}" in
  on | off) ;;
  *) fail "Say on or off: scripts/switch-provisioning.sh on|off local|preview|production" ;;
esac
[ -n "${2:-}" ] || fail "Say where: scripts/switch-provisioning.sh $1 local|preview|production"
[ $# -eq 2 ] || fail "One environment at a time: $2 or $3."
switch provisioning_enabled "$1" "$2"
if [ "$1" = on ]; then printf '✓ Provisioning is on (%s)\n' "$2"; else printf '✓ Provisioning is paused (%s)\n' "$2"; fi
