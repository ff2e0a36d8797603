//! `PATCH /api/v1/admin/promo-codes/{code}`

use http::Method;
use serde_json::{Value, json};

use super::{audited, get, send};
use crate::support::{Answer, TestApp, signup, turns};

async fn change(app: &TestApp, code: &str, body: Value) -> Answer {
    send(app, Method::PATCH, &format!("/promo-codes/{code}"), body).await
}

async fn redeem(app: &TestApp, slug: &str) -> Answer {
    let mut form = signup(slug);
    form["promoCode"] = "SPRING".into();
    app.signs_up(&form).await
}

#[tokio::test]
async fn only_what_is_sent_changes() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[("max_uses", json!(5)), ("plan", json!("pro")), ("notes", json!("old"))]);
    let before = get(&app, "/promo-codes").await.is(200)["data"][0].clone();
    for (field, value, stored) in [
        ("discountPercent", json!(20), json!(20)),
        ("plan", json!("starter"), json!("starter")),
        ("lifetime", json!(true), json!(true)),
        ("active", json!(false), json!(false)),
        ("startsAt", json!("2027-01-01T00:00:00+01:00"), json!("2026-12-31T23:00:00.000Z")),
        ("validUntil", json!("2027-12-31T23:59:59Z"), json!("2027-12-31T23:59:59.000Z")),
        ("maxUses", json!(7), json!(7)),
        ("tenantSlugs", json!(["fc-nord", "fc-sued"]), json!(["fc-nord", "fc-sued"])),
        ("notes", json!("\"new\" – ü"), json!("\"new\" – ü")),
    ] {
        let app = TestApp::new();
        app.has_promo(
            "SPRING",
            10,
            &[("max_uses", json!(5)), ("plan", json!("pro")), ("notes", json!("old"))],
        );
        let mut expected = before.clone();
        expected[field] = stored;
        if field == "maxUses" {
            expected["usesRemaining"] = json!(7);
        }
        let changed = change(&app, "%20spring%20", json!({ field: value, "uses": 3, "code": "OTHER" })).await;
        assert_eq!(changed.is(200)["data"], expected, "{field}");
        assert_eq!(get(&app, "/promo-codes").await.is(200)["data"], json!([expected]), "{field}");
    }
}

#[tokio::test]
async fn null_empties_what_may_be_empty() {
    let app = TestApp::new();
    app.has_promo(
        "SPRING",
        10,
        &[
            ("max_uses", json!(5)),
            ("plan", json!("pro")),
            ("notes", json!("old")),
            ("starts_at", json!(1)),
            ("valid_until", json!(2)),
            ("tenant_slugs", json!(["fc-west"])),
        ],
    );
    redeem(&app, "fc-nord").await.refuses(400, "INVALID_PROMO", "expired");
    let fields = ["maxUses", "plan", "notes", "startsAt", "validUntil", "tenantSlugs"];
    let mut expected = get(&app, "/promo-codes").await.is(200)["data"][0].clone();
    expected["usesRemaining"] = Value::Null;
    let mut body = json!({ "lifetime": null });
    for field in fields {
        (body[field], expected[field]) = (Value::Null, Value::Null);
    }
    assert_eq!(change(&app, "SPRING", body.clone()).await.is(200)["data"], expected);
    assert_eq!(change(&app, "SPRING", body).await.is(200)["data"], expected, "twice is once");
    assert_eq!(audited(&app).len(), 1);
    redeem(&app, "fc-nord").await.is(200);
}

#[tokio::test]
async fn one_that_was_switched_off_can_be_on_again() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[("active", json!(0))]);
    redeem(&app, "fc-nord").await.refuses(400, "INVALID_PROMO", "inactive");
    change(&app, "SPRING", json!({ "active": true })).await.is(200);
    redeem(&app, "fc-nord").await.is(200);
    change(&app, "SPRING", json!({ "active": false })).await.is(200);
    redeem(&app, "fc-sued").await.refuses(400, "INVALID_PROMO", "inactive");
}

#[tokio::test]
async fn what_a_code_gives_stays_once_it_was_used() {
    for body in [json!({ "discountPercent": 20 }), json!({ "plan": "pro" }), json!({ "lifetime": true })] {
        let app = TestApp::new();
        app.has_promo("SPRING", 10, &[]);
        redeem(&app, "fc-nord").await.is(200);
        let before = app.db().contents();
        let mut with_more = body.clone();
        with_more["notes"] = "and this".into();
        for body in [&body, &with_more] {
            change(&app, "SPRING", body.clone()).await.fails(409, "PROMO_USED");
        }
        app.db().is_still(&before);
    }
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[]);
    redeem(&app, "fc-nord").await.is(200);
    let same =
        json!({ "discountPercent": 10, "plan": null, "lifetime": false, "notes": "as it was, and this" });
    assert_eq!(change(&app, "SPRING", same).await.is(200)["data"]["notes"], "as it was, and this");
}

#[tokio::test]
async fn a_code_allows_no_fewer_uses_than_there_were() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[("uses", json!(3))]);
    let before = app.db().contents();
    let refused =
        change(&app, "SPRING", json!({ "maxUses": 2, "notes": "no" })).await.fails(409, "PROMO_USED");
    assert!(refused["message"].as_str().unwrap().contains("3 times"), "{refused}");
    app.db().is_still(&before);
    let changed = change(&app, "SPRING", json!({ "maxUses": 3 })).await.is(200);
    assert_eq!(changed["data"]["usesRemaining"], 0);
    redeem(&app, "fc-nord").await.refuses(400, "INVALID_PROMO", "exhausted");
    change(&app, "SPRING", json!({ "maxUses": 4 })).await.is(200);
    redeem(&app, "fc-nord").await.is(200);
}

#[tokio::test]
async fn a_code_is_redeemed_or_changed_first_and_never_beyond_its_limit() {
    for turn in 0..8 {
        let app = TestApp::new();
        app.has_promo("SPRING", 10, &[("uses", json!(1))]);
        let redeemed = async {
            turns(turn / 2).await;
            redeem(&app, "fc-nord").await
        };
        let changed = async {
            turns(turn % 2).await;
            change(&app, "SPRING", json!({ "maxUses": 1 })).await
        };
        let (redeemed, changed) = tokio::join!(redeemed, changed);
        if redeemed.status == 200 {
            changed.fails(409, "PROMO_USED");
        } else {
            redeemed.refuses(400, "INVALID_PROMO", "exhausted");
            changed.is(200);
        }
        assert_eq!(
            app.db().number("select count(*) from promo_codes where uses <= coalesce(max_uses, 2)"),
            1
        );
    }
}

#[tokio::test]
async fn a_code_ends_ahead_and_after_it_begins_whichever_is_changed() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[]);
    let too_early = [("validUntil".to_owned(), "too_early".to_owned())];
    let both = |from: &str, until: &str| json!({ "startsAt": from, "validUntil": until });
    let (may, june, july) = ("2027-05-01T00:00:00Z", "2027-06-01T00:00:00Z", "2027-07-01T00:00:00Z");
    for body in [json!({ "validUntil": "2026-01-01T00:00:00Z" }), both(june, june), both(july, june)] {
        assert_eq!(change(&app, "SPRING", body).await.complains_about(), too_early);
    }
    change(&app, "SPRING", both(june, july)).await.is(200);
    let before = app.db().contents();
    for body in [json!({ "validUntil": may }), json!({ "startsAt": july })] {
        assert_eq!(change(&app, "SPRING", body).await.complains_about(), too_early);
    }
    app.db().is_still(&before);
    change(&app, "SPRING", json!({ "startsAt": may })).await.is(200);
}

#[tokio::test]
async fn what_is_wrong_is_told_and_nothing_is_changed() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[]);
    let before = app.db().contents();
    for body in [
        json!({}),
        json!({ "reason": "nothing" }),
        json!({ "uses": 0 }),
        json!({ "code": "OTHER" }),
        json!({ "active": null, "discountPercent": null, "lifetime": null }),
    ] {
        let told = change(&app, "SPRING", body).await.complains_about();
        assert_eq!(told, [("active".to_owned(), "nothing_to_change".to_owned())]);
    }
    for (field, value, code) in [
        ("discountPercent", json!(101), "out_of_range"),
        ("maxUses", json!(0), "out_of_range"),
        ("maxUses", json!("9"), "invalid_type"),
        ("startsAt", json!(""), "invalid_time"),
        ("plan", json!("gold"), "invalid_plan"),
        ("active", json!("yes"), "invalid_type"),
        ("tenantSlugs", json!([]), "invalid_length"),
        ("notes", json!("x".repeat(501)), "too_long"),
        ("reason", json!("x".repeat(501)), "too_long"),
    ] {
        let told = change(
            &app,
            "SPRING",
            json!({ field: value, "notes": if field == "notes" { value.clone() } else { json!("n") } }),
        )
        .await;
        assert_eq!(told.complains_about(), [(field.to_owned(), code.to_owned())], "{field}: {value}");
    }
    for code in ["UNKNOWN", "x", "%ff", "SPRING%27--"] {
        change(&app, code, json!({ "active": false })).await.fails(404, "PROMO_NOT_FOUND");
    }
    app.db().is_still(&before);
    assert_eq!(app.log_of("operator_action").len(), 0);
}

#[tokio::test]
async fn it_is_written_down_what_it_said_before_and_says_now() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[("uses", json!(2)), ("tenant_slugs", json!(["fc-west"]))]);
    let answer = change(&app, "SPRING", json!({ "active": false, "maxUses": 9, "reason": "leaked" })).await;
    answer.is(200);
    change(&app, "SPRING", json!({ "active": false })).await.is(200);
    let rows = audited(&app);
    assert_eq!(rows.len(), 1, "what changes nothing is not written down");
    let says = |active: bool, most: Value| {
        json!({
            "discountPercent": 10, "plan": null, "lifetime": false, "active": active, "startsAt": null, "validUntil": null,
            "maxUses": most, "tenantSlugs": ["fc-west"], "notes": null,
        })
    };
    let data: Value = serde_json::from_str(rows[0]["data"].as_str().unwrap()).unwrap();
    assert_eq!(data, json!({ "before": says(true, Value::Null), "after": says(false, json!(9)), "uses": 2 }));
    let named = ["actor", "action", "subject", "reason", "request_id"].map(|name| rows[0][name].clone());
    let request = answer.header("x-request-id");
    assert_eq!(json!(named), json!(["ops", "promo.update", "promo:SPRING", "leaked", request]));
    assert_eq!(app.log_of("operator_action").len(), 1);
}
