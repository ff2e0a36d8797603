//! The language of a tenant's mails.

use serde_json::{Value, json};

use crate::support::{TestApp, signup};

fn in_language(language: impl Into<Value>) -> Value {
    let mut form = signup("fc-nord");
    form["language"] = language.into();
    form
}

fn stored(app: &TestApp) -> Value {
    app.db().row("select language from tenants")["language"].clone()
}

#[tokio::test]
async fn a_signup_says_its_language_or_its_browser_does() {
    for (said, accepted, language) in [
        (json!("de"), "en", "de"),
        (json!("en"), "de", "en"),
        (Value::Null, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (json!(""), "de", "de"),
        (Value::Null, "fr", "en"),
        (Value::Null, "\u{fc}", "en"),
        (Value::Null, "", "en"),
    ] {
        let app = TestApp::new();
        let ask = app.post("/public/signup/start").header("accept-language", accepted);
        ask.json(&in_language(said.clone())).send().await.is(200);
        assert_eq!(stored(&app), language, "{said} {accepted}");
    }
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    assert_eq!(stored(&app), "en", "who says nothing gets English");
}

#[tokio::test]
async fn a_language_that_there_is_not_is_refused() {
    for language in [json!("fr"), json!("DE"), json!("de-DE"), json!("\u{202e}de"), json!(1), json!(["de"])] {
        let app = TestApp::new();
        let error = app.signs_up(&in_language(language.clone())).await.fails(400, "VALIDATION");
        assert_eq!(error["issues"][0]["path"], json!(["language"]), "{language}");
        assert_eq!(app.db().batches(), 0);
    }
}

/// Whoever switches the page's language and sends the form again wants the same tenant.
#[tokio::test]
async fn the_same_signup_in_another_language_is_the_same() {
    let app = TestApp::new();
    let post = async |language: &str| {
        let ask = app.post("/public/signup/start").header("idempotency-key", "key-1");
        ask.json(&in_language(language)).send().await.is(200)
    };
    let (first, again) = (post("de").await, post("en").await);
    assert_eq!(again["tenantId"], first["tenantId"]);
    assert_eq!((&again["replayed"], stored(&app)), (&json!(true), json!("de")));
}

#[tokio::test]
async fn without_scripts_the_browser_says_it() {
    let app = TestApp::new();
    let form = "clubName=FC+Nord&clubSlug=fc-nord&email=owner%40fc-nord.example&plan=pro&promoCode=";
    let ask = app.post("/public/signup/form").header("content-type", "application/x-www-form-urlencoded");
    let page = ask.header("accept-language", "de").body(form.to_owned()).send().await;
    assert_eq!(page.status, 200);
    app.outside().finishes_deferred_work().await;
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap().json();
    assert_eq!((stored(&app), &mail["subject"]), (json!("de"), &json!("Bestätigen Sie Ihre E-Mail-Adresse")));
}
