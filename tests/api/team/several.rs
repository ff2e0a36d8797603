//! One person in several tenants.

use serde_json::{Value, json};

use super::{joins, last_link, token_in};
use crate::support::{Answer, TestApp, TestTenant, Token};

const BOTH: &str = "owner@fc-sued.example";

async fn wants_a_link(app: &TestApp, body: &Value) -> Value {
    app.post("/auth/magic/start").json(body).send().await.is(202);
    last_link(app).await
}

async fn verifies(app: &TestApp, body: &Value) -> Answer {
    app.post("/auth/magic/verify").json(body).send().await
}

/// An owner of one tenant who is an admin of another.
async fn both(app: &TestApp) -> (TestTenant, TestTenant, TestTenant) {
    let (north, south) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let guest = joins(&north, BOTH, "tenant_admin").await;
    app.passes(301);
    (north, south, guest)
}

#[tokio::test]
async fn a_member_of_one_tenant_signs_in_by_a_mailed_link() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    joins(&tenant, "guest@example.org", "tenant_admin").await;
    let mail = wants_a_link(&app, &json!({ "email": "guest@example.org" })).await;
    assert_eq!(mail["to"], json!(["guest@example.org"]));
    let body = verifies(&app, &json!({ "token": token_in(&mail) })).await.is(200);
    assert_eq!(body["user"]["email"], "guest@example.org");
    assert_eq!(Token::read(body["jwt"].as_str().unwrap())["roles"], json!(["tenant_admin"]));
    // The owner's own link does not wait for theirs.
    let mail = wants_a_link(&app, &json!({ "email": "owner@fc-nord.example" })).await;
    assert_eq!(mail["to"], json!(["owner@fc-nord.example"]));
}

#[tokio::test]
async fn whoever_belongs_to_two_chooses_and_the_link_is_not_spent_by_looking() {
    let app = TestApp::new();
    let (north, south, _) = both(&app).await;
    let mails = app.outside().upstreams().sent_to("resend").len();
    let mail = wants_a_link(&app, &json!({ "email": BOTH })).await;
    assert_eq!(
        app.outside().upstreams().sent_to("resend").len(),
        mails + 1,
        "one link, however many tenants"
    );
    let token = token_in(&mail);
    for _ in 0..2 {
        let body = verifies(&app, &json!({ "token": token })).await.is(200);
        let choose: Vec<&Value> =
            body["choose"].as_array().unwrap().iter().map(|one| &one["tenantId"]).collect();
        assert_eq!(choose, [&json!(north.id), &json!(south.id)]);
        assert_eq!(body.get("jwt"), None);
    }
    let other = app.signed_up("fc-west").await;
    verifies(&app, &json!({ "token": token, "tenantId": other.id })).await.fails(401, "INVALID_TOKEN");
    let body = verifies(&app, &json!({ "token": token, "tenantId": north.id })).await.is(200);
    assert_eq!((&body["tenantId"], &body["user"]["roles"]), (&json!(north.id), &json!(["tenant_admin"])));
    verifies(&app, &json!({ "token": token, "tenantId": south.id })).await.fails(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_link_for_a_tenant_that_was_named_opens_that_one() {
    let app = TestApp::new();
    let (north, south, _) = both(&app).await;
    let mail = wants_a_link(&app, &json!({ "email": BOTH, "tenantId": north.id })).await;
    let body = verifies(&app, &json!({ "token": token_in(&mail) })).await.is(200);
    assert_eq!(body["tenantId"], north.id.as_str());
    let mail = wants_a_link(&app, &json!({ "email": BOTH, "tenantId": south.slug })).await;
    let body = verifies(&app, &json!({ "token": token_in(&mail) })).await.is(200);
    assert_eq!(body["tenantId"], south.id.as_str());
}

#[tokio::test]
async fn a_code_does_what_its_link_does() {
    let app = TestApp::new();
    let (north, _, _) = both(&app).await;
    let mail = wants_a_link(&app, &json!({ "email": BOTH })).await;
    let text = mail["text"].as_str().unwrap();
    let code = text.lines().find(|line| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit())).unwrap();
    let shown = |tenant: Option<&str>| json!({ "email": BOTH, "code": code, "tenantId": tenant });
    verifies(&app, &json!({ "email": BOTH, "code": "000000" })).await.fails(401, "INVALID_TOKEN");
    let body = verifies(&app, &shown(None)).await.is(200);
    assert_eq!(body["choose"].as_array().unwrap().len(), 2);
    let body = verifies(&app, &shown(Some(&north.id))).await.is(200);
    assert_eq!(body["tenantId"], north.id.as_str());
    verifies(&app, &shown(Some(&north.id))).await.fails(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_person_goes_from_one_to_the_other() {
    let app = TestApp::new();
    let (north, south, guest) = both(&app).await;
    let body = guest.gets("/api/v1/tenants/me/memberships").send().await.is(200);
    let of = |id: &str| {
        body["memberships"].as_array().unwrap().iter().find(|one| one["tenantId"] == id).unwrap().clone()
    };
    assert_eq!((&of(&north.id)["current"], &of(&south.id)["current"]), (&json!(true), &json!(false)));
    assert_eq!(of(&south.id)["roles"], json!(["tenant_admin", "owner"]));
    let switched = guest.posts("/auth/switch", &json!({ "tenantId": south.id })).await.is(200);
    let claims = Token::read(switched["jwt"].as_str().unwrap());
    assert_eq!((&claims["tenantId"], &claims["sub"]), (&json!(south.id), &south.row()["owner_user_id"]));
    let other = app.signed_up("fc-west").await;
    for id in [other.id.as_str(), "tenant_never"] {
        let answer = guest.posts("/auth/switch", &json!({ "tenantId": id })).await;
        answer.refuses(403, "FORBIDDEN", "tenant_mismatch");
    }
    south.becomes("status", "suspended");
    let answer = guest.posts("/auth/switch", &json!({ "tenantId": south.id })).await;
    answer.refuses(403, "FORBIDDEN", "tenant_mismatch");
}

#[tokio::test]
async fn whoever_was_removed_from_one_still_belongs_to_the_other() {
    let app = TestApp::new();
    let (north, south, guest) = both(&app).await;
    let token = token_in(&wants_a_link(&app, &json!({ "email": BOTH })).await);
    let path = format!("/api/v1/tenants/{}/members/{}", north.id, super::person(&guest));
    north.ask(http::Method::DELETE, &path).token(&north.jwt).send().await.is(200);
    guest.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    south.gets("/whoami").send().await.is(200);
    let body = verifies(&app, &json!({ "token": token })).await.is(200);
    assert_eq!(body["tenantId"], south.id.as_str());
}

/// Roles that came with a tenant from elsewhere, and mean nothing here, open nothing.
#[tokio::test]
async fn only_admins_sign_in() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.db().execute(
        "insert into auth_users (id, tenant_id, email, roles, created_at)
         values ('user_x', ?1, 'x@example.org', '[\"tenant_member\"]', 0)",
        [&tenant.id],
    );
    app.post("/auth/magic/start").json(&json!({ "email": "x@example.org" })).send().await.is(202);
    assert_eq!(app.db().number("select count(*) from mails where kind = 'sign_in'"), 0);
}
