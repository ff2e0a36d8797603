#!/usr/bin/env bash
# Rotates JWT_SECRET without signing anybody out, or signs everybody out at once.
#
#   scripts/rotate-jwt-secret.sh routine|emergency --env local|preview|production
#   scripts/rotate-jwt-secret.sh routine|emergency --local [FILE]     FILE: .dev.vars by default, as with --env local
#
# routine     The new secret is accepted everywhere before anything is signed with it, and the old one is accepted for as long
#             as its tokens live: a year. Needs the current secret in JWT_SECRET (Cloudflare never shows it again). While an
#             older one is still accepted as JWT_SECRET_PREVIOUS it refuses: that one's tokens would end. --drop-previous ends them.
# emergency   The secret has leaked: the old one is accepted nowhere any more, and whatever it signed ends at once.
#
# The new secret comes from NEW_JWT_SECRET, or is generated; it is printed nowhere but into the file that --keep FILE names, or
# into FILE itself with --local. Secrets travel by standard input and the environment, never as arguments.
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
has() {
  if [ -n "$file" ]; then grep -q "^$1=" "$file"; return; fi
  local names
  names=$(PATH="$PWD/node_modules/.bin:$PATH" wrangler secret list --env "$environment") || fail "Cloudflare does not say which secrets there are: nothing more was changed."
  [[ $names == *"\"$1\""* ]]
}
drop() {
  if [ -n "$file" ]; then
    { grep -v "^$1=" "$file" || true; } | private "$file"
  elif has "$1"; then
    printf 'y\n' | PATH="$PWD/node_modules/.bin:$PATH" wrangler secret delete "$1" --env "$environment" >/dev/null
  fi
}
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
  if [ -z "$drop_previous" ] && has JWT_SECRET_PREVIOUS; then
    fail "JWT_SECRET_PREVIOUS is still accepted, and its tokens live up to a year: wait, or say --drop-previous to end them."
  fi
  keep_it
  step "JWT_SECRET_NEXT: the new secret is accepted from now on"
  printf '%s' "$new" | put JWT_SECRET_NEXT
  step "JWT_SECRET_PREVIOUS: the old secret stays accepted"
  printf '%s' "$old" | put JWT_SECRET_PREVIOUS
  step "JWT_SECRET: the new secret signs"
  printf '%s' "$new" | put JWT_SECRET
  step "JWT_SECRET_NEXT: done with"
  drop JWT_SECRET_NEXT
  note_restart
  printf '✓ Rotated. Remove JWT_SECRET_PREVIOUS in a year, when the last token that it signed has ended.\n'
else
  keep_it
  step "JWT_SECRET: the new secret signs, and alone is accepted"
  printf '%s' "$new" | put JWT_SECRET
  step "JWT_SECRET_NEXT, JWT_SECRET_PREVIOUS: accepted no more"
  drop JWT_SECRET_NEXT
  drop JWT_SECRET_PREVIOUS
  note_restart
  printf '✓ Every token that was signed before is refused. Owners sign in again by a mailed link.\n'
fi
