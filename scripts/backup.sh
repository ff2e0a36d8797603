#!/usr/bin/env bash
# Backs the database up: one SQL file that scripts/restore.sh reads, and its checksum beside it.
#
#   scripts/backup.sh --env local|preview|production [--to DIR] [--keep N]
#
# The file is DIR/tenantry-ENVIRONMENT-TIME.sql; DIR is backups/ by default. --keep N removes that environment's older ones, so
# that N are left. `local` (or --local) is the database of `npm start`, STATE_DIR as there.
#
# While Cloudflare exports, its database answers no queries: do it at a quiet hour. It keeps every minute of the last 30 days anyway
# (see "Backups" in RUNBOOK.md); this file is for what has to last longer, or be elsewhere. It holds names, addresses and sealed
# secrets: keep it as safe as the database. What provisioning runs remember for themselves is not in it, but in their objects.
set -euo pipefail
[ "${1:-}" != --help ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0; }
fail() { printf '✗ %s\n' "$1" >&2; exit 2; }

environment="" directory="" keep=""
while [ $# -gt 0 ]; do
  case "$1" in
    --local) environment=local ;;
    --env)
      case "${2:-}" in local | preview | production) ;; *) fail "Say where: --env local, preview or production." ;; esac
      environment=$2
      shift
      ;;
    --to)
      [ $# -gt 1 ] || fail "Say where to keep it: --to DIR."
      mkdir -p "$2" || fail "$2 can't be made."
      directory=$(cd "$2" && pwd)
      shift
      ;;
    --keep)
      [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || fail "Say how many to keep: --keep N, at least 1."
      keep=$2
      shift
      ;;
    *) fail "Unknown argument: $1" ;;
  esac
  shift
done
[ -n "$environment" ] || fail "Say what to back up: --env local, preview or production."
cd "$(dirname "$0")/.."
[ -x node_modules/.bin/wrangler ] || fail "wrangler is missing: run npm install."
export PATH="$PWD/node_modules/.bin:$PATH" WRANGLER_SEND_METRICS=false

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$environment" = local ]; then
  state=${STATE_DIR:-.wrangler/state}
  [ -d "$state/v3/d1" ] || fail "There is no database in $state: run npm start once (with the same STATE_DIR)."
  # wrangler exports only what lies in .wrangler/state beside the configuration.
  mkdir "$work/.wrangler"
  ln -s "$(cd "$state" && pwd)" "$work/.wrangler/state"
  cp wrangler.toml "$work/wrangler.toml"
  where=(--local --config "$work/wrangler.toml" --env "")
else
  where=(--remote --env "$environment")
fi

wrangler d1 export DB "${where[@]}" --skip-confirmation --output "$work/export.sql" >"$work/printed" 2>&1 \
  || { cat "$work/printed" >&2; fail "The database could not be exported: see above."; }
grep -q '^CREATE TABLE tenants ' "$work/export.sql" || fail "The export holds no tenants: is the database migrated? Nothing was kept."

directory=${directory:-$PWD/backups}
mkdir -p "$directory"
name="tenantry-$environment-$(date -u +%Y%m%dT%H%M%SZ).sql"
[ ! -e "$directory/$name" ] || fail "$directory/$name is there already: wait a second."
(cd "$work" && mv export.sql "$name" && sha256sum "$name" >"$name.sha256")
# The checksum first: a file without one is no backup, and neither is one that was cut off while it was copied.
mv "$work/$name.sha256" "$directory/" && mv "$work/$name" "$directory/"
printf '✓ %s (%s bytes)\n' "$directory/$name" "$(wc -c <"$directory/$name" | tr -d ' ')"

[ -n "$keep" ] || exit 0
find "$directory" -maxdepth 1 -type f -name "tenantry-$environment-*T*Z.sql" | sort -r | tail -n "+$((keep + 1))" \
  | while IFS= read -r old; do
    rm -f "$old" "$old.sha256"
    printf '· Removed %s\n' "$old"
  done
