//! `/api/v1/admin/webhook/deliveries`

use serde_json::{Value, json};
use tenantry::app::deliveries::send_due;

use super::{audited, get, post};
use crate::support::{PLATFORM_WEBHOOK, Reaction, TestApp, Token, keys, walk_pages};

const LIST: &str = "/webhook/deliveries";

fn redeliver(id: &str) -> String {
    format!("{LIST}/{id}/redeliver")
}

/// A tenant signed up, and the webhook answers 500.
async fn it_fails() -> (TestApp, String) {
    let app = TestApp::with(&PLATFORM_WEBHOOK);
    app.signed_up("fc-nord").await;
    app.outside().upstreams().next("platform", [Reaction::Answers(500, "")]);
    send_due(&app.app).await.unwrap();
    let page = get(&app, LIST).await.is(200);
    let id = page["data"][0]["id"].as_str().unwrap().to_owned();
    (app, id)
}

#[tokio::test]
async fn operators_see_that_it_fails_why_and_when_it_is_tried_again() {
    let (app, id) = it_fails().await;
    let page = get(&app, LIST).await.is(200);
    assert_eq!(keys(&page), ["data", "nextCursor", "success", "webhook"]);
    let now = tenantry::domain::Timestamp::from_seconds(app.now()).rfc3339();
    assert_eq!(page["webhook"], json!({ "host": "hooks.example.com", "failingSince": now }));
    let delivery = &page["data"][0];
    assert_eq!(
        keys(delivery),
        [
            "attempts",
            "createdAt",
            "id",
            "lastError",
            "lastStatus",
            "nextAttemptAt",
            "settledAt",
            "status",
            "tenantId",
            "type"
        ]
    );
    assert_eq!(
        (&delivery["status"], &delivery["lastStatus"], &delivery["lastError"]),
        (&json!("pending"), &json!(500), &json!("SERVER_ERROR"))
    );
    assert!(delivery["nextAttemptAt"].is_string() && delivery["settledAt"].is_null());
    assert_eq!(delivery["id"], id.as_str());
}

#[tokio::test]
async fn without_a_webhook_the_list_says_so() {
    let page = get(&TestApp::new(), LIST).await.is(200);
    assert_eq!(keys(&page), ["data", "nextCursor", "success"]);
    assert_eq!(page["data"], json!([]));
}

#[tokio::test]
async fn pages_show_every_delivery_once_newest_first() {
    let app = TestApp::with(&PLATFORM_WEBHOOK);
    for n in 0..7 {
        app.signed_up(&format!("fc-{n:03}")).await;
    }
    send_due(&app.app).await.unwrap();
    let rows = app.db().rows("select event_id from event_feed order by seq desc");
    let newest: Vec<&Value> = rows.iter().map(|row| &row["event_id"]).collect();
    let operator = Token::operator(app.now()).sign();
    for limit in [1, 3, 7, 100] {
        let seen = walk_pages(&app, "/api/v1/admin/webhook/deliveries", limit, &operator).await;
        let ids: Vec<&Value> = seen.iter().map(|delivery| &delivery["id"]).collect();
        assert_eq!(ids, newest, "{limit}");
    }
}

#[tokio::test]
async fn an_operator_has_one_sent_again_at_once_and_it_is_written_down() {
    let (app, id) = it_fails().await;
    let body = json!({ "reason": "the receiver is mended" });
    let again = post(&app, &redeliver(&id), body).await.is(200);
    assert_eq!((&again["data"]["id"], &again["data"]["status"]), (&json!(id), &json!("pending")));
    app.outside().finishes_deferred_work().await;
    let sent = app.outside().upstreams().sent_to("platform");
    assert_eq!(sent.iter().map(|sent| sent.key()).collect::<Vec<_>>(), [id.clone(), id.clone()]);
    let page = get(&app, LIST).await.is(200);
    assert_eq!(
        (&page["data"][0]["status"], &page["webhook"]["failingSince"]),
        (&json!("delivered"), &Value::Null)
    );
    let [entry] = audited(&app).try_into().unwrap();
    assert_eq!(
        (&entry["action"], &entry["reason"]),
        (&json!("platform_webhook.redeliver"), &json!("the receiver is mended"))
    );
    assert_eq!(entry["data"].as_str().unwrap(), json!({ "delivery": id }).to_string());
    // One that arrived, too: under its id.
    post(&app, &redeliver(&id), json!({})).await.is(200);
    app.outside().finishes_deferred_work().await;
    assert_eq!(app.outside().upstreams().sent_to("platform").len(), 3);
}

#[tokio::test]
async fn what_is_not_there_is_not_sent_again() {
    let (app, id) = it_fails().await;
    post(&app, &redeliver("evt_never"), json!({})).await.fails(404, "DELIVERY_NOT_FOUND");
    let without = app.redeployed_with(&[]);
    let before = app.db().rows("select * from platform_deliveries");
    post(&without, &redeliver(&id), json!({})).await.fails(409, "NO_WEBHOOK");
    assert_eq!(app.db().rows("select * from platform_deliveries"), before);
    assert!(audited(&app).is_empty());
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let app = TestApp::new();
    for query in ["limit=0", "limit=abc", "cursor=!!", "cursor=eHg", "cursor=LTE"] {
        get(&app, &format!("{LIST}?{query}")).await.fails(400, "VALIDATION");
    }
    for query in ["after=x", "offset=1"] {
        get(&app, &format!("{LIST}?{query}")).await.fails(400, "VALIDATION");
    }
}
