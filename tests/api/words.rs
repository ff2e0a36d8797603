//! The words that programs and operators filter by. Each is a promise: one that is missing here is new, one that is gone
//! broke somebody's filter.

use std::collections::BTreeSet;

use http::Method;
use serde_json::json;
use tenantry::{
    domain::{Upstream, platform_webhook},
    ports::Limit,
};

use crate::{
    plans::everything_happens,
    support::{Answer, Manner, Reaction, TestApp, TestTenant, Token, signup},
};

/// The words of the log that requests, runs and sweeps write.
const LOG_WORDS: &str = "authz_deny authz_grant database_differed database_restored email_proof_refused email_proven mail_cancelled mail_failed mail_misconfigured mail_sent operator_action provisioning_paused request signup_completed signup_rejected \
                         signup_started sweep tenant_deprovision_failed tenant_deprovision_queued tenant_deprovision_step tenant_deprovisioned \
                         tenant_provision_complete tenant_provision_failed tenant_provision_queued tenant_provision_resumed tenant_provision_start \
                         tenant_provision_step tenant_provision_stuck token_revoked upstream_call webhook_delivery \
                         webhook_disabled webhook_stored";

#[tokio::test]
async fn the_log_speaks_in_these_words() {
    let app = TestApp::new();
    everything_happens(&app).await;
    app.outside().finishes_deferred_work().await;
    app.get("/whoami").send().await.fails(401, "UNAUTHORIZED");
    let words: BTreeSet<String> = app.log_words().into_iter().collect();
    let expected: BTreeSet<String> = LOG_WORDS.split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, expected);
}

/// In logs, metrics, the history, the operators' routes, the documentation and the sandbox.
#[tokio::test]
async fn an_upstream_has_one_name_everywhere() {
    let app = TestApp::new();
    everything_happens(&app).await;
    app.outside().finishes_deferred_work().await;
    let called: BTreeSet<String> = app
        .outside()
        .log_from(0)
        .into_iter()
        .filter_map(|line| line.fields.get("upstream").map(|name| name.as_str().unwrap().to_owned()))
        .collect();
    // Signing up waits for Turnstile, and the platform's webhook has its schedule: they have no breakers.
    let names: BTreeSet<String> = Upstream::ALL
        .iter()
        .map(|one| one.as_str().to_owned())
        .chain(["turnstile", platform_webhook::UPSTREAM].map(str::to_owned))
        .collect();
    assert!(called.len() > 3 && called.is_subset(&names), "{called:?}");
    let sandbox = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/sandbox");
    let played: BTreeSet<String> = std::fs::read_dir(sandbox)
        .unwrap()
        .filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok())
        .filter_map(|source| {
            let rest = source.split_once("\n  name: \"")?.1;
            Some(rest.split_once('"')?.0.to_owned())
        })
        .filter(|name| name != "unknown")
        .collect();
    assert_eq!(played, names);
}

/// An `error` that is put together of what Rust's debugger shows would reach people.
#[test]
fn nothing_that_runs_is_put_together_by_the_debugger() {
    fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let running = source.split("#[cfg(test)]\nmod ").next().unwrap();
            found.extend(
                running
                    .lines()
                    .filter(|line| line.contains(":?}") || line.contains(":#?}"))
                    .map(str::to_owned),
            );
        }
    }
    let mut found = Vec::new();
    walk(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn a_denial_and_a_grant_say_who_wanted_what() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.gets("/api/v1/tenants/tenant_other/provision-status").send().await.fails(403, "FORBIDDEN");
    let line = serde_json::Value::Object(app.log_of("authz_deny").pop().unwrap().fields);
    let id = app.log_of("request").pop().unwrap().fields["requestId"].clone();
    assert_eq!(
        line,
        json!({
            "level": "warn", "msg": "authz_deny", "event": "authz_deny", "decision": "deny",
            "reason": "tenant_mismatch", "roles": ["tenant_admin", "owner"], "aud": "syston-mobile",
            "sub": Token::read(&tenant.jwt)["sub"], "tenantId": tenant.id, "requestedTenant": "tenant_other",
            "hasAuthHeader": true, "requestId": id,
            "route": "/api/v1/tenants/{id}/provision-status", "method": "GET"
        })
    );
    app.get(&tenant.status_path()).token(&Token::service(app.now()).sign()).send().await.is(200);
    let line = serde_json::Value::Object(app.log_of("authz_grant").pop().unwrap().fields);
    let id = app.log_of("request").pop().unwrap().fields["requestId"].clone();
    assert_eq!(
        line,
        json!({
            "level": "info", "msg": "authz_grant", "event": "authz_grant", "decision": "grant",
            "reason": "permitted", "roles": ["service"], "aud": "internal", "sub": "service",
            "requestedTenant": tenant.id, "hasAuthHeader": true, "requestId": id,
            "route": "/api/v1/tenants/{id}/provision-status", "method": "GET"
        })
    );
}

/// One request for each word.
pub async fn every_error() -> Vec<(Answer, u16, &'static str)> {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let pro = app.signed_up_pro("fc-sued").await;
    let (operator, service) = (Token::operator(app.now()).sign(), Token::service(app.now()).sign());
    let mut taken = signup("fc-nord");
    taken["email"] = "other@example.org".into();
    let mut known = signup("fc-west");
    known["email"] = "owner@fc-nord.example".into();
    let mut promo = signup("fc-west");
    promo["promoCode"] = "NOSUCH".into();
    let never = json!({ "tenantId": "tenant_never" });
    let completed = app.provisioned("fc-ost").await;
    let run = app.outside().objects().run(&completed.id).unwrap().id;
    let reason = json!({ "reason": "test" });
    let sagas = "/api/v1/bgops/sagas";
    let mut all = vec![
        (app.get("/nothing").send().await, 404, "NOT_FOUND"),
        (app.ask(Method::DELETE, "/whoami").send().await, 405, "METHOD_NOT_ALLOWED"),
        (app.get("/whoami").send().await, 401, "UNAUTHORIZED"),
        (app.get("/whoami").token("x").send().await, 401, "INVALID_TOKEN"),
        (tenant.gets("/api/v1/bgops/sagas").send().await, 403, "FORBIDDEN"),
        (app.post("/public/signup/start").body("x").send().await, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (app.signs_up(&json!({ "clubName": "x".repeat(17_000) })).await, 413, "PAYLOAD_TOO_LARGE"),
        (app.signs_up(&json!({})).await, 400, "VALIDATION"),
        (app.signs_up(&taken).await, 409, "SLUG_TAKEN"),
        (app.signs_up(&signup("fc-nord")).await, 409, "ALREADY_SIGNED_UP"),
        (app.signs_up(&known).await, 409, "EMAIL_EXISTS"),
        (app.signs_up(&promo).await, 400, "INVALID_PROMO"),
        (pro.connects_make().await, 409, "PLAN_MISMATCH"),
        (tenant.connects("https://example.com/").await, 400, "INVALID_WEBHOOK_HOST"),
        (tenant.retries().await, 409, "NOT_RETRYABLE"),
        (
            tenant.post(&format!("/api/v1/tenants/{}/welcome/resend", tenant.id)).token(&tenant.jwt).send().await,
            409,
            "NOTHING_TO_RESEND",
        ),
        (
            tenant.post(&format!("/api/v1/tenants/{}/webhook/test", tenant.id)).token(&tenant.jwt).send().await,
            409,
            "NO_WEBHOOK",
        ),
        (
            tenant.posts(
                &format!("/api/v1/tenants/{}/webhook/test", tenant.id),
                &json!({ "webhookUrl": "https://hook.eu2.make.com/a", "webhookSecret": crate::support::WEBHOOK_SECRET }),
            )
            .await,
            409,
            "WEBHOOK_NOT_STORED",
        ),
        (
            app.post("/internal/provision/queue").token(&service).json(&never).send().await,
            404,
            "TENANT_NOT_FOUND",
        ),
        (app.get(&format!("{sagas}/run_never")).token(&operator).send().await, 404, "RUN_NOT_FOUND"),
        (
            app.post("/api/v1/bgops/upstreams/never/close").token(&operator).json(&reason).send().await,
            404,
            "UPSTREAM_NOT_FOUND",
        ),
        (
            app.post(&format!("{sagas}/{run}/cancel")).token(&operator).json(&reason).send().await,
            409,
            "RUN_STATE_CONFLICT",
        ),
    ];
    app.outside().objects().stores(&completed.id, r#"{"written":"by another version"}"#);
    let cancel = app.post(&format!("{sagas}/{run}/cancel")).token(&operator).json(&reason);
    all.push((cancel.send_whatever_the_words().await, 409, "CHECKPOINT_UNREADABLE"));
    let redeliver = format!("/api/v1/tenants/{}/webhook/deliveries/none/redeliver", tenant.id);
    all.push((app.post(&redeliver).token(&tenant.jwt).send().await, 404, "DELIVERY_NOT_FOUND"));
    let session = "/api/v1/tenants/me/sessions/none";
    all.push((app.ask(Method::DELETE, session).token(&tenant.jwt).send().await, 404, "SESSION_NOT_FOUND"));
    let both = tenant.gets("/whoami").cookie("a.b.c").by_our_page().send().await;
    all.push((both, 400, "AMBIGUOUS_CREDENTIALS"));
    let user = json!({ "userId": "user_never", "reason": "left the board" });
    let revoke = app.post("/api/v1/admin/tokens/revoke").token(&operator).json(&user);
    all.push((revoke.send().await, 404, "USER_NOT_FOUND"));
    all.extend(errors_of_operators(&app).await);
    app.signed_up_with_key("fc-key", "key-1").await;
    let keyed = |form: serde_json::Value| {
        app.post("/public/signup/start").header("idempotency-key", "key-1").json(&form).send()
    };
    all.push((keyed(signup("fc-other")).await, 422, "IDEMPOTENCY_KEY_REUSED"));
    app.db().execute("update idempotency_keys set status = 'in_progress'", ());
    all.push((keyed(signup("fc-key")).await, 409, "IDEMPOTENCY_IN_PROGRESS"));
    let newcomer = app.signed_up_unproven(&signup("fc-new")).await;
    all.push((newcomer.retries().await, 403, "EMAIL_UNPROVEN"));
    all.push((newcomer.posts("/auth/proof", &json!({ "code": "271828" })).await, 400, "INVALID_CODE"));
    all.push((tenant.post("/auth/proof/send").token(&tenant.jwt).send().await, 409, "EMAIL_PROVEN"));
    let guarded = app.redeployed_with(&[("TURNSTILE_SECRET", "the-turnstile-secret")]);
    all.push((guarded.signs_up(&signup("fc-turn")).await, 403, "TURNSTILE_FAILED"));
    app.outside().upstreams().next("turnstile", [Reaction::TimesOut]);
    let mut person = signup("fc-turn");
    person["turnstileToken"] = "good".into();
    all.push((guarded.signs_up(&person).await, 503, "TURNSTILE_UNAVAILABLE"));
    app.outside().objects().become_(Manner::Gone);
    all.push((pro.confirms_pro().await, 503, "PROVISIONER_UNAVAILABLE"));
    app.outside().breakers().become_(Manner::Gone);
    let close = app.post("/api/v1/bgops/upstreams/make/close").token(&operator).json(&reason);
    all.push((close.send().await, 503, "BREAKER_UNAVAILABLE"));
    app.outside().limits(Limit::Lookup, 0);
    all.push((app.get("/public/signup/availability?slug=abc").send().await, 429, "RATE_LIMITED"));
    app.db().execute("insert into feature_flags values ('signup_enabled', 0, null, 0)", ());
    all.push((app.signs_up(&signup("fc-late")).await, 503, "SIGNUPS_DISABLED"));
    app.db().goes_down();
    all.push((tenant.gets("/whoami").send().await, 503, "STORE_UNAVAILABLE"));
    let mute = TestApp::with(&[("JWT_SECRET", "")]);
    all.push((mute.signs_up(&signup("fc-nord")).await, 500, "INTERNAL"));
    all
}

async fn errors_of_operators(app: &TestApp) -> Vec<(Answer, u16, &'static str)> {
    const ADMIN: &str = "/api/v1/admin";
    let (live, gone) = (app.provisioned("fc-live").await, app.signed_up("fc-gone").await);
    gone.becomes("status", "cancelled");
    let operator = Token::operator(app.now()).sign();
    let idle = app.signed_up("fc-idle").await;
    idle.becomes("status", "suspended");
    let send = |method: Method, path: &str, body: serde_json::Value| {
        app.ask(method, &format!("{ADMIN}{path}")).token(&operator).json(&body).send()
    };
    let change = |tenant: &TestTenant, body| send(Method::PATCH, &format!("/tenants/{}", tenant.id), body);
    let make = || send(Method::POST, "/promo-codes", json!({ "code": "TWICE", "discountPercent": 10 }));
    make().await.is(200);
    app.has_promo("USED", 10, &[("uses", json!(1))]);
    vec![
        (change(&live, json!({ "plan": "pro", "reason": "test" })).await, 409, "PLAN_LOCKED"),
        (change(&gone, json!({ "comped": true, "reason": "test" })).await, 409, "TENANT_CANCELLED"),
        (idle.machine_queues(&idle.id).await, 409, "TENANT_SUSPENDED"),
        (
            app.get(&format!("{ADMIN}/events?after=OSBhYg")).token(&operator).send().await,
            410,
            "CURSOR_OUTDATED",
        ),
        (make().await, 409, "PROMO_EXISTS"),
        (send(Method::PATCH, "/promo-codes/USED", json!({ "discountPercent": 5 })).await, 409, "PROMO_USED"),
        (send(Method::POST, "/promo-codes/NEVER/deactivate", json!({})).await, 404, "PROMO_NOT_FOUND"),
    ]
}

#[tokio::test]
pub async fn every_error_keeps_its_word_and_its_status() {
    for (answer, status, code) in every_error().await {
        answer.fails(status, code);
    }
}

/// A word of the sources that is not among those above is one that nobody was promised.
#[tokio::test]
async fn no_error_has_a_word_that_is_not_promised() {
    let promised: BTreeSet<String> =
        every_error().await.into_iter().map(|(_, _, code)| code.to_owned()).collect();
    let mut found = BTreeSet::new();
    for (_, source) in crate::layers::sources().into_iter().filter(|(path, _)| path.starts_with("http/")) {
        for (part, before) in source.split('"').skip(1).zip(source.split('"')).step_by(2) {
            let is_word = part.len() > 4 && part.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            if is_word && !before.trim_end().ends_with("HeaderName::from_static(") && part != "DENY" {
                found.insert(part.to_owned());
            }
        }
    }
    // Methods, and what the page is shown of the configuration.
    for other in [
        "DELETE",
        "PATCH",
        "IMPRINT_URL",
        "PRICE_PRO",
        "PRICE_STARTER",
        "PRIVACY_URL",
        "SUPPORT_EMAIL",
        "TERMS_URL",
    ] {
        found.remove(other);
    }
    assert_eq!(found, promised);
}
