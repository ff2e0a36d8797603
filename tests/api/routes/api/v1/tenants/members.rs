//! `/api/v1/tenants/{id}/members`

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestTenant, Token, keys};

fn path(tenant: &TestTenant, rest: &str) -> String {
    format!("/api/v1/tenants/{}/members{rest}", tenant.id)
}

async fn team(tenant: &TestTenant) -> Value {
    tenant.gets(&path(tenant, "")).send().await.is(200)
}

async fn leaves(tenant: &TestTenant) -> Answer {
    tenant.post(&path(tenant, "/me/leave")).token(&tenant.jwt).send().await
}

async fn removes(tenant: &TestTenant, user: &str) -> Answer {
    tenant.ask(Method::DELETE, &path(tenant, &format!("/{user}"))).token(&tenant.jwt).send().await
}

async fn changes(tenant: &TestTenant, user: &str, roles: &Value) -> Answer {
    let ask = tenant.ask(Method::PATCH, &path(tenant, &format!("/{user}"))).token(&tenant.jwt);
    ask.json(&json!({ "roles": roles })).send().await
}

fn owner_of(tenant: &TestTenant) -> String {
    tenant.row()["owner_user_id"].as_str().unwrap().to_owned()
}

/// A provisioned tenant, its owner, another owner and an admin.
async fn board(app: &TestApp) -> (TestTenant, TestTenant, TestTenant) {
    let tenant = app.provisioned("fc-nord").await;
    let second = tenant.has_member("user_second", "second@example.org", "owner");
    let admin = tenant.has_member("user_admin", "admin@example.org", "tenant_admin");
    (tenant, second, admin)
}

#[tokio::test]
async fn a_team_is_its_owner_before_anything_is_set_up() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let body = team(&tenant).await;
    assert_eq!(keys(&body), ["invitations", "members", "success"]);
    let owner = &body["members"][0];
    assert_eq!(
        keys(owner),
        ["email", "joinedAt", "lastSignInAt", "name", "primary", "roles", "self", "status", "userId"]
    );
    assert_eq!(owner["userId"], owner_of(&tenant));
    assert_eq!(owner["email"], "owner@fc-nord.example");
    assert_eq!((&owner["roles"], &owner["status"]), (&json!(["tenant_admin", "owner"]), &json!("active")));
    assert_eq!((&owner["primary"], &owner["self"]), (&json!(true), &json!(true)));
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    assert_eq!(team(&tenant).await["members"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn everybody_sees_who_belongs_to_the_tenant() {
    let app = TestApp::new();
    let (tenant, _, admin) = board(&app).await;
    let body = team(&admin).await;
    let people: Vec<(&str, bool)> = body["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["email"].as_str().unwrap(), one["self"].as_bool().unwrap()))
        .collect();
    assert_eq!(people.len(), 3);
    assert!(people.contains(&("admin@example.org", true)) && people.contains(&("second@example.org", false)));
    let other = app.signed_up("fc-sued").await;
    other.gets(&path(&tenant, "")).send().await.refuses(403, "FORBIDDEN", "tenant_mismatch");
}

#[tokio::test]
async fn owners_decide_and_admins_do_not() {
    let app = TestApp::new();
    let (tenant, second, admin) = board(&app).await;
    let owner = owner_of(&tenant);
    for user in ["user_second", "user_admin", &owner, "user_never"] {
        removes(&admin, user).await.refuses(403, "FORBIDDEN", "role_mismatch");
        changes(&admin, user, &json!(["owner"])).await.refuses(403, "FORBIDDEN", "role_mismatch");
    }
    let member = changes(&second, "user_admin", &json!(["tenant_admin", "owner"])).await.is(200);
    assert_eq!(member["member"]["roles"], json!(["tenant_admin", "owner"]));
    // It counts at once, whatever the older token says.
    changes(&admin, "user_second", &json!(["tenant_admin"])).await.is(200);
    removes(&second, "user_admin").await.refuses(403, "FORBIDDEN", "role_mismatch");
    let events = app
        .db()
        .rows("select type, data from domain_events where type like 'member.%' order by occurred_at, id");
    assert_eq!(events.len(), 2);
    let data: Value = serde_json::from_str(events[0]["data"].as_str().unwrap()).unwrap();
    assert_eq!(data["role"].as_str().map(|role| ["owner", "tenant_admin"].contains(&role)), Some(true));
}

#[tokio::test]
async fn who_is_nobody_here_is_not_found() {
    let app = TestApp::new();
    let (tenant, ..) = board(&app).await;
    let other = app.signed_up("fc-sued").await;
    let stranger = owner_of(&other);
    for user in [stranger.as_str(), "user_never", "%00", "'--", &"x".repeat(500)] {
        removes(&tenant, user).await.fails(404, "MEMBER_NOT_FOUND");
        changes(&tenant, user, &json!(["owner"])).await.fails(404, "MEMBER_NOT_FOUND");
    }
    assert_eq!(app.db().number("select count(*) from user_cutoffs"), 0);
    other.gets("/whoami").send().await.is(200);
    let nobody = Token::tenant(&tenant.id, app.now()).with("sub", Value::Null).sign();
    app.post(&path(&tenant, "/me/leave")).token(&nobody).send().await.fails(404, "MEMBER_NOT_FOUND");
}

#[tokio::test]
async fn roles_are_words_that_are_known() {
    let app = TestApp::new();
    let (tenant, ..) = board(&app).await;
    for roles in [json!([]), json!(["viewer"]), json!("owner"), json!([7]), Value::Null] {
        changes(&tenant, "user_admin", &roles).await.fails(400, "VALIDATION");
    }
    let same = changes(&tenant, "user_admin", &json!(["tenant_admin"])).await.is(200);
    assert_eq!(same["member"]["userId"], "user_admin");
    assert_eq!(app.db().number("select count(*) from domain_events where type = 'member.role_changed'"), 0);
}

#[tokio::test]
async fn the_last_owner_stays() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    tenant.has_member("user_admin", "admin@example.org", "tenant_admin");
    let owner = owner_of(&tenant);
    leaves(&tenant).await.fails(409, "LAST_OWNER");
    removes(&tenant, &owner).await.fails(409, "LAST_OWNER");
    changes(&tenant, &owner, &json!(["tenant_admin"])).await.fails(409, "LAST_OWNER");
    assert_eq!(team(&tenant).await["members"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn of_two_owners_who_leave_at_once_one_stays() {
    let app = TestApp::new();
    for n in 0..100 {
        let tenant = app.signed_up(&format!("fc-{n}")).await;
        let second = tenant.has_member(&format!("user_{n}"), &format!("second@fc-{n}.example"), "owner");
        let owner = owner_of(&tenant);
        let (user, admin) = (format!("user_{n}"), json!(["tenant_admin"]));
        // Each in one of the three ways.
        let (one, other) = match n % 3 {
            0 => futures_util::join!(leaves(&tenant), leaves(&second)),
            1 => futures_util::join!(removes(&tenant, &user), changes(&second, &owner, &admin)),
            _ => futures_util::join!(leaves(&second), removes(&second, &owner)),
        };
        let done = [&one, &other].iter().filter(|answer| answer.status == 200).count();
        assert!(done >= 1, "{} {}", one.text, other.text);
        let owners = format!(
            "select count(*) from auth_users where tenant_id = '{}' and instr(roles, '\"owner\"') > 0",
            tenant.id
        );
        assert_eq!(app.db().number(&owners), 1);
        let row = tenant.row();
        let primary = app.db().row(&format!("select * from auth_users where tenant_id = '{}'", tenant.id));
        assert_eq!(row["email"], primary["email"]);
    }
}

#[tokio::test]
async fn of_many_owners_who_leave_at_once_one_stays() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let mut all = vec![tenant.clone()];
    for n in 0..20 {
        all.push(tenant.has_member(&format!("user_{n}"), &format!("owner{n}@example.org"), "owner"));
    }
    let answers = join_all(all.iter().map(leaves)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 20);
    answers.iter().filter(|answer| answer.status != 200).for_each(|answer| {
        answer.fails(409, "LAST_OWNER");
    });
}

#[tokio::test]
async fn whoever_leaves_is_out_at_once() {
    let app = TestApp::new();
    let (tenant, second, _) = board(&app).await;
    app.db().execute(
        "insert into sessions (id, tenant_id, user_id, how, cookie, browser, platform, created_at, seen_at, expires_at)
         values ('session_x', ?1, 'user_second', 'link', 0, 'chrome', 'linux', ?2, ?2, ?2 + 3600)",
        (&tenant.id, app.now()),
    );
    leaves(&second).await.is(200);
    second.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    assert_eq!(app.db().number("select count(*) from sessions where ended_at is null"), 0);
    app.passes(24 * 3600);
    let later = tenant.with_jwt_of("user_second");
    later.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    assert_eq!(team(&tenant).await["members"].as_array().unwrap().len(), 2);
}

/// The tenant's own address goes with its first owner.
#[tokio::test]
async fn another_owner_takes_the_place_of_the_first() {
    let app = TestApp::new();
    let (tenant, second, _) = board(&app).await;
    let link = tenant.mailed_link();
    leaves(&tenant).await.is(200);
    let row = tenant.row();
    assert_eq!((&row["owner_user_id"], &row["email"]), (&json!("user_second"), &json!("second@example.org")));
    let body = team(&second).await;
    let primary = body["members"].as_array().unwrap().iter().find(|one| one["primary"] == true).unwrap();
    assert_eq!(primary["userId"], "user_second");
    // What was mailed to the one is not the other's.
    app.post("/auth/magic/verify").json(&json!({ "token": link })).send().await.fails(401, "INVALID_TOKEN");
    // The address is free again.
    let mut form = crate::support::signup("fc-other");
    form["email"] = "owner@fc-nord.example".into();
    app.signed_up_with(&form).await;
}

/// Only a tenant's own address is unique: a person may belong to two.
#[tokio::test]
async fn an_address_that_is_another_tenants_own_is_not_taken_over() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let other = app.signed_up("fc-sued").await;
    tenant.has_member("user_both", "owner@fc-sued.example", "owner");
    let owner = owner_of(&tenant);
    leaves(&tenant).await.fails(409, "EMAIL_EXISTS");
    changes(&tenant, &owner, &json!(["tenant_admin"])).await.fails(409, "EMAIL_EXISTS");
    tenant.has_member("user_free", "free@example.org", "owner");
    leaves(&tenant).await.is(200);
    assert_eq!(tenant.row()["email"], "free@example.org");
    assert_eq!(other.row()["email"], "owner@fc-sued.example");
}

/// Neither its run nor its signup knows that somebody has left.
#[tokio::test]
async fn whoever_has_left_does_not_come_back_by_the_run_or_the_signup() {
    let app = TestApp::with(&[("EMAIL_PROOF", "off")]);
    let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
    let second = tenant.has_member("user_second", "second@example.org", "owner");
    let owner = owner_of(&tenant);
    leaves(&tenant).await.is(200);
    let again = app.post("/public/signup/start").header("idempotency-key", "key-1");
    again.json(&crate::support::signup("fc-nord")).send().await.fails(409, "ALREADY_SIGNED_UP");
    second.connects_make().await.is(200);
    tenant.waits().await;
    let people = app.db().rows(&format!("select id from auth_users where tenant_id = '{}'", tenant.id));
    assert_eq!(people, [json!({ "id": "user_second" })], "{owner} is gone");
}

#[tokio::test]
async fn a_tenant_that_is_removed_takes_its_people_along() {
    let app = TestApp::new();
    let (tenant, ..) = board(&app).await;
    let operator = Token::operator(app.now()).sign();
    let gone = app.ask(Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id)).token(&operator);
    gone.json(&json!({ "reason": "test" })).send().await;
    tenant.waits().await;
    assert_eq!(app.db().number("select count(*) from auth_users"), 0);
}

#[tokio::test]
async fn leaving_takes_the_cookie() {
    let app = TestApp::new();
    let (tenant, ..) = board(&app).await;
    let cookie = tenant.signs_in_by("").await;
    let answer = tenant.browses(Method::POST, &path(&tenant, "/me/leave"), &cookie).send().await;
    answer.is(200);
    assert!(answer.header("set-cookie").starts_with("__Host-tenantry=; "));
    tenant.whoami_by(&cookie).await.refuses(403, "FORBIDDEN", "token_revoked");
}
