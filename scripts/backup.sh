#!/usr/bin/env bash
# Backs the database up: one SQL file that scripts/restore.sh reads, and its checksum beside it.
#
#   scripts/backup.sh --env local|preview|production [--to DIR] [--keep N]
#
# The file is DIR/tenantry-ENVIRONMENT-TIME.sql; DIR is backups/ by default. --keep N removes that environment's older ones, so
# that N are left. `local` (or --local) is the database of `npm start`, STATE_DIR as there.
#
# Every row is compared with the database: wrangler's export alone changes some texts. So the whole database is read twice besides: before
# and after. If a row changed meanwhile and the difference is unclear, the export is repeated, and fails in the end.
#
# While Cloudflare exports, its database answers no queries: choose a quiet hour. Cloudflare keeps every minute of the last 30 days anyway
# (see "Backups" in RUNBOOK.md). This file is for what has to last longer, or be elsewhere. The file holds names, addresses and encrypted
# secrets: keep it as safe as the database. The checkpoints of provisioning runs are not in the file, but in the Durable Objects.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/scripts/lib/common.sh"
[ "${1:-}" != --help ] || help "$0"

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
      [ -n "${2:-}" ] || fail "Say where to keep it: --to DIR."
      directory=$2
      shift
      ;;
    --keep)
      [[ ${2:-} =~ ^[1-9][0-9]{0,5}$ ]] || fail "Say how many to keep: --keep N, at least 1."
      keep=$2
      shift
      ;;
    *) fail "Unknown argument: $1" ;;
  esac
  shift
done
[ -n "$environment" ] || fail "Say what to back up: --env local, preview or production."
umask 077
if [ -n "$directory" ]; then
  mkdir -p -- "$directory" || fail "$directory can't be made."
  directory=$(cd -- "$directory" && pwd)
fi
cd "$here"
needs_wrangler

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

ours scripts/lib/backup.mjs export "$work/written.sql" "$work" "${where[@]}" || exit 2

directory=${directory:-$PWD/backups}
mkdir -p "$directory"
# A backup of the same second, as restore.sh makes it, keeps its name.
until name="tenantry-$environment-$(date -u +%Y%m%dT%H%M%SZ).sql" && [ ! -e "$directory/$name" ]; do sleep 0.2; done
(cd "$work" && mv written.sql "$name" && sha256sum "$name" >"$name.sha256") || fail "The checksum could not be made: nothing was kept."
# The checksum first: a file without one is no backup, and neither is one that was cut off while it was copied.
if ! { mv "$work/$name.sha256" "$directory/" && mv "$work/$name" "$directory/"; }; then
  fail "$directory can't be written: nothing was kept."
fi
# The file holds what was written, also on a disk that was full.
(cd "$directory" && sha256sum --quiet --check "$name.sha256" >/dev/null 2>&1) || fail "$directory/$name is not what was written: remove it."
printf '✓ %s (%s bytes)\n' "$directory/$name" "$(wc -c <"$directory/$name" | tr -d ' ')"

[ -n "$keep" ] || exit 0
find "$directory" -maxdepth 1 -type f -name "tenantry-$environment-????????T??????Z.sql" | sort -r | tail -n "+$((keep + 1))" \
  | while IFS= read -r old; do
    rm -f -- "$old" "$old.sha256"
    printf '· Removed %s\n' "$old"
  done
