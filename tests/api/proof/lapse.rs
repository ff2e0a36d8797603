//! A tenant whose address nobody proves in three days goes, and leaves nothing.

use serde_json::{Value, json};

use super::{mailed, newcomer};
use crate::support::{TestApp, Token, signup};

async fn sweeps(app: &TestApp) -> Value {
    tenantry::app::sweep::run(&app.app).await;
    Value::Object(app.log_of("sweep").pop().unwrap().fields)
}

#[tokio::test]
async fn an_unproven_tenant_goes_after_three_days_with_everything_that_hangs_on_it() {
    let app = TestApp::new();
    app.has_promo("SPRING", 50, &[("max_uses", json!(1))]);
    let mut form = signup("fc-nord");
    form["promoCode"] = "SPRING".into();
    let ask = app.post("/public/signup/start").header("idempotency-key", "k").json(&form);
    let answer = ask.send().await.is(200);
    let tenant = app.tenant_with(
        answer["tenantId"].as_str().unwrap().to_owned(),
        "fc-nord",
        answer["jwt"].as_str().unwrap().to_owned(),
    );
    mailed(&app).await;
    tenant.connects_make().await.is(200);
    let colours = json!({ "primaryColor": "#102030", "secondaryColor": "#405060" });
    tenant.posts("/public/signup/brand", &colours).await.is(200);
    app.passes(72 * 3600 - 1);
    assert_eq!(sweeps(&app).await["lapsed"], 0);
    assert_eq!(app.db().number("select uses from promo_codes"), 1);
    app.passes(1);
    let swept = sweeps(&app).await;
    assert_eq!((&swept["lapsed"], swept.get("error")), (&json!(1), None));

    let contents = app.db().contents();
    for (table, rows) in &contents {
        let text = serde_json::to_string(rows).unwrap();
        assert!(
            ["audit_log", "signups_counted"].contains(&table.as_str()) || !text.contains(&tenant.id),
            "{table}: {text}"
        );
    }
    let audit = app.db().row("select actor, action, subject, request_id, data from audit_log");
    assert_eq!((&audit["actor"], &audit["action"]), (&json!("system"), &json!("tenant.lapse")));
    assert_eq!((&audit["subject"], &audit["request_id"]), (&json!(tenant.id), &swept["requestId"]));
    assert_eq!(app.db().number("select uses from promo_codes"), 0, "its use of the code is free again");
    app.signs_up(&form).await.is(200);
    // What it held opens nothing, and nobody finds it.
    tenant.gets("/whoami").send().await.fails(401, "INVALID_TOKEN");
    let operator = Token::operator(app.now()).sign();
    let path = format!("/api/v1/admin/tenants/{}", tenant.id);
    app.get(&path).token(&operator).send().await.fails(404, "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn what_lost_to_a_proof_goes_with_the_next_sweep_and_its_key_signs_up_nobody() {
    let app = TestApp::new();
    app.has_promo("SPRING", 50, &[("max_uses", json!(1))]);
    let mut form = signup("fc-squat");
    form["email"] = "owner@fc-nord.example".into();
    form["promoCode"] = "SPRING".into();
    let send = || app.post("/public/signup/start").header("idempotency-key", "k").json(&form).send();
    send().await.is(200);
    let (owner, code, _) = newcomer(&app, "fc-nord").await;
    owner.shows(&code).await.is(200);
    assert_eq!(app.db().number("select uses from promo_codes"), 0, "at once");
    assert_eq!(sweeps(&app).await["lapsed"], 1);
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
    send().await.fails(410, "TENANT_CANCELLED");
}

#[tokio::test]
async fn one_sweep_removes_a_bounded_number() {
    let app = TestApp::new();
    for number in 0..60 {
        app.signed_up_unproven(&signup(&format!("fc-{number}"))).await;
    }
    app.passes(72 * 3600);
    let lapsed = (sweeps(&app).await["lapsed"].clone(), sweeps(&app).await["lapsed"].clone());
    assert_eq!(lapsed, (json!(50), json!(10)));
    let ids = app.db().rows("select distinct id from audit_log").len();
    assert_eq!(ids, 60);
}

/// A database that was put back may say of a tenant that its address is not proven yet.
#[tokio::test]
async fn nothing_lapses_that_was_set_up_or_while_nothing_is_sent() {
    let app = TestApp::new();
    let (tenant, code, _) = newcomer(&app, "fc-nord").await;
    let before = app.db().saved();
    tenant.connects_make().await.is(200);
    tenant.shows(&code).await.is(200);
    tenant.waits().await;
    app.db().becomes(&before);
    tenant.becomes("provision_run_id", "run_1");
    app.passes(72 * 3600);
    sweeps(&app).await;
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
    let paused = TestApp::new();
    newcomer(&paused, "fc-nord").await;
    paused.db().execute("insert into feature_flags values ('provisioning_enabled', 0, null, 0)", ());
    paused.passes(72 * 3600);
    assert_eq!(sweeps(&paused).await["lapsed"], 0);
}

/// A table that comes later, and refers to tenants, would keep every one of them from lapsing.
#[test]
fn every_table_that_refers_to_tenants_is_emptied_by_a_lapse() {
    let app = TestApp::new();
    let tables = app.db().rows(
        "select m.name from sqlite_master m, pragma_foreign_key_list(m.name) f where f.\"table\" = 'tenants'",
    );
    let source = include_str!("../../../src/store/lapse.rs");
    for table in tables {
        let table = table["name"].as_str().unwrap();
        let is_left = table == "provision_runs";
        let is_emptied = source.contains(&format!("{table} where tenant_id in"))
            || source.contains(&format!("update {table} set tenant_id"));
        assert!(is_emptied || is_left, "{table}");
    }
}
