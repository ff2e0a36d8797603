//! A run that failed tells its owner: once, and with what helps.

use serde_json::{Value, json};
use tenantry::ports::Clock;

use super::{HOUR, MINUTE, arrived, calls, opens};
use crate::support::{Reaction, RecordedCall, TestApp, TestTenant, Token};

const GONE: &str = "https://hook.eu2.make.com/gone";

/// A starter tenant whose run failed because its webhook refused the ping.
async fn failed(app: &TestApp) -> TestTenant {
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects(GONE).await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    tenant
}

fn stored(app: &TestApp) -> Vec<Value> {
    app.db().rows("select * from mails where kind = 'setup_failed'")
}

fn text(mail: &RecordedCall) -> String {
    mail.json()["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_failed_run_tells_its_owner_what_helps_and_leads_there() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    app.mails_leave().await;
    let [mail] = &calls(&app)[..] else { panic!("{:?}", calls(&app)) };
    assert_eq!(mail.json()["to"], json!([tenant.row()["email"]]));
    assert_eq!(mail.json()["subject"], "Setting up FC fc-nord needs your help");
    assert!(
        text(mail).contains("refused the test") && text(mail).contains("1. Open your scenario"),
        "{}",
        text(mail)
    );
    assert_eq!(opens(&app, mail).await, 200);
    let row = &stored(&app)[0];
    let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
    assert_eq!((&row["key"], &row["status"]), (&json!(format!("{run}/setup_failed")), &json!("sent")));
    // As the version after this one, and the one before, finds it.
    assert_eq!(row["data"], json!({ "reason": "WEBHOOK_REJECTED", "step": "validate_webhook" }).to_string());
    assert_eq!(row["id"], run.as_str().replace("run_", "mail_") + "_setup_failed");
    assert_eq!(row["request_id"], row["request_id"].as_str().unwrap());
}

#[tokio::test]
async fn it_is_stored_in_the_batch_that_lists_the_failure() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects(GONE).await.is(200);
    while app.db().number("select count(*) from provision_runs where status = 'failed'") == 0 {
        assert!(stored(&app).is_empty());
        assert!(tenant.alarm_rings(&tenant.id).await);
    }
    assert_eq!(stored(&app).len(), 1);
}

#[tokio::test]
async fn a_run_that_fails_again_and_again_tells_its_owner_once() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    for _ in 0..3 {
        app.mails_leave().await;
        tenant.retries().await.is(200);
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
        app.passes(2 * HOUR);
    }
    app.mails_leave_for(HOUR).await;
    assert_eq!((arrived(&app), stored(&app).len()), (1, 1));
}

#[tokio::test]
async fn who_has_mended_it_meanwhile_is_not_told_that_it_failed() {
    let app = TestApp::new();
    app.outside().upstreams().always("resend", Reaction::Breaks);
    let tenant = failed(&app).await;
    app.mails_leave_for(MINUTE).await;
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    app.outside().upstreams().always("resend", Reaction::Healthy);
    app.mails_leave_for(HOUR).await;
    let row = &stored(&app)[0];
    assert_eq!((&row["status"], &row["last_error"]), (&json!("cancelled"), &json!("SUPERSEDED")));
    let subjects: Vec<Value> = calls(&app).iter().map(|mail| mail.json()["subject"].clone()).collect();
    assert_eq!(subjects.last().unwrap(), "Welcome, FC fc-nord");
    assert_eq!(arrived(&app), 1);
}

/// What becomes of the next attempt decides whether it is still true.
#[tokio::test]
async fn a_mail_about_a_run_that_is_tried_again_waits_for_its_end() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    tenant.retries().await.is(200);
    app.mails_leave_for(MINUTE).await;
    assert_eq!((arrived(&app), &stored(&app)[0]["last_error"]), (0, &json!("PROVISIONING")));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    app.mails_leave_for(20 * MINUTE).await;
    assert_eq!((arrived(&app), stored(&app).len()), (1, 1));
}

#[tokio::test]
async fn what_its_owner_can_not_mend_asks_nothing_of_them() {
    for (reaction, asks) in [
        (Reaction::Answers(200, r#"{"ok":false,"error":"quota"}"#), false),
        (Reaction::Answers(503, ""), false),
    ] {
        let app = TestApp::new();
        let tenant = app.signed_up_pro("fc-nord").await;
        app.outside().upstreams().always("apps_script", reaction.clone());
        tenant.confirms_pro().await.is(200);
        tenant.waits().await;
        app.mails_leave_for(HOUR).await;
        let mails = calls(&app);
        assert_eq!(mails.len(), 1, "{reaction:?}: {}", tenant.ended().await);
        let text = text(&mails[0]);
        assert_eq!((text.contains("nothing for you to do"), text.contains("1. ")), (!asks, asks), "{text}");
        assert!(!text.contains("quota"), "what others said is for operators: {text}");
    }
}

#[tokio::test]
async fn a_webhook_that_does_not_answer_is_its_owners_to_mend() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::TimesOut);
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    app.mails_leave_for(HOUR).await;
    let mail = text(&calls(&app)[0]);
    assert!(mail.contains("did not answer") && mail.contains("1. Open your scenario"), "{mail}");
}

#[tokio::test]
async fn nobody_is_told_about_a_tenant_that_is_removed() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    let path = format!("/api/v1/admin/tenants/{}?reason=asked+for+it", tenant.id);
    app.ask(http::Method::DELETE, &path).token(&Token::operator(app.now()).sign()).send().await.is(202);
    tenant.waits().await;
    app.mails_leave_for(HOUR).await;
    assert_eq!(arrived(&app), 0);
    assert_eq!(stored(&app)[0]["status"], "cancelled");
}

/// D1 was restored to before the failure: it is listed again, and told again under the same key, as long as that is recognised.
#[tokio::test]
async fn a_database_that_was_put_back_tells_nobody_twice() {
    let app = TestApp::new();
    let tenant = failed(&app).await;
    app.mails_leave().await;
    assert_eq!(arrived(&app), 1);
    let run = tenant.outside().objects().run(&tenant.id).unwrap();
    for (later, wanted) in [(HOUR, true), (25 * HOUR, false)] {
        app.db().execute("delete from mails", ());
        app.passes(later);
        let (code, now) = (run.failed_at(), app.outside().now());
        let why = tenantry::workflow::report::Report::of(&run).failure.unwrap();
        let ended_at = tenantry::workflow::report::Report::of(&run).ended_at.unwrap();
        let again = tenantry::store::mails::setup_failed(&run, &why, code, ended_at, now);
        assert_eq!(again.is_some(), wanted);
    }
}
