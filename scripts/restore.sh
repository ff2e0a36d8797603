#!/usr/bin/env bash
# Puts a backup of scripts/backup.sh into a database, all of it or nothing.
#
#   scripts/restore.sh FILE --env local|preview|production [--force] [--resume] [--dry-run]
#
# The checksum beside FILE must hold. A database that has rows is refused; with --force it is backed up beside FILE, emptied, and
# replaced. --dry-run says what would be done, and does nothing. `local` (or --local) is the database of `npm start` (STATE_DIR as
# there), which must not run meanwhile.
#
# What is restored starts paused: nothing is set up, removed or sent until scripts/switch-provisioning.sh resumes it, or POST
# /api/v1/bgops/provisioning/resume. Its runs would go on, and its mails and events leave, for clubs that may be another
# environment's. --resume lets them.
#
# To go back by minutes in one of the last 30 days, use Time Travel instead: see "Backups" in RUNBOOK.md.
set -euo pipefail
[ "${1:-}" != --help ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0; }
fail() { printf '✗ %s\n' "$1" >&2; exit 2; }

file="" environment="" force="" resume="" dry_run=""
while [ $# -gt 0 ]; do
  case "$1" in
    --local) environment=local ;;
    --env)
      case "${2:-}" in local | preview | production) ;; *) fail "Say where: --env local, preview or production." ;; esac
      environment=$2
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
[ -r "$file" ] || fail "$file can't be read."
[ -r "$file.sha256" ] || fail "$file.sha256 is missing: without its checksum nobody knows whether the backup is whole."
file="$(cd "$(dirname "$file")" && pwd)/$(basename "$file")"
[ "$(sha256sum <"$file" | cut -d ' ' -f 1)" = "$(cut -d ' ' -f 1 <"$file.sha256")" ] \
  || fail "$file is not what was backed up: its checksum differs. Use another backup."
command -v jq >/dev/null || fail "jq is missing: install it."
cd "$(dirname "$0")/.."
[ -x node_modules/.bin/wrangler ] || fail "wrangler is missing: run npm install."
export PATH="$PWD/node_modules/.bin:$PATH" WRANGLER_SEND_METRICS=false

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ "$environment" = local ]; then
  state=${STATE_DIR:-.wrangler/state}
  where=(--local --persist-to "$state" --env "")
else
  where=(--remote --env "$environment")
fi
# ask SQL: its rows, as tab-separated text.
ask() {
  wrangler d1 execute DB "${where[@]}" --yes --json --command "$1" >"$work/answer" 2>"$work/printed" \
    || { cat "$work/answer" "$work/printed" >&2; fail "The database of $environment does not answer: see above."; }
  jq -r '.[0].results[] | [.[]] | @tsv' "$work/answer"
}

# Newest first: what refers to a table was made after it.
ours="type = 'table' and name not glob '_cf_*' and name not glob 'sqlite_*'"
ask "select name from sqlite_master where $ours order by rowid desc" >"$work/tables"
rows=0
# The sweep of a Worker that is already there notes its moment in measures, which is nobody's data.
counts=$(grep -vxE 'd1_migrations|measures' "$work/tables" | sed 's/.*/(select count(*) from "&")/' | paste -sd + -) || true
if [ -n "$counts" ]; then rows=$(ask "select $counts"); fi

# A statement ends at a NUL, and the dump's text may hold some.
tr -d '\0' <"$file" >"$work/backup.sql"
nuls=$(($(wc -c <"$file") - $(wc -c <"$work/backup.sql")))
kept=$(grep '^INSERT INTO ' "$work/backup.sql" | grep -cv '^INSERT INTO "\(d1_migrations\|measures\|sqlite_sequence\)" ') || true
there=$(wc -l <"$work/tables" | tr -d ' ')
printf '· %s: %s tables, %s rows%s\n' "$file" "$(grep -c '^CREATE TABLE ' "$work/backup.sql")" "$kept" "$([ "$nuls" = 0 ] || echo ", $nuls NUL left out")"
printf '· the database of %s: %s tables, %s rows%s\n' "$environment" "$there" "$rows" "$([ "$rows" = 0 ] || echo ', which will be gone')"
if [ "$rows" != 0 ] && [ -z "$force" ]; then
  fail "The database of $environment has rows: say --force to replace them. They are backed up first."
fi
if [ -n "$dry_run" ]; then printf '✓ Nothing was changed: this was a dry run.\n'; exit 0; fi

if [ "$rows" != 0 ]; then
  if [ "$environment" = local ]; then what=(--local); else what=(--env "$environment"); fi
  scripts/backup.sh "${what[@]}" --to "$(dirname "$file")" || fail "What is there could not be backed up: nothing was changed."
fi
# The service notices by itself that the database was put back, within a minute. Until then it must not go on either; and if it
# shall go on, it has to be told that this one is meant.
if [ -z "$resume" ]; then flag="'provisioning_enabled', 0, 1"; else flag="'restore_announced', 1, unixepoch()"; fi
# One file, so that emptying, filling and pausing happen together or not at all.
{
  printf 'PRAGMA defer_foreign_keys=TRUE;\n'
  sed 's/.*/DROP TABLE "&";/' "$work/tables"
  cat "$work/backup.sql"
  printf '\nINSERT INTO feature_flags (name, enabled, value, updated_at) VALUES (%s, unixepoch())\n' "$flag"
  printf 'ON CONFLICT (name) DO UPDATE SET enabled = excluded.enabled, value = excluded.value, updated_at = excluded.updated_at;\n'
} >"$work/restore.sql"
wrangler d1 execute DB "${where[@]}" --yes --file "$work/restore.sql" >"$work/printed" 2>&1 \
  || { cat "$work/printed" >&2; fail "The backup could not be restored, and the database is as it was: see above."; }
# npm start asks no second time about migrations that it applied: the backup may be from before them.
next="npx wrangler d1 migrations apply DB --remote --env $environment"
if [ "$environment" = local ]; then rm -f "$state/migrations.applied"; next="npm start"; fi
printf '✓ Restored. %s applies the migrations that are newer than the backup.\n' "$next"
if [ -z "$resume" ]; then
  printf '· Provisioning is paused: no run, no removal, no event and no mail leaves. Look at what is there, then:\n'
  printf '  scripts/switch-provisioning.sh on %s\n' "$environment"
else
  printf '· Provisioning goes on as the backup has it.\n'
fi
