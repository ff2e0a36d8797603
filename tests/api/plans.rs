//! No statement walks a table, and none costs more among a hundred thousand tenants than among a fifth of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::{Value, json};
use tenantry::http::router::ROUTES;

use crate::support::{
    Cost, Database, PLATFORM_WEBHOOK, Reaction, TestApp, TestTenant, Token, example, signup,
};

/// What a plan may say that sounds like walking a table, and walks none: why, beside it.
const HARMLESS: [(&str, &str); 7] = [
    ("SCAN w VIRTUAL TABLE", "the two counts of one mail"),
    ("SCAN CONSTANT ROW", "a row of no table"),
    ("SCAN (subquery-", "one constant row, to join to"),
    ("SCAN wanted VIRTUAL TABLE", "the names in a parameter"),
    ("SCAN json_each VIRTUAL TABLE", "the slugs of one promo code; the requests of a few seconds"),
    ("SCAN request_counts", "as many rows as there are routes to ask"),
    ("SCAN matching", "a window of runs that failed, at most a thousand"),
];

/// Tables that name a tenant and have no index on it. SQLite plans to scan them when tenants are inserted by a select, in
/// case a foreign key was violated before. It never does: see the costs in a crowd.
const CHILDREN: [&str; 5] =
    ["auth_users", "feed_posts", "idempotency_keys", "magic_links", "promo_redemptions"];

const SAGAS: &str = "/api/v1/bgops/sagas";

/// Everything that anybody does, once: every statement there is runs.
pub async fn everything_happens(app: &TestApp) {
    let starter = app.signed_up_with_key("fc-every-1", "key-1").await;
    newcomers_prove_their_addresses(app).await;
    app.has_promo("EVERY", 10, &[("tenant_slugs", json!(["fc-every-2"])), ("plan", json!("pro"))]);
    let mut form = signup("fc-every-2");
    form["promoCode"] = "EVERY".into();
    let pro = app.signed_up_with(&form).await;
    app.signs_up(&form).await.fails(409, "ALREADY_SIGNED_UP");
    people_prove_to_be_people(app).await;
    let fourth = app.provisioned("fc-every-4").await;
    mails_arrive_or_not(&fourth).await;
    events_are_delivered(&fourth).await;
    for route in ROUTES.iter().filter(|route| !route.path.contains('{') && route.path != "/auth/logout") {
        example(route, &starter).succeeds(route, &starter).await;
    }
    the_starter_tenant_fails_until_a_step_is_left_out(&starter).await;
    the_pro_tenant_is_lost_and_found(&pro).await;
    for tenant in [&starter, &pro] {
        tenants_look_after_themselves(tenant).await;
    }
    operators_look(app, &starter).await;
    for body in [
        json!({ "status": "failed", "why": "test" }),
        json!({ "status": "failed", "reason": "WEBHOOK_REJECTED", "why": "test", "dryRun": true }),
        json!({ "status": "compensation_failed", "why": "test" }),
    ] {
        operator_posts(app, &format!("{SAGAS}/retry"), body).await;
    }
    operators_change(app, &starter).await;
    tenants_are_removed(app, &pro).await;
    the_platform_hears_of_it(app).await;
    the_database_is_put_back_and_an_object_is_gone(app).await;
    app.writes_requests_down().await;
    let user =
        app.db().row("select owner_user_id from tenants where slug = 'fc-every-1'")["owner_user_id"].clone();
    for body in [
        json!({ "tenantId": pro.id }),
        json!({ "jti": "x" }),
        json!({ "userId": user }),
        json!({ "all": true }),
    ] {
        operator_posts(app, "/api/v1/admin/tokens/revoke", body).await;
    }
}

async fn newcomers_prove_their_addresses(app: &TestApp) {
    let start = |slug: &str| {
        app.post("/public/signup/start").header("idempotency-key", "key-0").json(&signup(slug)).send()
    };
    let answer = start("fc-every-0").await.is(200);
    let code = app.proof_of_last_mail().await.code().unwrap();
    start("fc-every-0").await.is(200);
    let tenant = app.tenant_with(
        answer["tenantId"].as_str().unwrap().to_owned(),
        "fc-every-0",
        answer["jwt"].as_str().unwrap().to_owned(),
    );
    for code in ["000000", &code] {
        tenant.posts("/auth/proof", &json!({ "code": code })).await;
    }
    start("fc-every-0").await.fails(409, "ALREADY_SIGNED_UP");
}

async fn people_prove_to_be_people(app: &TestApp) {
    let guarded = app.redeployed_with(&[("TURNSTILE_SECRET", "the-turnstile-secret")]);
    for token in ["bad", "good"] {
        let mut form = signup("fc-every-3");
        form["turnstileToken"] = token.into();
        guarded.post("/public/signup/start").header("idempotency-key", "key-3").json(&form).send().await;
    }
}

async fn the_starter_tenant_fails_until_a_step_is_left_out(tenant: &TestTenant) {
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
    operator_posts(tenant, &format!("{SAGAS}/{}/retry", run.as_str()), json!({})).await;
    operator_posts(tenant, &format!("{SAGAS}/{}/cancel", run.as_str()), json!({})).await;
    // The second comes too late.
    for _ in 0..2 {
        let body = json!({ "step": "validate_webhook" });
        operator_posts(tenant, &format!("{SAGAS}/{}/skip-step", run.as_str()), body).await;
    }
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

async fn the_pro_tenant_is_lost_and_found(tenant: &TestTenant) {
    tenant.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
    tenant.confirms_pro().await.is(200);
    tenant.alarm_rings(&tenant.id).await;
    tenant.retries().await;
    tenant.outside().objects().loses_the_alarm(&tenant.id);
    tenant.passes(100);
    tenantry::app::sweep::run(&tenant.app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

/// The webhook answers, is sent something again by an operator, is gone, is switched off, is tried out and answers again; then there
/// is another.
async fn events_are_delivered(tenant: &TestTenant) {
    let path = format!("/api/v1/tenants/{}/webhook", tenant.id);
    tenant.outside().finishes_deferred_work().await;
    let sent = tenant.gets(&format!("{path}/deliveries")).send().await.is(200);
    let again = format!("{path}/deliveries/{}/redeliver", sent["data"][0]["id"].as_str().unwrap());
    let operator = Token::operator(tenant.now()).sign();
    for reaction in [Reaction::TimesOut, Reaction::Answers(410, "")] {
        tenant.outside().upstreams().next("make", [reaction]);
        tenant.post(&again).token(&operator).send().await.is(200);
        tenantry::app::sweep::run(&tenant.app).await;
        tenant.outside().finishes_deferred_work().await;
    }
    tenant.post(&format!("{path}/test")).token(&operator).send().await.is(200);
    for _ in 0..2 {
        tenant.connects("https://hook.us1.make.com/another").await.is(200);
    }
}

/// The welcome mail is refused for good, and an operator has another sent.
async fn mails_arrive_or_not(tenant: &TestTenant) {
    tenant.outside().upstreams().next("resend", [Reaction::Answers(422, "{}")]);
    tenant.outside().finishes_deferred_work().await;
    let operator = Token::operator(tenant.now()).sign();
    let body = json!({ "reason": "asked by the club" });
    let path = format!("/api/v1/tenants/{}/welcome/resend", tenant.id);
    tenant.post(&path).token(&operator).json(&body).send().await.is(202);
    tenant.outside().finishes_deferred_work().await;
}

async fn tenants_look_after_themselves(tenant: &TestTenant) {
    for path in ["provision-status", "events", "overview"] {
        tenant.gets(&format!("/api/v1/tenants/{}/{path}", tenant.id)).send().await.is(200);
    }
    tenant.post(&format!("/api/v1/tenants/{}/webhook/test", tenant.id)).token(&tenant.jwt).send().await;
    tenant.post("/auth/magic/start").json(&json!({ "email": tenant.row()["email"] })).send().await.is(202);
    let link = Token::link(&tenant.id, tenant.now()).sign();
    tenant.post("/auth/magic/verify").json(&json!({ "token": link })).send().await;
    let typed = json!({ "email": tenant.row()["email"], "code": "123456" });
    tenant.post("/auth/magic/verify").json(&typed).send().await;
    people_sign_in_and_out(tenant).await;
    tenant.post("/auth/logout").token(&tenant.jwt).send().await.is(200);
}

/// One sign-in is renewed and ended, one ends itself, and one ends them all.
async fn people_sign_in_and_out(tenant: &TestTenant) {
    use http::Method;
    const SESSIONS: &str = "/api/v1/tenants/me/sessions";
    let (laptop, phone) = (tenant.signs_in_by("").await, tenant.signs_in_by("").await);
    tenant.passes(24 * 3600);
    let list = tenant.browses(Method::GET, SESSIONS, &laptop).send().await.is(200);
    let id = Token::read(&laptop)["sid"].clone();
    assert_eq!(list["data"].as_array().unwrap().iter().filter(|session| session["id"] == id).count(), 1);
    let path = format!("{SESSIONS}/{}", id.as_str().unwrap());
    tenant.browses(Method::DELETE, &path, &phone).send().await.is(200);
    tenant.browses(Method::POST, "/auth/logout", &phone).send().await.is(200);
    let last = tenant.signs_in_by("").await;
    let all = json!({ "all": true });
    tenant.browses(Method::POST, "/auth/logout", &last).json(&all).send().await.is(200);
    // The token from signing up is over with them; here it has more to do.
    tenant.becomes("tokens_valid_after", 0);
}

async fn tenants_are_removed(app: &TestApp, tenant: &TestTenant) {
    let token = Token::operator(app.now()).sign();
    app.outside().upstreams().next("apps_script", [Reaction::Answers(200, r#"{"ok":false}"#)]);
    let body = json!({ "reason": "test" });
    app.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id))
        .token(&token)
        .json(&body)
        .send()
        .await;
    tenant.waits().await;
    app.get(&format!("{SAGAS}?status=compensation_failed")).token(&token).send().await.is(200);
    let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
    operator_posts(tenant, &format!("{SAGAS}/{}/retry", run.as_str()), json!({})).await;
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "undone");
    let failed = app.signed_up("fc-every-5").await;
    failed.connects("https://hook.eu2.make.com/gone").await.is(200);
    failed.waits().await;
    let run = failed.outside().objects().run(&failed.id).unwrap().id;
    operator_posts(&failed, &format!("{SAGAS}/{}/cancel", run.as_str()), json!({ "undo": true })).await;
    failed.waits().await;
    assert_eq!(failed.row()["undo_state"], "undone");
}

async fn operators_look(app: &TestApp, tenant: &TestTenant) {
    let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
    for path in [
        "/api/v1/admin/tenants?q=fc-every&status=trial&limit=1".to_owned(),
        format!("/api/v1/admin/tenants?q={}", run.as_str()),
        format!("/api/v1/admin/tenants/{}", tenant.id),
        format!("/api/v1/admin/audit?subject={}", tenant.id),
        "/api/v1/admin/audit?actor=ops&action=tenant.update".to_owned(),
        format!("{SAGAS}?status=failed&limit=1"),
        format!("{SAGAS}?tenant={}", tenant.id),
        format!("{SAGAS}?stuck=true"),
        format!("{SAGAS}/{}", run.as_str()),
        format!("{SAGAS}/{}/history", run.as_str()),
        "/api/v1/bgops/idempotency/none".to_owned(),
        "/health/ready?deep=1".to_owned(),
    ] {
        app.get(&path).token(&Token::operator(app.now()).sign()).send().await;
    }
    the_feed_is_read(app).await;
}

/// Its webhook takes what it is sent, and then does not; an operator has something sent again.
async fn the_platform_hears_of_it(app: &TestApp) {
    let app = app.redeployed_with(&PLATFORM_WEBHOOK);
    for reaction in [Reaction::TimesOut, Reaction::Healthy] {
        app.outside().upstreams().next("platform", [reaction]);
        tenantry::app::sweep::run(&app.app).await;
    }
    let token = Token::operator(app.now()).sign();
    let path = "/api/v1/admin/webhook/deliveries";
    let sent = app.get(path).token(&token).send().await.is(200);
    let again = format!("{path}/{}/redeliver", sent["data"][0]["id"].as_str().unwrap());
    operator_posts(&app, &again, json!({})).await;
    app.outside().finishes_deferred_work().await;
}

async fn the_feed_is_read(app: &TestApp) {
    let service = Token::service(app.now()).sign();
    let page = app.get("/api/v1/admin/events?limit=1").token(&service).send().await.is(200);
    let next = format!("/api/v1/admin/events?after={}", page["nextCursor"].as_str().unwrap());
    app.get(&next).token(&service).send().await.is(200);
}

async fn operators_change(app: &TestApp, tenant: &TestTenant) {
    let token = Token::operator(app.now()).sign();
    let path = format!("/api/v1/admin/tenants/{}", tenant.id);
    for body in [
        json!({ "email": "meant@example.org", "reason": "test" }),
        json!({ "email": "meant@example.org", "emailProven": true, "reason": "test" }),
    ] {
        app.ask(http::Method::PATCH, &path).token(&token).json(&body).send().await;
    }
    let body = json!({ "status": "suspended", "reason": "test" });
    app.ask(http::Method::PATCH, &path).token(&token).json(&body).send().await.is(200);
    let path = "/api/v1/admin/promo-codes/EVERY";
    let body = json!({ "maxUses": 9, "notes": "test", "reason": "test" });
    app.ask(http::Method::PATCH, path).token(&token).json(&body).send().await.is(200);
    operator_posts(app, &format!("{path}/deactivate"), json!({})).await;
    let made = json!({
        "name": "FC", "slug": "fc-every-9", "email": "owner@fc-every-9.example", "plan": "pro", "reason": "test",
    });
    for _ in 0..2 {
        let ask = app.post("/api/v1/admin/tenants").header("idempotency-key", "key-9");
        ask.token(&token).json(&made).send().await.is(200);
    }
}

async fn the_database_is_put_back_and_an_object_is_gone(app: &TestApp) {
    let tenant = app.queued("fc-every-6").await;
    for _ in 0..2 {
        tenantry::app::sweep::run(&app.app).await;
    }
    app.outside().witness().forgets();
    app.passes(60);
    tenantry::app::sweep::run(&app.app).await;
    operator_posts(app, "/api/v1/bgops/provisioning/resume", json!({})).await;
    app.outside().objects().becomes_slow(&tenant.id);
    for _ in 0..2 {
        app.passes(3600);
        tenantry::app::sweep::run(&app.app).await;
    }
    assert_eq!(tenant.row()["provision_state"], "failed");
    what_is_brought_back_by_itself(app).await;
}

/// A run that failed for an outage, a removal whose name is gone already, an object whose tenant was removed long ago.
async fn what_is_brought_back_by_itself(app: &TestApp) {
    let (failed, nameless) = (app.queued("fc-every-7").await, app.provisioned("fc-every-8").await);
    app.outside().upstreams().always("make", Reaction::TimesOut);
    failed.waits().await;
    assert_eq!(failed.ended().await, "UPSTREAM_UNAVAILABLE");
    app.outside().upstreams().always("make", Reaction::Healthy);
    nameless.becomes("slug", None::<String>);
    nameless.becomes("undo_state", "undoing");
    nameless.becomes("undo_updated_at", app.now());
    app.outside().objects().forgets(&nameless.id);
    app.passes(400);
    tenantry::app::sweep::run(&app.app).await;
    failed.waits().await;
    assert_eq!(
        (failed.ended().await.as_str(), &nameless.row()["undo_state"]),
        ("completed", &json!("undone"))
    );
    app.passes(31 * 24 * 3600);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.db().number("select count(*) from tenants where forget_at is not null"), 0);
}

async fn operator_posts(app: &TestApp, path: &str, mut body: Value) {
    body["reason"] = "test".into();
    app.post(path).token(&Token::operator(app.now()).sign()).json(&body).send().await;
}

/// Every SQL text in the store's sources.
fn texts() -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut files): (Vec<_>, Vec<_>) = entries(&store).partition(|path| path.is_dir());
    files.extend(folders.iter().flat_map(|folder| entries(folder)));
    for file in files {
        let source = std::fs::read_to_string(file).unwrap();
        let source = source.split("#[cfg(test)]").next().unwrap();
        for verb in ["select ", "select\n", "insert ", "update ", "delete "] {
            let starts: Vec<usize> =
                source.match_indices(&format!("\"{verb}")).map(|(at, _)| at + 1).collect();
            for start in starts {
                let rest = source.get(start..).unwrap().replace("\\\"", "\u{1}");
                let text = rest.split('"').next().unwrap().replace('\u{1}', "\"");
                // The beginning of a text that a macro puts together: what it becomes is seen whole.
                if !text.ends_with(' ') {
                    texts.insert(text);
                }
            }
        }
    }
    texts
}

#[tokio::test]
async fn everything_that_can_happen_happens_here() {
    let app = TestApp::new();
    everything_happens(&app).await;
    let seen: BTreeSet<String> = app.db().seen().keys().map(|sql| (*sql).to_owned()).collect();
    let texts = texts();
    assert!(texts.len() > 40, "{}", texts.len());
    let missing: Vec<&String> = texts.difference(&seen).collect();
    assert!(missing.is_empty(), "these statements ran nowhere: let them happen above: {missing:#?}");
}

#[tokio::test]
async fn no_statement_walks_a_table() {
    let app = TestApp::new();
    everything_happens(&app).await;
    let mut wrong = Vec::new();
    for sql in app.db().seen().keys() {
        for step in app.db().plan(sql) {
            let harmless = HARMLESS.iter().any(|(words, _)| step.starts_with(words))
                || (sql.starts_with("insert into tenants ")
                    && CHILDREN.iter().any(|child| step == format!("SCAN {child}")));
            if (step.starts_with("SCAN") && !harmless) || step.contains("AUTOMATIC") {
                wrong.push(format!("{step}: {sql}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Fills the tables as if `count` other tenants had been there for a while.
fn is_crowded(db: &Database, count: u32) {
    let numbers =
        format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})");
    for insert in [
        "insert into tenants (id, slug, name, email, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at,
           updated_at, provision_state)
         {n} select 'tenant_' || i, 'crowd-' || i, 'FC', 'owner@crowd-' || i || '.example', 'starter', 0, 'user_' || i,
           'f' || i, 0, 0, 'completed' from n",
        "insert or replace into signups_counted select 1, max(id) from tenants",
        "insert into promo_codes (code, discount_percent, created_at) {n} select 'CROWD' || i, 10, 0 from n",
        "insert into idempotency_keys (id, operation, fingerprint, status, created_at, expires_at)
         {n} select 'key-' || i, 'signup_start', '', 'completed', 0, 1900000000 + i from n",
        "insert into revoked_tokens {n} select 'jti-' || i, null, '', 0, 1900000000 + i from n",
        "insert into magic_links {n} select 'link-' || i, 'tenant_' || i, 0, 1900000000 + i, null, 'session_' || i, 'code', 1 from n",
        "insert into sessions {n} select 'session_' || i, 'tenant_' || i, 'user_' || i, 'link', 1, 'chrome', 'linux', 0, 0,
           1900000000 + i, null from n",
        "insert into user_cutoffs {n} select 'user_' || i, 0, 0 from n",
        "insert into provision_runs (id, tenant_id, plan, status, step, version, started_at, deadline_at, updated_at)
         {n} select 'run_' || printf('%08d', i), 'tenant_' || i, 'starter', iif(i % 10, 'completed', 'failed'),
           'activate', 9, 0, 0, 0 from n",
        "insert into auth_users {n} select 'user_' || i, 'tenant_' || i, 'owner@example.org', '[]', 0 from n",
        "insert into feed_posts {n} select 'post_' || i, 'tenant_' || i, '', '', 0 from n",
        "insert into promo_redemptions {n} select 'CROWD' || i, 'tenant_' || i, 10, 0 from n",
        "insert into audit_log (id, actor, action, subject, reason, request_id, occurred_at)
         {n} select 'aud_' || printf('%08d', i), 'crowd', 'test', 'tenant_' || i, '', '', 0 from n",
        "insert into domain_events {n} select 'tenant_' || i, i, 'evt_' || i, 'test', '{}' from n",
        "insert into make_connections (tenant_id, webhook_url, webhook_secret, updated_at)
         {n} select 'tenant_' || i, '', '', 0 from n",
        "insert into webhook_deliveries (tenant_id, created_at, id, type, body, next_at)
         {n} select 'tenant_' || i, i, 'evt_' || i, 'test', '{}', 1900000000 + i from n where i % 2",
        "insert into webhook_deliveries (tenant_id, created_at, id, type, body, status, settled_at)
         {n} select 'tenant_' || i, i, 'evt_' || i, 'test', '{}', 'delivered', 1900000000 + i from n where i % 2 = 0",
        "insert into mails (tenant_id, kind, key, id, next_at, created_at)
         {n} select 'tenant_' || i, 'welcome', 'run_' || i || '/send_welcome_email', 'mail_' || i, 1900000000 + i, 0
         from n where i % 2",
        "insert into mails (tenant_id, kind, key, id, status, settled_at, created_at)
         {n} select 'tenant_' || i, 'welcome', 'run_' || i || '/send_welcome_email', 'mail_' || i, 'sent', 1900000000 + i, 0
         from n where i % 2 = 0",
    ] {
        db.execute(&insert.replace("{n}", &numbers), ());
    }
}

async fn costs_in_a_crowd_of(count: u32) -> BTreeMap<&'static str, Cost> {
    let app = TestApp::new();
    is_crowded(app.db(), count);
    everything_happens(&app).await;
    app.db().take_costs()
}

#[tokio::test]
async fn nothing_costs_more_in_a_larger_crowd() {
    let (few, many) = (costs_in_a_crowd_of(1_000).await, costs_in_a_crowd_of(100_000).await);
    // A page of runs walks a window of them: a small crowd doesn't fill it. The next test is about that. And after a restore all
    // tenants are compared, so many a minute: a small crowd is through sooner.
    let walks = |sql: &str| {
        sql.contains("from provision_runs where") || sql.contains("where t.id > ?1 order by t.id")
    };
    for (sql, cost) in few.iter().filter(|(sql, _)| !walks(sql)) {
        assert_eq!(many[sql], *cost, "{sql}");
    }
}

/// What matches nothing must not be looked for in every run there ever was.
#[tokio::test]
async fn a_filter_that_matches_nothing_costs_no_more_in_a_larger_crowd() {
    let (mut few, mut many) = (Vec::new(), Vec::new());
    for (count, costs) in [(20_000, &mut few), (40_000, &mut many)] {
        let app = TestApp::new();
        is_crowded(app.db(), count);
        let token = Token::operator(app.now()).sign();
        for path in [
            "/api/v1/bgops/sagas?step=create_owner",
            "/api/v1/bgops/sagas?plan=pro",
            "/api/v1/bgops/sagas?stuck=true",
            "/api/v1/bgops/sagas?status=failed&plan=pro",
            "/api/v1/bgops/sagas?status=failed&reason=NOTHING",
            "/api/v1/bgops/sagas?status=completed&step=seed_defaults",
            "/api/v1/admin/tenants?status=suspended",
            "/api/v1/admin/tenants?plan=pro&provision=failed",
            "/api/v1/admin/tenants?q=nobody",
            "/api/v1/admin/tenants?q=crowd-&plan=pro",
            "/api/v1/admin/tenants?q=fc",
            "/api/v1/admin/audit?action=nothing",
            "/api/v1/admin/audit?actor=crowd&action=nothing",
            "/api/v1/admin/stats",
            "/metrics",
        ] {
            assert_eq!(app.get(path).token(&token).send().await.status, 200);
            costs.push((path, app.db().take_costs()));
        }
    }
    assert_eq!(few, many);
}
