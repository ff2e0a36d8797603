//! Promo codes at signup.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, signup};

async fn with_code(app: &TestApp, slug: &str, code: &str) -> Answer {
    let mut form = signup(slug);
    form["promoCode"] = code.into();
    app.signs_up(&form).await
}

#[tokio::test]
async fn a_code_gives_its_discount_and_is_counted() {
    let app = TestApp::new();
    app.has_promo("SPRING26", 25, &[("max_uses", json!(2))]);
    let body = with_code(&app, "fc-nord", " spring26 ").await.is(200);
    assert_eq!((&body["discount"], &body["tenant"]["plan"]), (&json!(25), &json!("starter")));
    assert_eq!(body["tenant"]["comped"], false);
    assert_eq!(app.db().number("select uses from promo_codes"), 1);
    let redemption =
        app.db().row("select code, tenant_id, discount_percent, redeemed_at from promo_redemptions");
    assert_eq!(
        redemption,
        json!({
            "code": "SPRING26", "tenant_id": body["tenantId"], "discount_percent": 25, "redeemed_at": app.now()
        })
    );
    assert_eq!(app.db().row("select promo_code_used from tenants")["promo_code_used"], "SPRING26");
    assert_eq!(app.db().batches(), 1, "a code costs no further round trip");
}

#[tokio::test]
async fn a_code_may_give_another_plan_than_was_chosen() {
    let app = TestApp::new();
    app.has_promo("GOPRO", 0, &[("plan", json!("pro"))]);
    let body = with_code(&app, "fc-nord", "GOPRO").await.is(200);
    assert_eq!(body["tenant"]["plan"], "pro");
    assert_eq!(app.db().row("select plan from tenants")["plan"], "pro");
}

#[tokio::test]
async fn only_all_of_it_for_ever_is_free_of_charge() {
    for (discount, lifetime, comped) in [(100, 1, true), (100, 0, false), (99, 1, false), (0, 0, false)] {
        let app = TestApp::new();
        app.has_promo("FREE", discount, &[("lifetime", json!(lifetime))]);
        let body = with_code(&app, "fc-nord", "FREE").await.is(200);
        assert_eq!(body["tenant"]["comped"], comped, "{discount} {lifetime}");
        assert_eq!(body["discount"], discount);
    }
}

#[tokio::test]
async fn every_reason_against_a_code_is_told_and_nothing_is_stored() {
    let now = TestApp::new().now();
    let cases: [(&str, &[(&str, Value)]); 6] = [
        ("inactive", &[("active", json!(0))]),
        ("not_started", &[("starts_at", json!(now + 1))]),
        ("expired", &[("valid_until", json!(now))]),
        ("not_allowed", &[("tenant_slugs", json!(["fc-sued", "fc-west"]))]),
        ("exhausted", &[("max_uses", json!(3)), ("uses", json!(3))]),
        ("exhausted", &[("max_uses", json!(0))]),
    ];
    for (reason, columns) in cases {
        let app = TestApp::new();
        app.has_promo("SPRING", 10, columns);
        let before = app.db().contents();
        with_code(&app, "fc-nord", "SPRING").await.refuses(400, "INVALID_PROMO", reason);
        app.db().is_still(&before);
    }
    let app = TestApp::new();
    with_code(&app, "fc-nord", "NOSUCH").await.refuses(400, "INVALID_PROMO", "unknown");
    assert_eq!(app.db().number("select count(*) from tenants"), 0);
}

/// A code that is not good costs nothing: with one, nobody finds out which addresses are known.
#[tokio::test]
async fn an_address_is_not_told_to_whoever_comes_with_a_bad_code() {
    let now = TestApp::new().now();
    let cases: [(&str, &[(&str, Value)]); 5] = [
        ("inactive", &[("active", json!(0))]),
        ("not_started", &[("starts_at", json!(now + 1))]),
        ("expired", &[("valid_until", json!(now))]),
        ("not_allowed", &[("tenant_slugs", json!(["fc-west"]))]),
        ("exhausted", &[("max_uses", json!(0))]),
    ];
    for (reason, columns) in cases {
        let app = TestApp::new();
        app.signed_up("fc-known").await;
        app.has_promo("SPRING", 10, columns);
        let ask = async |email: &str, code: &str| {
            let mut form = signup("fc-nord");
            (form["email"], form["promoCode"]) = (email.into(), code.into());
            app.signs_up(&form).await
        };
        for email in ["owner@fc-known.example", "nobody@fc-nord.example"] {
            ask(email, "SPRING").await.refuses(400, "INVALID_PROMO", reason);
            ask(email, "NOSUCH").await.refuses(400, "INVALID_PROMO", "unknown");
        }
        ask("owner@fc-known.example", "").await.fails(409, "EMAIL_EXISTS");
        assert_eq!(app.db().number("select count(*) from tenants"), 1);
    }
}

#[tokio::test]
async fn a_code_is_good_up_to_its_edges() {
    let now = TestApp::new().now();
    let cases: [&[(&str, Value)]; 5] = [
        &[("starts_at", json!(now))],
        &[("valid_until", json!(now + 1))],
        &[("tenant_slugs", json!(["fc-sued", "fc-nord"]))],
        &[("max_uses", json!(3)), ("uses", json!(2))],
        &[],
    ];
    for columns in cases {
        let app = TestApp::new();
        app.has_promo("SPRING", 10, columns);
        with_code(&app, "fc-nord", "SPRING").await.is(200);
    }
}

#[tokio::test]
async fn what_cannot_be_a_code_is_bad_input() {
    let app = TestApp::new();
    for code in ["ABC", "TOOLONGTOOLONGTOOLONG", "SPRING 26", "SPRÏNG", "' or 1=1"] {
        let refused = with_code(&app, "fc-nord", code).await;
        assert_eq!(refused.complains_about(), [("promoCode".to_owned(), "invalid_promo_code".to_owned())]);
    }
}

#[tokio::test]
async fn a_taken_name_uses_no_code_up() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[("max_uses", json!(1))]);
    app.signed_up("fc-nord").await;
    with_code(&app, "fc-nord", "SPRING").await.fails(409, "SLUG_TAKEN");
    assert_eq!(app.db().number("select uses from promo_codes"), 0);
    with_code(&app, "fc-sued", "SPRING").await.is(200);
    with_code(&app, "fc-sued", "SPRING").await.fails(409, "ALREADY_SIGNED_UP");
    assert_eq!(app.db().number("select uses from promo_codes"), 1, "a replay is no further use");
}
