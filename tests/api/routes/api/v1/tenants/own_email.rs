//! `POST /api/v1/tenants/{id}/members/me/email`

use serde_json::json;

use crate::{
    email_changes::{mails_to, member, wants},
    support::{TestApp, Token, signup},
};

const NEW: &str = "new@example.org";

#[tokio::test]
async fn it_says_what_waits_for_the_link() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let pending = wants(&tenant, NEW).await.is(202)["pending"].clone();
    let tomorrow = tenantry::domain::Timestamp::from_seconds(app.now() + 24 * 3600);
    assert_eq!(pending, json!({ "email": NEW, "expiresAt": tomorrow.rfc3339() }));
}

/// Nobody learns here whether an address is somebody's: the same answer, by the same statements.
#[tokio::test]
async fn it_says_the_same_of_an_address_that_somebody_has() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.signed_up("fc-sued").await;
    member(&tenant, "user_ann", "ann@example.org");
    app.signed_up_unproven(&signup("fc-west")).await;
    let mut known = Vec::new();
    for email in
        ["nobody@fc-sued.example", "owner@fc-sued.example", "ann@example.org", "owner@fc-west.example"]
    {
        app.passes(60);
        let before = app.db().batches();
        let mut answer = wants(&tenant, email).await.is(202);
        assert_eq!(app.db().batches(), before + 1);
        answer["pending"]["email"] = "x".into();
        answer["pending"]["expiresAt"] = "x".into();
        known.push(answer);
        let mut mails = mails_to(&app, email).await;
        mails.retain(|mail| mail.json()["subject"] == "Confirm your new e-mail address");
        assert_eq!(mails.len(), 1, "{email} gets the same mail");
    }
    assert!(known.iter().all(|answer| *answer == known[0]), "{known:?}");
}

#[tokio::test]
async fn ones_own_address_is_no_change() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    wants(&tenant, "Owner@FC-Nord.example").await.fails(409, "EMAIL_UNCHANGED");
    let ann = member(&tenant, "user_ann", "ann@example.org");
    wants(&ann, "ann@example.org").await.fails(409, "EMAIL_UNCHANGED");
    assert_eq!(app.db().number("select count(*) from email_changes"), 0);
}

#[tokio::test]
async fn a_token_that_names_nobody_of_the_tenant_has_no_address() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.provisioned("fc-sued").await);
    let theirs = other.row()["owner_user_id"].as_str().unwrap().to_owned();
    for sub in [json!(null), json!(""), json!("user_1"), json!(theirs)] {
        let token = Token::tenant(&tenant.id, app.now()).with("sub", sub);
        let nobody = tenant.tenant_with(tenant.id.clone(), &tenant.slug, token.sign());
        wants(&nobody, NEW).await.fails(404, "USER_NOT_FOUND");
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for email in ["", "new", "new@localhost", "a b@example.org"] {
        wants(&tenant, email).await.fails(400, "VALIDATION");
    }
}

#[tokio::test]
async fn before_the_first_address_is_proven_there_is_none_to_change() {
    let app = TestApp::new();
    let tenant = app.signed_up_unproven(&signup("fc-nord")).await;
    wants(&tenant, NEW).await.refuses(403, "EMAIL_UNPROVEN", "email_unproven");
}

#[tokio::test]
async fn other_tenants_and_operators_change_no_address_here() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let stranger = tenant.tenant_with(tenant.id.clone(), &tenant.slug, other.jwt.clone());
    wants(&stranger, NEW).await.refuses(403, "FORBIDDEN", "tenant_mismatch");
    let operator = tenant.tenant_with(tenant.id.clone(), &tenant.slug, Token::operator(app.now()).sign());
    wants(&operator, NEW).await.refuses(403, "FORBIDDEN", "unexpected \"aud\" claim value");
}

#[tokio::test]
async fn a_person_wants_one_a_minute_and_five_a_day() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    wants(&tenant, NEW).await.is(202);
    app.passes(20);
    let refused = wants(&tenant, "b@example.org").await;
    refused.fails(429, "RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), "40");
    for n in 0..4 {
        app.passes(60);
        wants(&tenant, &format!("n{n}@example.org")).await.is(202);
    }
    app.passes(60);
    let refused = wants(&tenant, "six@example.org").await;
    refused.fails(429, "RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), "3600");
    assert_eq!(app.log_of("rate_limited").len(), 2);
    let ann = member(&tenant, "user_ann", "ann@example.org");
    wants(&ann, "ann@example.net").await.is(202);
    app.passes(24 * 3600);
    wants(&tenant, "six@example.org").await.is(202);
}

#[tokio::test]
async fn a_tenant_wants_twenty_a_day() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for n in 0..21 {
        let one = member(&tenant, &format!("user_{n}"), &format!("n{n}@example.org"));
        let wanted = wants(&one, &format!("m{n}@example.org")).await;
        assert_eq!(wanted.status.as_u16(), if n < 20 { 202 } else { 429 }, "{n}");
        app.passes(60);
    }
}

/// A mailbox that nobody has proven gets no more mails by this than by signing up.
#[tokio::test]
async fn a_mailbox_gets_ten_a_day_whoever_wants_it() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for n in 0..12 {
        let one = member(&tenant, &format!("user_{n}"), &format!("n{n}@example.org"));
        wants(&one, &format!("victim+{n}@example.org")).await.is(202);
        app.outside().finishes_deferred_work().await;
        app.mails_leave().await;
    }
    let sent = app.outside().upstreams().sent_to("resend");
    let to =
        |mail: &crate::support::RecordedCall| mail.json()["to"][0].as_str().unwrap().starts_with("victim");
    assert_eq!(sent.iter().filter(|mail| to(mail)).count(), 10);
    let limit = "select count(*) from mails where last_error = 'MAILBOX_LIMIT'";
    assert_eq!(app.db().number(limit), 2);
}
