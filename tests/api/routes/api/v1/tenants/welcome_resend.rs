//! `POST /api/v1/tenants/{id}/welcome/resend`

use serde_json::{Value, json};

use crate::support::{Answer, Reaction, TestApp, TestTenant, Token, keys};

fn path(tenant: &TestTenant) -> String {
    format!("/api/v1/tenants/{}/welcome/resend", tenant.id)
}

async fn resend(tenant: &TestTenant) -> Answer {
    tenant.post(&path(tenant)).token(&tenant.jwt).send().await
}

async fn as_operator(tenant: &TestTenant, body: Value) -> Answer {
    tenant.post(&path(tenant)).token(&Token::operator(tenant.now()).sign()).json(&body).send().await
}

fn mails(app: &TestApp) -> usize {
    app.outside().upstreams().effects().keys().filter(|(to, _)| *to == "resend").count()
}

#[tokio::test]
async fn a_tenant_has_its_welcome_mail_sent_once_more_with_a_link_of_its_own() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.mails_leave().await;
    let data = resend(&tenant).await.is(202)["data"].clone();
    let names =
        ["attempts", "createdAt", "id", "kind", "lastError", "lastStatus", "nextAt", "settledAt", "status"];
    assert_eq!(keys(&data), names);
    assert_eq!(
        (&data["kind"], &data["status"], &data["attempts"]),
        (&json!("welcome"), &json!("pending"), &json!(0))
    );
    app.outside().finishes_deferred_work().await;
    assert_eq!(mails(&app), 2);
    let sent = app.outside().upstreams().sent_to("resend");
    let [first, again] = [&sent[0], &sent[1]];
    assert_ne!((first.key(), first.link()), (again.key(), again.link()));
    assert_eq!(again.json()["subject"], "Welcome, FC fc-nord");
    let token = again.link().rsplit_once("#token=").unwrap().1.to_owned();
    app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.is(200);
}

#[tokio::test]
async fn one_that_still_waits_is_replaced() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().upstreams().always("resend", Reaction::Breaks);
    app.mails_leave_for(3600).await;
    resend(&tenant).await.is(202);
    app.outside().upstreams().always("resend", Reaction::Healthy);
    app.mails_leave().await;
    assert_eq!(mails(&app), 1);
    let told = app.db().rows("select status, last_error from mails order by key");
    assert_eq!(told[0], json!({ "status": "cancelled", "last_error": "SUPERSEDED" }));
    assert_eq!(told[1], json!({ "status": "sent", "last_error": null }));
}

#[tokio::test]
async fn a_tenant_that_was_completed_by_hand_gets_its_first() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.becomes("provisioned_at", app.now());
    tenant.becomes("status", "active");
    resend(&tenant).await.is(202);
    app.mails_leave().await;
    assert_eq!(mails(&app), 1);
    assert!(tenant.row()["owner_email_sent_at"].is_i64());
}

#[tokio::test]
async fn there_is_nothing_to_send_before_the_tenant_is_set_up_or_after_it_was_stopped() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    resend(&tenant).await.fails(409, "NOTHING_TO_RESEND");
    let reason = json!({ "reason": "asked by the club" });
    for (column, value) in [("status", "suspended"), ("status", "cancelled"), ("undo_state", "undoing")] {
        let tenant = app.provisioned(&format!("fc-{value}")).await;
        tenant.becomes(column, value);
        let before = app.db().contents();
        as_operator(&tenant, reason.clone()).await.fails(409, "NOTHING_TO_RESEND");
        app.db().is_still(&before);
    }
}

#[tokio::test]
async fn one_in_five_minutes_is_enough() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    resend(&tenant).await.is(202);
    app.passes(10);
    let before = app.db().contents();
    let answer = resend(&tenant).await;
    assert_eq!(answer.header("retry-after"), "290");
    answer.fails(429, "RATE_LIMITED");
    as_operator(&tenant, json!({ "reason": "asked by the club" })).await.fails(429, "RATE_LIMITED");
    app.db().is_still(&before);
    app.passes(290);
    resend(&tenant).await.is(202);
}

#[tokio::test]
async fn a_link_that_was_mailed_on_request_counts_as_one() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.post("/auth/magic/start").json(&json!({ "email": "owner@fc-nord.example" })).send().await.is(202);
    resend(&tenant).await.fails(429, "RATE_LIMITED");
}

#[tokio::test]
async fn an_operator_says_why_and_it_is_written_down() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let told = as_operator(&tenant, json!({})).await.complains_about();
    assert_eq!(told, [("reason".to_owned(), "required".to_owned())]);
    assert_eq!(app.db().number("select count(*) from audit_log"), 0);
    let answer = as_operator(&tenant, json!({ "reason": "asked by the club" })).await.is(202);
    let entry = app.db().row("select actor, action, subject, reason, data from audit_log");
    assert_eq!(
        entry,
        json!({
            "actor": "ops", "action": "mail.resend", "subject": tenant.id, "reason": "asked by the club",
            "data": json!({ "mail": answer["data"]["id"] }).to_string(),
        })
    );
}

#[tokio::test]
async fn what_a_tenant_does_with_its_own_is_its_own_business() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    resend(&tenant).await.is(202);
    assert_eq!(app.db().number("select count(*) from audit_log"), 0);
}

#[tokio::test]
async fn a_tenant_that_never_was_is_not_found() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await.never();
    as_operator(&tenant, json!({ "reason": "asked by the club" })).await.fails(404, "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn operators_see_a_runs_mails_beside_it() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().upstreams().next("resend", [Reaction::Answers(422, "{}")]);
    app.mails_leave().await;
    app.passes(60);
    resend(&tenant).await.is(202);
    let run = app.outside().objects().run(&tenant.id).unwrap().id;
    let path = format!("/api/v1/bgops/sagas/{run}");
    let answer = app.get(&path).token(&Token::operator(app.now()).sign()).send().await;
    let mails = answer.is(200)["data"]["mails"].clone();
    let told: Vec<String> = mails
        .as_array()
        .unwrap()
        .iter()
        .map(|mail| {
            let words =
                [&mail["kind"], &mail["status"], &mail["attempts"], &mail["lastError"], &mail["lastStatus"]];
            words.map(ToString::to_string).join(" ").replace('"', "")
        })
        .collect();
    assert_eq!(told, ["welcome pending 0 null null", "welcome failed 1 EMAIL_REJECTED 422"]);
    assert!(!mails.to_string().contains('@'));
}
