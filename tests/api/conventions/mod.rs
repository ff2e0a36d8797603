//! What every answer has in common beyond what every test asserts of every answer.

mod bodies;
mod cors;
mod older;
mod pages;
mod traces;
mod well_known;

use std::collections::BTreeSet;

use crate::support::TestApp;

#[tokio::test]
async fn every_request_has_an_id_of_its_own_whatever_the_client_says() {
    let app = TestApp::new();
    let mut ids = BTreeSet::new();
    for _ in 0..50 {
        let answer = app.get("/health").header("x-request-id", "req_mine").send().await;
        ids.insert(answer.header("x-request-id").to_owned());
    }
    assert_eq!(ids.len(), 50);
    assert!(!ids.contains("req_mine"));
}

#[tokio::test]
async fn an_answer_of_ours_never_shows_what_went_wrong_inside() {
    let app = TestApp::with(&[("JWT_SECRET", "short")]);
    let broken = app.signs_up(&crate::support::signup("fc-nord")).await;
    broken.fails(500, "INTERNAL");
    assert!(!broken.text.contains("JWT_SECRET"), "{}", broken.text);
    let told = app.log_of("request").pop().unwrap();
    assert_eq!((&told.fields["level"], &told.fields["code"]), (&"error".into(), &"INTERNAL".into()));
    assert!(told.fields["error"].as_str().unwrap().contains("JWT_SECRET"), "the cause is in the log");
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.db().goes_down();
    let down = tenant.gets("/whoami").send().await;
    assert!(!down.text.contains("D1"), "{}", down.text);
    assert!(app.log_of("request").pop().unwrap().fields["error"].as_str().unwrap().contains("D1_ERROR"));
}

#[tokio::test]
async fn the_summary_names_the_pattern_and_never_the_address() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.sees_status().await.is(200);
    let line = app.log_of("request").pop().unwrap();
    assert_eq!(line.fields["route"], "/api/v1/tenants/{id}/provision-status");
    assert_eq!((&line.fields["method"], &line.fields["status"]), (&"GET".into(), &200.into()));
    assert_eq!((&line.fields["level"], &line.fields["version"]), (&"info".into(), &"1.2.3".into()));
    assert_eq!(line.fields["release"], "1.2.3");
    let app = TestApp::with(&[("CF_VERSION_METADATA", "3f6f4b5e")]);
    app.get("/health").send().await;
    let fields = app.log_of("request").pop().unwrap().fields;
    assert_eq!((&fields["version"], &fields["release"]), (&"3f6f4b5e".into(), &"1.2.3".into()));
}
