//! `POST /public/signup/verify-promo`

use serde_json::{Value, json};
use tenantry::ports::Limit;

use crate::support::{Answer, TestApp};

async fn verify(app: &TestApp, body: Value) -> Answer {
    app.post("/public/signup/verify-promo").json(&body).send().await
}

#[tokio::test]
async fn a_good_code_is_told_with_what_it_gives() {
    let app = TestApp::new();
    let columns =
        [("max_uses", json!(10)), ("uses", json!(3)), ("plan", json!("pro")), ("lifetime", json!(1))];
    app.has_promo("SPRING26", 25, &columns);
    let data = json!({
        "code": "SPRING26", "discountPercent": 25, "appliedPlan": "pro", "lifetime": true, "usesRemaining": 7
    });
    for body in [
        json!({ "promoCode": "SPRING26" }),
        json!({ "code": " spring26 " }),
        json!({ "promoCode": null, "code": "Spring26" }),
    ] {
        let promo = json!({
            "code": "SPRING26", "discount_percent": 25, "plan": "pro", "lifetime": true, "uses_remaining": 7
        });
        let expected = json!({ "success": true, "data": data, "promo": promo });
        assert_eq!(verify(&app, body).await.is(200), expected, "as older clients read it, too");
    }
    assert_eq!(app.db().number("select uses from promo_codes"), 3, "looking is not using");
}

#[tokio::test]
async fn what_has_no_limit_has_none() {
    let app = TestApp::new();
    app.has_promo("SPRING", 0, &[]);
    let data = verify(&app, json!({ "promoCode": "SPRING" })).await.is(200)["data"].clone();
    assert_eq!(
        (&data["usesRemaining"], &data["appliedPlan"], &data["lifetime"]),
        (&Value::Null, &Value::Null, &json!(false))
    );
}

#[tokio::test]
async fn every_reason_against_a_code_is_told() {
    let now = TestApp::new().now();
    let cases: [(&str, &[(&str, Value)]); 5] = [
        ("inactive", &[("active", json!(0))]),
        ("not_started", &[("starts_at", json!(now + 1))]),
        ("expired", &[("valid_until", json!(now))]),
        ("not_allowed", &[("tenant_slugs", json!(["fc-sued"]))]),
        ("exhausted", &[("max_uses", json!(3)), ("uses", json!(3))]),
    ];
    for (reason, columns) in cases {
        let app = TestApp::new();
        app.has_promo("SPRING", 10, columns);
        let answer = verify(&app, json!({ "promoCode": "SPRING", "tenantSlug": "fc-nord" })).await;
        let error = answer.refuses(400, "INVALID_PROMO", reason);
        assert!(error["message"].as_str().unwrap().ends_with('.'));
    }
}

#[tokio::test]
async fn a_code_that_cannot_exist_is_as_unknown_as_one_that_does_not() {
    let app = TestApp::new();
    for code in ["NOSUCH", "x", "", "' or 1=1 --", "A".repeat(500).as_str()] {
        verify(&app, json!({ "promoCode": code })).await.refuses(400, "INVALID_PROMO", "unknown");
    }
}

#[tokio::test]
async fn a_code_for_some_tenants_is_good_for_them_and_for_who_does_not_say() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[("tenant_slugs", json!(["fc-nord"]))]);
    verify(&app, json!({ "promoCode": "SPRING", "tenantSlug": "fc-nord" })).await.is(200);
    verify(&app, json!({ "promoCode": "SPRING" })).await.is(200);
    verify(&app, json!({ "promoCode": "SPRING", "tenantSlug": "" })).await.is(200);
}

#[tokio::test]
async fn the_fields_have_types() {
    let app = TestApp::new();
    let one = |field: &str, code: &str| vec![(field.to_owned(), code.to_owned())];
    assert_eq!(verify(&app, json!({})).await.complains_about(), one("promoCode", "required"));
    assert_eq!(
        verify(&app, json!({ "promoCode": 7 })).await.complains_about(),
        one("promoCode", "invalid_type")
    );
    assert_eq!(verify(&app, json!({ "code": ["A"] })).await.complains_about(), one("code", "invalid_type"));
    let bad = verify(&app, json!({ "promoCode": 7, "tenantSlug": "A" })).await;
    assert_eq!(
        bad.complains_about(),
        [one("promoCode", "invalid_type"), one("tenantSlug", "invalid_length")].concat()
    );
}

#[tokio::test]
async fn guessing_codes_is_put_off() {
    let app = TestApp::new();
    app.outside().limits(Limit::Lookup, 1);
    verify(&app, json!({ "promoCode": "NOSUCH" })).await.fails(400, "INVALID_PROMO");
    verify(&app, json!({ "promoCode": "NOSUCH" })).await.fails(429, "RATE_LIMITED");
}
