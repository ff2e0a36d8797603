# shellcheck shell=bash
# What scripts/switch-signups.sh and scripts/switch-provisioning.sh have in common: a row of feature_flags is set in the database of an
# environment. Sourced by them, from the checkout's root, after common.sh.

# switch FLAG on|off local|preview|production
switch() {
  local flag=$1 enabled=0 where state answer errors
  [ "$2" = off ] || enabled=1
  case "$3" in
    local)
      state=${STATE_DIR:-.wrangler/state}
      [ -d "$state/v3/d1" ] || fail "There is no database in $state: run npm start once (with the same STATE_DIR)."
      where=(--local --persist-to "$state" --env "")
      ;;
    preview | production) where=(--remote --env "$3") ;;
    *) fail "Unknown environment: $3. Use local, preview or production." ;;
  esac
  needs_jq
  needs_wrangler
  errors=$(mktemp)
  # shellcheck disable=SC2064
  trap "rm -f '$errors'" EXIT
  # The value says what a pause holds back. An existing pause keeps its value, and its end clears it.
  answer=$(wrangler d1 execute DB "${where[@]}" --yes --json --command \
    "insert into feature_flags (name, enabled, updated_at) values ('$flag', $enabled, unixepoch())
     on conflict (name) do update set enabled = excluded.enabled, value = iif(excluded.enabled, null, value),
       updated_at = excluded.updated_at;
     select enabled from feature_flags where name = '$flag'" 2>"$errors") \
    || { cat "$errors" - <<<"$answer" | head -c 4000 | harmless >&2; fail "Nothing was switched: see above."; }
  # Believes what the database says now, not that a command ended well.
  jq -es --argjson enabled "$enabled" 'length == 1 and .[0][-1].results == [{enabled: $enabled}]' <<<"$answer" >/dev/null 2>&1 \
    || { head -c 4000 <<<"$answer" | harmless >&2; fail "The database of $3 does not say that it was switched: see above, and try again."; }
}
