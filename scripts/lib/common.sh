# shellcheck shell=bash
# What the shell scripts have in common. Sourced by them, from the checkout's root.

fail() { printf '✗ %s\n' "$1" >&2; exit 2; }
# The comment at the top of a script.
help() { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$1"; exit 0; }

# harmless: what others wrote, for a terminal. Nothing in it moves the cursor or changes colours or the direction of reading.
harmless() { jq -Rr --unbuffered -L "$(dirname "${BASH_SOURCE[0]}")" 'include "harmless"; harmless'; }

# ours SCRIPT ARGUMENT…: one of our own, on npm's Node.
ours() { node_modules/node/bin/node --disable-warning=ExperimentalWarning "$@"; }

needs_wrangler() {
  [ -x node_modules/.bin/wrangler ] || fail "wrangler is missing: run npm install."
  PATH="$PWD/node_modules/.bin:$PATH"
  export PATH WRANGLER_SEND_METRICS=false WRANGLER_HIDE_BANNER=true
}
needs_jq() { command -v jq >/dev/null || fail "jq is missing: install it."; }
