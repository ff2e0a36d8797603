#!/usr/bin/env bash
# Pauses provisioning whole, or resumes it: while it is off, no run and no removal calls anything outside.
#
#   scripts/switch-provisioning.sh on|off local|preview|production
#
# Whatever is at work stops before its next call and waits; what is queued meanwhile is stored and waits too. Signups, sign-ins and
# events go on. It takes effect at once, and resumed runs go on within some minutes. `local` is the database of `npm start`; STATE_DIR
# as there. The audit log knows of it only by POST /api/v1/bgops/provisioning/pause and /resume, which need no wrangler.
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
