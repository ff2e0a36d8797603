//! `GET /api/v1/tenants/{id}/events`

use serde_json::{Value, json};

use crate::support::{IMPOSSIBLE_MOMENTS, TestApp, TestTenant, Token, keys, walk_pages};

fn path(tenant: &TestTenant) -> String {
    format!("/api/v1/tenants/{}/events", tenant.id)
}

#[tokio::test]
async fn a_tenant_sees_what_happened_to_it_newest_first() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.provisioned("fc-sued").await;
    app.passes(10);
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    app.passes(10);
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    let body = tenant.gets(&path(&tenant)).send().await.is(200);
    assert_eq!(keys(&body), ["data", "nextCursor", "success"]);
    assert_eq!(body["nextCursor"], Value::Null);
    let events = body["data"].as_array().unwrap();
    let types: Vec<&Value> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(types, ["tenant.provisioned", "tenant.failed", "tenant.signed_up"]);
    for event in events {
        assert!(event["id"].as_str().unwrap().starts_with("evt_"), "{event}");
        assert!(event["data"].is_object(), "{event}");
    }
    assert_eq!(events[1]["data"]["reason"], "WEBHOOK_REJECTED");
    assert_eq!(events[2]["data"], json!({ "plan": "starter", "slug": "fc-nord" }));
}

#[tokio::test]
async fn an_operator_sees_them_too() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let own = tenant.gets(&path(&tenant)).send().await.is(200);
    let operator = Token::operator(app.now()).sign();
    assert_eq!(app.get(&path(&tenant)).token(&operator).send().await.is(200), own);
}

#[tokio::test]
async fn pages_show_every_event_once() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for n in 0..7 {
        // Several in the same second: the id decides.
        app.db().execute(
            "insert into domain_events values (?1, ?2, ?3, 'test', '{}')",
            (&tenant.id, 1_900_000_000 + n / 3, format!("evt_{n}")),
        );
    }
    for limit in [1, 2, 3, 7, 8, 100] {
        let seen = walk_pages(&tenant, &path(&tenant), limit, &tenant.jwt).await;
        let ids: Vec<&str> = seen.iter().map(|event| event["id"].as_str().unwrap()).collect();
        assert_eq!(ids.get(..7).unwrap(), ["evt_6", "evt_5", "evt_4", "evt_3", "evt_2", "evt_1", "evt_0"]);
        assert_eq!(ids.len(), 8, "{limit}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for query in ["limit=0", "limit=abc", "cursor=!!"].into_iter().chain(IMPOSSIBLE_MOMENTS) {
        tenant.gets(&format!("{}?{query}", path(&tenant))).send().await.fails(400, "VALIDATION");
    }
}

#[tokio::test]
async fn the_end_of_a_run_is_one_event_however_often_it_is_told() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.db().breaks(6, crate::support::Breaks::After);
    tenant.waits().await;
    let run = app.outside().objects().run(&tenant.id).unwrap();
    let listed =
        tenantry::app::projection::project(app.db(), &run, tenantry::ports::Clock::now(app.outside())).await;
    assert!(matches!(listed, tenantry::workflow::ProjectionResult::Written { .. }));
    assert_eq!(app.db().number("select count(*) from domain_events where type = 'tenant.provisioned'"), 1);
}
