//! `GET` and `POST /api/v1/admin/promo-codes`, `POST /api/v1/admin/promo-codes/{code}/deactivate`

use serde_json::{Value, json};

use super::{audited, get, post};
use crate::support::{Answer, TestApp, Token, signup, walk_pages};

async fn make(app: &TestApp, body: Value) -> Answer {
    post(app, "/promo-codes", body).await
}

async fn deactivate(app: &TestApp, code: &str) -> Answer {
    let path = format!("/api/v1/admin/promo-codes/{code}/deactivate");
    app.post(&path).token(&Token::operator(app.now()).sign()).send().await
}

fn with_code(slug: &str, code: &str) -> Value {
    let mut form = signup(slug);
    form["promoCode"] = code.into();
    form
}

#[tokio::test]
async fn a_code_is_made_and_works() {
    let app = TestApp::new();
    let body = json!({
        "code": "SPRING27", "discountPercent": 100, "maxUses": 2, "startsAt": "2027-01-01T00:00:00+01:00",
        "validUntil": "2027-12-31T23:59:59.999Z", "plan": "pro", "lifetime": true, "tenantSlugs": ["fc-nord"],
        "notes": "for the pilot clubs",
    });
    let made = make(&app, body).await.is(200);
    let expected = json!({
        "code": "SPRING27", "discountPercent": 100, "maxUses": 2, "uses": 0, "usesRemaining": 2,
        "startsAt": "2026-12-31T23:00:00.000Z", "validUntil": "2027-12-31T23:59:59.000Z", "plan": "pro",
        "lifetime": true, "tenantSlugs": ["fc-nord"], "notes": "for the pilot clubs", "active": true,
        "createdAt": "2027-01-15T08:00:12.000Z",
    });
    assert_eq!(made, json!({ "success": true, "data": expected }));
    let tenant = app.signs_up(&with_code("fc-nord", "spring27")).await.is(200);
    assert_eq!((&tenant["discount"], &tenant["tenant"]["plan"]), (&json!(100), &json!("pro")));
    assert_eq!(tenant["tenant"]["comped"], true);
    app.signs_up(&with_code("fc-sued", "SPRING27")).await.refuses(400, "INVALID_PROMO", "not_allowed");
    let listed = get(&app, "/promo-codes").await.is(200)["data"][0].clone();
    assert_eq!((&listed["uses"], &listed["usesRemaining"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn two_fields_make_a_code() {
    let app = TestApp::new();
    let data = make(&app, json!({ "code": "FREE", "discountPercent": 0 })).await.is(200)["data"].clone();
    for none in ["maxUses", "usesRemaining", "startsAt", "validUntil", "plan", "tenantSlugs", "notes"] {
        assert_eq!(data[none], Value::Null, "{none}");
    }
    assert_eq!((&data["lifetime"], &data["active"]), (&json!(false), &json!(true)));
}

#[tokio::test]
async fn a_number_is_whole_however_it_is_written() {
    let app = TestApp::new();
    let data =
        make(&app, json!({ "code": "FREE", "discountPercent": 45.0, "maxUses": 1e2 })).await.is(200)["data"]
            .clone();
    assert_eq!((&data["discountPercent"], &data["maxUses"]), (&json!(45), &json!(100)));
    // Nothing is rounded until it fits.
    let expires: Value = serde_json::from_str(r#"{ "jti": "a", "exp": -9223372036854775809 }"#).unwrap();
    let revoke = app.post("/api/v1/admin/tokens/revoke").token(&Token::operator(app.now()).sign());
    revoke.json(&expires).send().await.is(400);
}

#[tokio::test]
async fn of_any_number_of_codes_of_one_name_one_is_made() {
    let app = TestApp::new();
    let body = |discount: u32| json!({ "code": "SPRING", "discountPercent": discount });
    let (one, other) = tokio::join!(make(&app, body(10)), make(&app, body(90)));
    let (made, refused) = if one.status == 200 { (one, other) } else { (other, one) };
    refused.fails(409, "PROMO_EXISTS");
    let listed = get(&app, "/promo-codes").await.is(200)["data"].clone();
    assert_eq!(listed, json!([made.is(200)["data"]]));
    assert_eq!(audited(&app).len(), 1, "what was refused is not written down");
    deactivate(&app, "SPRING").await.is(200);
    make(&app, body(10)).await.fails(409, "PROMO_EXISTS");
}

#[tokio::test]
async fn what_is_wrong_with_a_code_is_told() {
    let app = TestApp::new();
    let before = app.db().contents();
    let with = |field: &str, value: Value| {
        let mut body = json!({ "code": "SPRING", "discountPercent": 10 });
        body[field] = value;
        body
    };
    let many: Vec<String> = (0..101).map(|n| format!("fc-{n:03}")).collect();
    for (field, value, code) in [
        ("code", json!(null), "required"),
        ("code", json!("ABC"), "invalid_promo_code"),
        ("code", json!("spring"), "invalid_promo_code"),
        ("code", json!(" SPRING"), "invalid_promo_code"),
        ("code", json!("SPRING-27"), "invalid_promo_code"),
        ("code", json!("A".repeat(21)), "invalid_promo_code"),
        ("code", json!(1234), "invalid_type"),
        ("discountPercent", json!(null), "required"),
        ("discountPercent", json!(101), "out_of_range"),
        ("discountPercent", json!(-1), "out_of_range"),
        ("discountPercent", json!(12.5), "invalid_type"),
        ("discountPercent", json!("10"), "invalid_type"),
        ("maxUses", json!(0), "out_of_range"),
        ("maxUses", json!(1e300), "invalid_type"),
        ("maxUses", json!(4_000_000_000_u32), "out_of_range"),
        ("startsAt", json!("tomorrow"), "invalid_time"),
        ("startsAt", json!(1_900_000_000), "invalid_type"),
        ("validUntil", json!("2027-02-30T00:00:00Z"), "invalid_time"),
        ("validUntil", json!("2026-12-31T00:00:00Z"), "too_early"),
        ("plan", json!("gold"), "invalid_plan"),
        ("lifetime", json!("yes"), "invalid_type"),
        ("tenantSlugs", json!([]), "invalid_length"),
        ("tenantSlugs", json!(many), "invalid_length"),
        ("tenantSlugs", json!(["FC Nord"]), "invalid_characters"),
        ("tenantSlugs", json!([7]), "invalid_type"),
        ("tenantSlugs", json!("fc-nord"), "invalid_type"),
        ("notes", json!("x".repeat(501)), "too_long"),
        ("notes", json!(7), "invalid_type"),
        ("reason", json!("x".repeat(501)), "too_long"),
    ] {
        let complaints = make(&app, with(field, value.clone())).await.complains_about();
        assert_eq!(complaints, [(field.to_owned(), code.to_owned())], "{field}: {value}");
    }
    let mut backwards = with("startsAt", json!("2028-01-01T00:00:00Z"));
    backwards["validUntil"] = json!("2027-06-01T00:00:00Z");
    assert_eq!(make(&app, backwards).await.complains_about()[0].1, "too_early");
    app.db().is_still(&before);
}

#[tokio::test]
async fn codes_are_listed_by_name_page_by_page() {
    let app = TestApp::new();
    for code in ["DELTA", "ALPHA", "CHARLIE", "BRAVO", "ECHO"] {
        app.has_promo(code, 10, &[]);
    }
    let operator = Token::operator(app.now()).sign();
    for limit in [1, 2, 5] {
        let seen = walk_pages(&app, "/api/v1/admin/promo-codes", limit, &operator).await;
        let codes: Vec<&Value> = seen.iter().map(|promo| &promo["code"]).collect();
        assert_eq!(codes, ["ALPHA", "BRAVO", "CHARLIE", "DELTA", "ECHO"], "{limit}");
    }
    for query in ["limit=abc", "limit=-1", "limit=0", "cursor=nonsense"] {
        assert_eq!(get(&app, &format!("/promo-codes?{query}")).await.complains_about().len(), 1, "{query}");
    }
}

#[tokio::test]
async fn a_code_that_was_switched_off_is_refused() {
    let app = TestApp::new();
    make(&app, json!({ "code": "SPRING", "discountPercent": 10 })).await.is(200);
    app.signs_up(&with_code("fc-nord", "SPRING")).await.is(200);
    let data = deactivate(&app, "spring").await.is(200)["data"].clone();
    assert_eq!((&data["active"], &data["uses"], &data["changed"]), (&json!(false), &json!(1), &json!(true)));
    app.signs_up(&with_code("fc-sued", "SPRING")).await.refuses(400, "INVALID_PROMO", "inactive");
}

/// The predecessor's answered 500, always.
#[tokio::test]
async fn switching_it_off_twice_changes_nothing_and_an_unknown_one_is_not_found() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[]);
    deactivate(&app, "SPRING").await.is(200);
    let before = app.db().contents();
    assert_eq!(deactivate(&app, "SPRING").await.is(200)["data"]["changed"], false);
    for code in ["UNKNOWN", "x", "%ff", "SPRING%27--"] {
        deactivate(&app, code).await.fails(404, "PROMO_NOT_FOUND");
    }
    app.db().is_still(&before);
    assert_eq!(app.log_of("operator_action").len(), 1);
}

#[tokio::test]
async fn a_code_is_redeemed_or_switched_off_first_and_counted_truly() {
    for turn in 0..8 {
        let app = TestApp::new();
        app.has_promo("SPRING", 10, &[]);
        let redeem = async {
            crate::support::turns(turn / 2).await;
            app.signs_up(&with_code("fc-nord", "SPRING")).await
        };
        let switch_off = async {
            crate::support::turns(turn % 2).await;
            deactivate(&app, "SPRING").await
        };
        let (redeemed, off) = tokio::join!(redeem, switch_off);
        let uses = off.is(200)["data"]["uses"].clone();
        if redeemed.status == 200 {
            assert_eq!(uses, 1, "it was redeemed before");
        } else {
            redeemed.refuses(400, "INVALID_PROMO", "inactive");
            assert_eq!(uses, 0);
        }
        assert_eq!(app.db().number("select uses from promo_codes"), uses.as_i64().unwrap());
        assert_eq!(app.db().number("select count(*) from promo_redemptions"), uses.as_i64().unwrap());
    }
}

#[tokio::test]
async fn it_is_written_down_who_made_it_and_who_switched_it_off() {
    let app = TestApp::new();
    let made = make(&app, json!({ "code": "SPRING", "discountPercent": 10, "maxUses": 5 })).await;
    let off = post(&app, "/promo-codes/SPRING/deactivate", json!({ "reason": "leaked" })).await;
    let entry = |action: &str, reason: &str, answer: &Answer, data: Value| {
        json!({
            "actor": "ops", "action": action, "subject": "promo:SPRING", "reason": reason,
            "request_id": answer.header("x-request-id"), "data": data.to_string(), "occurred_at": app.now(),
        })
    };
    let mut rows = audited(&app);
    rows.sort_by_key(|row| row["action"].to_string());
    assert_eq!(
        rows,
        [
            entry(
                "promo.create",
                "promo code created",
                &made,
                json!({ "discountPercent": 10, "maxUses": 5 })
            ),
            entry("promo.deactivate", "leaked", &off, json!({ "uses": 0 })),
        ]
    );
    let lines = app.log_of("operator_action");
    assert_eq!((lines.len(), &lines[0].fields["promoCode"]), (2, &json!("SPRING")));
}
