//! A tenant is handed on.

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::{last_mail, person};
use crate::support::{Answer, TestApp, TestTenant, Token};

fn path(tenant: &TestTenant, rest: &str) -> String {
    format!("/api/v1/tenants/{}/ownership/transfer{rest}", tenant.id)
}

async fn offers(tenant: &TestTenant, user: &str) -> Answer {
    tenant.posts(&path(tenant, ""), &json!({ "userId": user })).await
}

async fn accepts(tenant: &TestTenant) -> Answer {
    tenant.posts(&path(tenant, "/accept"), &json!({})).await
}

async fn withdraws(tenant: &TestTenant) -> Answer {
    tenant.ask(Method::DELETE, &path(tenant, "")).token(&tenant.jwt).send().await
}

fn owners(tenant: &TestTenant) -> Vec<Value> {
    tenant.db().rows(&format!(
        "select id from auth_users where tenant_id = '{}' and instr(roles, '\"owner\"') > 0 order by id",
        tenant.id
    ))
}

async fn club(app: &TestApp) -> (TestTenant, TestTenant, TestTenant) {
    let tenant = app.provisioned("fc-nord").await;
    let mate = tenant.has_member("user_mate", "mate@example.org", "tenant_admin");
    let other = tenant.has_member("user_other", "other@example.org", "tenant_admin");
    (tenant, mate, other)
}

#[tokio::test]
async fn whoever_accepts_owns_the_tenant_and_its_address() {
    let app = TestApp::new();
    let (tenant, mate, other) = club(&app).await;
    last_mail(&app).await;
    let offer = offers(&tenant, "user_mate").await.is(201);
    assert_eq!(
        (&offer["transfer"]["userId"], &offer["transfer"]["byMe"]),
        (&json!("user_mate"), &json!(true))
    );
    assert_eq!(last_mail(&app).await["to"], json!(["mate@example.org"]));
    offers(&tenant, "user_other").await.fails(409, "TRANSFER_PENDING");
    let seen = mate.gets(&format!("/api/v1/tenants/{}/members", mate.id)).send().await.is(200);
    assert_eq!(seen["transfer"]["toMe"], true);
    accepts(&other).await.fails(404, "TRANSFER_NOT_FOUND");
    accepts(&mate).await.is(200);
    assert_eq!(owners(&tenant), [json!({ "id": "user_mate" })]);
    let row = tenant.row();
    assert_eq!((&row["owner_user_id"], &row["email"]), (&json!("user_mate"), &json!("mate@example.org")));
    offers(&tenant, "user_other").await.refuses(403, "FORBIDDEN", "role_mismatch");
    accepts(&mate).await.fails(404, "TRANSFER_NOT_FOUND");
    tenant.gets("/whoami").send().await.is(200);
    assert_eq!(app.db().number("select count(*) from domain_events where type = 'ownership.transferred'"), 1);
}

#[tokio::test]
async fn an_offer_is_taken_back_declined_or_too_late() {
    let app = TestApp::new();
    let (tenant, mate, other) = club(&app).await;
    offers(&other, "user_mate").await.refuses(403, "FORBIDDEN", "role_mismatch");
    for by in [&tenant, &mate] {
        offers(&tenant, "user_mate").await.is(201);
        withdraws(&other).await.fails(404, "TRANSFER_NOT_FOUND");
        withdraws(by).await.is(200);
        accepts(&mate).await.fails(404, "TRANSFER_NOT_FOUND");
        app.passes(1);
    }
    offers(&tenant, "user_mate").await.is(201);
    app.passes(72 * 3600);
    let mate = tenant.with_jwt_of("user_mate");
    accepts(&mate).await.fails(409, "TRANSFER_EXPIRED");
    let owner = tenant.with_jwt_of(&person(&tenant));
    offers(&owner, "user_other").await.is(201);
    offers(&owner, &person(&owner)).await.fails(409, "ALREADY_OWNER");
    offers(&owner, "user_never").await.fails(404, "MEMBER_NOT_FOUND");
    assert_eq!(owners(&tenant).len(), 1);
}

#[tokio::test]
async fn there_is_one_owner_whatever_happens_at_once() {
    let app = TestApp::new();
    for n in 0..30 {
        let tenant = app.signed_up(&format!("fc-{n}")).await;
        let mate = tenant.has_member(&format!("user_{n}"), &format!("mate@fc-{n}.example"), "tenant_admin");
        offers(&tenant, &format!("user_{n}")).await.is(201);
        let leave = format!("/api/v1/tenants/{}/members/me/leave", tenant.id);
        let body = json!({});
        match n % 3 {
            0 => drop(futures_util::join!(accepts(&mate), withdraws(&tenant))),
            1 => drop(futures_util::join!(accepts(&mate), tenant.posts(&leave, &body))),
            _ => drop(join_all((0..5).map(|_| accepts(&mate))).await),
        }
        assert_eq!(owners(&tenant).len(), 1);
    }
}

#[tokio::test]
async fn whose_address_is_another_tenants_own_can_not_have_it() {
    let app = TestApp::new();
    let (tenant, ..) = club(&app).await;
    app.signed_up("fc-sued").await;
    let both = tenant.has_member("user_both", "owner@fc-sued.example", "tenant_admin");
    offers(&tenant, "user_both").await.is(201);
    accepts(&both).await.fails(409, "EMAIL_EXISTS");
    assert_eq!(owners(&tenant), [json!({ "id": person(&tenant) })]);
}

#[tokio::test]
async fn an_operator_gives_a_tenant_to_one_of_its_people_and_says_why() {
    let app = TestApp::new();
    let (tenant, mate, _) = club(&app).await;
    let operator = Token::operator(app.now()).sign();
    let path = format!("/api/v1/admin/tenants/{}/ownership", tenant.id);
    let give = |user: &str, reason: Value| {
        app.post(&path).token(&operator).json(&json!({ "userId": user, "reason": reason })).send()
    };
    give("user_mate", Value::Null).await.fails(400, "VALIDATION");
    give("user_never", json!("gone")).await.fails(404, "MEMBER_NOT_FOUND");
    give("user_mate", json!("the only owner has died")).await.is(200);
    give("user_mate", json!("again")).await.fails(409, "ALREADY_OWNER");
    assert_eq!(owners(&tenant), [json!({ "id": "user_mate" })]);
    assert_eq!(tenant.row()["email"], "mate@example.org");
    let audit = app.db().row("select * from audit_log where action = 'tenant.ownership'");
    assert_eq!((&audit["reason"], &audit["subject"]), (&json!("the only owner has died"), &json!(tenant.id)));
    // The owner of before can now be removed.
    let gone = format!("/api/v1/tenants/{}/members/{}", tenant.id, person(&tenant));
    mate.ask(Method::DELETE, &gone).token(&mate.jwt).send().await.is(200);
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
}
