#!/usr/bin/env bash
# The kill switch: stops new signups, or lets them in again. Existing tenants are not affected.
#
#   scripts/switch-signups.sh on|off local|preview|production
#
# It takes effect with the next request. `local` switches the database of `npm start`; STATE_DIR as there.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib/common.sh
. scripts/lib/switch.sh
[ "${1:-}" != --help ] || help "scripts/${0##*/}"

case "${1:-}" in
  on | off) ;;
  *) fail "Say on or off: scripts/switch-signups.sh on|off local|preview|production" ;;
esac
[ -n "${2:-}" ] || fail "Say where: scripts/switch-signups.sh $1 local|preview|production"
[ $# -eq 2 ] || fail "One environment at a time: $2 or $3."
switch signup_enabled "$1" "$2"
printf '✓ Signups are %s (%s)\n' "$1" "$2"
