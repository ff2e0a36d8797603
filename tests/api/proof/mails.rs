//! Mails to unproven addresses: as many as help, and no more, whoever asks.

use serde_json::json;

use super::{mailed, newcomer};
use crate::support::{TestApp, signup};

fn sent(app: &TestApp) -> usize {
    app.outside().upstreams().sent_to("resend").len()
}

#[tokio::test]
async fn another_mail_may_be_had_after_half_a_minute_and_ten_in_all() {
    let app = TestApp::new();
    let (tenant, first, _) = newcomer(&app, "fc-nord").await;
    let early = tenant.wants_another_mail().await;
    early.fails(429, "RATE_LIMITED");
    assert_eq!(early.header("retry-after"), "30");
    let mut codes = vec![first];
    for _ in 1..10 {
        app.passes(30);
        tenant.wants_another_mail().await.is(202);
        codes.push(mailed(&app).await.0);
    }
    app.passes(30);
    tenant.wants_another_mail().await.fails(429, "RATE_LIMITED");
    // Whichever of them is read counts, as long as it lives.
    tenant.shows(&codes[3]).await.is(200);
}

#[tokio::test]
async fn a_mailbox_gets_ten_in_a_day_under_however_many_addresses() {
    let app = TestApp::new();
    let one = async |number: usize, email: &str| {
        let mut form = signup(&format!("fc-{number}"));
        form["email"] = email.into();
        app.signed_up_unproven(&form).await;
        app.outside().finishes_deferred_work().await;
    };
    for number in 0..12 {
        one(number, &format!("ann+{number}@example.org")).await;
    }
    assert_eq!(sent(&app), 10);
    let word = "select count(*) from mails where last_error = 'MAILBOX_LIMIT' and status = 'cancelled'";
    assert_eq!(app.db().number(word), 2);
    one(20, "a.nn@example.org").await;
    assert_eq!(sent(&app), 11, "a dot makes another mailbox");
    app.passes(24 * 3600);
    one(21, "ann@example.org").await;
    assert_eq!(sent(&app), 12);
}

#[tokio::test]
async fn all_unproven_addresses_share_a_budget_and_what_waits_for_it_is_sent_later() {
    let app = TestApp::with(&[("PROOF_MAILS_PER_HOUR", "3")]);
    for number in 0..5 {
        app.signed_up_unproven(&signup(&format!("fc-{number}"))).await;
        app.outside().finishes_deferred_work().await;
    }
    assert_eq!(sent(&app), 3);
    assert_eq!(app.log_of("proof_budget_spent").len(), 2);
    app.mails_leave().await;
    assert_eq!(sent(&app), 5);
}

#[tokio::test]
async fn whoever_asks_for_a_link_gets_what_proves_the_address_and_strangers_learn_nothing() {
    let app = TestApp::new();
    newcomer(&app, "fc-nord").await;
    let asks = async |email: &str| {
        let ask = app.post("/auth/magic/start").json(&json!({ "email": email }));
        ask.send().await.is(202)
    };
    assert_eq!(asks("owner@fc-nord.example").await, asks("nobody@example.org").await);
    app.outside().finishes_deferred_work().await;
    assert_eq!(sent(&app), 0, "within the pause");
    app.passes(300);
    assert_eq!(asks("owner@fc-nord.example").await, json!({ "success": true }));
    app.outside().finishes_deferred_work().await;
    let mails = app.outside().upstreams().sent_to("resend");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].code().is_some() && mails[0].link().contains("/proof/#token="));
}

/// A mail that waits for long has a code with its life before it; what was mailed before still counts.
#[tokio::test]
async fn a_code_that_waited_is_made_anew() {
    let app = TestApp::new();
    let tenant = app.signed_up_unproven(&signup("fc-nord")).await;
    app.outside().upstreams().always("resend", crate::support::Reaction::Breaks);
    app.mails_leave_for(3600).await;
    app.outside().upstreams().always("resend", crate::support::Reaction::Healthy);
    app.mails_leave().await;
    let code = app.outside().upstreams().sent_to("resend").pop().unwrap().code().unwrap();
    app.passes(25 * 60);
    tenant.shows(&code).await.is(200);
}

#[tokio::test]
async fn a_proven_address_gets_no_code_that_was_still_on_its_way() {
    let app = TestApp::new();
    let (tenant, code, _) = newcomer(&app, "fc-nord").await;
    app.passes(30);
    tenant.wants_another_mail().await.is(202);
    tenant.shows(&code).await.is(200);
    app.outside().finishes_deferred_work().await;
    assert_eq!(sent(&app), 0);
    let word = "select count(*) from mails where last_error = 'EMAIL_PROVEN' and status = 'cancelled'";
    assert_eq!(app.db().number(word), 1);
}
