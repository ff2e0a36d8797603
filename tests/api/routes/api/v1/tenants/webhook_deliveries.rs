//! `GET /api/v1/tenants/{id}/webhook/deliveries`, `POST …/{delivery}/redeliver`

use serde_json::{Value, json};

use crate::support::{Answer, IMPOSSIBLE_MOMENTS, Reaction, TestApp, TestTenant, Token, keys, walk_pages};

fn path(tenant: &TestTenant) -> String {
    format!("/api/v1/tenants/{}/webhook/deliveries", tenant.id)
}

async fn listed(tenant: &TestTenant) -> Value {
    tenant.gets(&path(tenant)).send().await.is(200)
}

/// Its only delivery.
async fn only(tenant: &TestTenant) -> Value {
    let data = listed(tenant).await["data"].clone();
    assert_eq!(data.as_array().unwrap().len(), 1, "{data}");
    data[0].clone()
}

async fn redelivers(tenant: &TestTenant, id: &str) -> Answer {
    tenant.post(&format!("{}/{id}/redeliver", path(tenant))).token(&tenant.jwt).send().await
}

fn messages(app: &TestApp) -> Vec<String> {
    let sent = app.outside().upstreams().sent_to("make");
    sent.iter().map(crate::support::RecordedCall::key).filter(|key| key.starts_with("evt_")).collect()
}

#[tokio::test]
async fn a_tenant_sees_what_it_is_sent_and_how_that_went() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.provisioned("fc-sued").await;
    let waiting = only(&tenant).await;
    let names = [
        "attempts",
        "createdAt",
        "id",
        "lastError",
        "lastStatus",
        "nextAttemptAt",
        "settledAt",
        "status",
        "type",
    ];
    assert_eq!(keys(&waiting), names);
    assert_eq!((&waiting["status"], &waiting["attempts"]), (&json!("pending"), &json!(0)));
    assert!(waiting["nextAttemptAt"].is_string());
    app.outside().upstreams().next("make", [Reaction::Answers(503, ""), Reaction::Answers(503, "")]);
    tenantry::app::sweep::run(&app.app).await;
    let body = listed(&tenant).await;
    assert_eq!(keys(&body), ["data", "nextCursor", "success", "webhook"]);
    let failed = &body["data"][0];
    assert_eq!(
        (&failed["status"], &failed["lastStatus"], &failed["lastError"]),
        (&json!("pending"), &json!(503), &json!("SERVER_ERROR"))
    );
    assert!(body["webhook"]["failingSince"].is_string() && body["webhook"]["disabledAt"].is_null());
    app.passes(60);
    tenantry::app::sweep::run(&app.app).await;
    let delivered = only(&tenant).await;
    assert_eq!((&delivered["status"], &delivered["attempts"]), (&json!("delivered"), &json!(2)));
    assert_eq!((&delivered["type"], &delivered["lastError"]), (&json!("tenant.provisioned"), &Value::Null));
    assert!(delivered["nextAttemptAt"].is_null() && delivered["settledAt"].is_string());
    let text = body.to_string();
    assert!(!text.contains("hook.eu2") && !text.contains("v1.test"), "{text}");
}

#[tokio::test]
async fn a_tenant_without_a_webhook_is_sent_nothing() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    let body = listed(&tenant).await;
    assert_eq!((&body["data"], &body["webhook"]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn a_webhook_that_is_off_says_since_when_and_why() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().upstreams().next("make", [Reaction::Answers(410, "")]);
    tenantry::app::sweep::run(&app.app).await;
    let body = listed(&tenant).await;
    assert_eq!(body["webhook"]["disabledReason"], "gone");
    assert!(body["webhook"]["disabledAt"].is_string());
    let events = tenant.gets(&format!("/api/v1/tenants/{}/events", tenant.id)).send().await.is(200);
    assert_eq!(events["data"][0]["type"], "webhook.disabled");
}

#[tokio::test]
async fn pages_show_every_delivery_once_newest_first() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for n in 0..7 {
        app.db().execute(
            "insert into webhook_deliveries (tenant_id, created_at, id, type, body, next_at)
             values (?1, ?2, ?3, 'test', '{}', 0)",
            (&tenant.id, 1_900_000_000 + n / 3, format!("evt_{n}")),
        );
    }
    for limit in [1, 2, 3, 7, 8, 100] {
        let seen = walk_pages(&tenant, &path(&tenant), limit, &tenant.jwt).await;
        let ids: Vec<&str> = seen.iter().map(|row| row["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["evt_6", "evt_5", "evt_4", "evt_3", "evt_2", "evt_1", "evt_0"], "{limit}");
    }
    for query in ["limit=0", "limit=abc", "cursor=!!"].into_iter().chain(IMPOSSIBLE_MOMENTS) {
        tenant.gets(&format!("{}?{query}", path(&tenant))).send().await.fails(400, "VALIDATION");
    }
}

#[tokio::test]
async fn what_was_delivered_is_sent_again_under_the_same_id() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    tenantry::app::sweep::run(&app.app).await;
    let id = only(&tenant).await["id"].as_str().unwrap().to_owned();
    let answer = redelivers(&tenant, &id).await.is(200);
    assert_eq!((&answer["data"]["status"], &answer["data"]["attempts"]), (&json!("pending"), &json!(0)));
    app.outside().finishes_deferred_work().await;
    assert_eq!(messages(&app), [id.as_str(), id.as_str()]);
    assert_eq!(only(&tenant).await["status"], "delivered");
}

#[tokio::test]
async fn what_was_given_up_begins_its_schedule_anew() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let settled =
        "update webhook_deliveries set status = 'failed', attempts = 8, next_at = null, settled_at = 1";
    app.db().execute(settled, ());
    let id = only(&tenant).await["id"].as_str().unwrap().to_owned();
    redelivers(&tenant, &id).await.is(200);
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    app.outside().finishes_deferred_work().await;
    let again = only(&tenant).await;
    assert_eq!((&again["status"], &again["attempts"]), (&json!("pending"), &json!(1)));
}

#[tokio::test]
async fn what_waits_for_its_next_attempt_is_sent_now() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().upstreams().next("make", [Reaction::AsksToWait(503, "3600")]);
    tenantry::app::sweep::run(&app.app).await;
    let id = only(&tenant).await["id"].as_str().unwrap().to_owned();
    assert_eq!(redelivers(&tenant, &id).await.is(200)["data"]["attempts"], 1, "it is no new schedule");
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(only(&tenant).await["status"], "delivered");
}

#[tokio::test]
async fn what_is_not_there_can_not_be_sent_again() {
    let app = TestApp::new();
    let (tenant, other) = (app.provisioned("fc-nord").await, app.provisioned("fc-sued").await);
    let foreign = only(&other).await["id"].as_str().unwrap().to_owned();
    let before = app.db().contents();
    for id in ["none", "%00", foreign.as_str()] {
        redelivers(&tenant, id).await.fails(404, "DELIVERY_NOT_FOUND");
    }
    app.db().is_still(&before);
}

#[tokio::test]
async fn without_a_webhook_that_is_on_nothing_is_sent_again() {
    for broken in ["update make_connections set disabled_at = 1", "delete from make_connections"] {
        let app = TestApp::new();
        let tenant = app.provisioned("fc-nord").await;
        tenantry::app::sweep::run(&app.app).await;
        let id = only(&tenant).await["id"].as_str().unwrap().to_owned();
        app.db().execute(broken, ());
        let before = app.db().contents();
        redelivers(&tenant, &id).await.fails(409, "NO_WEBHOOK");
        app.db().is_still(&before);
    }
}

#[tokio::test]
async fn operators_look_and_send_again_but_not_for_a_tenant_that_never_was() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let operator = Token::operator(app.now()).sign();
    assert_eq!(app.get(&path(&tenant)).token(&operator).send().await.is(200), listed(&tenant).await);
    let id = only(&tenant).await["id"].as_str().unwrap().to_owned();
    app.post(&format!("{}/{id}/redeliver", path(&tenant))).token(&operator).send().await.is(200);
    let never = path(&tenant.never());
    app.get(&never).token(&operator).send().await.fails(404, "TENANT_NOT_FOUND");
    let answer = app.post(&format!("{never}/{id}/redeliver")).token(&operator).send().await;
    answer.fails(404, "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn what_an_operator_sends_again_is_written_down_what_the_tenant_does_is_not() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let operator = Token::operator(app.now()).sign();
    let id = only(&tenant).await["id"].as_str().unwrap().to_owned();
    redelivers(&tenant, &id).await.is(200);
    assert!(app.db().rows("select * from audit_log").is_empty());
    let again = |id: &str| app.post(&format!("{}/{id}/redeliver", path(&tenant))).token(&operator);
    again(&id).json(&json!({ "reason": "the club asked" })).send().await.is(200);
    app.passes(1);
    again(&id).send().await.is(200);
    again("evt_nothing").send().await.fails(404, "DELIVERY_NOT_FOUND");
    app.db().execute("update make_connections set disabled_at = 1, disabled_reason = 'gone'", ());
    again(&id).send().await.fails(409, "NO_WEBHOOK");
    let written = app.db().rows("select actor, action, subject, reason, data from audit_log order by id");
    let entry = |reason: &str| {
        json!({ "actor": "ops", "action": "webhook.redeliver", "subject": tenant.id, "reason": reason,
            "data": json!({ "delivery": id }).to_string() })
    };
    assert_eq!(written, [entry("the club asked"), entry("delivery sent again")]);
}
