//! `POST /public/signup/start`

mod idempotency;
mod input;
mod promos;
mod races;
mod revoked;
mod turnstile;

use serde_json::json;
use tenantry::{app::tokens::SIGNUP_TOKEN_SECONDS, ports::Limit};

use crate::support::{Answer, Breaks, TestApp, Token, keys, signup};

#[tokio::test]
async fn a_tenant_gets_all_it_needs_to_go_on() {
    let app = TestApp::new();
    let answer = app.signs_up(&signup("fc-nord")).await;
    let body = answer.is(200);
    let id = body["tenantId"].as_str().unwrap();
    let jwt = body["jwt"].as_str().unwrap();
    assert_eq!(
        body,
        json!({
            "success": true,
            "tenantId": id,
            "tenant": {
                "id": id, "slug": "fc-nord", "name": "FC fc-nord", "email": "owner@fc-nord.example",
                "plan": "starter", "status": "trial", "comped": false, "trialEndsAt": app.now() + 14 * 24 * 3600
            },
            "discount": 0,
            "jwt": jwt,
            "emailProven": false
        })
    );
    assert!(id.starts_with("tenant_") && id.len() == 39);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn the_token_is_the_owners_for_a_year() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let claims = Token::read(&tenant.jwt);
    assert_eq!(keys(&claims), ["aud", "exp", "iat", "iss", "jti", "roles", "sub", "tenantId"]);
    assert_eq!(claims["tenantId"], tenant.id.as_str());
    assert_eq!(claims["roles"], json!(["tenant_admin", "owner"]));
    assert_eq!(claims["exp"], app.now() + SIGNUP_TOKEN_SECONDS);
    assert_eq!(claims["sub"], tenant.row()["owner_user_id"]);
    assert_eq!(SIGNUP_TOKEN_SECONDS, 365 * 24 * 3600);
}

#[tokio::test]
async fn everything_is_stored_at_once() {
    let app = TestApp::new();
    let tenant = app.signed_up_unproven(&signup("fc-nord")).await;
    assert_eq!(app.db().batches(), 1, "one round trip");
    assert_eq!(app.outside().objects().told(), 0);
    let now = app.now();
    let row = tenant.row();
    assert_eq!((&row["status"], &row["provision_state"]), (&json!("trial"), &json!("pending")));
    assert_eq!((&row["created_at"], &row["trial_ends_at"]), (&json!(now), &json!(now + 1_209_600)));
    let profile = tenant.gets("/api/v1/tenants/me").send().await.is(200);
    assert_eq!(
        profile["data"]["brand"],
        json!({ "primaryColor": "#1f4e79", "secondaryColor": "#f4b942" }),
        "the colours that provisioning writes down"
    );
    let event = app.db().row("select * from domain_events");
    assert_eq!((&event["type"], &event["occurred_at"]), (&json!("tenant.signed_up"), &json!(now)));
    assert_eq!(event["data"], r#"{"plan":"starter","slug":"fc-nord"}"#);
    assert_eq!(app.db().number("select count(*) from idempotency_keys"), 0);
    assert_eq!(app.db().number("select count(*) from magic_links"), 0);
}

#[tokio::test]
async fn a_taken_name_is_refused_whatever_its_case_in_the_table() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let mut other = signup("fc-nord");
    other["email"] = "other@example.org".into();
    app.signs_up(&other).await.fails(409, "SLUG_TAKEN");
    tenant.becomes("slug", "FC-Nord");
    app.signs_up(&other).await.fails(409, "SLUG_TAKEN");
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
}

#[tokio::test]
async fn a_taken_address_is_refused_however_it_is_spelled() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let mut other = signup("fc-sued");
    for email in ["owner@fc-nord.example", "Owner@FC-Nord.Example", "  OWNER@FC-NORD.EXAMPLE "] {
        other["email"] = email.into();
        app.signs_up(&other).await.fails(409, "EMAIL_EXISTS");
    }
    tenant.becomes("email", "Owner@FC-Nord.Example");
    app.signs_up(&other).await.fails(409, "EMAIL_EXISTS");
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
}

#[tokio::test]
async fn the_address_is_stored_normalised() {
    let app = TestApp::new();
    let mut form = signup("fc-nord");
    form["email"] = "  Ann.Lee+Club@Example.ORG ".into();
    let answer = app.signs_up(&form).await.is(200);
    assert_eq!(answer["tenant"]["email"], "ann.lee+club@example.org");
}

#[tokio::test]
async fn the_kill_switch_stops_new_tenants_and_nothing_else() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.db().execute("insert into feature_flags values ('signup_enabled', 0, null, 0)", ());
    let before = app.db().contents();
    let answer = app.signs_up(&signup("fc-sued")).await;
    answer.fails(503, "SIGNUPS_DISABLED");
    assert_eq!(answer.header("retry-after"), "3600");
    app.db().is_still(&before);
    app.get("/public/signup/availability?slug=fc-sued").send().await.is(200);
    tenant.connects_make().await.is(200);
    app.db().execute("update feature_flags set enabled = 1", ());
    app.signs_up(&signup("fc-sued")).await.is(200);
}

#[tokio::test]
async fn nothing_is_written_for_a_replay_while_signups_are_off() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    app.db().execute("insert into feature_flags values ('signup_enabled', 0, null, 0)", ());
    let before = app.db().contents();
    app.signs_up(&signup("fc-nord")).await.fails(503, "SIGNUPS_DISABLED");
    app.db().is_still(&before);
}

fn send_from(app: &TestApp, client: &str, n: usize) -> impl Future<Output = Answer> {
    let form = signup(&format!("fc-{n:03}"));
    app.post("/public/signup/start").header("cf-connecting-ip", client).json(&form).send()
}

#[tokio::test]
async fn too_many_signups_from_one_client_are_put_off() {
    let app = TestApp::new();
    app.outside().limits(Limit::Start, 2);
    send_from(&app, "192.0.2.7", 0).await.is(200);
    send_from(&app, "192.0.2.7", 1).await.is(200);
    let batches = app.db().batches();
    let refused = send_from(&app, "192.0.2.7", 2).await;
    refused.fails(429, "RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), "60");
    assert_eq!(app.db().batches(), batches, "whoever is put off costs no round trip");
    send_from(&app, "192.0.2.8", 3).await.is(200);
}

#[tokio::test]
async fn whoever_has_an_ipv6_network_is_one_client() {
    let app = TestApp::new();
    app.outside().limits(Limit::Start, 2);
    send_from(&app, "2001:db8:1:2::1", 0).await.is(200);
    send_from(&app, "2001:db8:1:2:ffff::2", 1).await.is(200);
    send_from(&app, "2001:db8:1:2:3:4:5:6", 2).await.fails(429, "RATE_LIMITED");
    send_from(&app, "2001:db8:1:3::1", 3).await.is(200);
    send_from(&app, "::ffff:192.0.2.9", 4).await.is(200);
    send_from(&app, "192.0.2.9", 5).await.is(200);
    send_from(&app, "192.0.2.9", 6).await.fails(429, "RATE_LIMITED");
}

#[tokio::test]
async fn a_larger_ipv6_network_has_a_looser_limit_and_one_client_does_not_use_it_up() {
    let app = TestApp::new();
    app.outside().limits(Limit::Start, 2);
    app.outside().limits(Limit::StartNetwork, 4);
    for n in 0..10 {
        send_from(&app, "2001:db8:1:1::1", n).await;
    }
    send_from(&app, "2001:db8:1:2::1", 10).await.is(200);
    send_from(&app, "2001:db8:1:3::1", 11).await.is(200);
    send_from(&app, "2001:db8:1:4::1", 12).await.fails(429, "RATE_LIMITED");
    assert_eq!(app.log_of("rate_limited").last().unwrap().fields["limit"], "start_network");
    send_from(&app, "2001:db8:2:4::1", 13).await.is(200);
}

#[tokio::test]
async fn nobody_keeps_an_address_from_signing_up_by_trying_it() {
    let app = TestApp::new();
    for &limit in Limit::ALL {
        app.outside().limits(limit, 2);
    }
    app.has_promo("SPRING", 10, &[("active", json!(0))]);
    for n in 0..20 {
        let mut form = signup("fc-nord");
        form["promoCode"] = "SPRING".into();
        let ask = app.post("/public/signup/start").header("cf-connecting-ip", &format!("192.0.2.{n}"));
        ask.json(&form).send().await.fails(400, "INVALID_PROMO");
    }
    let ask = app.post("/public/signup/start").header("cf-connecting-ip", "198.51.100.1");
    ask.json(&signup("fc-nord")).send().await.is(200);
}

#[tokio::test]
async fn a_signup_that_breaks_anywhere_leaves_nothing_behind() {
    let mut form = signup("fc-nord");
    form["promoCode"] = "SPRING".into();
    let statements = {
        let app = TestApp::new();
        app.has_promo("SPRING", 10, &[]);
        app.post("/public/signup/start").header("idempotency-key", "k").json(&form).send().await.is(200);
        app.db().seen().len()
    };
    assert!(statements >= 7, "{statements}");
    let anywhere = (0..statements).map(Breaks::Within).chain([Breaks::Before]);
    for how in anywhere {
        let app = TestApp::new();
        app.has_promo("SPRING", 10, &[]);
        let before = app.db().contents();
        app.db().breaks(0, how);
        let send = || app.post("/public/signup/start").header("idempotency-key", "k").json(&form).send();
        let failed = send().await;
        failed.fails(503, "STORE_UNAVAILABLE");
        assert_eq!(failed.header("retry-after"), "5");
        app.db().is_still(&before);
        assert_eq!(send().await.is(200).get("replayed"), None, "{how:?}");
    }
}

#[tokio::test]
async fn a_lost_answer_loses_neither_the_tenant_nor_its_token() {
    let app = TestApp::new();
    app.db().breaks(0, Breaks::After);
    let send =
        || app.post("/public/signup/start").header("idempotency-key", "k").json(&signup("fc-nord")).send();
    send().await.fails(503, "STORE_UNAVAILABLE");
    let again = send().await.is(200);
    assert_eq!(again["replayed"], true);
    app.get("/whoami").token(again["jwt"].as_str().unwrap()).send().await.is(200);
}

#[tokio::test]
async fn a_service_that_cannot_sign_burns_no_name() {
    let app = TestApp::with(&[("JWT_SECRET", "too-short")]);
    app.signs_up(&signup("fc-nord")).await.fails(500, "INTERNAL");
    assert_eq!(app.db().number("select count(*) from tenants"), 0);
}

#[tokio::test]
async fn the_log_tells_of_every_signup_without_telling_who() {
    let app = TestApp::new();
    let tenant = app.signed_up_unproven(&signup("fc-nord")).await;
    assert_eq!(app.log_words(), ["signup_started", "signup_completed", "request"]);
    let line = &app.log_of("signup_completed")[0];
    assert_eq!(line.fields["tenantId"], tenant.id.as_str());
    assert_eq!(line.fields["contactEmail"], "o***@fc-nord.example");
    assert_eq!(line.fields["plan"], "starter");
    assert_eq!(app.log_of("request")[0].fields["route"], "/public/signup/start");
}

#[tokio::test]
async fn every_refused_signup_is_logged_with_its_code() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    let mut taken = signup("fc-nord");
    taken["email"] = "other@example.org".into();
    let mut known = signup("fc-sued");
    known["email"] = "owner@fc-nord.example".into();
    let mut promo = signup("fc-west");
    promo["promoCode"] = "NOSUCH".into();
    for (form, code) in
        [(taken, "SLUG_TAKEN"), (known, "EMAIL_EXISTS"), (promo, "INVALID_PROMO"), (json!({}), "VALIDATION")]
    {
        let answer = app.signs_up(&form).await;
        assert_eq!(answer.json()["error"]["code"], code);
        let line = app.log_of("signup_rejected").pop().unwrap_or_else(|| panic!("no line for {code}"));
        assert_eq!(line.fields["code"], code);
        assert_eq!(line.fields["requestId"], answer.header("x-request-id"));
    }
}
