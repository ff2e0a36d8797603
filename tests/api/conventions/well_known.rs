//! What everybody looks for at the same addresses, and what leads to the signup.

use http::Method;

use crate::support::{Answer, TestApp};

async fn text_at(app: &TestApp, path: &str) -> String {
    let answer = app.get(path).send().await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("content-type")),
        (200, "text/plain; charset=utf-8"),
        "{path}"
    );
    answer.text
}

#[tokio::test]
async fn crawlers_are_told_where_they_have_no_business() {
    let production = TestApp::with(&[("ENVIRONMENT", "production")]);
    let told = text_at(&production, "/robots.txt").await;
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "User-agent: *");
    assert!(lines.contains(&"Disallow: /api/") && lines.contains(&"Disallow: /magic/"), "{told}");
    assert!(!lines.contains(&"Disallow: /"), "the page itself can be found");
    for environment in ["development", "preview"] {
        let app = TestApp::with(&[("ENVIRONMENT", environment)]);
        assert_eq!(text_at(&app, "/robots.txt").await, "User-agent: *\nDisallow: /\n");
    }
}

#[tokio::test]
async fn whoever_found_a_hole_is_told_whom_to_tell() {
    let app = TestApp::with(&[("SUPPORT_EMAIL", "Security@clubs.example")]);
    for path in ["/.well-known/security.txt", "/security.txt"] {
        let told = text_at(&app, path).await;
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], "Contact: mailto:security@clubs.example");
        let expires = lines[1].strip_prefix("Expires: ").unwrap();
        let now = tenantry::domain::Timestamp::from_seconds(app.now());
        let later = |days: u64| now.after(std::time::Duration::from_secs(days * 24 * 3600)).rfc3339();
        assert!(*expires > *later(178) && *expires < *later(365), "in less than a year: {expires}");
        app.passes(24 * 3600);
        assert_ne!(text_at(&app, path).await, told, "it never gets old");
    }
    let sender = text_at(&TestApp::new(), "/security.txt").await;
    assert!(sender.starts_with("Contact: mailto:welcome@clubs.example\n"), "who sends the mails: {sender}");
    let nobody = TestApp::with(&[("RESEND_FROM_EMAIL", "")]);
    nobody.get("/security.txt").send().await.fails(404, "NOT_FOUND");
}

#[track_caller]
fn leads_to(answer: &Answer, place: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, place));
    assert_eq!(answer.text, "");
}

#[tokio::test]
async fn addresses_of_the_older_pages_lead_to_the_signup() {
    let app = TestApp::new();
    for path in ["/signup", "/signup/", "/onboarding", "/onboarding/", "/Signup"] {
        leads_to(&app.get(path).send().await, "/");
        leads_to(&app.get(path).header("accept", "text/html").send().await, "/");
        leads_to(&app.ask(Method::HEAD, path).send().await, "/");
    }
    leads_to(&app.get("/signup?promo=SPRING&x=%2F").send().await, "/?promo=SPRING&x=%2F");
    assert_eq!(
        app.log_of("request").pop().unwrap().fields["route"],
        "/signup",
        "the pattern, not the address"
    );
    for path in ["/signup/more", "/signups", "/sign", "//signup"] {
        app.get(path).send().await.fails(404, "NOT_FOUND");
    }
}

#[tokio::test]
async fn they_are_read_and_nothing_else() {
    let app = TestApp::new();
    for path in ["/robots.txt", "/.well-known/security.txt", "/security.txt", "/signup", "/onboarding"] {
        let refused = app.post(path).send().await;
        refused.fails(405, "METHOD_NOT_ALLOWED");
        assert_eq!(refused.header("allow"), "GET,HEAD", "{path}");
    }
    assert_eq!(app.db().batches(), 0);
}

/// One value, whoever answers: a browser keeps the last that it saw for the whole host.
#[test]
fn pages_and_api_say_alike_for_how_long_they_are_secure() {
    let pages = include_str!("../../../public/_headers");
    let of_pages = pages.lines().filter_map(|line| line.trim().strip_prefix("Strict-Transport-Security: "));
    let of_pages: Vec<&str> = of_pages.collect();
    let service = include_str!("../../../src/http/service.rs");
    assert_eq!(of_pages, ["max-age=63072000; includeSubDomains"]);
    assert!(service.contains(&format!("\"{}\"", of_pages[0])));
}
