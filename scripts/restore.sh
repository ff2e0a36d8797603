#!/usr/bin/env bash
# Restores a backup of scripts/backup.sh into a database, all of it or nothing.
#
#   scripts/restore.sh FILE --env local|preview|production [--of ENVIRONMENT] [--force] [--resume] [--dry-run]
#
# The checksum beside FILE must hold, and its SQL make a database. One of another environment, as its name says, is refused unless --of
# names that. A database that has rows is refused. With --force it is backed up beside FILE, emptied, and replaced. Afterwards the database
# is compared with the file. --dry-run says what would be done, and does nothing. `local` (or --local) is the database of `npm start`
# (STATE_DIR as there), which must not run meanwhile.
#
# A restored database starts paused: nothing is set up, removed or sent until scripts/switch-provisioning.sh resumes it, or POST
# /api/v1/bgops/provisioning/resume. Otherwise its runs would continue, and its mails and events would leave, for tenants that may be
# another environment's. --resume allows that.
#
# To go back by minutes in one of the last 30 days, use Time Travel instead: see "Backups" in RUNBOOK.md.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/scripts/lib/common.sh"
[ "${1:-}" != --help ] || help "$0"

file="" environment="" of="" force="" resume="" dry_run=""
while [ $# -gt 0 ]; do
  case "$1" in
    --local) environment=local ;;
    --env | --of)
      case "${2:-}" in local | preview | production) ;; *) fail "Say where: $1 local, preview or production." ;; esac
      if [ "$1" = --env ]; then environment=$2; else of=$2; fi
      shift
      ;;
    --force) force=yes ;;
    --resume) resume=yes ;;
    --dry-run) dry_run=yes ;;
    --*) fail "Unknown argument: $1" ;;
    *) [ -z "$file" ] || fail "One file at a time: $file or $1."; file=$1 ;;
  esac
  shift
done
[ -n "$file" ] || fail "Say which backup: scripts/restore.sh FILE --env local|preview|production"
[ -n "$environment" ] || fail "Say where to: --env local, preview or production."
[ -f "$file" ] && [ -r "$file" ] || fail "$file can't be read."
[ -r "$file.sha256" ] || fail "$file.sha256 is missing: without its checksum nobody knows whether the backup is whole."
file="$(cd -- "$(dirname -- "$file")" && pwd)/$(basename -- "$file")"
[ "$(sha256sum <"$file" | cut -d ' ' -f 1)" = "$(cut -d ' ' -f 1 <"$file.sha256")" ] \
  || fail "$file is not what was backed up: its checksum differs. Use another backup."
made_in=$(sed -n 's/^tenantry-\(local\|preview\|production\)-[0-9TZ]*\.sql$/\1/p' <<<"$(basename -- "$file")")
made_in=${made_in:-unknown}
[ "$made_in" = "$environment" ] || [ "$made_in" = "$of" ] || { [ "$made_in" = unknown ] && [ -n "$of" ]; } \
  || fail "This backup is of $made_in, by its name: say --of ${made_in/unknown/ENVIRONMENT} if it shall go into $environment."
cd "$here"
needs_wrangler

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$environment" = local ]; then
  state=${STATE_DIR:-.wrangler/state}
  where=(--local --persist-to "$state" --env "")
else
  where=(--remote --env "$environment")
fi

ours scripts/lib/backup.mjs load "$file" "$work/file.sqlite" >"$work/loaded" || exit 2
ours scripts/lib/backup.mjs count "${where[@]}" >"$work/counted" || exit 2
read -r tables_in rows_in <"$work/loaded"
read -r tables rows <"$work/counted"

# A statement ends at a NUL: backups of before they were compared may hold some.
tr -d '\0' <"$file" >"$work/backup.sql"
nuls=$(($(wc -c <"$file") - $(wc -c <"$work/backup.sql")))
printf '· %s: %s tables, %s rows%s\n' "$file" "$tables_in" "$rows_in" "$([ "$nuls" = 0 ] || echo ", $nuls NUL left out")"
printf '· the database of %s: %s tables, %s rows%s\n' "$environment" "$tables" "$rows" "$([ "$rows" = 0 ] || echo ', which will be gone')"
if [ "$rows" != 0 ] && [ -z "$force" ]; then
  fail "The database of $environment has rows: say --force to replace them. They are backed up first."
fi
if [ -n "$dry_run" ]; then printf '✓ Nothing was changed: this was a dry run.\n'; exit 0; fi

if [ "$rows" != 0 ]; then
  scripts/backup.sh --env "$environment" --to "$(dirname -- "$file")" || fail "What is there could not be backed up: nothing was changed."
fi
# The service notices by itself, within a minute, that the database was restored. Until then it must not continue either. If it shall
# continue, it has to be told that this database is meant.
now=$(date +%s)
if [ -z "$resume" ]; then flag="'provisioning_enabled', 0, 1"; else flag="'restore_announced', 1, $now"; fi
{
  printf 'PRAGMA defer_foreign_keys=TRUE;\n'
  cat "$work/backup.sql"
  printf '\nINSERT INTO feature_flags (name, enabled, value, updated_at) VALUES (%s, %s)\n' "$flag" "$now"
  printf 'ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled, value = excluded.value, updated_at = excluded.updated_at;\n'
} >"$work/wanted.sql"
# One file, so that emptying, filling and pausing happen together or not at all. Newest first: what refers to a table was made after it.
{
  printf 'PRAGMA defer_foreign_keys=TRUE;\n'
  tail -n +2 "$work/counted" | sed 's/.*/DROP TABLE &;/'
  tail -n +2 "$work/wanted.sql"
} >"$work/restore.sql"
ours scripts/lib/backup.mjs load "$work/wanted.sql" "$work/wanted.sqlite" >/dev/null || exit 2
wrangler d1 execute DB "${where[@]}" --yes --file "$work/restore.sql" >"$work/printed" 2>&1 \
  || { head -c 4000 "$work/printed" | harmless >&2; fail "The backup could not be restored, and the database is as it was: see above."; }
# npm start asks no second time about migrations that it applied: the backup may be from before them.
next="npx wrangler d1 migrations apply DB --remote --env $environment"
if [ "$environment" = local ]; then rm -f "$state/migrations.applied"; next="npm start"; fi
compared=$(ours scripts/lib/backup.mjs compare "$work/wanted.sqlite" "${where[@]}") \
  || fail "The database of $environment was replaced, but is not what the backup says: see above. Does something write to it? What was there before is beside the file."
printf '✓ Restored, and compared: %s rows. %s applies the migrations that are newer than the backup.\n' "$compared" "$next"
if [ -z "$resume" ]; then
  printf '· Provisioning is paused: no run, no removal, no event and no mail leaves. Look at what is there, then:\n'
  printf '  scripts/switch-provisioning.sh on %s\n' "$environment"
else
  printf '· Provisioning goes on as the backup has it.\n'
fi
