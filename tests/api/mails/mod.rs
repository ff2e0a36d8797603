//! Mails on their way to the tenants' owners: each arrives once, whatever happens meanwhile.

mod languages;
mod previews;
mod setup_failed;

use futures_util::future::join;
use serde_json::{Value, json};
use tenantry::{
    db::Db,
    domain::Timestamp,
    ports::{Clock, Egress, OutboundRequest},
    store,
};

use crate::support::{Breaks, Reaction, RecordedCall, TestApp, TestTenant, Token, dies_after};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// A tenant that went live, and whose welcome mail waits.
async fn waiting(app: &TestApp) -> TestTenant {
    let tenant = app.provisioned("fc-nord").await;
    assert_eq!(mail(app)["status"], "pending");
    tenant
}

/// The one mail that is stored.
fn mail(app: &TestApp) -> Value {
    app.db().row("select * from mails")
}

/// Every call to the mail service.
fn calls(app: &TestApp) -> Vec<RecordedCall> {
    app.outside().upstreams().sent_to("resend")
}

/// How many mails arrived.
fn arrived(app: &TestApp) -> usize {
    let effects = app.outside().upstreams().effects();
    effects.into_iter().filter(|((to, _), _)| *to == "resend").map(|(_, times)| times).sum()
}

/// What the token in a mail's link says.
fn claims(sent: &RecordedCall) -> Value {
    Token::read(sent.link().rsplit_once("#token=").unwrap().1)
}

/// What a mail's link opens.
async fn opens(app: &TestApp, sent: &RecordedCall) -> http::StatusCode {
    let link = sent.link();
    let token = link.rsplit_once("#token=").unwrap().1;
    app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.status
}

#[tokio::test]
async fn a_mail_leaves_beside_what_wanted_it() {
    let app = TestApp::with(&[("EMAIL_PROOF", "off")]);
    let tenant = waiting(&app).await;
    assert_eq!(tenant.row()["owner_email_sent_at"], Value::Null);
    app.outside().finishes_deferred_work().await;
    assert_eq!(
        (arrived(&app), &mail(&app)["status"], &mail(&app)["attempts"]),
        (1, &json!("sent"), &json!(1))
    );
    assert_eq!(tenant.row()["owner_email_sent_at"], app.now());
    let line = &app.log_of("mail_sent")[0].fields;
    assert_eq!((&line["kind"], &line["tenantId"]), (&json!("welcome"), &json!(tenant.id)));
    assert!(line["requestId"].as_str().unwrap().starts_with("req_"));
    assert_eq!(opens(&app, &calls(&app)[0]).await, 200);
}

#[tokio::test]
async fn a_mail_survives_hours_without_a_mail_service() {
    for outage in
        [Reaction::TimesOut, Reaction::Breaks, Reaction::Answers(503, ""), Reaction::Answers(200, "<html>")]
    {
        let app = TestApp::new();
        let tenant = waiting(&app).await;
        app.outside().upstreams().always("resend", outage.clone());
        app.outside().finishes_deferred_work().await;
        app.mails_leave_for(5 * HOUR).await;
        assert_eq!((arrived(&app), &mail(&app)["status"]), (0, &json!("pending")), "{outage:?}");
        app.outside().upstreams().always("resend", Reaction::Healthy);
        app.mails_leave_for(40 * MINUTE).await;
        assert_eq!((arrived(&app), &mail(&app)["status"]), (1, &json!("sent")), "{outage:?}");
        assert!(calls(&app).len() < 25, "{outage:?}: {} calls", calls(&app).len());
        assert!(tenant.row()["owner_email_sent_at"].is_i64());
    }
}

#[tokio::test]
async fn a_mail_survives_a_quota_that_is_used_up_for_twenty_hours() {
    for quota in [
        Reaction::Answers(429, r#"{"statusCode":429,"name":"daily_quota_exceeded"}"#),
        Reaction::AsksToWait(429, "72000"),
        Reaction::Answers(403, r#"{"statusCode":403,"name":"invalid_api_key"}"#),
    ] {
        let app = TestApp::new();
        waiting(&app).await;
        app.outside().upstreams().always("resend", quota.clone());
        app.mails_leave_for(20 * HOUR).await;
        assert_eq!(mail(&app)["status"], "pending", "{quota:?}");
        app.outside().upstreams().always("resend", Reaction::Healthy);
        app.mails_leave_for(70 * MINUTE).await;
        assert_eq!((arrived(&app), &mail(&app)["status"]), (1, &json!("sent")), "{quota:?}");
        assert_eq!(opens(&app, calls(&app).last().unwrap()).await, 200, "{quota:?}: its link is fresh");
    }
}

#[tokio::test]
async fn a_mail_that_nobody_takes_for_a_day_is_given_up_and_its_tenant_hears_of_it() {
    let app = TestApp::new();
    let tenant = waiting(&app).await;
    app.outside().upstreams().always("resend", Reaction::TimesOut);
    app.mails_leave_for(25 * HOUR).await;
    let row = mail(&app);
    assert_eq!((&row["status"], &row["last_error"]), (&json!("failed"), &json!("TIMEOUT")));
    let event = app.db().row("select * from domain_events where type = 'mail.failed'");
    assert_eq!(event["tenant_id"], tenant.id.as_str());
    assert_eq!(event["data"], json!({ "kind": "welcome", "reason": "TIMEOUT" }).to_string());
    assert_eq!(app.log_of("mail_failed").len(), 1);
    let last = calls(&app).last().unwrap().at.seconds();
    let tried_for = last - row["created_at"].as_i64().unwrap();
    assert!(
        (23 * 3600..24 * 3600).contains(&tried_for),
        "{tried_for}: the mail service forgets a key after a day"
    );
    let asked = calls(&app).len();
    app.outside().upstreams().always("resend", Reaction::Healthy);
    app.mails_leave_for(2 * HOUR).await;
    assert_eq!((calls(&app).len(), arrived(&app)), (asked, 0), "what is over is over");
}

#[tokio::test]
async fn a_mail_that_is_refused_is_not_tried_again() {
    let app = TestApp::new();
    waiting(&app).await;
    app.outside().upstreams().next("resend", [Reaction::Answers(422, r#"{"name":"validation_error"}"#)]);
    app.mails_leave_for(HOUR).await;
    assert_eq!((calls(&app).len(), &mail(&app)["status"]), (1, &json!("failed")));
    let event = app.db().row("select data from domain_events where type = 'mail.failed'");
    assert_eq!(event["data"], json!({ "kind": "welcome", "reason": "EMAIL_REJECTED" }).to_string());
}

/// The first attempts come quickly: somebody may sit at their inbox. None comes sooner because the upstream says so.
#[tokio::test]
async fn attempts_are_spread_over_the_day() {
    let app = TestApp::new();
    waiting(&app).await;
    app.outside().upstreams().always("resend", Reaction::AsksToWait(503, "0"));
    app.outside().finishes_deferred_work().await;
    assert_eq!(calls(&app).len(), 3, "at once, after two seconds, after ten");
    app.mails_leave_for(24 * HOUR).await;
    let at: Vec<i64> = calls(&app).iter().map(|sent| sent.at.seconds()).collect();
    let pauses: Vec<i64> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (pause, least) in pauses.iter().zip([2, 9, 59, 299, 899, 1799, 1799]) {
        assert!((least..=least + least / 10 + 62).contains(pause), "{pauses:?}");
    }
    assert!((40..60).contains(&at.len()), "{}", at.len());
}

#[tokio::test]
async fn the_other_sides_word_is_kept_if_it_asks_for_more() {
    let app = TestApp::new();
    waiting(&app).await;
    app.outside().upstreams().next("resend", [Reaction::AsksToWait(429, "900")]);
    tenantry::app::mails::send_due(&app.app).await.unwrap();
    let wait = mail(&app)["next_at"].as_i64().unwrap() - app.now();
    assert!((900..=991).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_process_that_dies_between_any_two_waits_loses_no_mail_and_sends_none_twice() {
    let mut deaths = 0;
    for polls in 1..100 {
        let app = TestApp::new();
        waiting(&app).await;
        deaths += u64::from(dies_after(polls, tenantry::app::mails::send_due(&app.app)).is_none());
        app.mails_leave_for(5 * MINUTE).await;
        assert_eq!((arrived(&app), &mail(&app)["status"]), (1, &json!("sent")), "{polls}");
    }
    assert!(deaths > 4, "{deaths}");
}

#[tokio::test]
async fn a_process_that_dies_while_the_mail_is_stored_loses_no_mail_and_sends_none_twice() {
    for polls in 1..200 {
        let app = TestApp::new();
        let tenant = app.queued("fc-nord").await;
        if dies_after(polls, tenant.alarm_rings(&tenant.id)).is_none() {
            app.outside().objects().rings_again(&tenant.id, 2, &app.app);
        }
        let _ = dies_after(polls % 7, app.outside().finishes_deferred_work());
        tenant.waits().await;
        app.mails_leave_for(5 * MINUTE).await;
        assert_eq!(tenant.ended().await, "completed");
        assert_eq!((arrived(&app), &mail(&app)["status"]), (1, &json!("sent")), "{polls}");
    }
}

#[tokio::test]
async fn every_batch_of_a_mail_may_fail_before_or_after_it_is_done() {
    for nth in 0..4 {
        for how in [Breaks::Before, Breaks::After] {
            for reaction in [Reaction::Healthy, Reaction::LosesTheAnswer, Reaction::Answers(500, "")] {
                let app = TestApp::new();
                waiting(&app).await;
                app.outside().upstreams().next("resend", [reaction.clone()]);
                app.db().breaks(nth, how);
                let _ = tenantry::app::mails::send_due(&app.app).await;
                app.db().comes_up();
                app.mails_leave_for(10 * MINUTE).await;
                let what = format!("batch {nth} {how:?} {reaction:?}");
                assert_eq!((arrived(&app), &mail(&app)["status"]), (1, &json!("sent")), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn nothing_leaves_while_the_database_is_away_and_everything_when_it_is_back() {
    let app = TestApp::new();
    waiting(&app).await;
    app.db().goes_down();
    for _ in 0..5 * 60 {
        app.passes(60);
        assert!(tenantry::app::mails::send_due(&app.app).await.is_err());
    }
    assert!(calls(&app).is_empty());
    app.db().comes_up();
    app.mails_leave_for(MINUTE).await;
    assert_eq!((arrived(&app), &mail(&app)["attempts"]), (1, &json!(1)));
}

#[tokio::test]
async fn two_sweeps_at_the_same_time_send_a_mail_once() {
    let app = TestApp::new();
    waiting(&app).await;
    let (one, other) =
        join(tenantry::app::mails::send_due(&app.app), tenantry::app::mails::send_due(&app.app)).await;
    assert_eq!(one.unwrap() + other.unwrap(), 1);
    assert_eq!(calls(&app).len(), 1);
}

/// Whoever was away for longer than a claim lasts has lost it.
#[tokio::test]
async fn a_claim_that_ended_sends_and_settles_nothing() {
    let app = TestApp::new();
    waiting(&app).await;
    let claim = async || {
        let now = app.outside().now();
        app.db().ask(store::mails::claim(None, now, now, 10)).await.unwrap().pop().unwrap()
    };
    let (old, new) = (claim().await, claim().await);
    assert!(!store::mails::begin(app.db(), &old, None).await.unwrap());
    assert!(store::mails::begin(app.db(), &new, None).await.unwrap());
    let sent = store::mails::Attempted {
        status: store::mails::Status::Failed,
        next_at: None,
        answered: None,
        error: Some("TIMEOUT"),
    };
    app.db().batch(store::mails::settle(&old, &sent, app.outside().now())).await.unwrap();
    assert_eq!((&mail(&app)["status"], &mail(&app)["attempts"]), (&json!("pending"), &json!(1)));
    assert_eq!(app.db().number("select count(*) from domain_events where type = 'mail.failed'"), 0);
}

/// A mail that did not leave was not tried.
#[tokio::test]
async fn what_the_breaker_holds_back_keeps_its_attempts() {
    let app = TestApp::new();
    for n in 0..4 {
        app.provisioned(&format!("fc-{n}")).await;
    }
    app.outside().upstreams().always("resend", Reaction::Breaks);
    let mut held = 0;
    for _ in 0..60 {
        app.mails_leave_for(MINUTE).await;
        held += app.db().number("select count(*) from mails where last_error = 'CIRCUIT_OPEN'");
    }
    let (tried, made) = (app.db().number("select sum(attempts) from mails"), calls(&app).len());
    assert_eq!(usize::try_from(tried).unwrap(), made);
    assert!(held > 0, "the breaker opened");
    app.outside().upstreams().always("resend", Reaction::Healthy);
    app.mails_leave_for(40 * MINUTE).await;
    assert_eq!(arrived(&app), 4);
}

/// Whoever only waited for the breaker is told when it closes, and need not wait for its time.
#[tokio::test]
async fn what_the_breaker_held_back_leaves_at_once_when_it_is_closed() {
    let app = TestApp::new();
    for n in 0..4 {
        app.provisioned(&format!("fc-{n}")).await;
    }
    app.outside().upstreams().always("resend", Reaction::Breaks);
    let held = "select tenant_id, next_at from mails where last_error = 'CIRCUIT_OPEN'";
    while app.db().rows(held).is_empty() {
        app.mails_leave_for(MINUTE).await;
    }
    app.outside().upstreams().always("resend", Reaction::Healthy);
    let close = app.post("/api/v1/bgops/upstreams/resend/close").token(&Token::operator(app.now()).sign());
    close.json(&json!({ "reason": "it is back, says its status page" })).send().await.is(200);
    let row = app.db().row(held);
    assert!(row["next_at"].as_i64().unwrap() > app.now());
    let tenant = row["tenant_id"].as_str().unwrap();
    tenantry::app::mails::send_later(&app.app, &tenant.parse().unwrap());
    app.outside().finishes_deferred_work().await;
    let status = format!("select status from mails where tenant_id = '{tenant}'");
    assert_eq!(app.db().row(&status)["status"], "sent");
}

#[tokio::test]
async fn five_hundred_mails_leave_within_minutes_and_within_what_the_mail_service_takes() {
    let app = TestApp::new();
    app.outside().upstreams().resend_takes(2);
    let numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 500)";
    for insert in [
        "insert into tenants (id, slug, name, email, plan, status, trial_ends_at, owner_user_id, signup_fingerprint, created_at,
           updated_at, link_origin)
         {n} select 'tenant_' || i, 'crowd-' || i, 'FC', 'owner@crowd-' || i || '.example', 'starter', 'active', 0,
           'user_' || i, '', 0, 0, 'https://api.example.com' from n",
        "insert into mails (tenant_id, kind, key, id, origin, next_at, created_at)
         {n} select 'tenant_' || i, 'welcome', 'run_' || i || '/send_welcome_email', 'mail_' || i,
           'https://api.example.com', 1800000000, 1800000000 from n",
    ] {
        app.db().execute(&insert.replace("{n}", numbers), ());
    }
    let began = app.now();
    while app.db().number("select count(*) from mails where status = 'pending'") > 0 {
        let minute = app.now() / 60;
        tenantry::app::mails::send_due(&app.app).await.unwrap();
        assert!(app.now() - began < 600, "{} arrived", arrived(&app));
        // The next sweep comes with the next minute.
        app.outside().is_at(Timestamp::from_seconds((minute + 1) * 60));
    }
    assert_eq!(arrived(&app), 500);
    let refused = calls(&app).len() - 500;
    assert!(refused < 10, "{refused} calls came too fast");
}

#[tokio::test]
async fn a_link_is_the_same_in_every_attempt_while_it_is_young_and_then_a_fresh_one_under_the_same_key() {
    let app = TestApp::new();
    waiting(&app).await;
    app.outside().upstreams().always("resend", Reaction::TimesOut);
    app.mails_leave_for(14 * HOUR).await;
    app.outside().upstreams().always("resend", Reaction::Healthy);
    app.mails_leave_for(40 * MINUTE).await;
    let sent = calls(&app);
    let keys: std::collections::BTreeSet<String> = sent.iter().map(RecordedCall::key).collect();
    assert_eq!(keys.len(), 1);
    let mut links: Vec<Value> = sent.iter().map(claims).collect();
    links.dedup();
    assert_eq!(links.len(), 2, "{links:#?}");
    let [old, new] = links.try_into().unwrap();
    assert_ne!(old["jti"], new["jti"]);
    let renewed_after = new["iat"].as_i64().unwrap() - old["iat"].as_i64().unwrap();
    assert!(renewed_after > 12 * 3600, "{renewed_after}");
    assert_eq!(
        new["exp"].as_i64().unwrap() - new["iat"].as_i64().unwrap(),
        24 * 3600,
        "it lives its own day"
    );
    let bodies: std::collections::BTreeSet<_> = sent.iter().map(|one| one.call.body.clone()).collect();
    assert_eq!(bodies.len(), 2, "the same to the byte, but for the link");
    assert_eq!(opens(&app, sent.last().unwrap()).await, 200);
}

/// The life of a link counts from the attempt that mailed it first, not from when the mail was wanted.
#[tokio::test]
async fn a_mail_that_was_held_back_leaves_with_a_link_of_its_own_day() {
    let app = TestApp::new();
    waiting(&app).await;
    app.passes(11 * HOUR);
    app.mails_leave_for(MINUTE).await;
    let link = claims(&calls(&app)[0]);
    assert_eq!((&link["iat"], &link["exp"]), (&json!(app.now()), &json!(app.now() + 24 * 3600)));
    app.passes(23 * HOUR);
    assert_eq!(opens(&app, &calls(&app)[0]).await, 200);
}

/// It was taken, the answer was lost, and the link was renewed before it was asked again.
#[tokio::test]
async fn a_mail_that_was_taken_with_an_older_link_is_sent_and_that_link_opens_the_tenant() {
    let app = TestApp::new();
    waiting(&app).await;
    app.outside().upstreams().next("resend", [Reaction::LosesTheAnswer]);
    tenantry::app::mails::send_due(&app.app).await.unwrap();
    app.passes(13 * HOUR);
    app.mails_leave_for(MINUTE).await;
    assert_eq!((calls(&app).len(), arrived(&app), &mail(&app)["status"]), (2, 1, &json!("sent")));
    assert_eq!(opens(&app, &calls(&app)[0]).await, 200);
}

/// Everything that was signed before is refused: a link that was never taken must not be one of them.
#[tokio::test]
async fn a_link_is_renewed_when_what_was_signed_before_is_refused() {
    let app = TestApp::new();
    let tenant = waiting(&app).await;
    app.outside().upstreams().next("resend", [Reaction::TimesOut]);
    tenantry::app::mails::send_due(&app.app).await.unwrap();
    app.passes(1);
    app.post("/api/v1/admin/tokens/revoke")
        .token(&Token::operator(app.now()).sign())
        .json(&json!({ "tenantId": tenant.id, "reason": "lost" }))
        .send()
        .await
        .is(200);
    app.mails_leave_for(2 * MINUTE).await;
    assert_eq!(arrived(&app), 1);
    assert_eq!(opens(&app, calls(&app).last().unwrap()).await, 200);
}

#[tokio::test]
async fn a_link_is_renewed_when_the_configuration_refuses_what_was_signed_before() {
    for (ahead, opened) in [(0, 200), (7 * 24 * 3600, 401)] {
        let app = TestApp::new();
        waiting(&app).await;
        app.outside().upstreams().next("resend", [Reaction::TimesOut]);
        tenantry::app::mails::send_due(&app.app).await.unwrap();
        app.passes(30);
        let not_before = (app.now() + ahead).to_string();
        let stricter = app.redeployed_with(&[("JWT_NOT_BEFORE", &not_before)]);
        stricter.mails_leave_for(2 * MINUTE).await;
        assert_eq!(arrived(&app), 1);
        assert_eq!(opens(&stricter, calls(&app).last().unwrap()).await, opened, "{ahead}");
    }
}

#[tokio::test]
async fn a_changed_key_between_two_attempts_makes_no_second_mail() {
    for change in [
        vec![
            ("JWT_SECRET", "another-secret-of-more-than-32-bytes"),
            ("JWT_SECRET_PREVIOUS", crate::support::SECRETS[0]),
            ("JWT_ROTATED_AT", "1900000000"),
        ],
        vec![
            ("DATA_KEY", "fedcba9876543210fedcba9876543210"),
            ("DATA_KEY_PREVIOUS", "0123456789abcdef0123456789abcdef"),
        ],
    ] {
        let app = TestApp::new();
        waiting(&app).await;
        app.outside().upstreams().next("resend", [Reaction::LosesTheAnswer]);
        tenantry::app::mails::send_due(&app.app).await.unwrap();
        let rotated = app.redeployed_with(&change);
        rotated.mails_leave_for(2 * MINUTE).await;
        assert_eq!((arrived(&app), &mail(&app)["status"]), (1, &json!("sent")), "{change:?}");
        assert_eq!(opens(&rotated, &calls(&app)[0]).await, 200, "{change:?}");
    }
}

/// An older version sent the mail itself, under the run's key, and died before it could say so.
#[tokio::test]
async fn a_mail_that_an_older_version_sent_from_the_run_is_not_sent_again() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    let run = app.outside().objects().run(&tenant.id).unwrap();
    let older = OutboundRequest {
        upstream: "resend",
        method: "POST",
        url: "https://api.resend.com/emails".to_owned(),
        headers: vec![
            ("authorization", "Bearer re_the_resend_key".to_owned()),
            ("idempotency-key", format!("{}/send_welcome_email", run.id)),
        ],
        body: Some(r#"{"to":["owner@fc-nord.example"],"text":"as it was"}"#.to_owned()),
        time_limit: std::time::Duration::from_secs(10),
        follow: &[],
        traceparent: None,
    };
    app.outside().call(older).await.unwrap();
    tenant.waits().await;
    app.mails_leave().await;
    assert_eq!((tenant.ended().await.as_str(), arrived(&app)), ("completed", 1));
    assert_eq!(mail(&app)["status"], "sent");
    assert!(tenant.row()["owner_email_sent_at"].is_i64());
}

/// It had even said so.
#[tokio::test]
async fn a_mail_that_is_known_to_be_sent_is_not_stored() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    tenant.becomes("owner_email_sent_at", app.now());
    tenant.waits().await;
    assert_eq!(
        (tenant.ended().await.as_str(), app.db().number("select count(*) from mails")),
        ("completed", 0)
    );
}

#[tokio::test]
async fn nothing_is_mailed_to_a_tenant_that_is_removed_meanwhile() {
    let app = TestApp::new();
    let tenant = waiting(&app).await;
    let remove = app.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id));
    let token = Token::operator(app.now()).sign();
    remove.token(&token).json(&json!({ "reason": "left the league" })).send().await.is(202);
    tenant.waits().await;
    let row = mail(&app);
    assert_eq!((&row["status"], &row["last_error"]), (&json!("cancelled"), &json!("TENANT_CANCELLED")));
    app.mails_leave_for(10 * MINUTE).await;
    app.outside().finishes_deferred_work().await;
    assert!(calls(&app).is_empty());
}

#[tokio::test]
async fn nothing_is_mailed_to_a_tenant_whose_removal_is_wanted() {
    let app = TestApp::new();
    let tenant = waiting(&app).await;
    tenant.becomes("status", "cancelled");
    app.mails_leave_for(MINUTE).await;
    assert_eq!((calls(&app).len(), &mail(&app)["status"]), (0, &json!("cancelled")));
}

#[tokio::test]
async fn nothing_is_mailed_to_a_suspended_tenant_until_it_is_let_in_again() {
    let app = TestApp::new();
    let tenant = waiting(&app).await;
    tenant.becomes("status", "suspended");
    app.mails_leave_for(5 * HOUR).await;
    let row = mail(&app);
    assert_eq!((calls(&app).len(), &row["status"], &row["attempts"]), (0, &json!("pending"), &json!(0)));
    tenant.becomes("status", "active");
    app.mails_leave_for(20 * MINUTE).await;
    assert_eq!(arrived(&app), 1);
}

#[tokio::test]
async fn a_tenant_that_stays_suspended_is_mailed_nothing_and_blamed_for_nothing() {
    let app = TestApp::new();
    let tenant = waiting(&app).await;
    tenant.becomes("status", "suspended");
    app.mails_leave_for(25 * HOUR).await;
    let row = mail(&app);
    assert_eq!((&row["status"], &row["last_error"]), (&json!("cancelled"), &json!("TENANT_SUSPENDED")));
    assert!(calls(&app).is_empty() && app.log_of("mail_failed").is_empty());
}

/// It is stopped between the claim and the call.
#[tokio::test]
async fn a_tenant_that_is_stopped_at_the_last_moment_is_mailed_nothing() {
    for status in ["suspended", "cancelled"] {
        let app = TestApp::new();
        let tenant = waiting(&app).await;
        let now = app.outside().now();
        let claimed = app.db().ask(store::mails::claim(None, now, now, 1)).await.unwrap().pop().unwrap();
        tenant.becomes("status", status);
        assert!(!store::mails::begin(app.db(), &claimed, None).await.unwrap(), "{status}");
    }
}

/// Whoever asked again and again while nothing came gets one mail when it does.
#[tokio::test]
async fn a_link_that_is_asked_for_again_takes_the_place_of_one_that_still_waits() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    app.outside().upstreams().always("resend", Reaction::Breaks);
    for _ in 0..4 {
        app.post("/auth/magic/start").json(&json!({ "email": "owner@fc-nord.example" })).send().await.is(202);
        app.outside().finishes_deferred_work().await;
        app.passes(300);
    }
    app.outside().upstreams().always("resend", Reaction::Healthy);
    app.mails_leave_for(40 * MINUTE).await;
    assert_eq!(arrived(&app), 1);
    let count = |of: &str| app.db().number(&format!("select count(*) from mails where {of}"));
    assert_eq!((count("status = 'sent'"), count("last_error = 'SUPERSEDED'")), (1, 3));
    assert_eq!(opens(&app, calls(&app).last().unwrap()).await, 200);
}

/// The queueing never arrived, and the sweep begins the run.
#[tokio::test]
async fn a_run_that_the_sweep_begins_mails_a_link_that_leads_to_where_it_was_wanted() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.outside().objects().become_(crate::support::Manner::Gone);
    tenant.connects_make().await.fails(503, "PROVISIONER_UNAVAILABLE");
    app.outside().objects().become_(crate::support::Manner::Obedient);
    app.passes(120);
    tenantry::app::sweep::run(&app.app).await;
    tenant.waits().await;
    app.mails_leave().await;
    assert!(calls(&app)[0].link().starts_with("https://api.example.com/magic/#token="));
}

/// A run that is queued again from elsewhere mails to where it was first wanted.
#[tokio::test]
async fn a_later_round_mails_a_link_that_leads_to_where_it_was_first_wanted() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let connect = |host: &str, path: &str| {
        let body = json!({
            "webhookUrl": format!("https://hook.eu2.make.com/{path}"), "webhookSecret": crate::support::WEBHOOK_SECRET,
        });
        tenant.post("/public/signup/starter/make").at(host).token(&tenant.jwt).json(&body).send()
    };
    connect("first.example.com", "gone").await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    connect("second.example.com", "there").await.is(200);
    tenant.waits().await;
    app.mails_leave().await;
    let link = calls(&app)[0].link();
    assert!(link.starts_with("https://first.example.com/magic/#token="), "{link}");
}

/// Nobody says where links lead: that is for us to mend, and the mail must not be lost meanwhile.
#[tokio::test]
async fn a_mail_that_cannot_be_written_yet_waits_for_a_configuration_that_can() {
    let app = TestApp::new();
    waiting(&app).await;
    app.db().execute("update mails set origin = null", ());
    app.mails_leave_for(HOUR).await;
    let row = mail(&app);
    assert_eq!((calls(&app).len(), &row["status"], &row["attempts"]), (0, &json!("pending"), &json!(0)));
    assert_eq!(app.log_of("mail_misconfigured")[0].fields["level"], "error");
    let mended = app.redeployed_with(&[("ADMIN_CONSOLE_URL", "https://console.example.com")]);
    mended.mails_leave_for(20 * MINUTE).await;
    assert!(calls(&app)[0].link().starts_with("https://console.example.com/magic/#token="));
}

/// A later version's mail is left to that version.
#[tokio::test]
async fn a_kind_that_is_not_known_here_is_left_alone() {
    let app = TestApp::new();
    waiting(&app).await;
    app.db().execute("update mails set kind = 'invitation'", ());
    app.mails_leave_for(HOUR).await;
    assert_eq!((calls(&app).len(), &mail(&app)["status"]), (0, &json!("pending")));
}

#[tokio::test]
async fn what_is_stored_of_a_mail_names_nobody_and_opens_nothing() {
    let app = TestApp::new();
    waiting(&app).await;
    app.outside().upstreams().next("resend", [Reaction::TimesOut]);
    tenantry::app::mails::send_due(&app.app).await.unwrap();
    let jti = claims(&calls(&app)[0])["jti"].as_str().unwrap().to_owned();
    let stored = serde_json::to_string(&app.db().contents()).unwrap();
    assert!(!stored.contains(&jti) && !stored.contains("eyJ"));
    assert!(!mail(&app).to_string().contains('@'));
}

#[tokio::test]
async fn a_mail_is_forgotten_thirty_days_after_it_was_over() {
    let app = TestApp::new();
    waiting(&app).await;
    app.mails_leave().await;
    app.passes(30 * 24 * HOUR - 1);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.db().number("select count(*) from mails"), 1);
    app.passes(60);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.db().number("select count(*) from mails"), 0);
}

/// Versions before sent it under this key: the mail service recognises one of theirs.
#[tokio::test]
async fn the_welcome_mails_key_is_the_runs() {
    let app = TestApp::new();
    let tenant = waiting(&app).await;
    let run = app.outside().objects().run(&tenant.id).unwrap().id;
    assert_eq!(mail(&app)["key"], format!("{run}/send_welcome_email"));
    assert_eq!(mail(&app)["id"], run.as_str().replace("run_", "mail_"));
}
