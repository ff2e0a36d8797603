//! `GET /public/signup/availability?slug=`

use serde_json::json;
use tenantry::ports::Limit;

use crate::support::{TestApp, signup};

#[tokio::test]
async fn a_free_name_is_told_with_its_address() {
    let app = TestApp::new();
    let body = app.get("/public/signup/availability?slug=fc-nord").send().await.is(200);
    let data = json!({ "slug": "fc-nord", "available": true, "address": "fc-nord.clubs.example" });
    assert_eq!(body, json!({ "success": true, "data": data }));
}

#[tokio::test]
async fn a_taken_name_is_told_with_others_that_are_free() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    let body = app.get("/public/signup/availability?slug=fc-nord").send().await.is(200);
    assert_eq!(
        body,
        json!({
            "success": true,
            "data": {
                "slug": "fc-nord", "available": false, "address": "fc-nord.clubs.example", "reason": "taken",
                "suggestions": ["fc-nord-club", "fc-nord-2", "fc-nord-team"]
            }
        })
    );
}

#[tokio::test]
async fn what_is_suggested_is_free() {
    let app = TestApp::new();
    for slug in ["fc-nord", "fc-nord-club", "fc-nord-team"] {
        app.signed_up(slug).await;
    }
    let body = app.get("/public/signup/availability?slug=fc-nord").send().await.is(200);
    let suggestions = body["data"]["suggestions"].as_array().unwrap().clone();
    assert_eq!(suggestions, ["fc-nord-2", "fc-nord-sc", "fc-nord-3"]);
    for slug in suggestions {
        app.signs_up(&signup(slug.as_str().unwrap())).await.is(200);
    }
    let none = app.get("/public/signup/availability?slug=fc-nord").send().await.is(200);
    assert_eq!(none["data"]["suggestions"], json!([]));
}

#[tokio::test]
async fn what_can_be_no_name_is_told_with_its_reason() {
    let app = TestApp::new();
    for (slug, reason) in [
        ("ab", "invalid_length"),
        ("", "invalid_length"),
        ("FC-Nord", "invalid_characters"),
        ("fc%20nord", "invalid_characters"),
        ("fc+nord", "invalid_characters"),
        ("-abc", "invalid_hyphen"),
        ("xn--abc", "punycode"),
        ("signup", "reserved"),
        ("%ff%fe%fd", "invalid_characters"),
    ] {
        let body = app.get(&format!("/public/signup/availability?slug={slug}")).send().await.is(200);
        assert_eq!(
            (&body["data"]["available"], &body["data"]["reason"]),
            (&json!(false), &json!(reason)),
            "{slug}"
        );
    }
    assert_eq!(app.db().batches(), 0);
}

#[tokio::test]
async fn without_a_name_there_is_nothing_to_look_up() {
    let app = TestApp::new();
    for query in ["", "?", "?name=fc-nord", "?SLUG=fc-nord"] {
        let answer = app.get(&format!("/public/signup/availability{query}")).send().await;
        assert_eq!(answer.complains_about(), [("slug".to_owned(), "required".to_owned())], "{query}");
    }
}

#[tokio::test]
async fn a_name_is_taken_whatever_its_case_in_the_table() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await.becomes("slug", "FC-Nord");
    let body = app.get("/public/signup/availability?slug=fc-nord").send().await.is(200);
    assert_eq!(body["data"]["available"], false);
}

#[tokio::test]
async fn too_many_lookups_are_put_off() {
    let app = TestApp::new();
    app.outside().limits(Limit::Lookup, 2);
    let ask = || app.get("/public/signup/availability?slug=fc-nord").send();
    ask().await.is(200);
    ask().await.is(200);
    let refused = ask().await;
    refused.fails(429, "RATE_LIMITED");
    assert_eq!((refused.header("retry-after"), app.db().batches()), ("60", 2));
    let other = app.get("/public/signup/availability?slug=fc-nord").header("cf-connecting-ip", "192.0.2.2");
    other.send().await.is(200);
}
