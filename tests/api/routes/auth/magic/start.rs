//! `POST /auth/magic/start`

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenantry::ports::Limit;

use crate::support::{Answer, Reaction, TestApp, Token, keys};

async fn ask(app: &TestApp, body: Value) -> Answer {
    let answer = app.post("/auth/magic/start").json(&body).send().await;
    app.outside().finishes_deferred_work().await;
    answer
}

fn mails(app: &TestApp) -> usize {
    app.outside().upstreams().sent_to("resend").len()
}

#[tokio::test]
async fn a_known_owner_is_mailed_a_link() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let answer = ask(&app, json!({ "email": " Owner@FC-nord.example" })).await;
    assert_eq!(answer.is(202), json!({ "success": true }));
    let sent = app.outside().upstreams().sent_to("resend").pop().unwrap();
    let mail = sent.json();
    assert_eq!(mail["from"], "Tenantry <welcome@clubs.example>");
    assert_eq!(mail["to"], json!(["owner@fc-nord.example"]));
    assert_eq!(mail["subject"], "Sign in to FC fc-nord");
    let claims = Token::read(sent.link().rsplit_once("#token=").unwrap().1);
    assert_eq!(keys(&claims), ["aud", "exp", "iat", "iss", "jti", "tenantId"]);
    assert_eq!((&claims["aud"], &claims["tenantId"]), (&json!("magic-link"), &json!(tenant.id)));
    assert_eq!(claims["exp"], app.now() + 24 * 3600);
    assert!(!sent.key().is_empty() && sent.key().len() <= 256);
}

/// The predecessor mailed a platform admin's token to whoever asked.
#[tokio::test]
async fn an_unknown_address_gets_the_same_answer_and_no_mail() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    let known = ask(&app, json!({ "email": "owner@fc-nord.example" })).await;
    let batches = app.db().batches();
    let unknown = ask(&app, json!({ "email": "nobody@fc-nord.example" })).await;
    assert_eq!((unknown.status, &unknown.text), (known.status, &known.text));
    assert_eq!(app.db().batches(), batches + 1, "the same work");
    assert_eq!(mails(&app), 1);
    assert_eq!(app.db().number("select count(*) from magic_links"), 1);
}

#[tokio::test]
async fn a_link_carries_its_token_where_no_server_sees_it() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    ask(&app, json!({ "email": "owner@fc-nord.example" })).await;
    let link = app.outside().upstreams().sent_to("resend").pop().unwrap().link();
    assert!(link.starts_with("https://api.example.com/magic/#token=eyJ"), "{link}");
    let app = TestApp::with(&[("ADMIN_CONSOLE_URL", "https://console.example.com/")]);
    app.signed_up("fc-nord").await;
    ask(&app, json!({ "email": "owner@fc-nord.example" })).await;
    let link = app.outside().upstreams().sent_to("resend").pop().unwrap().link();
    assert!(link.starts_with("https://console.example.com/magic/#token="), "{link}");
}

#[tokio::test]
async fn what_is_stored_is_no_link() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    ask(&app, json!({ "email": "owner@fc-nord.example" })).await;
    let link = app.outside().upstreams().sent_to("resend").pop().unwrap().link();
    let claims = Token::read(link.rsplit_once("#token=").unwrap().1);
    let stored = serde_json::to_string(&app.db().contents()).unwrap();
    assert!(!stored.contains(claims["jti"].as_str().unwrap()) && !stored.contains("eyJ"));
}

#[tokio::test]
async fn a_tenant_may_be_named_and_then_counts() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    ask(&app, json!({ "email": "owner@fc-nord.example", "tenantId": "tenant_other" })).await.is(202);
    assert_eq!(mails(&app), 0);
    ask(&app, json!({ "email": "owner@fc-nord.example", "tenantId": tenant.id })).await.is(202);
    assert_eq!(mails(&app), 1);
}

/// Older pages know a tenant by its name in addresses, and send it under either name.
#[tokio::test]
async fn a_tenant_may_be_named_by_its_slug() {
    for (name, value, sent) in [
        ("tenantId", "fc-nord", 1),
        ("tenantId", " FC-Nord ", 1),
        ("tenantSlug", "fc-nord", 1),
        ("tenantSlug", "", 1),
        ("tenantSlug", "fc-sued", 0),
        ("tenantId", "fc-sued", 0),
        // What the older console sent where it knew none.
        ("tenantId", "platform", 0),
    ] {
        let app = TestApp::new();
        app.signed_up("fc-nord").await;
        let answer = ask(&app, json!({ "email": "owner@fc-nord.example", name: value })).await;
        assert_eq!(answer.is(202), json!({ "success": true }), "the same answer");
        assert_eq!(mails(&app), sent, "{name}: {value}");
    }
    let app = TestApp::new();
    for slug in ["x", "fc nord", "fc_nord", &"x".repeat(64)] {
        let body = json!({ "email": "owner@fc-nord.example", "tenantSlug": slug });
        let told = ask(&app, body).await.complains_about();
        assert_eq!(told, [("tenantSlug".to_owned(), "invalid_slug".to_owned())], "{slug}");
    }
}

#[tokio::test]
async fn a_slug_alone_is_enough_and_the_mail_goes_to_its_owner_only() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    app.signed_up("fc-sued").await;
    let known = ask(&app, json!({ "tenantSlug": " FC-Nord " })).await;
    assert_eq!(
        app.outside().upstreams().sent_to("resend").pop().unwrap().json()["to"],
        json!(["owner@fc-nord.example"])
    );
    let batches = app.db().batches();
    let unknown = ask(&app, json!({ "tenantSlug": "fc-west" })).await;
    assert_eq!((unknown.status, &unknown.text), (known.status, &known.text));
    assert_eq!(app.db().batches(), batches + 1, "the same work");
    ask(&app, json!({ "tenantSlug": "fc-nord" })).await.is(202);
    assert_eq!(mails(&app), 1, "the pause holds for the slug, too");
    for body in [json!({ "email": "" }), json!({ "tenantSlug": "" }), json!({ "tenantId": "fc-nord" })] {
        assert_eq!(ask(&app, body).await.complains_about(), [("email".to_owned(), "required".to_owned())]);
    }
}

/// Two tenants may have been signed up with one address before it was proven: the slug says which is meant.
#[tokio::test]
async fn the_slug_of_an_unproven_tenant_has_the_proof_sent_again() {
    let app = TestApp::new();
    let shared =
        |slug| json!({ "clubName": "FC", "clubSlug": slug, "email": "owner@shared.example", "plan": "pro" });
    let first = app.signed_up_unproven(&shared("fc-nord")).await;
    app.signed_up_unproven(&shared("fc-sued")).await;
    app.outside().finishes_deferred_work().await;
    let before = mails(&app);
    app.passes(300);
    ask(&app, json!({ "tenantSlug": "fc-nord" })).await.is(202);
    assert_eq!(mails(&app), before + 1);
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap();
    assert_eq!(mail.json()["to"], json!(["owner@shared.example"]));
    assert!(mail.link().contains(&format!("/proof/#token={}.", first.id)), "{}", mail.link());
}

#[tokio::test]
async fn a_stopped_tenant_is_mailed_nothing() {
    for status in ["suspended", "cancelled"] {
        let app = TestApp::new();
        app.signed_up("fc-nord").await.becomes("status", status);
        ask(&app, json!({ "email": "owner@fc-nord.example" })).await.is(202);
        assert_eq!(mails(&app), 0);
    }
}

#[tokio::test]
async fn one_mail_in_five_minutes_is_enough() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    for (pause, sent) in [(0, 1), (299, 1), (1, 2)] {
        app.passes(pause);
        ask(&app, json!({ "email": "owner@fc-nord.example" })).await.is(202);
        assert_eq!(mails(&app), sent);
    }
}

#[tokio::test]
async fn of_twenty_who_ask_at_once_in_any_case_one_is_mailed() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    let asks = ["owner@fc-nord.example", "OWNER@FC-NORD.EXAMPLE"].repeat(10);
    join_all(asks.into_iter().map(|email| ask(&app, json!({ "email": email })))).await;
    assert_eq!(mails(&app), 1);
    assert_eq!(app.db().number("select count(*) from magic_links"), 1);
}

fn from(app: &TestApp, client: &str, email: &str) -> impl Future<Output = Answer> {
    let ask = app.post("/auth/magic/start").header("cf-connecting-ip", client);
    ask.json(&json!({ "email": email })).send()
}

#[tokio::test]
async fn asking_is_limited_for_each_client_whatever_it_asks_for() {
    let app = TestApp::new();
    app.outside().limits(Limit::Magic, 1);
    app.outside().limits(Limit::MagicNetwork, 2);
    from(&app, "192.0.2.1", "a@example.org").await.is(202);
    from(&app, "192.0.2.1", "b@example.org").await.fails(429, "RATE_LIMITED");
    from(&app, "192.0.2.2", "a@example.org").await.is(202);
    from(&app, "2001:db8:1:1::1", "a@example.org").await.is(202);
    from(&app, "2001:db8:1:1::2", "a@example.org").await.fails(429, "RATE_LIMITED");
    from(&app, "2001:db8:1:2::1", "a@example.org").await.is(202);
    from(&app, "2001:db8:1:3::1", "a@example.org").await.fails(429, "RATE_LIMITED");
}

#[tokio::test]
async fn nobody_keeps_an_owner_from_signing_in_by_asking_for_the_address() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    for &limit in Limit::ALL {
        app.outside().limits(limit, 2);
    }
    for n in 0..50 {
        from(&app, &format!("192.0.2.{n}"), "owner@fc-nord.example").await.is(202);
    }
    from(&app, "198.51.100.1", "owner@fc-nord.example").await.is(202);
    app.outside().finishes_deferred_work().await;
    assert_eq!(mails(&app), 1, "and one mail in five minutes is enough");
    app.passes(300);
    from(&app, "198.51.100.1", "owner@fc-nord.example").await.is(202);
    app.outside().finishes_deferred_work().await;
    assert_eq!(mails(&app), 2);
}

#[tokio::test]
async fn bad_input_is_told() {
    let app = TestApp::new();
    let bad = ask(&app, json!({ "email": "nobody", "tenantId": "x" })).await.complains_about();
    let told = |field: &str, code: &str| (field.to_owned(), code.to_owned());
    assert_eq!(bad, [told("email", "invalid_email"), told("tenantId", "invalid_id")]);
    assert_eq!(ask(&app, json!({})).await.complains_about(), [told("email", "required")]);
}

#[tokio::test]
async fn a_mail_that_fails_is_nobodys_business_but_the_logs() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    app.outside().upstreams().always("resend", Reaction::Answers(403, r#"{"name":"invalid_api_key"}"#));
    ask(&app, json!({ "email": "owner@fc-nord.example" })).await.is(202);
    let line = app.log_of("mail_misconfigured").pop().unwrap();
    assert_eq!((&line.fields["level"], &line.fields["status"]), (&json!("error"), &json!(403)));
    assert_eq!(app.log_of("mail_delayed").pop().unwrap().fields["error"], "MISCONFIGURED");
}
