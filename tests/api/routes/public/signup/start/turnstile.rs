//! Where `TURNSTILE_SECRET` is set, a person must have sent the form. A Turnstile token is good once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenantry::ports::Clock;

use crate::support::{Answer, Breaks, Reaction, TestApp, dies_after, signup};

fn guarded() -> TestApp {
    TestApp::with(&[("TURNSTILE_SECRET", "the-turnstile-secret"), ("TURNSTILE_SITE_KEY", "1x0AA")])
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
async fn a_person_signs_a_tenant_up() {
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

/// A process that dies gives nothing back: its claim ends by itself.
#[tokio::test]
async fn a_crash_between_the_check_and_the_signup_locks_nothing_for_long() {
    let app = guarded();
    let mut other = form("another");
    other["clubSlug"] = "fc-other".into();
    for polls in 0.. {
        assert!(polls < 50, "the signup never begins");
        let ended = dies_after(polls, send(&app, "key-1", &form("good")));
        assert!(ended.is_none(), "it was over before it could die");
        if app.db().number("select count(*) from idempotency_keys where status = 'in_progress'") == 1 {
            break;
        }
    }
    send(&app, "key-1", &form("good")).await.fails(409, "IDEMPOTENCY_IN_PROGRESS");
    let refused = send(&app, "key-1", &other).await;
    assert!([409, 422].contains(&refused.status.as_u16()), "{}", refused.text);
    assert_eq!(app.db().number("select count(*) from tenants"), 0);
    app.passes(31);
    send(&app, "key-1", &form("another")).await.is(200);
}

fn runs(app: &TestApp, sql: &str) {
    app.db().execute(sql, ());
}

/// Whatever stops a signup behind the claim of its key, the same request can be sent again at once.
#[tokio::test]
async fn every_way_out_of_a_claim_gives_the_key_back() {
    type WelcomeBlocker = fn(&TestApp);
    let ways: [(&str, u16, &str, WelcomeBlocker, WelcomeBlocker); 8] = [
        ("a robot", 403, "TURNSTILE_FAILED", |_| {}, |_| {}),
        (
            "a silent Turnstile",
            503,
            "TURNSTILE_UNAVAILABLE",
            |app| app.outside().upstreams().next("turnstile", [Reaction::TimesOut]),
            |_| {},
        ),
        (
            "a name that is taken",
            409,
            "SLUG_TAKEN",
            |app| runs(app, "update tenants set slug = 'fc-nord'"),
            |app| runs(app, "update tenants set slug = 'fc-else'"),
        ),
        (
            "an address that is taken",
            409,
            "EMAIL_EXISTS",
            |app| runs(app, "update tenants set email = 'owner@fc-nord.example'"),
            |app| runs(app, "update tenants set email = 'owner@else.example'"),
        ),
        (
            "a code that is used up",
            400,
            "INVALID_PROMO",
            |app| runs(app, "update promo_codes set active = 0"),
            |app| runs(app, "update promo_codes set active = 1"),
        ),
        (
            "the kill switch",
            503,
            "SIGNUPS_DISABLED",
            |app| runs(app, "insert into feature_flags values ('signup_enabled', 0, null, 0)"),
            |app| runs(app, "delete from feature_flags"),
        ),
        ("a lost claim", 503, "STORE_UNAVAILABLE", |app| app.db().breaks(0, Breaks::After), |_| {}),
        ("a lost signup", 503, "STORE_UNAVAILABLE", |app| app.db().breaks(1, Breaks::Before), |_| {}),
    ];
    for (what, status, code, begins, ends) in ways {
        let app = guarded();
        app.has_promo("SPRING", 10, &[]);
        let mut other = form("good");
        other["clubSlug"] = "fc-else".into();
        other["email"] = "owner@else.example".into();
        app.signs_up(&other).await.is(200);
        let mut wish = form(if what == "a robot" { "bad" } else { "good" });
        wish["promoCode"] = "SPRING".into();
        begins(&app);
        send(&app, "key-1", &wish).await.fails(status, code);
        ends(&app);
        assert_eq!(app.db().number("select count(*) from idempotency_keys"), 0, "{what}");
        wish["turnstileToken"] = "another".into();
        let granted = send(&app, "key-1", &wish).await.is(200);
        assert_eq!(granted.get("replayed"), None, "{what}");
    }
}

/// Whose answer was lost was signed up, and gets it again.
#[tokio::test]
async fn a_key_whose_signup_was_granted_is_not_given_back() {
    let app = guarded();
    app.db().breaks(1, Breaks::After);
    send(&app, "key-1", &form("good")).await.fails(503, "STORE_UNAVAILABLE");
    let again = send(&app, "key-1", &form("good")).await.is(200);
    assert_eq!((&again["replayed"], again["jwt"].is_string()), (&json!(true), true));
    assert_eq!(app.outside().upstreams().sent_to("turnstile").len(), 1);
}

const GOOD: &str = r#""success":true,"error-codes":[]"#;

/// What siteverify answers, but for this.
fn answered(app: &TestApp, host: &str, action: &str, age: u64) -> Reaction {
    let at = app.outside().now().before(Duration::from_secs(age)).rfc3339();
    let body = format!(r#"{{{GOOD},"hostname":"{host}","action":"{action}","challenge_ts":"{at}"}}"#);
    Reaction::Answers(200, body.leak())
}

#[tokio::test]
async fn a_good_token_of_another_page_or_form_or_an_old_one_is_refused_and_the_key_stays_free() {
    for (host, action, age, reason) in [
        ("evil.example", "signup", 0, "hostname"),
        ("fc-nord.clubs.example", "signup", 0, "hostname"),
        ("", "signup", 0, "hostname"),
        ("api.example.com", "login", 0, "action"),
        ("api.example.com", "", 0, "action"),
        ("api.example.com", "signup", 301, "age"),
    ] {
        let app = guarded();
        app.outside().upstreams().next("turnstile", [answered(&app, host, action, age)]);
        send(&app, "key-1", &form("good")).await.fails(403, "TURNSTILE_FAILED");
        let told = app.log_of("request").remove(0);
        assert_eq!(told.fields["error"], format!("turnstile: {reason}"));
        assert_eq!(app.db().number("select count(*) from tenants"), 0);
        send(&app, "key-1", &form("good")).await.is(200);
    }
    let app = guarded();
    app.outside().upstreams().next("turnstile", [Reaction::Answers(200, "{\"success\":true}")]);
    send(&app, "key-1", &form("good")).await.fails(403, "TURNSTILE_FAILED");
}

#[tokio::test]
async fn every_page_that_may_call_us_may_show_the_widget() {
    let app = guarded();
    for (n, host) in ["api.example.com", "app.example.com"].into_iter().enumerate() {
        app.outside().upstreams().next("turnstile", [answered(&app, host, "signup", 299)]);
        let mut form = signup(&format!("fc-{n:03}"));
        form["turnstileToken"] = "good".into();
        send(&app, host, &form).await.is(200);
    }
}

/// Then nobody could get in, whatever they do: it is ours to mend, and the log says so.
#[tokio::test]
async fn a_secret_that_turnstile_does_not_know_is_our_fault() {
    let app = guarded();
    let body = r#"{"success":false,"error-codes":["invalid-input-secret"]}"#;
    app.outside().upstreams().next("turnstile", [Reaction::Answers(200, body)]);
    send(&app, "key-1", &form("good")).await.fails(503, "TURNSTILE_UNAVAILABLE");
    let told = app.log_of("request").remove(0);
    assert_eq!(
        (&told.fields["level"], &told.fields["error"]),
        (&json!("error"), &json!("turnstile: invalid-input-secret"))
    );
    send(&app, "key-1", &form("good")).await.is(200);
}

/// Corrected at once, the same form goes through at once.
#[tokio::test]
async fn whatever_a_person_is_refused_for_gives_the_key_back_at_once() {
    let other = |name: &'static str, value: &'static str| (name, value);
    for (code, (name, wrong)) in [
        ("SLUG_TAKEN", other("clubSlug", "fc-known")),
        ("EMAIL_EXISTS", other("email", "owner@fc-known.example")),
        ("INVALID_PROMO", other("promoCode", "NOSUCH")),
        ("SIGNUPS_DISABLED", other("plan", "pro")),
    ] {
        let app = guarded();
        let mut known = signup("fc-known");
        known["turnstileToken"] = "known".into();
        send(&app, "key-0", &known).await.is(200);
        app.db().execute("update tenants set email = unproven_email, unproven_email = null", ());
        let flag = "insert into feature_flags values ('signup_enabled', ?1, null, 0)
                    on conflict (name) do update set enabled = excluded.enabled";
        app.db().execute(flag, [i64::from(code != "SIGNUPS_DISABLED")]);
        let mut refused = form("first");
        refused[name] = wrong.into();
        for token in ["first", "second"] {
            refused["turnstileToken"] = token.into();
            let answer = send(&app, "key-1", &refused).await;
            assert_eq!(answer.json()["error"]["code"], code, "{}", answer.text);
        }
        assert_eq!(app.db().number("select count(*) from idempotency_keys"), 1, "{code}: the other's");
        app.db().execute(flag, [1]);
        send(&app, "key-1", &form("third")).await.is(200);
    }
}
