#!/usr/bin/env bash
# Can tenants really sign up at a running service? Signs up a starter and a pro tenant over HTTP, and waits until both are provisioned.
#
#   scripts/smoke-test.sh local|preview|production
#   WORKER_URL=https://… scripts/smoke-test.sh
#
# local       http://127.0.0.1:8787, or PORT (`npm start`, with its sandboxed upstreams)
# preview, production     the address in WORKER_URL, and the service must say that it is that environment
# WORKER_URL  any address; without an argument, the environment is not checked, but said
# WORKER_VERSION  NAME="ID" asks one version of a Worker, whatever share of the traffic it gets (`npm run rollout` sets it)
# ADMIN_CONSOLE_URL, BASE_DOMAIN  where mailed links lead and clubs live: both must lead to this service (`npm run deploy` sets them)
#
# Needs bash, curl and jq. Away from the sandbox the tenants are real. SMOKE_WEBHOOK_URL names a Make webhook that may be pinged
# (SMOKE_WEBHOOK_SECRET: its secret). SMOKE_EMAIL is an address, whose local part gets a +suffix. With
# PLATFORM_ADMIN_JWT, the service says whether its upstreams take what is configured, and the tenants are removed afterwards, which is a
# check too.
#
# Nothing is provisioned for an address that nobody has proven. On this machine the codes are read at the sandbox (SANDBOX_URL,
# http://127.0.0.1:8788). Elsewhere PLATFORM_ADMIN_JWT vouches for the addresses; without it, provisioning is NOT tried.
#
# Exits 0 only if checks ran and all of them passed, and 3 if they did but provisioning was not tried.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/scripts/lib/common.sh"
[ "${1:-}" != --help ] || help "$0"

command -v curl >/dev/null || fail "curl is missing: install it."
needs_jq

[ $# -le 1 ] || fail "One environment at a time: $1 or $2."
environment=${1:-}
case "$environment" in
  local) url=${WORKER_URL:-http://127.0.0.1:${PORT:-8787}}; expected=development ;;
  preview | production) url=${WORKER_URL:-}; expected=$environment ;;
  "") url=${WORKER_URL:-}; expected="" ;;
  *) fail "Unknown environment: $environment. Use local, preview or production." ;;
esac
[ -n "$url" ] || [ -n "$environment" ] || fail "Say where: scripts/smoke-test.sh local|preview|production, or WORKER_URL=https://… scripts/smoke-test.sh"
[ -n "$url" ] || fail "Set WORKER_URL to the address of $environment."
url=${url%/}
# A host name that only begins like this machine's belongs to somebody else, and a token would travel there in the clear.
if [[ $url =~ ^https://[A-Za-z0-9._~:/-]+$ ]]; then
  secure=yes
elif [[ $url =~ ^http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?$ ]]; then
  secure=no
else
  fail "$url: only https, or http on this machine."
fi
# A line break would begin another header.
for name in PLATFORM_ADMIN_JWT WORKER_VERSION ADMIN_CONSOLE_URL BASE_DOMAIN; do
  [[ ! ${!name:-} =~ [[:cntrl:]] ]] || fail "$name holds a control character: is it pasted whole?"
done

umask 077
work=$(mktemp -d)
passed=0
failed=0
untried=0
tenants=()
sandbox=${SANDBOX_URL:-}
[ -n "$sandbox" ] || [ "$environment" != local ] || sandbox=http://127.0.0.1:${SANDBOX_PORT:-8788}
# What an answer may be, in KiB: a status takes two.
LARGEST=512

now() { jq -n 'now'; }
since() { jq -rn --argjson start "$1" '(now - $start) * 1000 | round / 1000'; }

# call METHOD PATH TOKEN [JSON]: sets status, and the body in $work/body. Tokens go through files: arguments are public. curl's own
# configuration (~/.curlrc) does not count, an address holds no patterns, and redirects are not followed.
call() {
  local options=(--disable --globoff --silent --show-error --max-time 20 --max-redirs 0 --request "$1" --output "$work/body" --write-out '%{http_code}')
  if [ "$secure" = yes ]; then options+=(--proto '=https' --tlsv1.2); else options+=(--proto '=http' --noproxy '*'); fi
  : >"$work/headers"
  [ -z "$3" ] || printf 'Authorization: Bearer %s\n' "$3" >"$work/headers"
  [ -z "${WORKER_VERSION:-}" ] || printf 'Cloudflare-Workers-Version-Overrides: %s\n' "$WORKER_VERSION" >>"$work/headers"
  if [ $# -ge 4 ]; then
    printf 'Content-Type: application/json\n' >>"$work/headers"
    printf '%s' "$4" >"$work/request"
    options+=(--data-binary "@$work/request")
  fi
  : >"$work/body"
  status=$( (ulimit -c 0 -f "$LARGEST"; curl "${options[@]}" --header "@$work/headers" "$url$2" 2>"$work/curl") 2>/dev/null) || status=000
  [[ $status =~ ^[0-9]{3}$ ]] || status=000
  if [ "$status" = 000 ] && [ ! -s "$work/curl" ]; then printf 'the answer is larger than %s KiB\n' "$LARGEST" >"$work/curl"; fi
}

# leads_here NAME ADDRESS: whether an address leads to this service, which says so in a header. A record or a certificate may take a while.
leads_here() {
  local options=(--disable --globoff --silent --show-error --max-time 20 --max-redirs 0 --output /dev/null --write-out '%{http_code}')
  local deadline=$((SECONDS + 60)) told
  if [[ $2 = https://* ]]; then options+=(--proto '=https' --tlsv1.2); else options+=(--proto '=http' --noproxy '*'); fi
  : >"$work/headers"
  [ -z "${WORKER_VERSION:-}" ] || printf 'Cloudflare-Workers-Version-Overrides: %s\n' "$WORKER_VERSION" >>"$work/headers"
  while :; do
    : >"$work/answered"
    told=$(curl "${options[@]}" --header "@$work/headers" --dump-header "$work/answered" --url "$2" 2>"$work/curl") || told=$(head -c 400 "$work/curl")
    if grep -qiE '^x-served-by: tenantry[[:space:]]*$' "$work/answered"; then
      passed=$((passed + 1))
      printf '✓ %s: %s leads here\n' "$1" "$2"
      return 0
    fi
    # Another server that answers stays another server.
    { [ ! -s "$work/answered" ] && [ "$SECONDS" -lt "$deadline" ]; } || break
    sleep 1
  done
  failed=$((failed + 1))
  printf '✗ %s: %s does not lead here (%s): see its route in wrangler.toml and its DNS record\n' "$1" "$2" \
    "$(printf '%s' "$told" | tr '\n' ' ' | harmless)"
}

# answer JQ-CONDITION [JQ-OPTION…]: whether the last answer is one JSON text of which that is true.
answer() { jq -es "${@:2}" "length == 1 and (.[0] | ($1) == true)" "$work/body" >/dev/null 2>&1; }

# holds NAME STATUS JQ-CONDITION [JQ-OPTION…]: one check of the last answer. The value that it is compared with is an option, never part of
# the program.
holds() {
  if [ "$status" = "$2" ] && answer "${@:3}"; then
    passed=$((passed + 1))
    printf '✓ %s\n' "$1"
    return 0
  fi
  failed=$((failed + 1))
  printf '✗ %s: status %s, wanted %s with %s\n  %s\n' "$1" "$status" "$2" "$3" "$(summary)"
  return 1
}

# What an answer says, on one line, without a token that it may hold.
summary() {
  if [ "$status" = 000 ]; then
    head -c 400 "$work/curl"
  else
    jq -c 'walk(if type == "object" then del(.jwt, .token) else . end)' "$work/body" 2>/dev/null || head -c 2000 "$work/body"
  fi | jq -Rrs -L "$here/scripts/lib" 'include "harmless"; gsub("[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,}"; "(a token)") | .[0:600] | harmless'
}

# field JQ-PATH PATTERN: a text of the last answer, if it is like that; it goes into addresses and headers.
field() {
  local value
  value=$(jq -r "$1 | strings" "$work/body") || return 1
  [[ $value =~ $2 ]] || return 1
  printf '%s' "$value"
}

finish() {
  local code=$?
  trap - EXIT
  clean_up || true
  rm -rf "$work"
  if [ $((passed + failed)) -eq 0 ]; then
    printf '✗ Not a single check ran.\n'
    [ "$code" -ne 0 ] || code=1
  else
    [ "$failed" -eq 0 ] || code=1
    if [ "$untried" -gt 0 ]; then
      printf '· Provisioning was NOT tried: nobody could prove the addresses (PLATFORM_ADMIN_JWT would let me vouch for them)\n'
      [ "$code" -ne 0 ] || code=3
    fi
    printf '%s passed, %s failed\n' "$passed" "$failed"
  fi
  exit "$code"
}
trap finish EXIT

# The tenants must go as well as they came: a tenant that can't be removed is a failed check.
clean_up() {
  [ ${#tenants[@]} -gt 0 ] || return 0
  if [ -z "${PLATFORM_ADMIN_JWT:-}" ]; then
    printf '· Left behind (PLATFORM_ADMIN_JWT would let me remove them): %s\n' "${tenants[*]}"
    return 0
  fi
  local tenant
  for tenant in "${tenants[@]}"; do remove "$tenant" || true; done
}

# remove TENANT: requests the removal, and waits until everything that was made for the tenant is gone.
remove() {
  local tenant=$1 deadline
  call DELETE "/api/v1/admin/tenants/$tenant" "$PLATFORM_ADMIN_JWT" '{"reason":"smoke test"}'
  # Nothing to wait for if it was refused.
  if [[ $status != 2?? ]]; then holds "$tenant: removal" 202 '.success'; return; fi

  deadline=$((SECONDS + 60))
  while :; do
    call GET "/api/v1/bgops/sagas?tenant=$tenant" "$PLATFORM_ADMIN_JWT"
    if [ "$status" = 200 ] && answer '.data[0].undo.status | . == "undone" or . == "compensation_failed"'; then break; fi
    [ "$SECONDS" -lt "$deadline" ] || break
    sleep 0.2
  done
  holds "$tenant: removed" 200 '(.data | length) == 1 and .data[0].tenantId == $tenant and .data[0].undo.status == "undone"' --arg tenant "$tenant"
}

# club PLAN: one tenant, from signup to completed.
club() {
  local plan=$1 suffix slug form email tenant token queued deadline unproven
  suffix="$(date +%s)-$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')"
  slug="smoke-$plan-$suffix"
  email="smoke-$plan-$suffix@example.org"
  [ -z "${SMOKE_EMAIL:-}" ] || email="${SMOKE_EMAIL%@*}+smoke-$plan-$suffix@${SMOKE_EMAIL#*@}"
  form=$(jq -cn --arg plan "$plan" --arg slug "$slug" --arg email "$email" \
    '{clubName: "Smoke test (\($plan))", clubSlug: $slug, email: $email, plan: $plan}')

  call POST /public/signup/start "" "$form"
  holds "$plan: signup" 200 '.success == true and (.jwt | test("\\A[\\w.-]{20,8192}\\z")) and (.tenantId | test("\\Atenant_[\\w-]{1,64}\\z"))' || return 0
  if ! tenant=$(field .tenantId '^tenant_[A-Za-z0-9_-]{1,64}$') || ! token=$(field .jwt '^[A-Za-z0-9._-]{20,8192}$'); then
    failed=$((failed + 1))
    printf '✗ %s: the id or the token of the club is none\n' "$plan"
    return 0
  fi
  tenants+=("$tenant")
  # With EMAIL_PROOF=off nobody asks.
  if answer '.emailProven == false'; then unproven=yes; else unproven=no; fi

  call GET /whoami "$token"
  holds "$plan: whoami" 200 '.success == true and .data.tenantId == $tenant' --arg tenant "$tenant" || true

  call POST /public/signup/brand "$token" '{"primaryColor":"#112233","secondaryColor":"#FFCC00"}'
  holds "$plan: brand" 200 '.success' || true

  queued=$(now)
  if [ "$plan" = starter ]; then
    call POST /public/signup/starter/make "$token" "$(webhook)"
  else
    call POST /public/signup/pro/confirm "$token" '{}'
  fi
  holds "$plan: provisioning queued" 200 '.success' || return 0
  if [ "$unproven" = yes ]; then
    proves "$plan" "$tenant" "$token" "$email" || return 0
  fi

  deadline=$((SECONDS + 60))
  while :; do
    call GET "/api/v1/tenants/$tenant/provision-status" "$token"
    if [ "$status" = 200 ] && answer '.status == "completed" or .status == "failed"'; then break; fi
    [ "$SECONDS" -lt "$deadline" ] || break
    sleep 0.2
  done
  holds "$plan: provisioned in $(since "$queued") s" 200 '.status == "completed"' || return 0
  [ -z "${BASE_DOMAIN:-}" ] || leads_here "$plan: its address" "${url%%://*}://$slug.$BASE_DOMAIN/"
}

# mailed EMAIL: the code that the sandbox got for an address, as soon as it is there.
mailed() {
  local deadline=$((SECONDS + 30)) code
  while :; do
    code=$(curl --disable --silent --max-time 10 --get --data-urlencode "to=$1" "${sandbox%/}/__sandbox/mails" |
      jq -r '[.mails[].text | capture("code is (?<code>[0-9]{6})") | .code] | last // empty' 2>/dev/null) || code=""
    if [[ $code =~ ^[0-9]{6}$ ]]; then printf '%s' "$code"; return 0; fi
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

# proves PLAN TENANT TOKEN EMAIL: whether the address is proven then. Sets token to the one from then on.
proves() {
  local plan=$1 tenant=$2 code
  if [ -n "$sandbox" ]; then
    code=$(mailed "$4") || code=000000
    call POST /auth/proof "$3" "{\"code\":\"$code\"}"
    holds "$plan: address proven by its code" 200 '.success == true and .emailProven == true and (.jwt | test("\\A[\\w.-]{20,8192}\\z"))' || return 1
    token=$(field .jwt '^[A-Za-z0-9._-]{20,8192}$')
  elif [ -n "${PLATFORM_ADMIN_JWT:-}" ]; then
    call PATCH "/api/v1/admin/tenants/$tenant" "$PLATFORM_ADMIN_JWT" '{"emailProven":true,"reason":"smoke test"}'
    # The token of the signup still reads how far it is.
    holds "$plan: address vouched for" 200 '.success == true and .data.emailProven == true'
  else
    untried=$((untried + 1))
    printf '· %s: provisioning is not tried\n' "$plan"
    return 1
  fi
}

# upstreams: what the service says of each, in words; a check each.
upstreams() {
  local ok line
  call GET "/health/ready?deep=1" "$PLATFORM_ADMIN_JWT"
  # With one of them in trouble it is 503, and says which.
  if [ "$status" != 503 ] || ! answer "$SAYS"; then
    holds "upstreams" 200 "$SAYS" >"$work/said" || { cat "$work/said"; return 0; }
    passed=$((passed - 1))
  fi
  while read -r ok line; do
    if [ "$ok" = true ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    printf '%s %s\n' "$([ "$ok" = true ] && printf '✓' || printf '✗')" "$line"
  done < <(jq -r '.upstreams[] | "\(.ok) " + ("\(.name): \(.code). \(.message)" | gsub("[\r\n]"; " ") | .[0:300])' "$work/body" | harmless)
}
SAYS='.upstreams | type == "array" and length > 0 and length <= 20
  and all((.ok | type) == "boolean" and ([.name, .code, .message] | all(type == "string")))'

webhook() {
  WEBHOOK_URL=${SMOKE_WEBHOOK_URL:-https://hook.eu2.make.com/$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')} \
    WEBHOOK_SECRET=${SMOKE_WEBHOOK_SECRET:-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')} \
    jq -cn '{webhookUrl: env.WEBHOOK_URL, webhookSecret: env.WEBHOOK_SECRET}'
}

printf '· %s%s\n' "$url" "${environment:+ ($environment)}"
call GET /health ""
holds "health" 200 '.ok' || exit 1
if [ "$secure" = yes ]; then
  # curl has refused anything else: it is never told to skip the certificate.
  printf '✓ TLS verified\n'
  passed=$((passed + 1))
fi
if [ -n "$expected" ]; then
  holds "environment is $expected" 200 '.environment == $expected' --arg expected "$expected" || exit 1
else
  printf '· It says that it is %s\n' "$(field .environment '^[a-z]{1,20}$' || printf 'nothing in particular')"
fi
call GET /health/ready ""
holds "ready" 200 '.ok' || true
if [ -n "${PLATFORM_ADMIN_JWT:-}" ]; then
  upstreams
else
  printf '· Upstreams were not looked at (PLATFORM_ADMIN_JWT would let me ask)\n'
fi
[ -z "${ADMIN_CONSOLE_URL:-}" ] || leads_here "mailed links" "${ADMIN_CONSOLE_URL%/}/magic/"

club starter
club pro
