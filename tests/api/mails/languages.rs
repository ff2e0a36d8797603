//! A tenant's mails are in its language, and have its colours.

use serde_json::{Value, json};

use super::{calls, mail};
use crate::support::{TestApp, TestTenant, Token, signup};

async fn signs_up(app: &TestApp, language: &str) -> TestTenant {
    let mut form = signup("fc-nord");
    form["language"] = language.into();
    app.signed_up_with(&form).await
}

async fn goes_live(app: &TestApp, tenant: &TestTenant) -> Value {
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    app.mails_leave().await;
    calls(app).pop().unwrap().json()
}

#[tokio::test]
async fn a_german_tenant_gets_german_mails() {
    let app = TestApp::new();
    let tenant = signs_up(&app, "de").await;
    let mail = goes_live(&app, &tenant).await;
    assert_eq!(mail["subject"], "Willkommen, FC fc-nord");
    let (text, html) = (mail["text"].as_str().unwrap(), mail["html"].as_str().unwrap());
    // Fourteen days after 15 January 2027.
    for part in ["Webadresse: https://fc-nord.", "Kostenlos bis: 29. Januar 2027", "Anmelden:", "/magic/\n"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert!(html.contains("<html lang=\"de\""));
}

#[tokio::test]
async fn a_tenant_of_before_and_one_of_a_later_version_get_english() {
    for word in [Value::Null, json!("fr")] {
        let app = TestApp::new();
        let tenant = signs_up(&app, "de").await;
        let stored = word.as_str().map(str::to_owned);
        tenant.becomes("language", stored);
        let mail = goes_live(&app, &tenant).await;
        assert_eq!(mail["subject"], "Welcome, FC fc-nord", "{word}");
    }
}

#[tokio::test]
async fn a_mail_has_the_tenants_colour() {
    let app = TestApp::new();
    let tenant = signs_up(&app, "en").await;
    let colors = json!({ "primaryColor": "#FFCC00", "secondaryColor": "#000000" });
    tenant.posts("/public/signup/brand", &colors).await.is(200);
    let mail = goes_live(&app, &tenant).await;
    let html = mail["html"].as_str().unwrap();
    assert!(html.contains("background:#ffcc00;color:#000000;"), "{html}");
}

/// A pro tenant's spreadsheet, and no end of a trial for who pays nothing.
#[tokio::test]
async fn the_welcome_mail_names_what_the_tenant_has() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    tenant.becomes("comped", 1);
    tenant.confirms_pro().await.is(200);
    tenant.waits().await;
    app.mails_leave().await;
    let text = calls(&app).pop().unwrap().json()["text"].as_str().unwrap().to_owned();
    let sheet = app.db().row("select spreadsheet_url from pro_automation")["spreadsheet_url"].clone();
    assert!(
        text.contains(&format!("Spreadsheet: Open in Google Sheets ({})", sheet.as_str().unwrap())),
        "{text}"
    );
    assert!(!text.contains("Free until"), "{text}");
}

#[tokio::test]
async fn a_tenant_without_an_address_on_the_web_is_told_of_none() {
    let app = TestApp::with(&[("SUBDOMAIN_MODE", "none")]);
    let tenant = signs_up(&app, "en").await;
    let text = goes_live(&app, &tenant).await["text"].as_str().unwrap().to_owned();
    assert!(!text.contains("Web address"), "{text}");
}

#[tokio::test]
async fn answers_go_to_whoever_supports_people_and_pages_of_the_law_are_linked() {
    let app = TestApp::with(&[
        ("SUPPORT_EMAIL", "Help@Clubs.example"),
        ("TERMS_URL", "https://clubs.example/terms"),
        ("PRIVACY_URL", "https://clubs.example/privacy"),
        ("IMPRINT_URL", "https://clubs.example/imprint"),
    ]);
    let tenant = signs_up(&app, "de").await;
    let mail = goes_live(&app, &tenant).await;
    assert_eq!(mail["reply_to"], json!(["help@clubs.example"]));
    let text = mail["text"].as_str().unwrap();
    assert!(text.ends_with(
        "Fragen? help@clubs.example\nAGB: https://clubs.example/terms\nDatenschutz: https://clubs.example/privacy\n\
         Impressum: https://clubs.example/imprint\n"
    ), "{text}");
}

#[tokio::test]
async fn without_support_no_answer_is_led_anywhere() {
    let app = TestApp::with(&[("IMPRINT_URL", "http://clubs.example")]);
    let tenant = signs_up(&app, "en").await;
    let mail = goes_live(&app, &tenant).await;
    assert_eq!(mail.get("reply_to"), None);
    assert!(!mail["text"].as_str().unwrap().contains("Imprint"), "what nobody can open is not linked");
    let ready = app.get("/health/ready").token(&Token::operator(app.now()).sign()).send().await;
    assert_eq!(ready.status, 503);
    assert!(ready.text.contains("IMPRINT_URL is no address like https://example.org/page"), "{}", ready.text);
}

#[tokio::test]
async fn a_tenant_made_by_hand_has_the_language_that_its_operator_names() {
    for (language, stored, subject) in
        [(json!("de"), "de", "FC Nord wartet auf Sie"), (Value::Null, "en", "FC Nord is waiting for you")]
    {
        let app = TestApp::new();
        let body = json!({
            "name": "FC Nord", "slug": "fc-nord", "email": "owner@fc-nord.example", "plan": "starter",
            "reason": "asked by telephone", "language": language,
        });
        let ask = app.post("/api/v1/admin/tenants").token(&Token::operator(app.now()).sign());
        ask.json(&body).send().await.is(200);
        app.outside().finishes_deferred_work().await;
        assert_eq!(app.db().row("select language from tenants")["language"], stored);
        assert_eq!(calls(&app)[0].json()["subject"], subject);
        assert_eq!(mail(&app)["kind"], "sign_in");
    }
}
