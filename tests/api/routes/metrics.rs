//! `GET /metrics`

mod history;

use http::Method;
use serde_json::json;
use tenantry::{domain::Upstream, http::router::ROUTES};

use crate::support::{Answer, METRICS_TOKEN, Manner, Scrape, TestApp, Token};

/// A deployment with monitoring.
fn monitored() -> TestApp {
    // The mail of a proof would be among what is counted.
    TestApp::with(&[("METRICS_TOKEN", METRICS_TOKEN), ("EMAIL_PROOF", "off")])
}

async fn ask(app: &TestApp, token: &str) -> Answer {
    app.get("/metrics").token(token).send().await
}

/// What monitoring reads.
async fn scrape(app: &TestApp) -> Scrape {
    let answer = ask(app, METRICS_TOKEN).await;
    assert!(answer.status == 200 && answer.is_metrics(), "{}", answer.text);
    Scrape::read(&answer.text)
}

#[tokio::test]
async fn monitoring_and_operators_read_the_same() {
    let app = monitored();
    app.provisioned("fc-nord").await;
    let answer = ask(&app, &Token::operator(app.now()).sign()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(Scrape::read(&answer.text), scrape(&app).await);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn without_a_metrics_token_nobody_holds_it() {
    for configured in ["", "short", "fifteen-bytes.."] {
        let app = TestApp::with(&[("METRICS_TOKEN", configured)]);
        for given in [METRICS_TOKEN, "", " ", "undefined", "null", configured] {
            let answer = app.get("/metrics").header("authorization", &format!("Bearer {given}")).send().await;
            answer.fails(401, "INVALID_TOKEN");
        }
        app.get("/metrics").send().await.fails(401, "UNAUTHORIZED");
        assert_eq!(ask(&app, &Token::operator(app.now()).sign()).await.status, 200);
    }
}

#[tokio::test]
async fn whoever_knows_only_part_of_it_does_not_know_it() {
    let app = monitored();
    let longer = format!("{METRICS_TOKEN}x");
    let almost = METRICS_TOKEN.replace("token", "tokeN");
    for given in [&METRICS_TOKEN[1..], &METRICS_TOKEN[..16], &longer, &almost] {
        ask(&app, given).await.fails(401, "INVALID_TOKEN");
    }
    for header in
        [METRICS_TOKEN.to_owned(), format!("Basic {METRICS_TOKEN}"), format!("Bearer x {METRICS_TOKEN}")]
    {
        app.get("/metrics").header("authorization", &header).send().await.fails(401, "INVALID_TOKEN");
    }
    app.get(&format!("/metrics?token={METRICS_TOKEN}")).send().await.fails(401, "UNAUTHORIZED");
    assert_eq!(app.db().batches(), 0, "a stranger costs nothing");
    assert_eq!(
        app.get("/metrics").header("authorization", &format!("bearer {METRICS_TOKEN}")).send().await.status,
        200
    );
}

#[tokio::test]
async fn it_opens_nothing_else() {
    let app = monitored();
    for path in ["/whoami", "/api/v1/admin/stats", "/api/v1/bgops/upstreams", "/api/v1/tenants/me"] {
        app.get(path).token(METRICS_TOKEN).send().await.fails(401, "INVALID_TOKEN");
    }
}

/// What is done every few seconds is not worth a line beside the request's own; what an operator does is.
#[tokio::test]
async fn a_scrape_is_one_line_in_the_log() {
    let app = monitored();
    scrape(&app).await;
    assert_eq!(app.log_words(), ["request"]);
    ask(&app, &Token::operator(app.now()).sign()).await;
    assert_eq!(app.log_words(), ["request", "authz_grant", "request"]);
}

#[tokio::test]
async fn a_scrape_costs_one_batch_and_a_call_to_each_breaker() {
    let app = monitored();
    app.provisioned("fc-nord").await;
    let told = || app.outside().objects().told() + app.outside().breakers().told();
    let before = (app.db().batches(), told());
    scrape(&app).await;
    assert_eq!((app.db().batches() - before.0, told() - before.1), (1, Upstream::ALL.len()));
}

/// What needs no database, while it is down, silent, or not of this version's schema.
fn without_the_store(read: &Scrape) {
    assert_eq!(read.of("tenantry_store_up"), 0);
    let families: Vec<&str> = read.types.keys().map(String::as_str).collect();
    assert_eq!(
        families,
        [
            "tenantry_breaker_failures",
            "tenantry_breaker_state",
            "tenantry_build_info",
            "tenantry_schema_needed_version",
            "tenantry_store_up"
        ],
        "nothing is made up"
    );
}

#[tokio::test]
async fn without_the_database_monitoring_is_told_so_and_whatever_else_is_known() {
    let app = monitored();
    app.provisioned("fc-nord").await;
    app.db().goes_down();
    without_the_store(&scrape(&app).await);
    let line = app.log_of("metrics_incomplete").pop().unwrap();
    assert_eq!(line.fields["level"], "error");
    assert!(line.fields["error"].as_str().unwrap().contains("connection lost"));
    app.db().falls_silent();
    without_the_store(&scrape(&app).await);
    app.db().comes_up();
    assert_eq!(scrape(&app).await.of("tenantry_store_up"), 1);
    app.db().execute("drop table measures", ());
    without_the_store(&scrape(&app).await);
}

#[tokio::test]
async fn without_the_database_no_operator_is_let_in() {
    let app = monitored();
    app.db().goes_down();
    ask(&app, &Token::operator(app.now()).sign()).await.fails(503, "STORE_UNAVAILABLE");
    assert_eq!(app.outside().breakers().told(), 0);
}

#[tokio::test]
async fn a_breaker_that_does_not_answer_is_unknown_and_nothing_else() {
    let app = monitored();
    app.outside().breakers().become_(Manner::Gone);
    let read = scrape(&app).await;
    for upstream in Upstream::ALL {
        let state = |state| {
            read.of(&format!(
                "tenantry_breaker_state{{upstream=\"{}\",state=\"{state}\"}}",
                upstream.as_str()
            ))
        };
        assert_eq!(["closed", "open", "half_open", "unknown"].map(state), [0, 0, 0, 1]);
    }
    assert_eq!(read.beginning("tenantry_breaker_failures"), []);
    assert_eq!(read.of("tenantry_store_up"), 1);
}

#[tokio::test]
async fn of_nothing_there_is_nothing_to_tell() {
    let read = scrape(&monitored()).await;
    assert_eq!(read.of("tenantry_build_info{version=\"1.2.3\",environment=\"development\"}"), 1);
    assert_eq!(read.of("tenantry_schema_version"), read.of("tenantry_schema_needed_version"));
    assert_eq!(read.beginning("tenantry_sweep"), [], "it has never swept: that is no moment");
    let constant = ["tenantry_build_info", "tenantry_schema", "tenantry_store_up", "tenantry_breaker_state"];
    let others =
        read.samples.iter().filter(|(name, _)| !constant.iter().any(|start| name.starts_with(start)));
    for (name, value) in others {
        assert_eq!(*value, 0, "{name}");
    }
}

#[tokio::test]
async fn an_older_schema_is_seen() {
    let app = monitored();
    app.db().execute("delete from d1_migrations where name > '0005'", ());
    let read = scrape(&app).await;
    assert_eq!(read.of("tenantry_schema_version"), 4);
    assert!(read.of("tenantry_schema_needed_version") > 4);
}

#[tokio::test]
async fn requests_are_added_up_by_route_method_and_class_of_status() {
    let app = monitored();
    for _ in 0..3 {
        app.get("/health").send().await.is(200);
    }
    app.get("/whoami").send().await.is(401);
    app.get("/whoami").token("a.b.c").send().await.is(401);
    app.get("/wp-login.php").send().await.is(404);
    app.get("/.env").send().await.is(404);
    app.ask(Method::from_bytes(b"BREW").unwrap(), "/health").send().await.is(405);
    let before = scrape(&app).await;
    app.writes_requests_down().await;
    let more = |route, method, status, requests| {
        let labels = format!(r#"route="{route}",method="{method}",status="{status}""#);
        (format!("tenantry_http_requests_total{{{labels}}}"), requests)
    };
    let expected = [
        more("/health", "GET", "2xx", 3),
        more("/whoami", "GET", "4xx", 2),
        more("unmatched", "GET", "4xx", 2),
        more("unmatched", "other", "4xx", 1),
        more("/metrics", "GET", "2xx", 1),
    ];
    assert_eq!(before.until(&scrape(&app).await), expected.into());
    app.get("/health").send().await.is(200);
    app.writes_requests_down().await;
    let later = scrape(&app).await;
    assert_eq!(later.of(r#"tenantry_http_requests_total{route="/health",method="GET",status="2xx"}"#), 4);
}

#[tokio::test]
async fn a_failure_within_is_a_request_that_failed() {
    let app = monitored();
    let token = Token::operator(app.now()).sign();
    app.db().goes_down();
    app.get("/whoami").token(&token).send().await.is(503);
    app.db().comes_up();
    app.writes_requests_down().await;
    let read = scrape(&app).await;
    assert_eq!(read.of(r#"tenantry_http_requests_total{route="/whoami",method="GET",status="5xx"}"#), 1);
}

/// A label for each tenant would be a series for each tenant.
#[tokio::test]
async fn nothing_in_it_names_a_tenant_or_grows_with_their_number() {
    let app = monitored();
    crate::plans::everything_happens(&app.redeployed_with(&[])).await;
    let names = |read: &Scrape| read.samples.keys().cloned().collect::<Vec<_>>();
    let before = scrape(&app).await;
    for n in 0..10 {
        app.provisioned(&format!("fc-{n:03}")).await;
    }
    let after = scrape(&app).await;
    assert_eq!(names(&after), names(&before));
    assert!(after.samples.len() < 150 + 4 * ROUTES.len(), "{}", after.samples.len());
    let text = json!(after.samples).to_string();
    for sign in ["tenant_", "run_0", "fc-", "@", "make.com"] {
        assert!(!text.contains(sign), "{sign} in {text}");
    }
}
