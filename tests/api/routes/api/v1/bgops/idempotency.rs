//! `GET /api/v1/bgops/idempotency` and `/{key}`

use serde_json::json;

use crate::support::{Answer, IMPOSSIBLE_MOMENTS, TestApp, Token, walk_pages};

async fn get(app: &TestApp, path: &str) -> Answer {
    app.get(&format!("/api/v1/bgops/idempotency{path}"))
        .token(&Token::operator(app.now()).sign())
        .send()
        .await
}

#[tokio::test]
async fn keys_are_listed_without_what_the_client_sent() {
    let app = TestApp::new();
    let tenant = app.signed_up_with_key("fc-nord", "the-clients-own-key").await;
    let answer = get(&app, "").await;
    let body = answer.is(200);
    let key = body["data"][0]["key"].as_str().unwrap().to_owned();
    assert_eq!(
        body,
        json!({
            "success": true, "nextCursor": null,
            "data": [{
                "key": key, "operation": "signup_start", "tenantId": tenant.id, "status": "completed",
                "createdAt": "2027-01-15T08:00:12.000Z", "expiresAt": "2027-01-16T08:00:12.000Z"
            }]
        })
    );
    assert!(!answer.text.contains("the-clients-own-key") && !answer.text.contains("eyJ"));
    let one = get(&app, &format!("/{key}")).await.is(200);
    assert_eq!(one["data"], body["data"][0]);
}

#[tokio::test]
async fn what_the_client_sent_opens_nothing() {
    let app = TestApp::new();
    app.signed_up_with_key("fc-nord", "the-clients-own-key").await;
    for key in ["the-clients-own-key", "never"] {
        get(&app, &format!("/{key}")).await.fails(404, "NOT_FOUND");
    }
    assert_eq!(get(&app, "/%ff").await.status, 404);
}

#[tokio::test]
async fn pages_show_every_key_once() {
    let app = TestApp::new();
    for n in 0..5 {
        app.signed_up_with_key(&format!("fc-{n:03}"), &format!("key-{n}")).await;
        app.passes(n % 2);
    }
    let operator = Token::operator(app.now()).sign();
    for limit in [1, 2, 5] {
        let seen = walk_pages(&app, "/api/v1/bgops/idempotency", limit, &operator).await;
        let keys: std::collections::BTreeSet<String> =
            seen.iter().map(|key| key["key"].to_string()).collect();
        assert_eq!((seen.len(), keys.len()), (5, 5), "{limit}");
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let app = TestApp::new();
    let bad = ["limit=abc", "limit=-1", "limit=0", "limit=101", "cursor=nonsense"];
    for query in bad.into_iter().chain(IMPOSSIBLE_MOMENTS) {
        let complaints = get(&app, &format!("?{query}")).await.complains_about();
        assert_eq!(complaints[0].0, query.split('=').next().unwrap());
    }
}
