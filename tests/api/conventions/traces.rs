//! A trace that comes in goes on: into the log, into runs, into calls to external services.

use crate::support::{TestApp, TestTenant, signup};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn every_line_of_a_request_carries_its_trace() {
    let app = TestApp::new();
    let ask = app.post("/public/signup/start").header("traceparent", PARENT);
    ask.json(&signup("fc-nord")).send().await.is(200);
    let lines = app.outside().log_lines();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().all(|line| line.fields["traceId"] == TRACE && line.fields["requestId"].is_string()));
}

#[tokio::test]
async fn a_refusal_carries_it_too() {
    let app = TestApp::new();
    app.get("/whoami").header("traceparent", PARENT).send().await.fails(401, "UNAUTHORIZED");
    assert_eq!(app.log_words(), ["authz_deny", "request"]);
    assert!(app.outside().log_lines().iter().all(|line| line.fields["traceId"] == TRACE));
}

#[tokio::test]
async fn a_run_and_its_calls_belong_to_the_trace_that_queued_it() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    let ask = tenant.post("/public/signup/pro/confirm").token(&tenant.jwt).header("traceparent", PARENT);
    ask.send().await.is(200);
    assert_eq!(app.log_of("tenant_provision_queued")[0].fields["traceId"], TRACE);
    tenant.waits().await;
    app.outside().finishes_deferred_work().await;
    let parents = parents(&tenant);
    assert_eq!(parents.len(), 3, "two calls to Apps Script, one mail");
    for parent in parents {
        let parts: Vec<&str> = parent.split('-').collect();
        assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, "01"));
        assert_ne!(parts[2], "00f067aa0ba902b7", "a span of our own");
    }
}

#[tokio::test]
async fn a_retry_belongs_to_the_trace_that_asked_for_it() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    let ask = tenant.post(&format!("/api/v1/tenants/{}/provision/retry", tenant.id)).token(&tenant.jwt);
    ask.header("traceparent", PARENT).send().await.is(200);
    tenant.waits().await;
    assert!(parents(&tenant).last().unwrap().contains(TRACE));
}

#[tokio::test]
async fn what_is_no_trace_starts_none() {
    let app = TestApp::new();
    for parent in ["nonsense", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff-x-y-z"] {
        app.get("/health").header("traceparent", parent).send().await.is(200);
        assert_eq!(app.log_of("request").pop().unwrap().fields.get("traceId"), None, "{parent}");
    }
    let tenant = app.queued("fc-nord").await;
    tenant.waits().await;
    assert_eq!(parents(&tenant), [""; 0]);
}

/// Whoever watches a trace across vendors keeps its place in `tracestate`.
#[tokio::test]
async fn the_state_of_a_trace_goes_along_into_every_call() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    let ask = tenant.post("/public/signup/pro/confirm").token(&tenant.jwt).header("traceparent", PARENT);
    ask.header("tracestate", "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE").send().await.is(200);
    tenant.waits().await;
    app.outside().finishes_deferred_work().await;
    let sent = tenant.outside().upstreams().sent();
    assert_eq!(sent.len(), 3);
    for sent in sent {
        let headers: Vec<_> = sent.call.trace_headers().collect();
        assert_eq!(headers[0].0, "traceparent");
        assert!(headers[0].1.starts_with("00-") && headers[0].1.len() == 55, "{headers:?}");
        assert_eq!(headers[1], ("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
    }
    assert_eq!(app.log_of("tenant_provision_queued")[0].fields["traceId"], TRACE);
    let without = app.get("/health").header("tracestate", "a=1").send().await;
    without.is(200);
    assert_eq!(app.log_of("request").pop().unwrap().fields.get("traceId"), None);
}

#[tokio::test]
async fn a_trace_of_a_later_version_goes_on() {
    let app = TestApp::new();
    let parent = format!("cc-{TRACE}-00f067aa0ba902b7-01-more");
    app.get("/health").header("traceparent", &parent).send().await.is(200);
    assert_eq!(app.log_of("request").pop().unwrap().fields["traceId"], TRACE);
}

fn parents(tenant: &TestTenant) -> Vec<String> {
    tenant.outside().upstreams().sent().into_iter().filter_map(|sent| sent.call.traceparent).collect()
}
