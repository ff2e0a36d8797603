//! `GET /api/v1/admin/tenants` and `/{id}`

use serde_json::{Value, json};

use super::{get, post};
use crate::support::{TestApp, TestTenant, Token, WEBHOOK_SECRET, keys, signup, walk_pages};

/// A tenant that just signed up, one that is live, one that failed, and a pro tenant: oldest first.
async fn four(app: &TestApp) -> [TestTenant; 4] {
    let pending = app.signed_up("fc-one").await;
    app.passes(1);
    let live = app.provisioned("fc-two").await;
    app.passes(1);
    let failed = app.signed_up("sv-three").await;
    failed.connects("https://hook.eu2.make.com/gone").await.is(200);
    failed.waits().await;
    app.passes(1);
    let mut form = signup("tus-four");
    form["plan"] = "pro".into();
    form["clubName"] = "Älteste Herren".into();
    form["email"] = "Ann@Tus-Four.example".into();
    [pending, live, failed, app.signed_up_with(&form).await]
}

async fn ids(app: &TestApp, query: &str) -> Vec<String> {
    let body = get(app, &format!("/tenants{query}")).await.is(200);
    body["data"].as_array().unwrap().iter().map(|tenant| tenant["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn tenants_are_listed_newest_first() {
    let app = TestApp::new();
    let [pending, live, failed, pro] = four(&app).await;
    assert_eq!(ids(&app, "").await, [&pro.id, &failed.id, &live.id, &pending.id].map(Clone::clone));
    let body = get(&app, "/tenants").await.is(200);
    assert_eq!(keys(&body), ["data", "nextCursor", "success"]);
    assert_eq!(body["nextCursor"], Value::Null);
    let run = live.outside().objects().run(&live.id).unwrap().id;
    let row = live.row();
    assert_eq!(
        body["data"][2],
        json!({
            "id": live.id, "slug": "fc-two", "name": "FC fc-two", "email": "owner@fc-two.example", "emailProven": true,
            "plan": "starter", "status": "active", "comped": false, "trialEndsAt": row["trial_ends_at"],
            "createdAt": "2027-01-15T08:00:13.000Z",
            "provisioning": {
                "status": "completed", "reason": null, "runId": run.as_str(),
                "provisionedAt": body["data"][2]["provisioning"]["provisionedAt"],
            }
        })
    );
    assert_eq!(body["data"][1]["provisioning"]["reason"], "WEBHOOK_REJECTED");
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let app = TestApp::new();
    let [pending, live, failed, pro] = four(&app).await;
    pending.becomes("status", "suspended");
    for (query, expected) in [
        ("?status=active", vec![&live]),
        ("?status=suspended", vec![&pending]),
        ("?status=cancelled", vec![]),
        ("?plan=pro", vec![&pro]),
        ("?plan=starter&status=trial", vec![&failed]),
        ("?provision=pending", vec![&pro, &pending]),
        ("?provision=completed", vec![&live]),
        ("?provision=failed", vec![&failed]),
        ("?provision=processing", vec![]),
        ("?q=fc-", vec![&live, &pending]),
        ("?q=FC-T", vec![&live]),
        ("?q=fc", vec![&failed, &live, &pending]),
        ("?q=owner@sv", vec![&failed]),
        ("?q=ANN@", vec![&pro]),
        ("?q=%C3%84lteste%20H", vec![&pro]),
        ("?q=two", vec![&live]),
        ("?q=ALTESTE", vec![&pro]),
        ("?q=%20a%CC%88lteste%E2%80%8B", vec![&pro]),
        ("?q=herren", vec![&pro]),
        ("?q=tus-four.example", vec![&pro]),
        ("?q=%25", vec![]),
        ("?q=fc&provision=failed", vec![&failed]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(|tenant| tenant.id.clone()).collect();
        assert_eq!(ids(&app, query).await, expected, "{query}");
    }
}

/// What an operator completed by hand is completed, as everywhere.
#[tokio::test]
async fn a_tenant_that_was_completed_by_hand_is_listed_so() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.becomes("status", "active");
    tenant.becomes("provisioned_at", app.now());
    assert_eq!(ids(&app, "?provision=completed").await, [tenant.id.as_str()]);
    assert!(ids(&app, "?provision=pending").await.is_empty());
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let app = TestApp::new();
    let long = format!("q={}", "x".repeat(101));
    for query in [
        "limit=abc",
        "limit=-1",
        "limit=0",
        "limit=101",
        "cursor=nonsense",
        "status=gone",
        "plan=gold",
        "provision=done",
        "q=%20",
        &long,
    ] {
        let complaints = get(&app, &format!("/tenants?{query}")).await.complains_about();
        let field = query.split('=').next().unwrap();
        assert_eq!(complaints, [(field.to_owned(), "invalid_value".to_owned())], "{query}");
    }
}

#[tokio::test]
async fn pages_show_every_tenant_once() {
    let app = TestApp::new();
    for n in 0..5 {
        app.signed_up(&format!("fc-{n:03}")).await;
    }
    let operator = Token::operator(app.now()).sign();
    for (query, limit) in [("", 2), ("?status=trial", 2), ("?q=fc-0", 2), ("", 5), ("?q=owner@", 1)] {
        let seen = walk_pages(&app, &format!("/api/v1/admin/tenants{query}"), limit, &operator).await;
        let tenants: std::collections::BTreeSet<String> =
            seen.iter().map(|tenant| tenant["id"].to_string()).collect();
        assert_eq!((seen.len(), tenants.len()), (5, 5), "{query} {limit}");
    }
}

/// More tenants than a page looks at: the pages go on behind them until the one that is wanted.
#[tokio::test]
async fn tenants_behind_the_window_are_found_by_going_on_and_at_once_by_name() {
    let app = TestApp::new();
    app.db().execute(
        "insert into tenants (id, slug, name, email, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at,
           updated_at)
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 1200)
         select 'tenant_' || printf('%05d', i), 'crowd-' || i, 'Crowd', 'owner@crowd-' || i || '.example', 'starter', 0,
           'user_' || i, '', 0, 0 from n",
        (),
    );
    app.db().execute("update tenants set plan = 'pro', name = 'Old Boys' where id = 'tenant_00001'", ());
    let operator = Token::operator(app.now()).sign();
    assert!(ids(&app, "?plan=pro").await.is_empty(), "not on the first page");
    let found = walk_pages(&app, "/api/v1/admin/tenants?plan=pro", 50, &operator).await;
    assert_eq!((found.len(), &found[0]["id"]), (1, &json!("tenant_00001")));
    assert_eq!(ids(&app, "?q=old").await, ["tenant_00001"], "by an index");
    // Too many are called so for an index to help: every one is found, page by page.
    let found = walk_pages(&app, "/api/v1/admin/tenants?q=crowd-1", 100, &operator).await;
    assert_eq!(found.len(), 312);
    let found = walk_pages(&app, "/api/v1/admin/tenants?q=crowd&plan=pro", 100, &operator).await;
    assert_eq!((found.len(), &found[0]["slug"]), (1, &json!("crowd-1")));
}

#[tokio::test]
async fn one_tenant_is_shown_with_all_that_was_made_for_it() {
    let app = TestApp::new();
    app.has_promo("SPRING", 20, &[]);
    let mut form = signup("fc-nord");
    form["promoCode"] = "SPRING".into();
    let tenant = app.signed_up_with(&form).await;
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    post(&app, "/tokens/revoke", json!({ "tenantId": tenant.id, "reason": "lost phone" })).await.is(200);
    let answer = get(&app, &format!("/tenants/{}", tenant.id)).await;
    let data = answer.is(200)["data"].clone();
    let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
    assert_eq!((&data["promoCode"], &data["routeReady"]), (&json!("SPRING"), &json!(true)));
    assert_eq!(data["brand"], json!({ "primaryColor": "#1f4e79", "secondaryColor": "#f4b942" }));
    assert_eq!(data["webhook"]["host"], "hook.eu2.make.com");
    assert!(data["webhook"]["validatedAt"].is_string());
    assert_eq!(data["spreadsheet"], Value::Null);
    assert_eq!(data["counts"], json!({ "runs": 1, "attempts": 6, "events": 2, "audited": 1 }));
    let run_of = &data["provisioning"];
    assert_eq!((&run_of["status"], &run_of["runId"]), (&json!("completed"), &json!(run.as_str())));
    assert!(run_of["startedAt"].is_string() && run_of["endedAt"].is_string());
    for secret in ["hook.eu2.make.com/", WEBHOOK_SECRET, "sealed", "eyJ"] {
        assert!(!answer.text.contains(secret), "{secret} in {}", answer.text);
    }
}

#[tokio::test]
async fn a_pro_tenant_is_shown_with_its_spreadsheet_and_a_new_one_with_nothing() {
    let app = TestApp::new();
    let pro = app.signed_up_pro("fc-pro").await;
    let fresh = get(&app, &format!("/tenants/{}", pro.id)).await.is(200)["data"].clone();
    assert_eq!((&fresh["webhook"], &fresh["spreadsheet"]), (&Value::Null, &Value::Null));
    assert_eq!(fresh["provisioning"]["status"], "pending");
    assert_eq!(fresh["counts"], json!({ "runs": 0, "attempts": 0, "events": 1, "audited": 0 }));
    pro.confirms_pro().await.is(200);
    pro.waits().await;
    let data = get(&app, &format!("/tenants/{}", pro.id)).await.is(200)["data"].clone();
    assert!(data["spreadsheet"]["url"].as_str().unwrap().starts_with("https://"));
    assert!(data["spreadsheet"]["verifiedAt"].is_string());
}

#[tokio::test]
async fn a_failed_tenant_says_where_and_why() {
    let app = TestApp::new();
    let [_, _, failed, _] = four(&app).await;
    let data = get(&app, &format!("/tenants/{}", failed.id)).await.is(200)["data"]["provisioning"].clone();
    assert_eq!(
        (&data["status"], &data["step"], &data["reason"]),
        (&json!("failed"), &json!("validate_webhook"), &json!("WEBHOOK_REJECTED"))
    );
    assert!(data["error"].is_string());
}

#[tokio::test]
async fn a_tenant_that_never_was_is_not_found() {
    let app = TestApp::new();
    for id in ["tenant_never", "nonsense", "%ff"] {
        get(&app, &format!("/tenants/{id}")).await.fails(404, "TENANT_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_tenant_is_found_by_any_part_of_its_name_in_any_script() {
    let app = TestApp::new();
    let mut tenants = Vec::new();
    for (slug, name) in [
        ("fc-a", "ΠΑΟΚ Θεσσαλονίκης"),
        ("fc-b", "Спартак Ёлка"),
        ("fc-c", "Łódzki Klub Straße"),
        ("fc-d", "İstanbul Gücü"),
        ("fc-e", "ＦＣ 東京ガンバ"),
        ("fc-f", "מַכַּבִּי חיפה"),
    ] {
        let mut form = signup(slug);
        form["clubName"] = name.into();
        tenants.push(app.signed_up_with(&form).await.id.clone());
    }
    for (typed, tenant) in [
        ("θεσσαλονικης", 0),
        ("ΣΣΑΛΟΝΙΚΗ", 0),
        ("елка", 1),
        ("ПАРТ", 1),
        ("lodz", 2),
        ("STRASSE", 2),
        ("istanbul g", 3),
        ("GUCU", 3),
        ("fc 東京", 4),
        ("מכבי", 5),
    ] {
        let query: String = form_urlencoded::byte_serialize(typed.as_bytes()).collect();
        assert_eq!(ids(&app, &format!("?q={query}")).await, [tenants[tenant].clone()], "{typed}");
    }
}

/// An older version writes names and folds none; what is changed by hand is folded anew.
#[tokio::test]
async fn names_that_nobody_folded_are_found_too() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.becomes("name", "Größe Ärzte");
    assert_eq!(tenant.row()["name_folded"], Value::Null);
    assert_eq!(ids(&app, "?q=arzte").await, [tenant.id.as_str()]);
    assert_eq!(tenant.row()["name_folded"], "grosse arzte");
    tenant.becomes("name", "Élan");
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(tenant.row()["name_folded"], "elan");
    tenant
        .ask(http::Method::PATCH, "/api/v1/tenants/me")
        .token(&tenant.jwt)
        .json(&json!({ "name": "Ügly" }))
        .send()
        .await
        .is(200);
    assert_eq!(tenant.row()["name_folded"], "ugly");
}

#[tokio::test]
async fn a_tenant_is_found_by_any_id_of_ours() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.provisioned("fc-other").await;
    let audited = json!({ "tenantId": tenant.id, "reason": "lost phone" });
    post(&app, "/tokens/revoke", audited).await.is(200);
    let of_tenant =
        |sql: &str| app.db().row(&sql.replace("{id}", &tenant.id))["id"].as_str().unwrap().to_owned();
    for (kind, id) in [
        ("tenant", tenant.id.clone()),
        ("user", of_tenant("select owner_user_id as id from tenants where id = '{id}'")),
        ("run", of_tenant("select provision_run_id as id from tenants where id = '{id}'")),
        (
            "event",
            of_tenant(
                "select id from domain_events where tenant_id = '{id}' and type = 'tenant.provisioned'",
            ),
        ),
        ("mail", of_tenant("select id from mails where tenant_id = '{id}'")),
        ("audit", of_tenant("select id from audit_log where subject = '{id}'")),
        (
            "request of an operator",
            of_tenant("select request_id as id from audit_log where subject = '{id}'"),
        ),
        (
            "request that queued it",
            of_tenant(
                "select h.request_id as id from provision_history h join provision_runs r on r.id = h.run_id
                 where r.tenant_id = '{id}' and h.step = 'seed_defaults'",
            ),
        ),
    ] {
        assert_eq!(ids(&app, &format!("?q={id}%20")).await, [tenant.id.as_str()], "{kind}: {id}");
    }
    assert!(ids(&app, "?q=run_of_nobody").await.is_empty());
}

/// Those whose names begin so come first, at once; then those that are called so within, each once.
#[tokio::test]
async fn who_is_called_so_within_is_found_by_going_on() {
    let app = TestApp::new();
    app.db().execute(
        "insert into tenants (id, slug, name, email, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at,
           updated_at, name_folded)
         with recursive n(i) as (select 1 union all select i + 1 from n where i < 2500)
         select 'tenant_' || printf('%05d', i), 'crowd-' || i, 'Crowd', 'owner@crowd-' || i || '.example', 'starter', 0,
           'user_' || i, '', 0, 0, 'crowd' from n",
        (),
    );
    for (id, name) in
        [("00002", "Old Boys"), ("01100", "Good Old Boys"), ("02400", "Boys Old"), ("02450", "Oldham")]
    {
        app.db().execute(
            "update tenants set name = ?2, name_folded = lower(?2) where id = 'tenant_' || ?1",
            [id, name],
        );
    }
    let operator = Token::operator(app.now()).sign();
    assert_eq!(ids(&app, "?q=old").await, ["02450", "00002", "02400"].map(|id| format!("tenant_{id}")));
    for limit in [1, 2, 3, 50] {
        let found = walk_pages(&app, "/api/v1/admin/tenants?q=old", limit, &operator).await;
        let found: Vec<&str> = found.iter().map(|tenant| tenant["id"].as_str().unwrap()).collect();
        assert_eq!(found, ["tenant_02450", "tenant_00002", "tenant_02400", "tenant_01100"], "{limit}");
    }
}
