//! `/api/v1/tenants/me/sessions`

use http::Method;
use serde_json::{Value, json};

use crate::support::{IMPOSSIBLE_MOMENTS, TestApp, TestTenant, keys, walk_pages};

const SESSIONS: &str = "/api/v1/tenants/me/sessions";

async fn ends(tenant: &TestTenant, session: &str) -> crate::support::Answer {
    tenant.ask(Method::DELETE, &format!("{SESSIONS}/{session}")).token(&tenant.jwt).send().await
}

#[tokio::test]
async fn a_sign_in_says_when_how_and_by_what() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let now = tenant.outside();
    let began = {
        use tenantry::ports::Clock;
        now.now()
    };
    let cookie = tenant.signs_in_by("okhttp/4.12.0").await;
    let link = json!({ "token": tenant.mailed_link() });
    app.post("/auth/magic/verify").json(&link).send().await.is(200);
    let page = tenant.browses(Method::GET, SESSIONS, &cookie).send().await.is(200);
    let list = page["data"].as_array().unwrap();
    assert_eq!(
        keys(&list[0]),
        ["browser", "createdAt", "credential", "current", "expiresAt", "how", "id", "lastSeenAt", "platform"]
    );
    let of = |credential: &str| list.iter().find(|one| one["credential"] == credential).unwrap();
    let own = of("cookie");
    assert_eq!(
        (&own["current"], &own["how"], &own["browser"]),
        (&json!(true), &json!("link"), &json!("unknown"))
    );
    let second = tenantry::domain::Timestamp::from_seconds(began.seconds());
    assert_eq!(own["createdAt"], second.rfc3339());
    assert_eq!(own["lastSeenAt"], own["createdAt"]);
    assert_eq!(of("token")["current"], false);
}

#[tokio::test]
async fn no_raw_user_agent_is_kept() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.signs_in_by("Mozilla/5.0 (Secret-Device-4711) Chrome/131.0.0.0").await;
    assert!(!format!("{:?}", app.db().contents()).contains("4711"));
}

#[tokio::test]
async fn the_list_has_pages() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for n in 0..7 {
        tenant.signs_in_by("").await;
        app.passes(n % 2);
    }
    for limit in [1, 3, 7, 100] {
        let all = walk_pages(&app, SESSIONS, limit, &tenant.jwt).await;
        let mut ids: Vec<&str> = all.iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 7);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 7);
    }
    for query in ["limit=0", "cursor=!!", IMPOSSIBLE_MOMENTS[0], IMPOSSIBLE_MOMENTS[1]] {
        tenant.gets(&format!("{SESSIONS}?{query}")).send().await.fails(400, "VALIDATION");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_is_another_tenants_is_not_found_alike() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let theirs = other.signs_in_by("").await;
    let id = app.db().row("select id from sessions")["id"].as_str().unwrap().to_owned();
    for session in [id.as_str(), "session_never", "none", "%00", "%ff", "'--", &"x".repeat(500)] {
        ends(&tenant, session).await.fails(404, "SESSION_NOT_FOUND");
    }
    other.whoami_by(&theirs).await.is(200);
    assert_eq!(app.db().number("select count(*) from revoked_tokens"), 0);
    assert_eq!(tenant.gets(SESSIONS).send().await.is(200)["data"], json!([]));
    ends(&other, &id).await.is(200);
    ends(&other, &id).await.fails(404, "SESSION_NOT_FOUND");
    other.whoami_by(&theirs).await.refuses(403, "FORBIDDEN", "token_revoked");
}

#[tokio::test]
async fn ending_ones_own_takes_the_cookie() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let cookie = tenant.signs_in_by("").await;
    let id = app.db().row("select id from sessions")["id"].as_str().unwrap().to_owned();
    let answer = tenant.browses(Method::DELETE, &format!("{SESSIONS}/{id}"), &cookie).send().await;
    answer.is(200);
    assert!(answer.header("set-cookie").starts_with("__Host-tenantry=; "));
    assert_ne!(answer.header("clear-site-data"), "");
    tenant.whoami_by(&cookie).await.refuses(403, "FORBIDDEN", "token_revoked");
}

/// The events and the mails that tell a tenant of it.
async fn told(tenant: &TestTenant) -> (Vec<Value>, Vec<String>) {
    tenant.outside().finishes_deferred_work().await;
    tenant.mails_leave().await;
    let events = tenant.gets(&format!("/api/v1/tenants/{}/events", tenant.id)).send().await.is(200);
    let types = events["data"].as_array().unwrap().iter().map(|event| event["type"].clone());
    let mails = tenant.outside().upstreams().sent_to("resend");
    let subjects = mails.iter().map(|mail| mail.json()["subject"].as_str().unwrap().to_owned());
    (types.filter(|word| word != "tenant.signed_up").collect(), subjects.collect())
}

#[tokio::test]
async fn an_owner_is_told_who_signs_in_and_whose_sign_in_is_ended() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.signs_in_by("Chrome/131.0 (X11; Linux x86_64)").await;
    let id = app.db().row("select id from sessions")["id"].as_str().unwrap().to_owned();
    assert_eq!(
        told(&tenant).await,
        (vec![json!("session.started")], vec!["New sign-in to FC fc-nord".to_owned()])
    );
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap().json();
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains("\nWhen: 15 January 2027, 08:00 UTC\nBrowser: Chrome\nDevice: Linux\n"), "{text}");
    app.passes(1);
    ends(&tenant, &id).await.is(200);
    let (events, mails) = told(&tenant).await;
    assert_eq!(
        (&events[0], mails.last().unwrap().as_str()),
        (&json!("session.ended"), "A session of FC fc-nord was ended")
    );
}

/// One who is flooded with mails reads none.
#[tokio::test]
async fn an_owner_gets_one_mail_an_hour_about_signing_in() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for _ in 0..5 {
        tenant.signs_in_by("").await;
    }
    let (events, mails) = told(&tenant).await;
    assert_eq!((events.len(), mails.len()), (5, 1));
    app.passes(3600);
    tenant.signs_in_by("").await;
    assert_eq!(told(&tenant).await.1.len(), 2);
}

#[tokio::test]
async fn an_owner_is_told_that_everybody_was_signed_out() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let cookie = tenant.signs_in_by("").await;
    let ask = tenant.browses(Method::POST, "/auth/logout", &cookie).json(&json!({ "all": true }));
    ask.send().await.is(200);
    app.outside().finishes_deferred_work().await;
    tenant.mails_leave().await;
    let subjects: Vec<Value> = app
        .outside()
        .upstreams()
        .sent_to("resend")
        .iter()
        .map(|mail| mail.json()["subject"].clone())
        .collect();
    assert!(subjects.contains(&json!("FC fc-nord: signed out everywhere")), "{subjects:?}");
    assert_eq!(app.db().number("select count(*) from domain_events where type = 'session.all_ended'"), 1);
}

/// Whoever ends the own sign-in knows it.
#[tokio::test]
async fn nobody_is_mailed_that_they_signed_out() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let cookie = tenant.signs_in_by("").await;
    tenant.browses(Method::POST, "/auth/logout", &cookie).send().await.is(200);
    let (events, mails) = told(&tenant).await;
    assert_eq!((events.len(), mails.len()), (2, 1));
}
