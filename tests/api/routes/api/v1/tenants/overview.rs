//! `GET /api/v1/tenants/{id}/overview`

use serde_json::json;

use crate::support::{TestApp, Token};

#[tokio::test]
async fn a_tenant_sees_itself_at_a_glance_before_and_after_it_is_live() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let path = format!("/api/v1/tenants/{}/overview", tenant.id);
    let expected = json!({
        "id": tenant.id, "slug": "fc-nord", "name": "FC fc-nord", "plan": "starter", "status": "trial",
        "route_ready": 0, "provisioned_at": null, "posts_count": 0, "webhooks_validated": 0
    });
    assert_eq!(tenant.gets(&path).send().await.is(200), json!({ "success": true, "data": expected }));
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    let data = tenant.gets(&path).send().await.is(200)["data"].clone();
    assert_eq!((&data["status"], &data["route_ready"]), (&json!("active"), &json!(1)));
    assert_eq!((&data["posts_count"], &data["webhooks_validated"]), (&json!(1), &json!(1)));
    assert!(data["provisioned_at"].is_string());
    let operator = Token::operator(app.now()).sign();
    assert_eq!(app.get(&path).token(&operator).send().await.is(200)["data"], data);
}

#[tokio::test]
async fn whoever_else_asks_is_refused() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let path = format!("/api/v1/tenants/{}/overview", tenant.id);
    app.get(&path).send().await.fails(401, "UNAUTHORIZED");
    other.gets(&path).send().await.refuses(403, "FORBIDDEN", "tenant_mismatch");
    let operator = Token::operator(app.now()).sign();
    app.get("/api/v1/tenants/tenant_gone/overview")
        .token(&operator)
        .send()
        .await
        .fails(404, "TENANT_NOT_FOUND");
    app.db().goes_down();
    tenant.gets(&path).send().await.fails(503, "STORE_UNAVAILABLE");
}
