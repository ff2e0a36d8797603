//! Where `TURNSTILE_SECRET` is set, a person must have sent the form. A Turnstile token is good once.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Breaks, Reaction, TestApp, signup};

fn guarded() -> TestApp {
    TestApp::with(&[("TURNSTILE_SECRET", "the-turnstile-secret")])
}

fn form(token: &str) -> Value {
    let mut form = signup("fc-nord");
    form["turnstileToken"] = token.into();
    form
}

async fn send(app: &TestApp, key: &str, form: &Value) -> Answer {
    app.post("/public/signup/start").header("idempotency-key", key).json(form).send().await
}

#[tokio::test]
async fn a_person_signs_a_club_up() {
    let app = guarded();
    send(&app, "key-1", &form("good")).await.is(200);
    let asked = app.outside().upstreams().sent_to("turnstile");
    assert_eq!(asked.len(), 1);
    let body = asked[0].call.body.clone().unwrap();
    assert!(
        body.starts_with("secret=the-turnstile-secret&response=good&remoteip=192.0.2.1&idempotency_key=")
    );
}

#[tokio::test]
async fn without_the_secret_nobody_is_asked() {
    let app = TestApp::new();
    app.signs_up(&form("bad")).await.is(200);
    assert!(app.outside().upstreams().sent().is_empty());
}

#[tokio::test]
async fn a_robot_is_turned_away_and_its_key_stays_free() {
    let app = guarded();
    for bad in [form("bad"), signup("fc-nord"), form("")] {
        send(&app, "key-1", &bad).await.fails(403, "TURNSTILE_FAILED");
    }
    assert_eq!(app.db().number("select count(*) from tenants"), 0);
    assert_eq!(app.db().number("select count(*) from idempotency_keys"), 0);
    send(&app, "key-1", &form("good")).await.is(200);
}

#[tokio::test]
async fn a_replay_needs_no_second_token() {
    let app = guarded();
    let first = send(&app, "key-1", &form("good")).await.is(200);
    let again = send(&app, "key-1", &form("good")).await.is(200);
    assert_eq!((&again["tenantId"], &again["replayed"]), (&first["tenantId"], &json!(true)));
    assert!(again["jwt"].is_string());
    assert_eq!(app.outside().upstreams().sent_to("turnstile").len(), 1);
}

#[tokio::test]
async fn the_token_is_no_part_of_the_form() {
    let app = guarded();
    send(&app, "key-1", &form("good")).await.is(200);
    assert_eq!(send(&app, "key-1", &form("another")).await.is(200)["replayed"], true);
}

#[tokio::test]
async fn a_silent_turnstile_lets_nobody_in_and_can_be_asked_again() {
    for reaction in
        [Reaction::TimesOut, Reaction::Breaks, Reaction::Answers(500, ""), Reaction::Answers(200, "<html>")]
    {
        let app = guarded();
        app.outside().upstreams().next("turnstile", [reaction.clone()]);
        let refused = send(&app, "key-1", &form("good")).await;
        refused.fails(503, "TURNSTILE_UNAVAILABLE");
        assert_eq!(refused.header("retry-after"), "5", "{reaction:?}");
        send(&app, "key-1", &form("good")).await.is(200);
    }
}

#[tokio::test]
async fn of_twenty_at_once_under_one_key_one_spends_the_token() {
    let app = guarded();
    let form = form("good");
    let answers = join_all((0..20).map(|_| send(&app, "key-1", &form))).await;
    assert!(answers.iter().all(|answer| [200, 409].contains(&answer.status.as_u16())));
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(app.outside().upstreams().sent_to("turnstile").len(), 1);
    assert_eq!(send(&app, "key-1", &form).await.is(200)["replayed"], true);
}

#[tokio::test]
async fn a_crash_between_the_check_and_the_signup_locks_nothing_for_long() {
    let app = guarded();
    app.db().breaks(1, Breaks::Before);
    send(&app, "key-1", &form("good")).await.fails(503, "STORE_UNAVAILABLE");
    send(&app, "key-1", &form("another")).await.fails(409, "IDEMPOTENCY_IN_PROGRESS");
    app.passes(31);
    send(&app, "key-1", &form("another")).await.is(200);
}

#[tokio::test]
async fn another_form_under_a_key_at_work_is_not_let_through() {
    let app = guarded();
    app.db().breaks(1, Breaks::Before);
    send(&app, "key-1", &form("good")).await.fails(503, "STORE_UNAVAILABLE");
    let mut other = form("another");
    other["clubSlug"] = "fc-other".into();
    let refused = send(&app, "key-1", &other).await;
    assert!([409, 422].contains(&refused.status.as_u16()), "{}", refused.text);
    assert_eq!(app.db().number("select count(*) from tenants"), 0);
}
