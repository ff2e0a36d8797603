//! What people see in a browser where there is nothing: a page that leads on. Programs get JSON.

use http::Method;
use tenantry::http::router::ROUTES;

use crate::support::TestApp;

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

#[tokio::test]
async fn a_browser_at_an_unknown_address_gets_a_page_that_leads_on() {
    let app = TestApp::new();
    for path in ["/nothing", "/signups", "/a/b/c", "/apis", "/publicity", "/docs.html", "/%ff"] {
        let answer = app.get(path).header("accept", BROWSER).send().await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (404, "text/html; charset=utf-8"),
            "{path}"
        );
        for link in ["href=\"/\"", "href=\"/magic/\"", "href=\"/docs/\""] {
            assert!(answer.text.contains(link), "{path}: {link}");
        }
        assert!(!answer.text.contains("<script") && !answer.text.contains("style="), "{}", answer.text);
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("style-src 'self'") && policy.contains("form-action 'none'"), "{policy}");
    }
    let head = app.ask(Method::HEAD, "/nothing").header("accept", BROWSER).send().await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (404, ""));
}

/// Whoever lands nowhere, or has no script, still learns who answers for the pages.
#[tokio::test]
async fn the_pages_of_the_worker_itself_say_who_answers_for_them() {
    let app = TestApp::with(&[
        ("SUPPORT_EMAIL", "help@clubs.example"),
        ("IMPRINT_URL", "https://clubs.example/imprint"),
    ]);
    let lost = app.get("/nothing").header("accept", BROWSER).header("accept-language", "de").send().await;
    let form = app.post("/public/signup/form").header("content-type", "application/x-www-form-urlencoded");
    let form = form.body("clubName=FC").send().await;
    for (page, label) in [(lost, "Impressum"), (form, "Imprint")] {
        for text in ["href=\"mailto:help@clubs.example\"", "href=\"https://clubs.example/imprint\"", label] {
            assert!(page.text.contains(text), "{text}: {}", page.text);
        }
    }
}

#[tokio::test]
async fn the_page_speaks_the_language_that_is_asked_for() {
    let app = TestApp::new();
    for (wanted, language) in [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("en;q=0.5, de;q=0.7", "de"),
        ("fr,DE;q=0.3", "de"),
        ("fr", "en"),
        ("de;q=0", "en"),
        ("den", "en"),
        (";;q=,,=", "en"),
    ] {
        let answer =
            app.get("/nothing").header("accept", BROWSER).header("accept-language", wanted).send().await;
        assert!(answer.text.contains(&format!("<html lang=\"{language}\">")), "{wanted}: {}", answer.text);
    }
}

#[tokio::test]
async fn programs_get_json_whatever_they_accept() {
    let app = TestApp::new();
    for accept in
        ["", "*/*", "application/json", "text/html;q=0", "text/*", "text/htmlx", "application/xhtml+xml"]
    {
        app.get("/nothing").header("accept", accept).send().await.fails(404, "NOT_FOUND");
    }
    for path in [
        "/api",
        "/api/v1/nothing",
        "/auth/nothing",
        "/internal/x",
        "/public/x",
        "/public/signup/nothing",
        "/health/nothing",
        "/healthy",
        "/metrics/x",
        "/whoami/x",
        "/readyz/x",
    ] {
        app.get(path).header("accept", BROWSER).send().await.fails(404, "NOT_FOUND");
    }
    app.post("/nothing").header("accept", BROWSER).send().await.fails(404, "NOT_FOUND");
}

/// What is at an address but can't be found is the route's own to tell.
#[tokio::test]
async fn a_route_answers_a_browser_as_it_answers_anybody() {
    let app = TestApp::new();
    for route in ROUTES.iter().filter(|route| route.method == "GET") {
        let path = route.path.replace(['{', '}'], "");
        let answer = app.get(&path).header("accept", BROWSER).send().await;
        assert!(!answer.header("content-type").starts_with("text/html"), "{path}");
    }
}
