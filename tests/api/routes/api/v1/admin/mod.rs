mod audit;
mod events;
mod platform_webhook;
mod promo_codes;
mod promo_codes_change;
mod stats;
mod tenant_webhook;
mod tenants;
mod tenants_change;
mod tenants_create;
mod tenants_delete;
mod tokens_revoke;

use http::Method;
use serde_json::Value;

use crate::support::{Answer, TestApp, Token};

/// An operator asks for something.
async fn get(app: &TestApp, path: &str) -> Answer {
    app.get(&format!("/api/v1/admin{path}")).token(&Token::operator(app.now()).sign()).send().await
}

/// An operator sends something.
async fn send(app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
    let token = Token::operator(app.now()).sign();
    app.ask(method, &format!("/api/v1/admin{path}")).token(&token).json(&body).send().await
}

/// An operator posts something.
async fn post(app: &TestApp, path: &str, body: Value) -> Answer {
    send(app, Method::POST, path, body).await
}

/// What the audit log says, oldest first, without ids.
fn audited(app: &TestApp) -> Vec<Value> {
    app.db().rows(
        "select actor, action, subject, reason, request_id, data, occurred_at from audit_log order by id",
    )
}
