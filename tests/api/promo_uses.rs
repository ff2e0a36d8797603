//! A promo code's use comes back when its tenant goes, once, in whatever way that goes.

use futures_util::future::join_all;
use http::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestTenant, Token, signup};

async fn redeems(app: &TestApp, slug: &str) -> Answer {
    let mut form = signup(slug);
    form["promoCode"] = "SPRING".into();
    app.signs_up(&form).await
}

async fn redeemed(app: &TestApp, slug: &str) -> TestTenant {
    let mut form = signup(slug);
    form["promoCode"] = "SPRING".into();
    app.signed_up_with(&form).await
}

async fn operator(app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
    let token = Token::operator(app.now()).sign();
    let ask = app.ask(method.clone(), path).token(&token);
    if method == Method::GET { ask.send().await } else { ask.json(&body).send().await }
}

async fn is_removed(tenant: &TestTenant) {
    let path = format!("/api/v1/admin/tenants/{}", tenant.id);
    operator(tenant, Method::DELETE, &path, json!({ "reason": "left" })).await;
}

/// What operators see, what the page is told, and what is stored say the same.
async fn uses(app: &TestApp, wanted: i64, most: i64, what: &str) {
    let listed = operator(app, Method::GET, "/api/v1/admin/promo-codes", Value::Null).await.is(200);
    assert_eq!(
        (&listed["data"][0]["uses"], &listed["data"][0]["usesRemaining"]),
        (&json!(wanted), &json!(most - wanted)),
        "{what}"
    );
    assert_eq!(app.db().number("select count(*) from promo_redemptions"), wanted, "{what}");
    let told = app.post("/public/signup/verify-promo").json(&json!({ "promoCode": "SPRING" })).send().await;
    if wanted < most {
        assert_eq!(told.is(200)["data"]["usesRemaining"], most - wanted, "{what}");
    } else {
        told.refuses(400, "INVALID_PROMO", "exhausted");
    }
}

#[tokio::test]
async fn a_use_comes_back_however_the_tenant_goes() {
    for way in
        ["removed", "removed when it was live", "its failed run cancelled and undone", "by hand", "twice"]
    {
        let app = TestApp::new();
        app.has_promo("SPRING", 10, &[("max_uses", json!(1))]);
        let tenant = redeemed(&app, "fc-nord").await;
        redeems(&app, "fc-sued").await.refuses(400, "INVALID_PROMO", "exhausted");
        uses(&app, 1, 1, way).await;
        match way {
            "removed" => is_removed(&tenant).await,
            "removed when it was live" => {
                tenant.connects_make().await.is(200);
                tenant.waits().await;
                is_removed(&tenant).await;
            }
            "its failed run cancelled and undone" => {
                tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
                tenant.waits().await;
                let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
                let path = format!("/api/v1/bgops/sagas/{}/cancel", run.as_str());
                operator(&app, Method::POST, &path, json!({ "reason": "x", "undo": true })).await.is(200);
            }
            "by hand" => tenant.becomes("status", "cancelled"),
            _ => {
                is_removed(&tenant).await;
                is_removed(&tenant).await;
                tenant.waits().await;
                is_removed(&tenant).await;
            }
        }
        tenant.waits().await;
        uses(&app, 0, 1, way).await;
        redeems(&app, "fc-sued").await.is(200);
        uses(&app, 1, 1, way).await;
        // The new one's use is its own.
        is_removed(&tenant).await;
        tenant.waits().await;
        uses(&app, 1, 1, way).await;
    }
}

#[tokio::test]
async fn a_suspension_gives_nothing_back() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[("max_uses", json!(1))]);
    let tenant = redeemed(&app, "fc-nord").await;
    for status in ["suspended", "active", "suspended", "trial"] {
        tenant.becomes("status", status);
    }
    uses(&app, 1, 1, "suspended").await;
}

#[tokio::test]
async fn the_most_uses_hold_while_tenants_come_and_go() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[("max_uses", json!(3))]);
    let mut there: Vec<TestTenant> = Vec::new();
    for name in ["fc-a", "fc-b", "fc-c"] {
        there.push(redeemed(&app, name).await);
    }
    for round in 0..5 {
        let gone = there.remove(0);
        let slugs: Vec<String> = (0..8).map(|n| format!("fc-{round}-{n}")).collect();
        let (answers, ()) =
            tokio::join!(join_all(slugs.iter().map(|slug| redeems(&app, slug))), is_removed(&gone));
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert!(won <= 1, "one use came back, and {won} were redeemed");
        for (answer, slug) in answers.iter().zip(&slugs) {
            if answer.status == 200 {
                let body = answer.json();
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                let mut tenant = gone.clone();
                (tenant.id, tenant.slug, tenant.jwt) =
                    (text(&body["tenantId"]), slug.clone(), text(&body["jwt"]));
                there.push(tenant);
            }
        }
        if there.len() < 3 {
            there.push(redeemed(&app, &format!("fc-{round}-late")).await);
        }
        uses(&app, 3, 3, "all are used again").await;
    }
}

#[tokio::test]
async fn a_code_that_is_switched_off_stays_off_when_a_use_comes_back() {
    let app = TestApp::new();
    app.has_promo("SPRING", 10, &[("max_uses", json!(1))]);
    let tenant = redeemed(&app, "fc-nord").await;
    app.db().execute("update promo_codes set active = 0", ());
    is_removed(&tenant).await;
    tenant.waits().await;
    assert_eq!(app.db().number("select uses from promo_codes"), 0);
    redeems(&app, "fc-sued").await.refuses(400, "INVALID_PROMO", "inactive");
}

/// Tenants that went before anything came back.
#[test]
fn uses_of_tenants_that_are_gone_come_back_with_the_migration() {
    let connection = Connection::open_in_memory().unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.ends_with("0014_revocation.sql") {
            connection
                .execute_batch(
                    "insert into promo_codes (code, discount_percent, max_uses, uses, created_at)
                       values ('SPRING', 10, 5, 3, 0), ('AUTUMN', 10, 5, 1, 0), ('TYPED', 10, 5, 0, 0);
                     insert into tenants (id, slug, name, email, plan, status, trial_ends_at, owner_user_id, signup_fingerprint,
                       created_at, updated_at, promo_code_used)
                     values ('tenant_1', null, 'FC', null, 'starter', 'cancelled', 0, 'user_1', '', 0, 0, 'SPRING'),
                       ('tenant_2', null, 'FC', null, 'starter', 'cancelled', 0, 'user_2', '', 0, 0, 'SPRING'),
                       ('tenant_3', 'fc-3', 'FC', 'a@b.example', 'starter', 'active', 0, 'user_3', '', 0, 0, 'SPRING'),
                       ('tenant_4', 'fc-4', 'FC', 'c@b.example', 'starter', 'suspended', 0, 'user_4', '', 0, 0, 'AUTUMN'),
                       ('tenant_5', null, 'FC', null, 'starter', 'cancelled', 0, 'user_5', '', 0, 0, 'TYPED');
                     insert into promo_redemptions values ('SPRING', 'tenant_1', 10, 0), ('SPRING', 'tenant_2', 10, 0),
                       ('SPRING', 'tenant_3', 10, 0), ('AUTUMN', 'tenant_4', 10, 0), ('TYPED', 'tenant_5', 10, 0);",
                )
                .unwrap();
        }
        connection.execute_batch(&std::fs::read_to_string(&path).unwrap()).unwrap();
    }
    let uses = |code: &str| {
        let sql = "select uses from promo_codes where code = ?1";
        connection.query_row(sql, [code], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((uses("SPRING"), uses("AUTUMN"), uses("TYPED")), (1, 1, 0));
}
