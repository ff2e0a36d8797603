//! An invitation from the mail to its end.

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use super::{invites, joins, last_mail, person, shows, token_in};
use crate::support::{TestApp, TestTenant, Token};

const GUEST: &str = "guest@example.org";

fn path(tenant: &TestTenant, invitation: &Value, rest: &str) -> String {
    format!("/api/v1/tenants/{}/invitations/{}{rest}", tenant.id, invitation["id"].as_str().unwrap())
}

async fn resends(tenant: &TestTenant, invitation: &Value) -> crate::support::Answer {
    tenant.posts(&path(tenant, invitation, "/resend"), &json!({})).await
}

async fn revokes(tenant: &TestTenant, invitation: &Value) -> crate::support::Answer {
    tenant.ask(Method::DELETE, &path(tenant, invitation, "")).token(&tenant.jwt).send().await
}

#[tokio::test]
async fn whoever_reads_the_mail_joins_once() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let made = invites(&tenant, "  Guest@Example.ORG ", "tenant_admin").await.is(201)["invitation"].clone();
    assert_eq!((&made["email"], &made["state"]), (&json!(GUEST), &json!("open")));
    let mail = last_mail(&app).await;
    assert_eq!((&mail["to"], &mail["subject"]), (&json!([GUEST]), &json!("You are invited to a club")));
    assert_eq!(mail.get("reply_to"), None);
    // What the inviter says is text, and leads nowhere.
    let said = format!("{}{}", mail["text"], mail["html"]);
    assert!(said.contains("FC fc-nord") && !said.contains("evil.example"), "{said}");
    assert!(!mail["html"].as_str().unwrap().contains("<b>now"), "{said}");
    let token = token_in(&mail);
    let look = shows(&app, "look", &token).await.is(200);
    assert_eq!((&look["state"], &look["clubName"]), (&json!("open"), &json!("FC fc-nord")));
    assert_eq!((&look["email"], &look["role"]), (&json!("g***@example.org"), &json!("tenant_admin")));
    assert_eq!(look["inviter"], "o***@fc-nord.example");
    let body = shows(&app, "accept", &token).await.is(200);
    assert_eq!((&body["user"]["email"], &body["user"]["roles"]), (&json!(GUEST), &json!(["tenant_admin"])));
    let claims = Token::read(body["jwt"].as_str().unwrap());
    assert_eq!((&claims["roles"], &claims["tenantId"]), (&json!(["tenant_admin"]), &json!(tenant.id)));
    let guest = tenant.with_token_of(&body);
    guest.gets("/api/v1/tenants/me").send().await.is(200);
    shows(&app, "accept", &token).await.fails(409, "INVITATION_USED");
    assert_eq!(shows(&app, "look", &token).await.is(200)["state"], "used");
    invites(&tenant, GUEST, "tenant_admin").await.fails(409, "ALREADY_MEMBER");
    resends(&tenant, &made).await.fails(409, "INVITATION_USED");
    revokes(&tenant, &made).await.fails(409, "INVITATION_USED");
}

#[tokio::test]
async fn only_owners_invite_owners() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let admin = tenant.has_member("user_admin", "admin@example.org", "tenant_admin");
    invites(&admin, GUEST, "owner").await.refuses(403, "FORBIDDEN", "role_mismatch");
    invites(&admin, "other@example.org", "tenant_admin").await.is(201);
    let owner = joins(&tenant, GUEST, "owner").await;
    assert_eq!(Token::read(&owner.jwt)["roles"], json!(["tenant_admin", "owner"]));
    invites(&tenant, GUEST, "viewer").await.fails(400, "VALIDATION");
}

#[tokio::test]
async fn a_later_mail_supersedes_the_one_before() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let made = invites(&tenant, GUEST, "tenant_admin").await.is(201)["invitation"].clone();
    let first = token_in(&last_mail(&app).await);
    let soon = resends(&tenant, &made).await;
    soon.fails(429, "RATE_LIMITED");
    assert!(!soon.header("retry-after").is_empty());
    app.passes(301);
    // The same by its address is the same invitation.
    let again = invites(&tenant, GUEST, "tenant_admin").await.is(200)["invitation"].clone();
    assert_eq!((&again["id"], &again["mails"]), (&made["id"], &json!(2)));
    let second = token_in(&last_mail(&app).await);
    assert_ne!(first, second);
    assert_eq!(shows(&app, "look", &first).await.is(200)["state"], "superseded");
    shows(&app, "accept", &first).await.fails(409, "INVITATION_SUPERSEDED");
    shows(&app, "ask-again", &second).await.fails(409, "INVITATION_OPEN");
    shows(&app, "accept", &second).await.is(200);
    for guess in ["never", "", &first[1..]] {
        let answer = shows(&app, "look", guess).await;
        assert!(answer.status == 404 || guess.is_empty(), "{}", answer.text);
    }
}

#[tokio::test]
async fn whoever_comes_too_late_asks_for_another_one_once_a_day() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let made = invites(&tenant, GUEST, "tenant_admin").await.is(201)["invitation"].clone();
    let token = token_in(&last_mail(&app).await);
    app.passes(7 * 24 * 3600);
    assert_eq!(shows(&app, "look", &token).await.is(200)["state"], "expired");
    shows(&app, "accept", &token).await.fails(409, "INVITATION_EXPIRED");
    for _ in 0..3 {
        shows(&app, "ask-again", &token).await.is(202);
    }
    let mail = last_mail(&app).await;
    assert_eq!(mail["to"], json!(["owner@fc-nord.example"]));
    assert!(mail["text"].as_str().unwrap().contains("g***@"), "{}", mail["text"]);
    assert_eq!(app.db().number("select count(*) from mails where kind = 'invitation_asked'"), 1);
    let owner = tenant.with_jwt_of(&person(&tenant));
    resends(&owner, &made).await.is(200);
    let token = token_in(&last_mail(&app).await);
    shows(&app, "accept", &token).await.is(200);
}

#[tokio::test]
async fn what_was_taken_back_opens_nothing() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let made = invites(&tenant, GUEST, "tenant_admin").await.is(201)["invitation"].clone();
    let token = token_in(&last_mail(&app).await);
    for _ in 0..2 {
        assert_eq!(revokes(&tenant, &made).await.is(200)["invitation"]["state"], "revoked");
    }
    assert_eq!(shows(&app, "look", &token).await.is(200)["state"], "revoked");
    shows(&app, "accept", &token).await.fails(409, "INVITATION_REVOKED");
    shows(&app, "ask-again", &token).await.fails(409, "INVITATION_REVOKED");
    resends(&tenant, &made).await.fails(409, "INVITATION_REVOKED");
    let other = app.signed_up("fc-sued").await;
    for invitation in [made, json!({ "id": "invitation_never" }), json!({ "id": "none" })] {
        revokes(&other, &invitation).await.fails(404, "INVITATION_NOT_FOUND");
        resends(&other, &invitation).await.fails(404, "INVITATION_NOT_FOUND");
    }
}

#[tokio::test]
async fn of_twenty_who_accept_at_once_one_joins() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    invites(&tenant, GUEST, "tenant_admin").await.is(201);
    let token = token_in(&last_mail(&app).await);
    let answers = join_all((0..20).map(|_| shows(&app, "accept", &token))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(app.db().number("select count(*) from auth_users where email = 'guest@example.org'"), 1);
    assert_eq!(app.db().number("select count(*) from sessions where how = 'invitation'"), 1);
    assert_eq!(app.db().number("select count(*) from domain_events where type = 'member.joined'"), 1);
}

#[tokio::test]
async fn accepting_and_taking_back_have_one_winner() {
    let app = TestApp::new();
    for n in 0..20 {
        let tenant = app.signed_up(&format!("fc-{n}")).await;
        let made = invites(&tenant, GUEST, "tenant_admin").await.is(201)["invitation"].clone();
        let token = token_in(&last_mail(&app).await);
        let (accepted, revoked) = if n % 2 == 0 {
            futures_util::join!(shows(&app, "accept", &token), revokes(&tenant, &made))
        } else {
            let (revoked, accepted) =
                futures_util::join!(revokes(&tenant, &made), shows(&app, "accept", &token));
            (accepted, revoked)
        };
        let people = format!(
            "select count(*) from auth_users where tenant_id = '{}' and email = '{GUEST}'",
            tenant.id
        );
        let joined = app.db().number(&people);
        assert_eq!(joined == 1, accepted.status == 200, "{}", accepted.text);
        assert_ne!(accepted.status == 200, revoked.status == 200, "{} {}", accepted.text, revoked.text);
    }
}

#[tokio::test]
async fn the_mail_arrives_once_whatever_answers_are_lost() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let made = invites(&tenant, GUEST, "tenant_admin").await.is(201)["invitation"].clone();
    app.outside().upstreams().next("resend", [crate::support::Reaction::TimesOut]);
    last_mail(&app).await;
    let sent = app.outside().upstreams().sent_to("resend");
    let keys: Vec<&str> = sent.iter().map(|mail| mail.header("idempotency-key")).collect();
    let own = format!("invite/{}/1", made["id"].as_str().unwrap());
    assert_eq!(keys.iter().filter(|key| **key == own).count(), 2, "{keys:?}");
    let bodies: Vec<Value> =
        sent.iter().filter(|mail| mail.header("idempotency-key") == own).map(|mail| mail.json()).collect();
    assert_eq!(bodies[0], bodies[1], "the same to the byte");
}

#[tokio::test]
async fn one_address_and_one_tenant_are_mailed_so_often() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for n in 0..5 {
        invites(&tenant, GUEST, "tenant_admin").await.is(if n == 0 { 201 } else { 200 });
        app.passes(301);
    }
    invites(&tenant, GUEST, "tenant_admin").await.fails(429, "RATE_LIMITED");
    app.passes(24 * 3600);
    let tenant = tenant.with_jwt_of(&person(&tenant));
    invites(&tenant, GUEST, "tenant_admin").await.is(200);
    for n in 0..19 {
        invites(&tenant, &format!("n{n}@example.org"), "tenant_admin").await.is(201);
    }
    invites(&tenant, "more@example.org", "tenant_admin").await.fails(409, "TOO_MANY_INVITATIONS");
}

#[tokio::test]
async fn nobody_joins_a_tenant_that_is_stopped() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    invites(&tenant, GUEST, "tenant_admin").await.is(201);
    let token = token_in(&last_mail(&app).await);
    tenant.becomes("status", "suspended");
    shows(&app, "accept", &token).await.fails(409, "TENANT_SUSPENDED");
    tenant.becomes("status", "active");
    shows(&app, "accept", &token).await.is(200);
}

/// Neither lists nor events nor what is stored shows what opens anything.
#[tokio::test]
async fn no_token_is_seen_anywhere() {
    let app = TestApp::with(&crate::support::PLATFORM_WEBHOOK);
    let tenant = app.provisioned("fc-nord").await;
    last_mail(&app).await;
    invites(&tenant, GUEST, "tenant_admin").await.is(201);
    let token = token_in(&last_mail(&app).await);
    let list = tenant.gets(&format!("/api/v1/tenants/{}/members", tenant.id)).send().await;
    assert_eq!(list.is(200)["invitations"][0]["email"], GUEST);
    shows(&app, "accept", &token).await.is(200);
    tenantry::app::deliveries::send_due(&app.app).await.unwrap();
    let events = tenant.gets(&format!("/api/v1/tenants/{}/events", tenant.id)).send().await;
    let sent = app.outside().upstreams().sent_to("platform");
    assert!(sent.iter().any(|sent| sent.json()["type"] == "member.joined"));
    let mut seen = vec![list.text.clone(), events.text.clone(), format!("{:?}", app.db().contents())];
    seen.extend(sent.iter().map(|sent| sent.json().to_string()));
    seen.extend(app.outside().log_lines().iter().map(|line| format!("{:?}", line.fields)));
    for text in seen {
        assert!(!text.contains(&token), "{text}");
    }
    for text in
        [&events.text].into_iter().chain(&sent.iter().map(|sent| sent.json().to_string()).collect::<Vec<_>>())
    {
        assert!(!text.contains(GUEST), "{text}");
    }
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    invites(&tenant, GUEST, "tenant_admin").await.is(201);
    let token = token_in(&last_mail(&app).await);
    app.passes(36 * 24 * 3600);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(shows(&app, "look", &token).await.is(200)["state"], "expired");
    app.passes(2 * 24 * 3600);
    tenantry::app::sweep::run(&app.app).await;
    shows(&app, "look", &token).await.fails(404, "INVITATION_UNKNOWN");
    assert_eq!(app.db().number("select count(*) from invitations"), 0);
}
