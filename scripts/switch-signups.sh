#!/usr/bin/env bash
# The kill switch: stops new signups, or lets them in again. Clubs that exist are not touched.
#
#   scripts/switch-signups.sh on|off [local|preview|production]
#
# It takes effect with the next request. `local` (the default) switches the database of `npm start`; STATE_DIR as there.
set -euo pipefail
[ "${1:-}" != --help ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0; }
cd "$(dirname "$0")/.."
. scripts/lib/switch.sh

case "${1:-}" in
  on | off) ;;
  *) fail "Say on or off: scripts/switch-signups.sh on|off [local|preview|production]" ;;
esac
switch signup_enabled "$1" "${2:-local}"
printf '✓ Signups are %s (%s)\n' "$1" "${2:-local}"
