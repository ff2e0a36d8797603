//! An attempt counts when something was sent: whoever dies before that costs none.

use std::time::Duration;

use futures_util::future::{Either, select};
use serde_json::{Value, json};
use tenantry::{db::Db, ports::Clock, store};

use super::{delivers, delivery, events, has_due, provisioned, waits_for_the_next_attempt};
use crate::support::{Breaks, Reaction, TestApp, Token, turns};

/// A sweep begins, and its process dies with what it sends first. Answers whether it had anything to send.
async fn dies_while_sending(app: &TestApp) -> bool {
    app.outside().upstreams().always("make", Reaction::Kills);
    let sweep = std::pin::pin!(tenantry::app::deliveries::send_due(&app.app));
    let died = matches!(select(sweep, turns(1000)).await, Either::Right(_));
    app.outside().upstreams().always("make", Reaction::Healthy);
    died
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_costs_no_attempt() {
    let app = TestApp::new();
    provisioned(&app).await;
    for _ in 0..20 {
        app.db().breaks(0, Breaks::After);
        assert!(tenantry::app::deliveries::send_due(&app.app).await.is_err());
        app.passes(120);
    }
    assert_eq!(delivery(&app)["attempts"], 0);
    assert_eq!((delivers(&app).await, events(&app).len()), (1, 1));
    assert_eq!(delivery(&app)["attempts"], 1);
}

/// The first of them kills whoever sends it.
#[tokio::test]
async fn a_sweep_that_dies_costs_those_that_it_had_not_sent_no_attempt() {
    let app = TestApp::new();
    let tenant = provisioned(&app).await;
    delivers(&app).await;
    has_due(&app, &tenant, 20);
    for _ in 0..10 {
        dies_while_sending(&app).await;
        app.passes(121);
    }
    let failed = app.db().number("select count(*) from webhook_deliveries where status = 'failed'");
    assert_eq!(failed, 0, "18 minutes are not a day");
    let counted = app.db().number("select sum(attempts) from webhook_deliveries where type = 'test'");
    let sent = events(&app).iter().filter(|sent| sent.json() == json!({})).count();
    assert_eq!(counted, i64::try_from(sent).unwrap(), "what counts was sent");
    for _ in 0..60 {
        app.passes(3600);
        delivers(&app).await;
    }
    assert_eq!(app.db().number("select count(*) from webhook_deliveries where status = 'delivered'"), 21);
}

#[tokio::test]
async fn one_that_is_cut_off_each_time_is_given_up_after_the_schedule_of_a_day() {
    let app = TestApp::new();
    provisioned(&app).await;
    let begun = app.now();
    while delivery(&app)["status"] == "pending" {
        assert!(dies_while_sending(&app).await);
        assert!(waits_for_the_next_attempt(&app) >= 119);
        if delivery(&app)["attempts"] == 8 {
            delivers(&app).await;
        }
    }
    let row = delivery(&app);
    assert_eq!((&row["last_error"], &row["attempts"]), (&json!("INTERRUPTED"), &json!(8)));
    assert!(app.now() - begun > 24 * 3600, "{}", app.now() - begun);
    assert_eq!(events(&app).len(), 8);
}

async fn is_redelivered(app: &TestApp) {
    let row = delivery(app);
    let path = format!(
        "/api/v1/tenants/{}/webhook/deliveries/{}/redeliver",
        row["tenant_id"].as_str().unwrap(),
        row["id"].as_str().unwrap()
    );
    app.post(&path).token(&Token::operator(app.now()).sign()).send().await.is(200);
}

/// An operator is quicker than the answer to the last attempt.
#[tokio::test]
async fn sending_again_what_is_on_its_way_takes_nothing_back_that_arrived() {
    for attempts in [0, 7] {
        let app = TestApp::new();
        provisioned(&app).await;
        app.db().execute("update webhook_deliveries set attempts = ?1", [attempts]);
        let now = app.outside().now();
        let lease = now.after(Duration::from_secs(120));
        let claimed = app.db().ask(store::deliveries::claim(None, now, lease, 9)).await.unwrap();
        let mut claimed = claimed.into_iter().next().unwrap().unwrap();
        app.db().query(store::deliveries::begin(&claimed, Some(lease))).await.unwrap();
        claimed.attempts += 1;
        is_redelivered(&app).await;
        // The other attempt fails, or is not made yet; this one was taken.
        let delivered = store::deliveries::Attempted {
            status: store::deliveries::Status::Delivered,
            next_at: None,
            answered: Some(200),
            error: None,
        };
        if attempts == 7 {
            app.outside().upstreams().next("make", [Reaction::TimesOut]);
            tenantry::app::deliveries::send_due(&app.app).await.unwrap();
            assert_eq!(delivery(&app)["status"], "pending", "it was wanted anew, and has all its attempts");
        }
        app.db().query(store::deliveries::settle(&claimed, &delivered, now)).await.unwrap();
        let row = delivery(&app);
        assert_eq!((&row["status"], &row["last_status"]), (&json!("delivered"), &json!(200)));
        assert_eq!((&row["next_at"], &row["last_error"]), (&Value::Null, &Value::Null));
        app.passes(7200);
        assert_eq!(delivers(&app).await, 0);
    }
}

/// A failure that comes late says nothing of what was wanted since.
#[tokio::test]
async fn sending_again_what_is_on_its_way_is_not_undone_by_its_failure() {
    let app = TestApp::new();
    provisioned(&app).await;
    app.db().execute("update webhook_deliveries set attempts = 7", ());
    let now = app.outside().now();
    let lease = now.after(Duration::from_secs(120));
    let claimed = app.db().ask(store::deliveries::claim(None, now, lease, 9)).await.unwrap();
    let mut claimed = claimed.into_iter().next().unwrap().unwrap();
    app.db().query(store::deliveries::begin(&claimed, Some(lease))).await.unwrap();
    claimed.attempts += 1;
    is_redelivered(&app).await;
    let failed = store::deliveries::Attempted {
        status: store::deliveries::Status::Failed,
        next_at: None,
        answered: None,
        error: Some("TIMEOUT"),
    };
    app.db().query(store::deliveries::settle(&claimed, &failed, now)).await.unwrap();
    assert_eq!(delivery(&app)["status"], "pending");
    assert_eq!((delivers(&app).await, events(&app).len()), (1, 1));
}

/// The version before counts when it claims, and knows no other fence.
#[tokio::test]
async fn what_the_version_before_claimed_is_its_own() {
    let app = TestApp::new();
    provisioned(&app).await;
    let now = app.outside().now();
    let lease = now.after(Duration::from_secs(120));
    let claimed = app.db().ask(store::deliveries::claim(None, now, lease, 9)).await.unwrap();
    let claimed = claimed.into_iter().next().unwrap().unwrap();
    app.db()
        .execute("update webhook_deliveries set attempts = attempts + 1, next_at = ?1", [lease.seconds()]);
    let begun = app.db().query(store::deliveries::begin(&claimed, Some(lease))).await.unwrap();
    assert_eq!(begun.changes, 0);
    // It settles by what it counted.
    let settled = app.db().execute(
        "update webhook_deliveries set status = 'delivered', next_at = null, settled_at = 1
         where attempts = 1 and status = 'pending'",
        (),
    );
    assert_eq!((settled, delivers(&app).await), (1, 0));
}
