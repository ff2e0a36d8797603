//! Many at the same moment: what the predecessors decided by looking first.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, signup};

/// Sends all at once: their round trips are interleaved.
async fn all_at_once(app: &TestApp, forms: Vec<Value>) -> Vec<Answer> {
    join_all(forms.iter().map(|form| app.signs_up(form))).await
}

fn count(answers: &[Answer]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        let code = answer.json()["error"]["code"].as_str().unwrap_or("ok").to_owned();
        *counts.entry(code).or_default() += 1;
    }
    counts
}

fn counts(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect()
}

#[tokio::test]
async fn of_sixty_tenants_that_want_one_name_one_gets_it() {
    let app = TestApp::new();
    let form = |n: usize| {
        let mut form = signup("fc-nord");
        form["email"] = format!("owner{n}@example.org").into();
        form
    };
    let answers = all_at_once(&app, (0..60).map(form).collect()).await;
    assert_eq!(count(&answers), counts(&[("ok", 1), ("SLUG_TAKEN", 59)]));
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
    assert_eq!(app.db().number("select count(*) from domain_events"), 1);
}

#[tokio::test]
async fn of_sixty_tenants_with_one_address_one_is_made() {
    let app = TestApp::with(&[("EMAIL_PROOF", "off")]);
    let form = |n: usize| {
        let mut form = signup(&format!("fc-{n:02}"));
        form["email"] = if n.is_multiple_of(2) { "one@example.org" } else { "ONE@example.org" }.into();
        form
    };
    let answers = all_at_once(&app, (0..60).map(form).collect()).await;
    assert_eq!(count(&answers), counts(&[("ok", 1), ("EMAIL_EXISTS", 59)]));
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
}

#[tokio::test]
async fn the_last_uses_of_a_code_are_given_once_each() {
    let app = TestApp::new();
    app.has_promo("SPRING", 50, &[("max_uses", json!(3)), ("uses", json!(1))]);
    let form = |n: usize| {
        let mut form = signup(&format!("fc-{n:02}"));
        form["promoCode"] = "SPRING".into();
        form
    };
    let answers = all_at_once(&app, (0..60).map(form).collect()).await;
    assert_eq!(count(&answers), counts(&[("ok", 2), ("INVALID_PROMO", 58)]));
    assert!(answers.iter().all(|a| a.status == 200 || a.json()["error"]["reason"] == "exhausted"));
    assert_eq!(app.db().number("select uses from promo_codes"), 3);
    assert_eq!(app.db().number("select count(*) from promo_redemptions"), 2);
    assert_eq!(app.db().number("select count(*) from tenants"), 2);
}

#[tokio::test]
async fn one_form_sent_twenty_times_under_one_key_is_one_tenant_and_twenty_tokens() {
    let app = TestApp::new();
    let form = signup("fc-nord");
    let ask = || app.post("/public/signup/start").header("idempotency-key", "key-1").json(&form).send();
    let answers = join_all((0..20).map(|_| ask())).await;
    assert!(answers.iter().all(|answer| answer.is(200)["jwt"].is_string()));
    assert_eq!(answers.iter().filter(|answer| answer.json().get("replayed").is_none()).count(), 1);
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
}

#[tokio::test]
async fn one_form_sent_twenty_times_without_a_key_is_one_tenant_and_one_token() {
    let app = TestApp::new();
    let answers = all_at_once(&app, vec![signup("fc-nord"); 20]).await;
    let (granted, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert!(granted.len() == 1 && granted[0].json()["jwt"].is_string());
    for answer in others {
        answer.fails(409, "ALREADY_SIGNED_UP");
    }
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
}
