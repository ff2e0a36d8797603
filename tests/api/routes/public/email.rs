//! `POST /public/email/confirm`, `POST /public/email/undo`

use serde_json::json;
use tenantry::ports::Limit;

use crate::{
    email_changes::{confirms, link_to, member, moved, undoes, wants},
    support::{TestApp, TestTenant},
};

const OLD: &str = "owner@fc-nord.example";
const NEW: &str = "new@example.org";
const DAY: u64 = 24 * 3600;

/// A tenant whose owner wants another address, and the link that confirms it.
async fn wanted(app: &TestApp) -> (TestTenant, String) {
    let tenant = app.provisioned("fc-nord").await;
    wants(&tenant, NEW).await.is(202);
    let link = link_to(app, NEW, "#token=").await;
    (tenant, link)
}

#[tokio::test]
async fn what_is_no_link_of_ours_is_unknown() {
    let app = TestApp::new();
    let (tenant, link) = wanted(&app).await;
    let (id, secret) = link.split_once('.').unwrap();
    let guesses = [
        "guess".to_owned(),
        format!("{id}."),
        format!("{id}.{}", "A".repeat(43)),
        format!("change_none.{secret}"),
        format!("{id}.{secret}x"),
        format!("{}.{secret}", tenant.id),
    ];
    for guess in &guesses {
        confirms(&app, guess).await.fails(404, "EMAIL_CHANGE_UNKNOWN");
        undoes(&app, guess).await.fails(404, "EMAIL_CHANGE_UNKNOWN");
    }
    // One link is not the other.
    undoes(&app, &link).await.fails(404, "EMAIL_CHANGE_UNKNOWN");
    confirms(&app, &link).await.is(200);
    let back = link_to(&app, OLD, "#undo=").await;
    confirms(&app, &back).await.fails(404, "EMAIL_CHANGE_UNKNOWN");
    for body in [json!({}), json!({ "token": null }), json!({ "token": 1 })] {
        for path in ["/public/email/confirm", "/public/email/undo"] {
            app.post(path).json(&body).send().await.fails(400, "VALIDATION");
        }
    }
}

#[tokio::test]
async fn a_link_lives_a_day_and_a_way_back_a_week() {
    let app = TestApp::new();
    let (tenant, link) = wanted(&app).await;
    app.passes(DAY - 1);
    confirms(&app, &link).await.is(200);
    let back = link_to(&app, OLD, "#undo=").await;
    app.passes(60);
    wants(&tenant, "late@example.org").await.is(202);
    let late = link_to(&app, "late@example.org", "#token=").await;
    app.passes(DAY);
    confirms(&app, &late).await.fails(409, "EMAIL_CHANGE_EXPIRED");
    app.passes(6 * DAY);
    undoes(&app, &back).await.fails(409, "EMAIL_CHANGE_EXPIRED");
    assert_eq!(tenant.row()["email"], NEW);
}

/// What somebody has is said to whoever has shown that they read its mails, and to nobody else.
#[tokio::test]
async fn an_address_that_somebody_has_is_not_confirmed() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.signed_up("fc-sued").await;
    member(&tenant, "user_ann", "ann@example.org");
    for email in ["owner@fc-sued.example", "ann@example.org"] {
        wants(&tenant, email).await.is(202);
        let link = link_to(&app, email, "#token=").await;
        confirms(&app, &link).await.fails(409, "EMAIL_EXISTS");
        app.passes(60);
    }
    assert_eq!(tenant.row()["email"], OLD);
}

/// The address was given to another club meanwhile: it is not taken away from it.
#[tokio::test]
async fn an_address_that_is_another_clubs_by_now_is_not_put_back() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let back = moved(&tenant, OLD, NEW).await;
    let other = app.signed_up("fc-sued").await;
    other.becomes("email", OLD);
    undoes(&app, &back).await.fails(409, "EMAIL_EXISTS");
    assert_eq!(tenant.row()["email"], NEW);
    tenant.gets("/whoami").send().await.is(200);
    other.becomes("email", "else@example.org");
    undoes(&app, &back).await.is(200);
}

#[tokio::test]
async fn a_link_of_a_suspended_club_confirms_nothing_and_the_way_back_is_open() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let back = moved(&tenant, OLD, NEW).await;
    app.passes(60);
    wants(&tenant, "thief@example.org").await.is(202);
    let link = link_to(&app, "thief@example.org", "#token=").await;
    tenant.becomes("status", "suspended");
    confirms(&app, &link).await.fails(409, "TENANT_SUSPENDED");
    undoes(&app, &back).await.is(200);
    assert_eq!(tenant.row()["email"], OLD);
}

#[tokio::test]
async fn links_of_a_club_that_is_gone_are_unknown() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let back = moved(&tenant, OLD, NEW).await;
    app.passes(60);
    wants(&tenant, "other@example.org").await.is(202);
    let link = link_to(&app, "other@example.org", "#token=").await;
    tenant.becomes("status", "cancelled");
    confirms(&app, &link).await.fails(404, "EMAIL_CHANGE_UNKNOWN");
    undoes(&app, &back).await.fails(404, "EMAIL_CHANGE_UNKNOWN");
}

#[tokio::test]
async fn links_of_somebody_who_is_not_there_any_more_are_unknown() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let ann = member(&tenant, "user_ann", "ann@example.org");
    let back = moved(&ann, "ann@example.org", "ann@example.net").await;
    app.passes(60);
    wants(&ann, "ann@example.com").await.is(202);
    let link = link_to(&app, "ann@example.com", "#token=").await;
    app.db().execute("delete from auth_users where id = 'user_ann'", ());
    confirms(&app, &link).await.fails(404, "EMAIL_CHANGE_UNKNOWN");
    undoes(&app, &back).await.fails(404, "EMAIL_CHANGE_UNKNOWN");
}

#[tokio::test]
async fn guesses_are_limited() {
    let app = TestApp::new();
    app.outside().limits(Limit::Lookup, 1);
    confirms(&app, "guess").await.fails(404, "EMAIL_CHANGE_UNKNOWN");
    confirms(&app, "guess").await.fails(429, "RATE_LIMITED");
    undoes(&app, "guess").await.fails(429, "RATE_LIMITED");
}

#[tokio::test]
async fn without_a_database_nothing_is_said_to_be_done() {
    let app = TestApp::new();
    let (_, link) = wanted(&app).await;
    app.db().goes_down();
    confirms(&app, &link).await.fails(503, "STORE_UNAVAILABLE");
    undoes(&app, &link).await.fails(503, "STORE_UNAVAILABLE");
}
