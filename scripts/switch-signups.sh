#!/usr/bin/env bash
# The kill switch: stops new signups, or lets them in again. Clubs that exist are not touched.
#
#   scripts/switch-signups.sh on|off [local|preview|production]
#
# It takes effect with the next request. `local` (the default) switches the database of `npm start`; STATE_DIR as there.
set -euo pipefail
[ "${1:-}" != --help ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0; }
cd "$(dirname "$0")/.."

fail() { printf '✗ %s\n' "$1" >&2; exit 2; }

case "${1:-}" in
  on) enabled=1 ;;
  off) enabled=0 ;;
  *) fail "Say on or off: scripts/switch-signups.sh on|off [local|preview|production]" ;;
esac
case "${2:-local}" in
  local)
    state=${STATE_DIR:-.wrangler/state}
    [ -d "$state/v3/d1" ] || fail "There is no database in $state: run npm start once (with the same STATE_DIR)."
    where=(--local --persist-to "$state" --env "")
    ;;
  preview | production) where=(--remote --env "$2") ;;
  *) fail "Unknown environment: $2. Use local, preview or production." ;;
esac
[ -x node_modules/.bin/wrangler ] || fail "wrangler is missing: run npm install."

PATH="$PWD/node_modules/.bin:$PATH" WRANGLER_SEND_METRICS=false wrangler d1 execute DB "${where[@]}" --yes --command \
  "insert into feature_flags (name, enabled, updated_at) values ('signup_enabled', $enabled, unixepoch())
   on conflict (name) do update set enabled = excluded.enabled, updated_at = excluded.updated_at" >/dev/null || fail "Nothing was switched: see above."
printf '✓ Signups are %s (%s)\n' "$1" "${2:-local}"
