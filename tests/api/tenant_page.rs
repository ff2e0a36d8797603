//! A tenant's own address: a calm page of the tenant for people, never the signup, and the API as anywhere.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::Method;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::{Answer, TestApp, TestTenant, Token};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
const HOST: &str = "fc-nord.clubs.example";

async fn opens(app: &TestApp, host: &str, path: &str) -> Answer {
    app.get(path).at(host).header("accept", BROWSER).header("accept-language", "en").send().await
}

async fn changes(tenant: &TestTenant, body: serde_json::Value) {
    tenant.ask(Method::PATCH, "/api/v1/tenants/me").token(&tenant.jwt).json(&body).send().await.is(200);
}

/// Nothing on it asks for anything, and nothing of it but its own style is allowed.
#[track_caller]
fn is_calm(answer: &Answer) {
    assert!(answer.is_page(), "{}", answer.text);
    for part in ["<script", "<form", "<input", "style=\"", "on click", "/public/signup"] {
        assert!(!answer.text.contains(part), "{part}: {}", answer.text);
    }
    let style = answer.text.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
    assert_eq!(
        answer.header("content-security-policy"),
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        )
    );
    assert!(answer.headers.get_all("vary").iter().any(|value| value == "Accept-Language"));
}

#[track_caller]
fn says(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.text.contains(text), "{text}: {}", answer.text);
    is_calm(answer);
}

#[tokio::test]
async fn a_tenant_that_is_live_leads_its_members_on_and_is_not_open_yet_otherwise() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let page = "https://members.example.org/start?a=1&b=2#home";
    changes(&tenant, json!({ "name": "FC Nord", "membersUrl": page })).await;
    for _ in 0..2 {
        let shown = opens(&app, HOST, "/").await;
        says(&shown, 200, "This page is not open yet.");
        assert!(
            shown.text.contains("<h1 dir=\"auto\">FC Nord</h1>") && !shown.text.contains("members.example")
        );
        tenant.connects_make().await.is(200);
    }
    tenant.waits().await;
    let shown = opens(&app, HOST, "/").await;
    says(&shown, 200, "href=\"https://members.example.org/start?a=1&amp;b=2#home\" rel=\"noreferrer\"");
    assert!(
        shown.text.contains("This leads to <bdi>members.example.org</bdi>")
            && !shown.text.contains("noindex")
    );
    changes(&tenant, json!({ "membersUrl": null })).await;
    let shown = opens(&app, HOST, "/").await;
    says(&shown, 200, "This page is not open yet.");
    assert!(shown.text.contains("FC Nord") && !shown.text.contains("href=\"https"));
}

/// Nobody vouches for what an unproven or a stopped tenant calls itself.
#[tokio::test]
async fn who_is_unproven_stopped_or_going_is_shown_by_nothing_that_it_chose() {
    let app = TestApp::new();
    let live = app.provisioned("fc-nord").await;
    changes(
        &live,
        json!({ "name": "Pay here", "primaryColor": "#ff00ff", "membersUrl": "https://example.org/" }),
    )
    .await;
    let unproven = app.signed_up_unproven(&crate::support::signup("fc-new")).await;
    changes(&unproven, json!({ "name": "Pay here", "primaryColor": "#ff00ff" })).await;
    let is_plain = |shown: &Answer, host: &str| {
        says(shown, 200, "This page is not open yet.");
        assert!(shown.text.contains(&format!("<h1 dir=\"auto\">{host}</h1>")), "{}", shown.text);
        for chosen in ["Pay here", "#ff00ff", "example.org"] {
            assert!(!shown.text.contains(chosen), "{chosen}");
        }
    };
    is_plain(&opens(&app, "fc-new.clubs.example", "/").await, "fc-new.clubs.example");
    for status in ["suspended", "cancelled", "of_tomorrow"] {
        app.db().execute("pragma ignore_check_constraints = on", ());
        live.becomes("status", status);
        is_plain(&opens(&app, HOST, "/").await, HOST);
        let lost = opens(&app, HOST, "/x").await;
        says(&lost, 404, "There is nothing here.");
        assert!(!lost.text.contains("Pay here"));
    }
    live.becomes("slug", None::<String>);
    says(&opens(&app, HOST, "/").await, 404, "There is no club at this address.");
}

#[tokio::test]
async fn every_other_path_is_a_calm_404_that_leads_to_the_tenants_page() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    for path in [
        "/nothing",
        "/magic/",
        "/proof/",
        "/docs/",
        "/help/make/",
        "/signup",
        "/onboarding",
        "/index.html",
        "/%ff",
        "//",
        "/?x/y",
        "/public/signup/form",
        "/favicon.ico",
    ] {
        let shown = opens(&app, HOST, path).await;
        if path == "/?x/y" {
            says(&shown, 200, "This page is not open yet.");
            continue;
        }
        says(&shown, 404, "There is nothing here.");
        assert!(
            shown.text.contains("<h1 dir=\"auto\">FC fc-nord</h1>") && shown.text.contains("href=\"/\""),
            "{path}"
        );
        assert_eq!(shown.header("cache-control"), "no-store");
    }
    let form = app.post("/public/signup/form").at(HOST).header("accept", BROWSER);
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("clubName=FC");
    form.send().await.fails(404, "NOT_FOUND");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        app.ask(method, "/").at(HOST).header("accept", BROWSER).send().await.fails(404, "NOT_FOUND");
    }
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
}

#[tokio::test]
async fn where_no_tenant_lives_a_calm_404_leads_to_our_own_page() {
    let app = TestApp::with(&[("ADMIN_CONSOLE_URL", "https://console.example")]);
    app.signed_up("fc-nord").await;
    for host in ["fc-sued.clubs.example", "www.clubs.example", "a.fc-nord.clubs.example", "_x.clubs.example"]
    {
        for path in ["/", "/magic/"] {
            let shown = opens(&app, host, path).await;
            says(&shown, 404, "There is no club at this address.");
            assert!(shown.text.contains("href=\"https://console.example/\""), "{host}");
            assert!(shown.text.contains("noindex") && !shown.text.contains(host));
        }
    }
    let nowhere = TestApp::with(&[("CORS_ALLOWED", "https://*.clubs.example")]);
    assert!(!opens(&nowhere, HOST, "/").await.text.contains("href=\"http"), "the host decides no link");
}

/// However it is spelled, it is the tenant's; whatever else it is like, it is not.
#[tokio::test]
async fn a_host_is_a_tenants_by_the_domain_alone() {
    let app = TestApp::with(&[("ADMIN_CONSOLE_URL", "https://Console.clubs.example:443/")]);
    app.signed_up("fc-nord").await;
    for host in ["FC-Nord.Clubs.Example", "fc-nord.clubs.example.", "fc-nord.clubs.example:8787"] {
        says(&opens(&app, host, "/").await, 200, "FC fc-nord");
    }
    for host in [
        "clubs.example",
        "api.example.com",
        "fc-nordclubs.example",
        "fc-nord.clubs.example.evil.example",
        "console.clubs.example",
        "127.0.0.1:8787",
        "[::1]:8787",
    ] {
        let lost = opens(&app, host, "/").await;
        assert!(lost.text.contains("href=\"/magic/\""), "{host}: {}", lost.text);
    }
    let none = app.redeployed_with(&[("SUBDOMAIN_MODE", "none")]);
    assert!(opens(&none, HOST, "/").await.text.contains("href=\"/magic/\""));
    let without = app.get("/").header("accept", BROWSER).header("host", HOST);
    assert!(without.send().await.text.contains("href=\"/magic/\""), "the address is where it was sent");
}

#[tokio::test]
async fn the_page_is_in_the_language_that_is_asked_for_or_else_in_the_tenants() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (german, english) = ("Diese Seite ist noch nicht offen.", "This page is not open yet.");
    for (own, wanted, text) in [
        ("en", "", english),
        ("en", "fr", english),
        ("en", "de-AT,de;q=0.9,en;q=0.8", german),
        ("de", "", german),
        ("de", "fr", german),
        ("de", "*", german),
        ("de", "en-GB,en;q=0.9,de;q=0.8", english),
    ] {
        tenant.becomes("language", own);
        let ask = app.get("/").at(HOST).header("accept", BROWSER).header("accept-language", wanted);
        let shown = ask.send().await;
        says(&shown, 200, text);
        let language = if text == german { "de" } else { "en" };
        assert!(shown.text.contains(&format!("<html lang=\"{language}\">")), "{own} {wanted}");
        assert_eq!(shown.header("content-language"), language);
    }
}

#[tokio::test]
async fn what_a_tenant_calls_itself_is_text() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.db().execute("pragma ignore_check_constraints = on", ());
    for (name, shown) in [
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("</title><script>alert(1)</script>", "&lt;/title&gt;&lt;script&gt;"),
        ("\" onload=\"alert(1)", "&quot; onload=&quot;alert(1)"),
        ("نادي كرة القدم", "<h1 dir=\"auto\">نادي كرة القدم</h1>"),
        (&"ä".repeat(100), &"ä".repeat(100)),
    ] {
        tenant.becomes("name", name);
        says(&opens(&app, HOST, "/").await, 200, shown);
    }
    // Stored before there were rules, by whatever way.
    app.db().execute(
        "insert or replace into tenant_brand values (?1, 'red;}*{x:url(//e)', '</style>', 0)",
        [&tenant.id],
    );
    tenant.becomes("status", "active");
    tenant.becomes("members_url", "javascript:alert(1)");
    let page = opens(&app, HOST, "/").await;
    says(&page, 200, "This page is not open yet.");
    for part in ["url(", "javascript:", "red;"] {
        assert!(!page.text.contains(part), "{part}");
    }
}

#[tokio::test]
async fn the_page_has_the_tenants_colours_and_a_button_that_can_be_read_on_them() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    changes(&tenant, json!({ "membersUrl": "https://example.org/" })).await;
    for (fill, on, edge) in [("#ffff00", "#000000", "#7b857f"), ("#1a6b3c", "#ffffff", "#1a6b3c")] {
        changes(&tenant, json!({ "brand": { "primaryColor": fill, "secondaryColor": "#abcdef" } })).await;
        let colors = format!("--fill:{fill};--on:{on};--edge:{edge};--second:#abcdef");
        says(&opens(&app, HOST, "/").await, 200, &colors);
    }
}

#[tokio::test]
async fn a_page_that_is_known_is_not_sent_again_and_a_head_has_no_body() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let ask = || app.get("/").at(HOST).header("accept", BROWSER);
    let first = ask().send().await;
    assert_eq!(first.header("cache-control"), "public, max-age=60");
    let etag = first.header("etag").to_owned();
    let again = ask().header("if-none-match", &format!("\"x\", W/{etag}")).send().await;
    assert_eq!((again.status.as_u16(), again.header("etag")), (304, etag.as_str()));
    changes(&tenant, json!({ "name": "FC Nord" })).await;
    assert_eq!(ask().header("if-none-match", &etag).send().await.status, 200);
    for (path, status) in [("/", 200), ("/nothing", 404)] {
        let head = app.ask(Method::HEAD, path).at(HOST).header("accept", BROWSER).send().await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (status, ""));
    }
}

#[tokio::test]
async fn the_page_is_one_batch_and_calm_while_the_database_does_not_answer() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    for (host, path, batches) in
        [(HOST, "/", 1), (HOST, "/x", 1), ("none.clubs.example", "/", 1), ("a.b.clubs.example", "/", 0)]
    {
        let before = app.db().batches();
        opens(&app, host, path).await;
        assert_eq!(app.db().batches() - before, batches, "{host}{path}");
    }
    let routes: Vec<_> = app.log_of("request").iter().map(|line| line.fields["route"].clone()).collect();
    assert_eq!(
        routes[routes.len() - 4..],
        ["{slug}/", "{slug}/*", "{slug}/", "{slug}/"].map(serde_json::Value::from)
    );
    app.db().goes_down();
    let shown = opens(&app, HOST, "/").await;
    says(&shown, 503, "This page can't be shown right now.");
    assert_eq!((shown.header("retry-after"), shown.header("cache-control")), ("5", "no-store"));
    assert_eq!(app.log_of("tenant_page_unavailable").len(), 1);
}

/// A tenant's host is believed for showing only: no permission, cookie or link comes of it.
#[tokio::test]
async fn the_api_answers_at_a_tenants_host_as_anywhere() {
    let development = TestApp::new();
    let (tenant, other) = (development.signed_up("fc-nord").await, development.signed_up("fc-sued").await);
    let app = development.redeployed_with(&[("ADMIN_CONSOLE_URL", "https://console.example")]);
    let me = |token: &str| app.get("/api/v1/tenants/me").at(HOST).token(token).send();
    assert_eq!(me(&tenant.jwt).await.is(200)["data"]["slug"], "fc-nord");
    assert_eq!(
        me(&other.jwt).await.is(200)["data"]["slug"],
        "fc-sued",
        "the host says nothing of whose it is"
    );
    let status = app.get(&format!("/api/v1/tenants/{}/provision-status", tenant.id)).at(HOST);
    status.token(&other.jwt).send().await.refuses(403, "FORBIDDEN", "tenant_mismatch");
    let cookie = tenant.signs_in_by("").await;
    let by_cookie = app.get("/api/v1/tenants/me").at(HOST).cookie(&cookie).by_our_page();
    by_cookie.send().await.fails(401, "UNAUTHORIZED");
    for path in ["/api/v1/nothing", "/auth/nothing", "/public/x"] {
        app.get(path).at(HOST).header("accept", BROWSER).send().await.fails(404, "NOT_FOUND");
    }
    for path in ["/health", "/healthz", "/robots.txt", "/security.txt"] {
        assert_eq!(app.get(path).at(HOST).header("accept", BROWSER).send().await.status, 200, "{path}");
    }
    app.get("/metrics").at(HOST).token(&Token::operator(app.now()).sign()).send().await;
    let ask = app.post("/auth/magic/start").at(HOST).json(&json!({ "email": tenant.row()["email"] }));
    ask.send().await.is(202);
    app.outside().finishes_deferred_work().await;
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap().json();
    assert!(mail["text"].as_str().unwrap().contains("https://console.example/magic/#token="), "{mail}");
}
