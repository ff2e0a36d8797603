//! `POST /public/signup/form`: the signup without JavaScript.

use serde_json::json;

use crate::support::{Answer, TestApp, signup};

const GOOD: &str = "clubName=FC+Nord&clubSlug=fc-nord&email=owner%40fc-nord.example&plan=pro&promoCode=";

async fn post(app: &TestApp, form: &str) -> Answer {
    let ask = app.post("/public/signup/form").header("content-type", "application/x-www-form-urlencoded");
    ask.body(form.to_owned()).send().await
}

#[tokio::test]
async fn a_tenant_is_signed_up_and_its_owner_gets_a_link() {
    let app = TestApp::new();
    let page = post(&app, GOOD).await;
    assert_eq!((page.status.as_u16(), page.is_page()), (200, true));
    assert!(page.text.contains("We have mailed you a link") && !page.text.contains("eyJ"), "{}", page.text);
    assert_eq!(app.db().row("select slug, plan from tenants"), json!({ "slug": "fc-nord", "plan": "pro" }));
    app.outside().finishes_deferred_work().await;
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap();
    assert_eq!(mail.json()["to"], json!(["owner@fc-nord.example"]));
    let token = mail.link().rsplit_once("#token=").unwrap().1.to_owned();
    app.post("/auth/proof").json(&json!({ "token": token })).send().await.is(200);
}

#[tokio::test]
async fn what_was_typed_comes_back_with_what_is_wrong_beside_it() {
    let app = TestApp::new();
    let page = post(&app, "clubName=%3Cb%3EFC%22&clubSlug=FC&email=nobody&plan=pro&promoCode=!").await;
    assert_eq!(page.status, 400);
    for text in [
        "value=\"&lt;b&gt;FC&quot;\"",
        "value=\"FC\"",
        "Use 3 to 63 characters.",
        "Enter an address like name@example.org.",
        "A promo code has 4 to 20 letters and digits.",
        "value=\"pro\" checked",
    ] {
        assert!(page.text.contains(text), "{text} is not in {}", page.text);
    }
    assert!(!page.text.contains("<b>FC"));
    assert_eq!(app.db().batches(), 0);
}

#[tokio::test]
async fn the_same_rules_hold_as_for_the_api() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    let taken = post(&app, "clubName=FC&clubSlug=fc-nord&email=x%40example.org&plan=starter").await;
    assert_eq!(taken.status, 409);
    assert!(taken.text.contains("Another club already has this address."));
    app.outside().limits(tenantry::ports::Limit::Start, 0);
    assert_eq!(post(&app, GOOD).await.status, 429);
    assert_eq!(app.log_of("signup_rejected")[0].fields["code"], "SLUG_TAKEN");
}

#[tokio::test]
async fn a_form_sent_twice_is_one_tenant_and_one_mail() {
    let app = TestApp::new();
    post(&app, GOOD).await;
    let again = post(&app, GOOD).await;
    assert_eq!(again.status, 200);
    app.outside().finishes_deferred_work().await;
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
    assert_eq!(app.outside().upstreams().sent_to("resend").len(), 1);
}

#[tokio::test]
async fn it_knows_the_same_tenant_as_the_api() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    let form = signup("fc-nord");
    let text = |name: &str| form[name].as_str().unwrap().replace('@', "%40").replace(' ', "+");
    let same = format!("clubName={}&clubSlug=fc-nord&email={}&plan=starter", text("clubName"), text("email"));
    assert_eq!(post(&app, &same).await.status, 200);
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
}

#[tokio::test]
async fn what_is_no_form_gets_a_page_too() {
    let app = TestApp::new();
    let json = app.post("/public/signup/form").json(&signup("fc-nord")).send().await;
    assert_eq!((json.status.as_u16(), json.is_page()), (415, true));
    let large = post(&app, &format!("clubName={}", "x".repeat(17 * 1024))).await;
    assert_eq!((large.status.as_u16(), large.is_page()), (413, true));
    app.db().goes_down();
    let down = post(&app, GOOD).await;
    assert_eq!((down.status.as_u16(), down.is_page()), (503, true));
    assert!(down.text.contains("value=\"fc-nord\""), "nothing that was typed is lost");
}

#[tokio::test]
async fn the_page_may_show_itself_and_post_again_and_no_more() {
    let app = TestApp::new();
    let page = post(&app, GOOD).await;
    let policy = page.header("content-security-policy");
    assert!(
        policy.contains("form-action 'self'") && !policy.contains("script-src") && !policy.contains("unsafe")
    );
    assert!(!page.text.contains("<script") && !page.text.contains("style="));
}

#[tokio::test]
async fn a_form_of_another_site_is_refused_and_our_own_is_not() {
    let sent = async |headers: &[(&'static str, &str)]| {
        let app = TestApp::new();
        let ask = app.post("/public/signup/form").header("content-type", "application/x-www-form-urlencoded");
        let ask = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value));
        let page = ask.body(GOOD).send().await;
        (app.db().number("select count(*) from tenants"), page, app)
    };
    for headers in [
        &[("sec-fetch-site", "same-origin"), ("origin", "null")][..],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://api.example.com")],
        &[],
    ] {
        let (tenants, page, _) = sent(headers).await;
        assert_eq!((tenants, page.status.as_u16()), (1, 200), "{headers:?}");
    }
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "same-site"), ("origin", "https://fc-sued.clubs.example")],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://api.example.com")],
        &[("origin", "https://evil.example")],
        &[("origin", "https://app.example.com")],
        &[("origin", "http://api.example.com")],
        &[("origin", "null")],
    ] {
        let (tenants, page, app) = sent(headers).await;
        assert_eq!((tenants, page.status.as_u16(), page.is_page()), (0, 403, true), "{headers:?}");
        assert!(page.text.contains("sent from another website") && page.text.contains("<a href=\"/\">"));
        assert!(!page.text.contains("fc-nord"), "another site fills nothing in");
        assert_eq!(app.db().batches(), 0);
        assert_eq!(app.log_of("signup_rejected")[0].fields["code"], "FORBIDDEN");
    }
}

#[tokio::test]
async fn with_turnstile_the_page_says_what_to_do_and_keeps_what_was_typed() {
    let app = TestApp::with(&[("TURNSTILE_SECRET", "the-turnstile-secret"), ("TURNSTILE_SITE_KEY", "1x0AA")]);
    let page = post(&app, GOOD).await;
    assert_eq!((page.status.as_u16(), page.is_page()), (403, true));
    assert!(
        page.text.contains("switch JavaScript on") && page.text.contains("<a href=\"/\">"),
        "{}",
        page.text
    );
    assert!(page.text.contains("value=\"fc-nord\""), "nothing that was typed is lost");
    assert!(!page.text.contains("tick the box"), "there is none");
}
