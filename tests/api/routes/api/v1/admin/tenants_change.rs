//! `PATCH /api/v1/admin/tenants/{id}`

use http::Method;
use serde_json::{Value, json};

use super::{audited, send};
use crate::support::{Answer, TestApp, TestTenant, Token};

async fn patch(tenant: &TestTenant, body: Value) -> Answer {
    send(tenant, Method::PATCH, &format!("/tenants/{}", tenant.id), body).await
}

#[tokio::test]
async fn suspending_a_tenant_stops_its_tokens_at_once_and_reactivating_brings_them_back() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let answer = patch(&tenant, json!({ "status": "suspended", "reason": "invoice unpaid" })).await;
    assert_eq!(answer.is(200)["data"]["status"], "suspended");
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    tenant.connects_make().await.refuses(403, "FORBIDDEN", "token_revoked");
    patch(&tenant, json!({ "status": "active", "reason": "invoice paid" })).await.is(200);
    tenant.gets("/whoami").send().await.is(200);
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn a_suspended_tenant_gets_no_link_either() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    patch(&tenant, json!({ "status": "suspended", "reason": "abuse" })).await.is(200);
    app.post("/auth/magic/start").json(&json!({ "email": "owner@fc-nord.example" })).send().await.is(202);
    app.outside().finishes_deferred_work().await;
    assert!(app.outside().upstreams().sent_to("resend").is_empty());
}

#[tokio::test]
async fn a_tenant_that_is_suspended_while_it_is_set_up_stays_so() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    patch(&tenant, json!({ "status": "suspended", "reason": "abuse" })).await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.row()["status"], "suspended");
}

#[tokio::test]
async fn the_plan_changes_until_provisioning_has_begun() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let body = json!({ "plan": "pro", "reason": "chose the wrong one" });
    assert_eq!(patch(&tenant, body).await.is(200)["data"]["plan"], "pro");
    tenant.confirms_pro().await.is(200);
    let back = json!({ "plan": "starter", "comped": true, "reason": "after all" });
    for state in ["processing", "completed", "failed"] {
        tenant.becomes("provision_state", state);
        let before = app.db().contents();
        patch(&tenant, back.clone()).await.fails(409, "PLAN_LOCKED");
        app.db().is_still(&before);
    }
    tenant.becomes("provision_state", "pending");
    tenant.becomes("provisioned_at", app.now());
    patch(&tenant, back).await.fails(409, "PLAN_LOCKED");
    let same = json!({ "plan": "pro", "comped": true, "reason": "a sponsor pays" });
    assert_eq!(
        patch(&tenant, same).await.is(200)["data"]["comped"],
        true,
        "the plan that it has is no change"
    );
}

#[tokio::test]
async fn it_is_written_down_what_was_before_and_after() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let body = json!({ "status": "active", "plan": "pro", "comped": true, "reason": " a partner " });
    let answer = patch(&tenant, body.clone()).await;
    answer.is(200);
    let rows = audited(&app);
    let data: Value = serde_json::from_str(rows[0]["data"].as_str().unwrap()).unwrap();
    assert_eq!(
        data,
        json!({
            "before": { "status": "trial", "plan": "starter", "comped": false },
            "after": { "status": "active", "plan": "pro", "comped": true },
        })
    );
    assert_eq!(
        (&rows[0]["actor"], &rows[0]["action"], &rows[0]["subject"], &rows[0]["reason"]),
        (&json!("ops"), &json!("tenant.update"), &json!(tenant.id), &json!("a partner"))
    );
    assert_eq!(rows[0]["request_id"], answer.header("x-request-id"));
    let line = app.log_of("operator_action").pop().unwrap();
    assert_eq!(
        (&line.fields["action"], &line.fields["tenantId"]),
        (&json!("tenant.update"), &json!(tenant.id))
    );
    let before = app.db().contents();
    patch(&tenant, body).await.is(200);
    app.db().is_still(&before);
}

#[tokio::test]
async fn of_two_changes_at_once_each_says_what_it_found() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (one, other) = tokio::join!(
        patch(&tenant, json!({ "status": "suspended", "reason": "one" })),
        patch(&tenant, json!({ "comped": true, "reason": "other" })),
    );
    one.is(200);
    other.is(200);
    let row = tenant.row();
    assert_eq!((&row["status"], &row["comped"]), (&json!("suspended"), &json!(1)), "none is lost");
    let data: Vec<Value> = audited(&app)
        .iter()
        .map(|row| serde_json::from_str(row["data"].as_str().unwrap()).unwrap())
        .collect();
    let (first, second) = if data[0]["before"]["status"] == "trial" && data[0]["before"]["comped"] == false {
        (&data[0], &data[1])
    } else {
        (&data[1], &data[0])
    };
    assert_eq!(first["after"], second["before"]);
    assert_eq!(second["after"], json!({ "status": "suspended", "plan": "starter", "comped": true }));
}

#[tokio::test]
async fn a_plan_and_the_start_of_provisioning_cannot_both_win() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (changed, queued) = tokio::join!(
        patch(&tenant, json!({ "plan": "pro", "reason": "chose the wrong one" })),
        tenant.connects_make(),
    );
    match (changed.status.as_u16(), queued.status.as_u16()) {
        (200, 409) => assert_eq!(tenant.row()["plan"], "pro"),
        (409, 200) => assert_eq!(tenant.row()["plan"], "starter"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cancelled_tenant_stays_as_it_is_and_none_is_cancelled_here() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let complaints = patch(&tenant, json!({ "status": "cancelled", "reason": "left" })).await;
    assert_eq!(complaints.complains_about(), [("status".to_owned(), "use_delete".to_owned())]);
    assert!(complaints.text.contains("DELETE"));
    tenant.becomes("status", "cancelled");
    let before = app.db().contents();
    for body in [json!({ "status": "active", "reason": "back" }), json!({ "comped": true, "reason": "back" })]
    {
        patch(&tenant, body).await.fails(409, "TENANT_CANCELLED");
    }
    app.db().is_still(&before);
}

#[tokio::test]
async fn what_is_wrong_with_a_change_is_told() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    let one = |field: &str, code: &str| vec![(field.to_owned(), code.to_owned())];
    for (body, complaints) in [
        (json!({ "reason": "why" }), one("status", "nothing_to_change")),
        (json!({ "status": null, "reason": "why" }), one("status", "nothing_to_change")),
        (json!({ "status": "suspended" }), one("reason", "required")),
        (json!({ "status": "suspended", "reason": "  " }), one("reason", "required")),
        (json!({ "status": "Active", "reason": "why" }), one("status", "invalid_status")),
        (json!({ "status": "", "reason": "why" }), one("status", "invalid_status")),
        (json!({ "status": 1, "reason": "why" }), one("status", "invalid_type")),
        (json!({ "plan": "gold", "reason": "why" }), one("plan", "invalid_plan")),
        (json!({ "comped": "yes", "reason": "why" }), one("comped", "invalid_type")),
        (json!({ "comped": 1, "reason": "why" }), one("comped", "invalid_type")),
    ] {
        assert_eq!(patch(&tenant, body.clone()).await.complains_about(), complaints, "{body}");
    }
    let both = patch(&tenant, json!({ "plan": "gold", "comped": 1 })).await.complains_about();
    assert_eq!(both.len(), 3, "all at once: {both:?}");
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_tenant_that_never_was_is_not_changed() {
    let app = TestApp::new();
    let never = app.signed_up("fc-nord").await.never();
    let before = app.db().contents();
    let body = json!({ "status": "active", "reason": "typo" });
    patch(&never, body).await.fails(404, "TENANT_NOT_FOUND");
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_token_without_a_name_is_written_down_as_unknown() {
    for nameless in [Value::Null, "".into()] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let token = Token::operator(app.now()).with("sub", nameless).sign();
        let ask = app.ask(Method::PATCH, &format!("/api/v1/admin/tenants/{}", tenant.id)).token(&token);
        ask.json(&json!({ "comped": true, "reason": "a sponsor pays" })).send().await.is(200);
        assert_eq!(audited(&app)[0]["actor"], "unknown");
    }
}
