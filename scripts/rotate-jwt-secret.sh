#!/usr/bin/env bash
# Rotates JWT_SECRET without signing anybody out, or signs everybody out at once.
#
#   scripts/rotate-jwt-secret.sh routine|emergency --env local|preview|production
#   scripts/rotate-jwt-secret.sh routine|emergency --local [FILE]     FILE: .dev.vars by default, as with --env local
#
# routine     The new secret is accepted everywhere before anything is signed with it. The old one goes on admitting the clubs whose
#             tokens it signed until now, for as long as these live: a year. It admits nobody else; operators make new tokens. Needs
#             the current secret in JWT_SECRET (Cloudflare never shows it again). Older ones stay accepted, too, up to six at a time:
#             JWT_SECRET_PREVIOUS, JWT_SECRET_PREVIOUS_2 …, each with its JWT_ROTATED_AT, JWT_ROTATED_AT_2 … --drop-previous ends
#             the tokens of all of those.
# emergency   The secret has leaked: the old one is accepted nowhere any more, and whatever it signed ends at once.
#
# The new secret comes from NEW_JWT_SECRET, or is generated. It is written only into the file that --keep FILE names, or into FILE itself
# with --local. Secrets travel by standard input and the environment, never as arguments.
set -euo pipefail
[ "${1:-}" != --help ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0; }
cd "$(dirname "$0")/.."

fail() { printf '✗ %s\n' "$1" >&2; exit 2; }
step() { printf '· %s\n' "$1"; }

path=${1:-}; shift || true
case "$path" in routine | emergency) ;; *) fail "Say routine or emergency: scripts/rotate-jwt-secret.sh routine|emergency --env …" ;; esac
environment="" file="" keep="" drop_previous=""
while [ $# -gt 0 ]; do
  case "$1" in
    --local) file=.dev.vars; if [ $# -gt 1 ] && [[ $2 != --* ]]; then file=$2; shift; fi ;;
    --env)
      case "${2:-}" in
        local) file=.dev.vars ;;
        preview | production) environment=$2 ;;
        *) fail "Say where: --env local, preview or production." ;;
      esac
      shift
      ;;
    --keep)
      [ $# -gt 1 ] || fail "Say where to keep the new secret: --keep FILE."
      keep=$2
      shift
      ;;
    --drop-previous) drop_previous=yes ;;
    *) fail "Unknown argument: $1" ;;
  esac
  shift
done
if [ -n "$file" ]; then
  [ -f "$file" ] || fail "$file does not exist: run npm start once."
else
  [ -n "$environment" ] || fail "Say where: --env local, preview or production."
  [ -n "$keep" ] || fail "Say where to keep the new secret: --keep FILE. Cloudflare will not show it again."
  [ -x node_modules/.bin/wrangler ] || fail "wrangler is missing: run npm install."
fi

# private FILE: keeps standard input there, readable by its owner alone, also when the file was there and was not: it is a new one.
private() {
  local target work
  target=$(realpath -- "$1") || fail "$1 can't be written."
  work=$(umask 077 && mktemp -- "$target.XXXXXX") || fail "$1 can't be written."
  # In one step, so that what was there is whole until the new one is.
  if ! { cat >"$work" && mv -f -- "$work" "$target"; }; then rm -f -- "$work"; fail "$1 can't be written."; fi
}
# put NAME (value on standard input), drop NAME: one secret, there or in the file.
put() {
  if [ -n "$file" ]; then
    { grep -v "^$1=" "$file" || true; printf '%s="%s"\n' "$1" "$(cat)"; } | private "$file"
  else
    PATH="$PWD/node_modules/.bin:$PATH" wrangler secret put "$1" --env "$environment" >/dev/null
  fi
}
# has NAME: whether there is such a secret. What can't be asked is not answered: the script ends.
names=""
has() {
  if [ -z "$file" ]; then
    names=$(PATH="$PWD/node_modules/.bin:$PATH" wrangler secret list --env "$environment") || fail "Cloudflare does not say which secrets there are: nothing more was changed."
  fi
  had "$1"
}
# had NAME: whether there was such a secret when it was last asked.
had() { if [ -n "$file" ]; then grep -q "^$1=" "$file"; else [[ $names == *"\"$1\""* ]]; fi; }
drop() { if has "$1"; then remove "$1"; fi; }
remove() {
  if [ -n "$file" ]; then
    { grep -v "^$1=" "$file" || true; } | private "$file"
  else
    printf 'y\n' | PATH="$PWD/node_modules/.bin:$PATH" wrangler secret delete "$1" --env "$environment" >/dev/null
  fi
}
# What comes behind the names of secrets that were replaced.
numbers=("" _2 _3 _4 _5 _6)
# drop_older FROM: whatever else of them there was when it was last asked, from that place on.
drop_older() {
  local number
  for number in "${numbers[@]:$1}"; do
    if had "JWT_SECRET_PREVIOUS$number"; then remove "JWT_SECRET_PREVIOUS$number"; fi
    if had "JWT_ROTATED_AT$number"; then remove "JWT_ROTATED_AT$number"; fi
  done
}
day() { date -u -d "@$1" +%F 2>/dev/null || date -u -r "$1" +%F; }
current() {
  if [ -z "$file" ]; then printf '%s' "${JWT_SECRET:-}"; return; fi
  local value; value=$(sed -n 's/^JWT_SECRET=//p' "$file" | tail -n 1)
  case "$value" in
    '"'*'"' | "'"*"'") value=${value:1:${#value}-2} ;;
  esac
  printf '%s' "$value"
}

new=${NEW_JWT_SECRET:-$(head -c 48 /dev/urandom | base64 | tr -d '\n')}
[[ ! $new =~ [[:cntrl:]\"] ]] || fail "NEW_JWT_SECRET may hold no control character and no quote."
[ "${#new}" -ge 32 ] || fail "NEW_JWT_SECRET must have at least 32 bytes."
# Written just before the first change: a refused run must not overwrite the copy of the secret in force.
keep_it() { if [ -n "$keep" ]; then printf '%s\n' "$new" | private "$keep"; fi; }

# Cloudflare takes a secret at once; a file is read at the start.
note_restart() { if [ -n "$file" ]; then step "All of this counts once npm start begins anew."; fi; }

if [ "$path" = routine ]; then
  old=$(current)
  [ "${#old}" -ge 32 ] || fail "Set JWT_SECRET to the current secret: tokens that it signed must go on working."
  # Whatever is signed until the new secret signs everywhere still counts as signed before.
  rotated_at=$(($(date +%s) + 300))
  place="" undated=""
  if has JWT_SECRET_PREVIOUS && [ -z "$drop_previous" ]; then
    had JWT_ROTATED_AT || undated=yes
    place=none
    for number in "${numbers[@]}"; do
      if ! had "JWT_SECRET_PREVIOUS$number"; then place=$number; break; fi
    done
    [ "$place" != none ] || fail "Six older secrets are still accepted. Remove those whose year is over, each with its JWT_ROTATED_AT, or say --drop-previous to end the tokens of all of them."
  fi
  keep_it
  step "JWT_SECRET_NEXT: the new secret is accepted from now on"
  printf '%s' "$new" | put JWT_SECRET_NEXT
  step "JWT_SECRET_PREVIOUS$place, JWT_ROTATED_AT$place: the old secret stays accepted, for the tokens that clubs hold"
  if [ -n "$undated" ]; then printf '%s' "$rotated_at" | put JWT_ROTATED_AT; fi
  printf '%s' "$rotated_at" | put "JWT_ROTATED_AT$place"
  printf '%s' "$old" | put "JWT_SECRET_PREVIOUS$place"
  step "JWT_SECRET: the new secret signs"
  printf '%s' "$new" | put JWT_SECRET
  step "JWT_SECRET_NEXT: done with"
  drop JWT_SECRET_NEXT
  if [ -n "$drop_previous" ]; then drop_older 1; fi
  note_restart
  printf '✓ Rotated. Remove JWT_SECRET_PREVIOUS%s and JWT_ROTATED_AT%s after %s, when the last token that it signed has ended.\n' "$place" "$place" "$(day $((rotated_at + 366 * 86400)))"
else
  keep_it
  step "JWT_SECRET: the new secret signs, and alone is accepted"
  printf '%s' "$new" | put JWT_SECRET
  step "JWT_SECRET_NEXT, JWT_SECRET_PREVIOUS: accepted no more"
  drop JWT_SECRET_NEXT
  has JWT_SECRET_PREVIOUS || true
  drop_older 0
  note_restart
  printf '✓ Every token that was signed before is refused. Owners sign in again by a mailed link.\n'
fi
