//! `GET /api/v1/admin/audit`

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{get, post};
use crate::support::{TestApp, TestTenant, Token, keys, walk_pages};

/// A code was made, then a tenant's tokens were revoked, then the code was switched off by somebody else.
async fn three_things_were_done(app: &TestApp) -> TestTenant {
    let tenant = app.signed_up("fc-nord").await;
    post(app, "/promo-codes", json!({ "code": "SPRING", "discountPercent": 10 })).await.is(200);
    app.passes(1);
    post(app, "/tokens/revoke", json!({ "tenantId": tenant.id, "reason": "lost phone" })).await.is(200);
    app.passes(1);
    let somebody_else = Token::operator(app.now()).with("sub", "ann").sign();
    let path = "/api/v1/admin/promo-codes/SPRING/deactivate";
    app.post(path).token(&somebody_else).json(&json!({ "reason": "leaked" })).send().await.is(200);
    tenant
}

#[tokio::test]
async fn it_says_who_did_what_to_whom_and_why_newest_first() {
    let app = TestApp::new();
    let tenant = three_things_were_done(&app).await;
    let body = get(&app, "/audit").await.is(200);
    assert_eq!(keys(&body), ["data", "nextCursor", "success"]);
    let data = body["data"].as_array().unwrap();
    let told: Vec<String> = data
        .iter()
        .map(|e| format!("{} {} {} {}", e["actor"], e["action"], e["subject"], e["reason"]).replace('"', ""))
        .collect();
    assert_eq!(
        told,
        [
            "ann promo.deactivate promo:SPRING leaked".to_owned(),
            format!("ops tokens.revoke {} lost phone", tenant.id),
            "ops promo.create promo:SPRING promo code created".to_owned(),
        ]
    );
    assert_eq!(
        keys(&data[0]),
        ["action", "actor", "data", "id", "occurredAt", "reason", "requestId", "subject"]
    );
    assert_eq!((&data[0]["data"], &data[1]["data"]), (&json!({ "uses": 0 }), &json!({})));
    assert_eq!(data[0]["occurredAt"], "2027-01-15T08:00:14.000Z");
    assert!(data[0]["requestId"].as_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let app = TestApp::new();
    let tenant = three_things_were_done(&app).await;
    for (query, expected) in [
        ("?actor=ann".to_owned(), vec!["promo.deactivate"]),
        ("?actor=ops".to_owned(), vec!["tokens.revoke", "promo.create"]),
        ("?actor=nobody".to_owned(), vec![]),
        ("?action=promo.create".to_owned(), vec!["promo.create"]),
        ("?subject=promo:SPRING".to_owned(), vec!["promo.deactivate", "promo.create"]),
        (format!("?subject={}", tenant.id), vec!["tokens.revoke"]),
        ("?subject=promo:SPRING&actor=ops".to_owned(), vec!["promo.create"]),
        ("?actor=ops&action=promo.deactivate".to_owned(), vec![]),
    ] {
        let body = get(&app, &format!("/audit{query}")).await.is(200);
        let actions: Vec<&Value> = body["data"].as_array().unwrap().iter().map(|e| &e["action"]).collect();
        assert_eq!(actions, expected, "{query}");
    }
}

#[tokio::test]
async fn pages_show_every_entry_once_however_many_there_are() {
    let app = TestApp::new();
    app.db().execute(
        "insert into audit_log (id, actor, action, subject, reason, request_id, occurred_at)
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 1100)
         select 'aud_' || printf('%05d', i), iif(i % 2, 'ann', 'ben'), iif(i = 3, 'rare', 'test'), 'run_' || (i % 3), '', '', i
         from n",
        (),
    );
    let operator = Token::operator(app.now()).sign();
    for (query, count) in [("", 1100), ("?actor=ann", 550), ("?subject=run_1", 367), ("?action=rare", 1)] {
        let mut ids = BTreeSet::new();
        let mut cursor = String::new();
        loop {
            let separator = if query.is_empty() { '?' } else { '&' };
            let page = app.get(&format!("/api/v1/admin/audit{query}{separator}limit=100{cursor}"));
            let page = page.token(&operator).send().await.is(200);
            for entry in page["data"].as_array().unwrap() {
                assert!(ids.insert(entry["id"].to_string()), "twice");
            }
            let Some(next) = page["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(ids.len(), count, "{query}");
    }
    assert_eq!(walk_pages(&app, "/api/v1/admin/audit?action=rare", 10, &operator).await.len(), 1);
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let app = TestApp::new();
    let long = format!("subject={}", "x".repeat(251));
    for query in ["limit=abc", "limit=-1", "limit=0", "limit=101", "cursor=eHg", "cursor=!!", &long] {
        let complaints = get(&app, &format!("/audit?{query}")).await.complains_about();
        let field = query.split('=').next().unwrap();
        assert_eq!(complaints, [(field.to_owned(), "invalid_value".to_owned())], "{query}");
    }
}
