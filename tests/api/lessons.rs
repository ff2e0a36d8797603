//! What the predecessors did, where no other test is about just that. Each is named after what it guards.

use serde_json::json;

use crate::support::{Reaction, TestApp, Token, signup};

/// Base64 or text: the runbook's own snippet got a 401.
#[tokio::test]
async fn a_secret_is_the_bytes_of_its_text_even_if_it_looks_like_base64() {
    let secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA==";
    let app = TestApp::with(&[("JWT_SECRET", secret)]);
    let token = Token::service(app.now());
    app.get("/whoami").token(&token.clone().under(secret).sign()).send().await.is(200);
    let decoded = "secret-secret-secret-secret-secret";
    app.get("/whoami").token(&token.under(decoded).sign()).send().await.fails(401, "INVALID_TOKEN");
}

/// "Wait 24 hours" invalidated every year-long token.
#[tokio::test]
async fn a_routine_rotation_signs_nobody_out() {
    const NEW: &str = "the-new-secret-of-more-than-32-bytes";
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let old = crate::support::SECRETS[0];
    let announced = app.redeployed_with(&[("JWT_SECRET_NEXT", NEW)]);
    app.passes(1);
    let rotated_at = app.now().to_string();
    let rotated = app.redeployed_with(&[
        ("JWT_SECRET", NEW),
        ("JWT_SECRET_PREVIOUS", old),
        ("JWT_ROTATED_AT", &rotated_at),
    ]);
    let early = rotated.signed_up("fc-sued").await;
    for deployment in [&announced, &rotated] {
        for token in [&tenant.jwt, &early.jwt] {
            deployment.get("/whoami").token(token).send().await.is(200);
        }
    }
    app.get("/whoami").token(&early.jwt).send().await.fails(401, "INVALID_TOKEN");
    let leaked = app.redeployed_with(&[("JWT_SECRET", NEW)]);
    leaked.get("/whoami").token(&tenant.jwt).send().await.fails(401, "INVALID_TOKEN");
    leaked.get("/whoami").token(&early.jwt).send().await.is(200);
}

#[tokio::test]
async fn a_short_secret_is_no_secret() {
    let short = "thirty-one-bytes-are-not-enough";
    assert_eq!(short.len(), 31);
    let app = TestApp::new();
    let forged = Token::operator(app.now()).under(short).sign();
    for name in ["JWT_SECRET", "JWT_SECRET_NEXT", "JWT_SECRET_PREVIOUS"] {
        let deployment = app.redeployed_with(&[(name, short)]);
        deployment.get("/whoami").token(&forged).send().await.fails(401, "INVALID_TOKEN");
    }
}

#[tokio::test]
async fn readers_of_tokens_are_lenient_about_names_and_nothing_else() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let brand = json!({ "primaryColor": "#102030", "secondaryColor": "#405060" });
    let base = Token::tenant(&tenant.id, app.now());
    let post = |token: Token| app.post("/public/signup/brand").token(&token.sign()).json(&brand).send();
    for name in ["tenantId", "tenant_id", "tenant"] {
        post(base.clone().with("tenantId", json!(null)).with(name, tenant.id.as_str())).await.is(200);
    }
    for role in ["tenant_admin", "owner"] {
        post(base.clone().with("roles", json!(null)).with("role", role)).await.is(200);
    }
    let ids = base.clone().with("tenantId", json!([tenant.id]));
    post(ids).await.fails(401, "INVALID_TOKEN");
    let audiences = base.clone().with("aud", json!(["syston-mobile", "syston-admin"]));
    post(audiences).await.refuses(403, "FORBIDDEN", "unexpected \"aud\" claim value");
}

/// `active` was set before provisioning; a status said `complete` over a failure.
#[tokio::test]
async fn a_tenant_is_live_when_it_is_completed_and_not_before() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().next("make", vec![Reaction::TimesOut; 4]);
    let mut rings = 0;
    loop {
        let live = tenant.row()["status"] == "active";
        assert_eq!(live, tenant.ended().await == "completed", "after {rings} alarms");
        if !tenant.alarm_rings(&tenant.id).await {
            break;
        }
        rings += 1;
    }
    assert!(rings >= 5 && tenant.row()["status"] == "active");
}

/// Queue answered success over a failure.
#[tokio::test]
async fn a_failure_is_not_answered_as_success() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    let queued = app.machine_queues(&tenant.id).await.is(200);
    assert_eq!((&queued["data"]["status"], &queued["data"]["changed"]), (&json!("processing"), &json!(true)));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
}

/// Validation by GET fired customers' scenarios, and followed redirects anywhere.
#[tokio::test]
async fn a_webhook_is_posted_to_and_its_redirects_are_not_followed() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::Answers(307, ""));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    let pings = app.outside().upstreams().sent_to("make");
    assert_eq!(pings.len(), 1);
    assert_eq!((pings[0].call.method, pings[0].call.follow.len()), ("POST", 0));
    assert_eq!(pings[0].call.time_limit, std::time::Duration::from_secs(5));
}

#[tokio::test]
async fn what_a_tenant_is_called_never_becomes_markup_in_its_mail() {
    let app = TestApp::new();
    let mut form = signup("fc-nord");
    form["clubName"] = "<script>alert(1)</script> & \"Sons\"".into();
    let tenant = app.signed_up_with(&form).await;
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    app.outside().finishes_deferred_work().await;
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap().json();
    let html = mail["html"].as_str().unwrap();
    assert!(
        !html.contains("<script>")
            && html.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;Sons&quot;")
    );
    assert!(mail["subject"].as_str().unwrap().contains("<script>"), "a subject is no markup");
}

/// The second run overwrote `complete` with `failed`.
#[tokio::test]
async fn an_old_listing_undoes_no_newer_one() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    let mut late = app.outside().objects().run(&tenant.id).unwrap();
    tenant.waits().await;
    let before = app.db().contents();
    late.expire(tenantry::ports::Clock::now(app.outside()));
    let now = tenantry::ports::Clock::now(app.outside());
    let listed = tenantry::app::projection::project(app.db(), &late, now).await;
    assert!(matches!(listed, tenantry::workflow::ProjectionResult::Written { .. }));
    for table in ["tenants", "provision_runs", "provision_steps"] {
        assert_eq!(app.db().contents()[table], before[table], "{table}");
    }
    assert_eq!(tenant.ended().await, "completed");
}

/// One address got sixteen tenants, one by one.
#[tokio::test]
async fn one_address_is_one_tenant_however_long_ago() {
    let app = TestApp::new();
    app.provisioned("fc-nord").await;
    app.passes(400 * 24 * 3600);
    let mut again = signup("fc-sued");
    again["email"] = "OWNER@fc-nord.example".into();
    app.signs_up(&again).await.fails(409, "EMAIL_EXISTS");
}
