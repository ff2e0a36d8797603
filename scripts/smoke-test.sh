#!/usr/bin/env bash
# Does a running service really take clubs in? Signs a starter and a pro club up over HTTP and waits until both are provisioned.
#
#   scripts/smoke-test.sh [local|preview|production]
#
# local       http://127.0.0.1:8787, or PORT (`npm start`, with its sandboxed upstreams)
# preview, production     the address in WORKER_URL, and the service must say that it is that environment
# WORKER_VERSION  NAME="ID" asks one version of a Worker, whatever share of the traffic it gets (`npm run rollout` sets it)
# WORKER_URL  any address; without an argument, the environment is not checked
#
# Needs bash, curl and jq. Away from the sandbox the clubs are real: SMOKE_WEBHOOK_URL names a Make webhook that may be pinged
# (SMOKE_WEBHOOK_SECRET: its secret), SMOKE_EMAIL an address (its local part gets a +suffix), and PLATFORM_ADMIN_JWT, when given,
# removes the clubs afterwards, which is a check too. Exits 0 only if checks ran and all of them passed.
set -euo pipefail

[ "${1:-}" != --help ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"; exit 0; }

fail() { printf '✗ %s\n' "$1" >&2; exit 2; }

command -v curl >/dev/null || fail "curl is missing: install it."
command -v jq >/dev/null || fail "jq is missing: install it."

environment=${1:-}
case "$environment" in
  local) url=${WORKER_URL:-http://127.0.0.1:${PORT:-8787}}; expected=development ;;
  preview | production) url=${WORKER_URL:-}; expected=$environment ;;
  "") url=${WORKER_URL:-http://127.0.0.1:${PORT:-8787}}; expected="" ;;
  *) fail "Unknown environment: $environment. Use local, preview or production." ;;
esac
[ -n "$url" ] || fail "Set WORKER_URL to the address of $environment."
url=${url%/}
# A name that only begins like this machine's is another's, and a token would travel there in the clear.
if [[ $url == https://* ]]; then
  secure=yes
elif [[ $url =~ ^http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?$ ]]; then
  secure=no
else
  fail "$url: only https, or http on this machine."
fi

umask 077
work=$(mktemp -d)
passed=0
failed=0
tenants=()

now() { jq -n 'now'; }
since() { jq -rn --argjson start "$1" '(now - $start) * 1000 | round / 1000'; }

# call METHOD PATH TOKEN [JSON]: sets status, and the body in $work/body. Tokens go through files: arguments are public.
call() {
  local options=(--silent --show-error --max-time 20 --request "$1" --output "$work/body" --write-out '%{http_code}')
  [ "$secure" = no ] || options+=(--proto '=https' --tlsv1.2)
  : >"$work/headers"
  [ -z "$3" ] || printf 'Authorization: Bearer %s\n' "$3" >"$work/headers"
  [ -z "${WORKER_VERSION:-}" ] || printf 'Cloudflare-Workers-Version-Overrides: %s\n' "$WORKER_VERSION" >>"$work/headers"
  if [ $# -ge 4 ]; then
    printf 'Content-Type: application/json\n' >>"$work/headers"
    printf '%s' "$4" >"$work/request"
    options+=(--data-binary "@$work/request")
  fi
  : >"$work/body"
  status=$(curl "${options[@]}" --header "@$work/headers" "$url$2" 2>"$work/curl") || status="000"
}

# holds NAME STATUS JQ-CONDITION: one check of the last answer.
holds() {
  if [ "$status" = "$2" ] && jq -e "$3" "$work/body" >/dev/null 2>&1; then
    passed=$((passed + 1))
    printf '✓ %s\n' "$1"
    return 0
  fi
  failed=$((failed + 1))
  printf '✗ %s: status %s, wanted %s with %s\n  %s\n' "$1" "$status" "$2" "$3" "$(summary)"
  return 1
}

# What an answer says, without a token that it may hold.
summary() {
  if [ "$status" = 000 ]; then cat "$work/curl"; return; fi
  jq -c 'if type == "object" then del(.jwt) else . end' "$work/body" 2>/dev/null || head -c 200 "$work/body"
}

field() { jq -r "$1" "$work/body"; }

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
    printf '%s passed, %s failed\n' "$passed" "$failed"
  fi
  exit "$code"
}
trap finish EXIT

# What it made must go as well as it came: a club that can't be removed is a check that failed.
clean_up() {
  [ ${#tenants[@]} -gt 0 ] || return 0
  if [ -z "${PLATFORM_ADMIN_JWT:-}" ]; then
    printf '· Left behind (PLATFORM_ADMIN_JWT would let me remove them): %s\n' "${tenants[*]}"
    return 0
  fi
  local tenant
  for tenant in "${tenants[@]}"; do remove "$tenant" || true; done
}

# remove TENANT: asks for it, and waits until all that was made for it is gone.
remove() {
  local tenant=$1 deadline
  call DELETE "/api/v1/admin/tenants/$tenant" "$PLATFORM_ADMIN_JWT" '{"reason":"smoke test"}'
  # Nothing to wait for if it was refused.
  if [[ $status != 2?? ]]; then holds "$tenant: removal" 202 '.success'; return; fi

  deadline=$((SECONDS + 60))
  while :; do
    call GET "/api/v1/bgops/sagas?tenant=$tenant" "$PLATFORM_ADMIN_JWT"
    case "$status:$(jq -r '.data[0].undo.status // ""' "$work/body" 2>/dev/null)" in
      200:undone | 200:compensation_failed) break ;;
    esac
    [ "$SECONDS" -lt "$deadline" ] || break
    sleep 0.1
  done
  holds "$tenant: removed" 200 '.data[0].undo.status == "undone"'
}

# club PLAN: from signup to completed.
club() {
  local plan=$1 suffix form email tenant token queued deadline
  suffix="$(date +%s)-$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n')"
  email="smoke-$plan-$suffix@example.org"
  [ -z "${SMOKE_EMAIL:-}" ] || email="${SMOKE_EMAIL%@*}+smoke-$plan-$suffix@${SMOKE_EMAIL#*@}"
  form=$(jq -cn --arg plan "$plan" --arg slug "smoke-$plan-$suffix" --arg email "$email" \
    '{clubName: "Smoke test (\($plan))", clubSlug: $slug, email: $email, plan: $plan}')

  call POST /public/signup/start "" "$form"
  holds "$plan: signup" 200 '.success and (.jwt | length > 20) and (.tenantId | startswith("tenant_"))' || return 0
  tenant=$(field .tenantId)
  token=$(field .jwt)
  tenants+=("$tenant")

  call GET /whoami "$token"
  holds "$plan: whoami" 200 ".success and .data.tenantId == \"$tenant\"" || true

  call POST /public/signup/brand "$token" '{"primaryColor":"#112233","secondaryColor":"#FFCC00"}'
  holds "$plan: brand" 200 '.success' || true

  queued=$(now)
  if [ "$plan" = starter ]; then
    call POST /public/signup/starter/make "$token" "$(webhook)"
  else
    call POST /public/signup/pro/confirm "$token" '{}'
  fi
  holds "$plan: provisioning queued" 200 '.success' || return 0

  deadline=$((SECONDS + 60))
  while :; do
    call GET "/api/v1/tenants/$tenant/provision-status" "$token"
    case "$status:$(jq -r '.status // ""' "$work/body" 2>/dev/null)" in
      200:completed | 200:failed) break ;;
    esac
    [ "$SECONDS" -lt "$deadline" ] || break
    sleep 0.1
  done
  holds "$plan: provisioned in $(since "$queued") s" 200 '.status == "completed"' || true
}

webhook() {
  jq -cn --arg url "${SMOKE_WEBHOOK_URL:-https://hook.eu2.make.com/$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')}" \
    --arg secret "${SMOKE_WEBHOOK_SECRET:-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')}" '{webhookUrl: $url, webhookSecret: $secret}'
}

printf '· %s\n' "$url"
call GET /health ""
holds "health" 200 '.ok == true' || exit 1
if [ "$secure" = yes ]; then
  # curl has refused anything else: it is never told to skip the certificate.
  printf '✓ TLS verified\n'
  passed=$((passed + 1))
fi
if [ -n "$expected" ]; then
  holds "environment is $expected" 200 ".environment == \"$expected\"" || exit 1
fi
call GET /health/ready ""
holds "ready" 200 '.ok == true' || true

club starter
club pro
