//! People join a tenant, sign in to several, and hand one on: what holds whatever the order of events.

mod invitations;
mod ownership;
mod several;

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestTenant, Token};

/// The last mail, once what was deferred is done.
pub async fn last_mail(app: &TestApp) -> Value {
    app.outside().finishes_deferred_work().await;
    app.mails_leave().await;
    app.outside().upstreams().sent_to("resend").pop().unwrap().json()
}

/// The last mail that has a link.
pub async fn last_link(app: &TestApp) -> Value {
    last_mail(app).await;
    let sent = app.outside().upstreams().sent_to("resend");
    let mut mails = sent.iter().map(crate::support::RecordedCall::json);
    mails.rfind(|mail| mail["text"].as_str().unwrap().contains("#token=")).unwrap()
}

/// What its link has.
pub fn token_in(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    text.split("#token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// Invites somebody.
pub async fn invites(tenant: &TestTenant, email: &str, role: &str) -> Answer {
    let body = json!({ "email": email, "role": role, "message": "See https://evil.example <b>now</b>" });
    tenant.posts(&format!("/api/v1/tenants/{}/invitations", tenant.id), &body).await
}

/// Shows what a link has.
pub async fn shows(app: &TestApp, what: &str, token: &str) -> Answer {
    app.post(&format!("/public/invitations/{what}")).json(&json!({ "token": token })).send().await
}

/// Somebody joins by an invitation. Answers the same tenant by their token.
pub async fn joins(tenant: &TestTenant, email: &str, role: &str) -> TestTenant {
    invites(tenant, email, role).await.is(201);
    let token = token_in(&last_mail(tenant).await);
    tenant.with_token_of(&shows(tenant, "accept", &token).await.is(200))
}

/// Whose token it is.
pub fn person(tenant: &TestTenant) -> String {
    Token::read(&tenant.jwt)["sub"].as_str().unwrap().to_owned()
}
