# What scripts/switch-signups.sh and scripts/switch-provisioning.sh have in common: a row of feature_flags is set in the database of an
# environment. Sourced by them, from the checkout's root.

fail() { printf '✗ %s\n' "$1" >&2; exit 2; }

# switch FLAG on|off local|preview|production
switch() {
  local enabled where state
  case "$2" in on) enabled=1 ;; off) enabled=0 ;; esac
  case "$3" in
    local)
      state=${STATE_DIR:-.wrangler/state}
      [ -d "$state/v3/d1" ] || fail "There is no database in $state: run npm start once (with the same STATE_DIR)."
      where=(--local --persist-to "$state" --env "")
      ;;
    preview | production) where=(--remote --env "$3") ;;
    *) fail "Unknown environment: $3. Use local, preview or production." ;;
  esac
  [ -x node_modules/.bin/wrangler ] || fail "wrangler is missing: run npm install."
  # The value says what a pause holds back: one that is there keeps it, and its end forgets it.
  PATH="$PWD/node_modules/.bin:$PATH" WRANGLER_SEND_METRICS=false wrangler d1 execute DB "${where[@]}" --yes --command \
    "insert into feature_flags (name, enabled, updated_at) values ('$1', $enabled, unixepoch())
     on conflict (name) do update set enabled = excluded.enabled, value = iif(excluded.enabled, null, value),
       updated_at = excluded.updated_at" >/dev/null || fail "Nothing was switched: see above."
}
