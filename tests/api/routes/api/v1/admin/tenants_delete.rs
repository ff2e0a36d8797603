//! `DELETE /api/v1/admin/tenants/{id}`, and `cancel` with `undo`: what was made is gone, and the name is free.

use http::Method;
use serde_json::{Value, json};
use tenantry::domain::Upstream;

use crate::support::{
    Answer, Breaks, Manner, RECORDS, Reaction, TestApp, TestTenant, Token, WEBHOOK_SECRET, signup, walk_pages,
};

const SAGAS: &str = "/api/v1/bgops/sagas";

async fn delete(app: &TestApp, tenant: &str, body: Value) -> Answer {
    let token = Token::operator(app.now()).sign();
    app.ask(Method::DELETE, &format!("/api/v1/admin/tenants/{tenant}")).token(&token).json(&body).send().await
}

async fn is_removed(tenant: &TestTenant) -> Value {
    delete(tenant, &tenant.id, json!({ "reason": "left the league" })).await.is(202)["data"].clone()
}

async fn operator_gets(app: &TestApp, path: &str) -> Value {
    app.get(path).token(&Token::operator(app.now()).sign()).send().await.is(200)["data"].clone()
}

async fn operator_acts(tenant: &TestTenant, action: &str, undo: bool) -> Answer {
    let run = run_of(tenant);
    let body = json!({ "reason": "as agreed", "undo": undo });
    let token = Token::operator(tenant.now()).sign();
    tenant.post(&format!("{SAGAS}/{run}/{action}")).token(&token).json(&body).send().await
}

fn run_of(tenant: &TestTenant) -> String {
    tenant.outside().objects().run(&tenant.id).unwrap().id.as_str().to_owned()
}

/// Nothing of the tenant is left but its history, and its name is free.
async fn is_gone(tenant: &TestTenant) {
    // Its webhook is forgotten once that has heard of it.
    tenant.outside().finishes_deferred_work().await;
    let row = tenant.row();
    assert_eq!(
        json!([row["slug"], row["email"], row["status"], row["undo_state"], row["route_ready"]]),
        json!([null, null, "cancelled", "undone", 0])
    );
    for table in
        ["auth_users", "make_connections", "pro_automation", "tenant_brand", "feed_posts", "idempotency_keys"]
    {
        let left =
            tenant.db().number(&format!("select count(*) from {table} where tenant_id = '{}'", tenant.id));
        assert_eq!(left, 0, "{table}");
    }
    assert_eq!(tenant.outside().upstreams().sheets(), Vec::<String>::new());
    let events = operator_gets(tenant, &format!("/api/v1/tenants/{}/events", tenant.id)).await;
    let told = events.as_array().unwrap().iter().filter(|event| event["type"] == "tenant.deprovisioned");
    assert_eq!(told.count(), 1);
    let newcomer = tenant.signs_up(&signup(&tenant.slug)).await.is(200);
    assert_ne!(newcomer["tenantId"], tenant.id.as_str(), "its name is free");
}

async fn pro(app: &TestApp) -> TestTenant {
    let tenant = app.queued_pro("fc-pro").await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    tenant
}

#[tokio::test]
async fn its_tokens_die_at_once_and_the_rest_follows() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let run = run_of(&tenant);
    let data = is_removed(&tenant).await;
    assert_eq!(data, json!({ "tenantId": tenant.id, "runId": run, "undo": "undoing" }));
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    let mut taken = signup("fc-nord");
    taken["email"] = "other@example.org".into();
    app.signs_up(&taken).await.fails(409, "SLUG_TAKEN");
    tenant.waits().await;
    is_gone(&tenant).await;
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    let told = app.outside().upstreams().sent_to("make").pop().unwrap();
    assert!(told.is_signed_with(WEBHOOK_SECRET));
    assert_eq!(
        (&told.json()["type"], &told.json()["data"]),
        (&json!("tenant.deprovisioned"), &json!({ "tenantId": tenant.id, "runId": run, "plan": "starter" }))
    );
}

#[tokio::test]
async fn a_pro_tenants_spreadsheet_goes_and_is_looked_for() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    assert_eq!(app.outside().upstreams().sheets().len(), 1);
    let before = app.outside().upstreams().sent_to("apps_script").len();
    is_removed(&tenant).await;
    tenant.waits().await;
    let calls: Vec<String> = app.outside().upstreams().sent_to("apps_script")[before..]
        .iter()
        .map(|call| call.json()["action"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(calls, ["deprovision", "verify"]);
    let made = operator_gets(&app, &format!("{SAGAS}/{}", run_of(&tenant))).await["made"].clone();
    let sheet = made.as_array().unwrap().iter().find(|row| row["step"] == "create_spreadsheet").unwrap();
    assert_eq!(
        *sheet,
        json!({
            "step": "create_spreadsheet", "kind": "spreadsheet", "externalId": "sheet_0", "createdByUs": true,
            "status": "removed", "attempts": 1, "removedAt": sheet["removedAt"], "error": null
        })
    );
    is_gone(&tenant).await;
}

#[tokio::test]
async fn what_a_run_made_is_listed_from_the_moment_it_is_made() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    let made = operator_gets(&app, &format!("{SAGAS}/{}", run_of(&tenant))).await["made"].clone();
    assert_eq!(
        made,
        json!([{
            "step": "create_spreadsheet", "kind": "spreadsheet", "externalId": "sheet_0", "createdByUs": true,
            "status": "held", "attempts": 0, "removedAt": null, "error": null
        }])
    );
}

#[tokio::test]
async fn a_record_of_its_own_goes_too() {
    let app = TestApp::with(&RECORDS);
    let tenant = app.provisioned("fc-nord").await;
    assert_eq!(app.outside().upstreams().dns(|dns| dns.records().len()), 1);
    is_removed(&tenant).await;
    tenant.waits().await;
    assert_eq!(app.outside().upstreams().dns(|dns| dns.records().len()), 0);
    is_gone(&tenant).await;
}

/// Whatever is configured by then: the record is where it was made, and its upstream is asked no more than it may be.
#[tokio::test]
async fn a_record_goes_although_tenants_share_one_by_now() {
    let app = TestApp::with(&RECORDS);
    let tenant = app.provisioned("fc-nord").await;
    let records = [RECORDS.as_slice(), &[("SUBDOMAIN_MODE", "wildcard")]].concat();
    let tenant = tenant.with_app(app.redeployed_with(&records));
    let used = || app.outside().breakers().of(Upstream::Cloudflare);
    let before = used();
    is_removed(&tenant).await;
    tenant.waits().await;
    assert_eq!(app.outside().upstreams().dns(|dns| dns.records().len()), 0);
    assert_ne!(used(), before, "its calls are counted");
}

#[tokio::test]
async fn a_tenant_that_was_never_set_up_is_removed_as_well() {
    let app = TestApp::new();
    let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
    is_removed(&tenant).await;
    tenant.waits().await;
    is_gone(&tenant).await;
    assert_eq!(app.outside().upstreams().sent().len(), 0);
}

/// Nothing failed that was never tried.
#[tokio::test]
async fn a_tenant_that_never_ran_did_not_fail() {
    let app = TestApp::new();
    for is_queued in [false, true] {
        let tenant = app.signed_up(&format!("fc-{is_queued}")).await;
        if is_queued {
            tenant.connects_make().await.is(200);
        }
        is_removed(&tenant).await;
        tenant.waits().await;
        let events = operator_gets(&app, &format!("/api/v1/tenants/{}/events", tenant.id)).await;
        let told: Vec<&str> =
            events.as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
        assert!(told.contains(&"tenant.deprovisioned"), "{told:?}");
        assert!(!told.contains(&"tenant.failed"), "{told:?}");
        app.outside().finishes_deferred_work().await;
    }
    let sent = app.outside().upstreams().sent_to("make");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].json()["type"], "tenant.deprovisioned");
}

/// Whoever retries, or renews, must not make the tenant anew that an operator has just removed.
#[tokio::test]
async fn the_same_request_under_the_same_key_makes_nothing_anew() {
    let app = TestApp::new();
    let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
    let again = async |key: &str| {
        let ask = app.post("/public/signup/start").header("idempotency-key", key);
        ask.json(&signup("fc-nord")).send().await
    };
    is_removed(&tenant).await;
    // At work, over, and for as long as the key is remembered.
    again("key-1").await.fails(410, "TENANT_CANCELLED");
    tenant.waits().await;
    again("key-1").await.fails(410, "TENANT_CANCELLED");
    app.passes(23 * 3600);
    again("key-1").await.fails(410, "TENANT_CANCELLED");
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
    assert!(app.outside().upstreams().sent_to("resend").is_empty(), "and nobody is mailed");
    let anew = again("key-2").await.is(200);
    assert_eq!(anew.get("replayed"), None, "the name is free for whoever asks for it");
}

#[tokio::test]
async fn a_tenant_at_work_is_stopped_first() {
    let app = TestApp::new();
    let tenant = app.queued_pro("fc-nord").await;
    // Made, and nobody knows.
    app.outside().upstreams().next("apps_script", [Reaction::LosesTheAnswer]);
    tenant.alarm_rings(&tenant.id).await;
    assert_eq!(app.outside().upstreams().sheets().len(), 1);
    is_removed(&tenant).await;
    tenant.waits().await;
    is_gone(&tenant).await;
    let saga = operator_gets(&app, &format!("{SAGAS}/{}", run_of(&tenant))).await;
    assert_eq!((&saga["status"], &saga["reason"]), (&json!("failed"), &json!("CANCELLED")));
    assert_eq!(saga["undo"], json!({ "status": "undone", "step": null, "reason": null, "error": null }));
}

#[tokio::test]
async fn what_cannot_be_removed_is_seen_and_keeps_the_name_until_it_is() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    app.outside().upstreams().next("apps_script", [Reaction::Answers(200, r#"{"ok":false,"code":"QUOTA"}"#)]);
    is_removed(&tenant).await;
    tenant.waits().await;
    let listed = operator_gets(&app, &format!("{SAGAS}?status=compensation_failed")).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    let saga = operator_gets(&app, &format!("{SAGAS}/{}", run_of(&tenant))).await;
    assert_eq!(saga["status"], "completed");
    assert_eq!(saga["undo"]["status"], "compensation_failed");
    assert_eq!(saga["undo"]["step"], "create_spreadsheet");
    assert_eq!(saga["undo"]["reason"], "COMPENSATION_REFUSED");
    assert!(!saga["undo"]["error"].as_str().unwrap().is_empty());
    let failed = saga["made"].as_array().unwrap().iter().find(|made| made["status"] == "failed").unwrap();
    assert_eq!(failed["error"], "COMPENSATION_REFUSED");
    let line = app.log_of("tenant_deprovision_failed").pop().unwrap();
    assert_eq!(
        (&line.fields["step"], &line.fields["error"]),
        (&json!("create_spreadsheet"), &json!("COMPENSATION_REFUSED"))
    );
    let mut newcomer = signup("fc-pro");
    newcomer["email"] = "other@example.org".into();
    app.signs_up(&newcomer).await.fails(409, "SLUG_TAKEN");
    operator_acts(&tenant, "retry", false).await.is(200);
    tenant.waits().await;
    is_gone(&tenant).await;
}

#[tokio::test]
async fn what_can_never_be_removed_is_left_on_an_operators_word() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    app.outside()
        .upstreams()
        .next("apps_script", [Reaction::Answers(200, r#"{"ok":false,"code":"FOREIGN"}"#)]);
    is_removed(&tenant).await;
    tenant.waits().await;
    operator_acts(&tenant, "skip-step", false).await.complains_about();
    let skip = json!({ "step": "create_spreadsheet", "reason": "it is another tenant's" });
    let path = format!("{SAGAS}/{}/skip-step", run_of(&tenant));
    app.post(&path).token(&Token::operator(app.now()).sign()).json(&skip).send().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "undone");
    assert_eq!(app.outside().upstreams().sheets().len(), 1, "it is still there, and that is written down");
    let made = operator_gets(&app, &format!("{SAGAS}/{}", run_of(&tenant))).await["made"].clone();
    assert!(made.as_array().unwrap().iter().any(|row| row["status"] == "left"), "{made}");
}

#[tokio::test]
async fn deleting_again_tries_again() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    app.outside().upstreams().next("apps_script", [Reaction::Answers(200, r#"{"ok":false}"#)]);
    is_removed(&tenant).await;
    assert_eq!(is_removed(&tenant).await["undo"], "undoing", "asked twice, it is done once");
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "compensation_failed");
    is_removed(&tenant).await;
    tenant.waits().await;
    let done = delete(&app, &tenant.id, json!({ "reason": "to be sure" })).await.is(200)["data"].clone();
    assert_eq!(done, json!({ "tenantId": tenant.id, "runId": run_of(&tenant), "undo": "undone" }));
    is_gone(&tenant).await;
}

#[tokio::test]
async fn a_failed_run_is_cancelled_with_what_it_made() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    operator_acts(&tenant, "cancel", false).await.fails(409, "RUN_STATE_CONFLICT");
    let data = operator_acts(&tenant, "cancel", true).await.is(200)["data"].clone();
    assert_eq!((&data["status"], &data["undo"]), (&json!("failed"), &json!("undoing")));
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    tenant.waits().await;
    is_gone(&tenant).await;
    let row = app.db().row("select action, reason, subject from audit_log where action <> 'saga.cancel'");
    assert_eq!(row, json!({ "action": "saga.undo", "reason": "as agreed", "subject": run_of(&tenant) }));
}

#[tokio::test]
async fn a_tenant_that_went_live_is_not_undone_by_its_run() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    operator_acts(&tenant, "cancel", true).await.fails(409, "RUN_STATE_CONFLICT");
    assert_eq!((&tenant.row()["status"], &tenant.row()["undo_state"]), (&json!("active"), &Value::Null));
    tenant.gets("/whoami").send().await.is(200);
}

#[tokio::test]
async fn undo_is_true_or_false() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let token = Token::operator(app.now()).sign();
    let body = json!({ "reason": "x", "undo": "true" });
    let answer =
        app.post(&format!("{SAGAS}/{}/cancel", run_of(&tenant))).token(&token).json(&body).send().await;
    assert_eq!(answer.complains_about(), [("undo".to_owned(), "invalid_type".to_owned())]);
}

#[tokio::test]
async fn the_wish_is_not_lost_with_the_object() {
    for manner in [Manner::Gone, Manner::Mute] {
        let app = TestApp::new();
        let tenant = app.provisioned("fc-nord").await;
        app.outside().objects().become_(manner);
        assert_eq!(is_removed(&tenant).await["undo"], "undoing");
        assert_eq!(app.log_of("tenant_deprovision_not_told").len(), 1);
        app.outside().objects().become_(Manner::Obedient);
        app.outside().objects().loses_the_alarm(&tenant.id);
        app.passes(61);
        tenantry::app::sweep::run(&app.app).await;
        tenant.waits().await;
        is_gone(&tenant).await;
    }
}

#[tokio::test]
async fn every_batch_of_a_removal_may_fail_before_or_after_it_is_done() {
    let mut nth = 0;
    loop {
        for how in [Breaks::Before, Breaks::After] {
            let app = TestApp::new();
            let tenant = pro(&app).await;
            is_removed(&tenant).await;
            let before = app.db().batches();
            app.db().breaks(nth, how);
            tenant.waits().await;
            if app.db().batches() - before <= nth {
                assert!(nth >= 3, "{nth} batches");
                return;
            }
            let left = app.db().rows("select step, status from provision_undo where status <> 'removed'");
            assert_eq!(left, Vec::<Value>::new(), "batch {nth} {how:?}");
            is_gone(&tenant).await;
        }
        nth += 1;
    }
}

#[tokio::test]
async fn a_removal_that_does_not_move_is_told() {
    let app = TestApp::new();
    let tenant = pro(&app).await;
    app.outside().upstreams().always("apps_script", Reaction::AsksToWait(429, "590"));
    is_removed(&tenant).await;
    tenant.alarm_rings(&tenant.id).await;
    app.passes(301);
    tenantry::app::sweep::run(&app.app).await;
    let line = app.log_of("tenant_provision_stuck").pop().unwrap();
    assert_eq!((&line.fields["tenantId"], &line.fields["undo"]), (&json!(tenant.id), &json!(true)));
    let token = Token::operator(app.now()).sign();
    for (query, count) in [
        ("stuck=true", 1),
        ("stuck=true&status=undoing", 1),
        ("stuck=true&step=create_spreadsheet", 1),
        ("status=undoing&step=create_spreadsheet", 1),
        ("stuck=true&status=completed", 1),
        ("stuck=true&step=create_owner", 0),
        ("stuck=true&plan=starter", 0),
    ] {
        let listed = walk_pages(&app, &format!("{SAGAS}?{query}"), 10, &token).await;
        assert_eq!(listed.iter().filter(|saga| saga["stuck"] == true).count(), count, "{query}");
        assert_eq!(listed.len(), count, "{query}: what is listed as stuck is stuck");
    }
}

#[tokio::test]
async fn a_tenant_that_is_being_removed_is_not_set_up_again() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    is_removed(&tenant).await;
    app.machine_queues(&tenant.id).await.fails(404, "TENANT_NOT_FOUND");
    tenant.waits().await;
    app.machine_queues(&tenant.id).await.fails(404, "TENANT_NOT_FOUND");
    is_gone(&tenant).await;
    // Nor is one told to be there that once was live.
    let tenant = app.provisioned("fc-sued").await;
    is_removed(&tenant).await;
    app.machine_queues(&tenant.id).await.fails(404, "TENANT_NOT_FOUND");
    tenant.waits().await;
    app.machine_queues(&tenant.id).await.fails(404, "TENANT_NOT_FOUND");
}

#[tokio::test]
async fn what_never_was_is_not_removed() {
    let app = TestApp::new();
    let before = app.db().contents();
    for tenant in ["tenant_never", "nonsense"] {
        delete(&app, tenant, json!({ "reason": "typo" })).await.fails(404, "TENANT_NOT_FOUND");
    }
    app.db().is_still(&before);
}

#[tokio::test]
async fn a_reason_must_be_given() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let complaints = delete(&app, &tenant.id, json!({})).await.complains_about();
    assert_eq!(complaints, [("reason".to_owned(), "required".to_owned())]);
    assert_eq!(tenant.row()["undo_state"], Value::Null);
}

/// Many clients send no body with a DELETE.
#[tokio::test]
async fn the_reason_may_stand_in_the_query() {
    for (query, body, reason) in [
        ("?reason=left%20the+league", None, "left the league"),
        ("?reason=left", Some(json!({})), "left"),
        ("?reason=left", Some(json!({ "reason": "" })), "left"),
        ("?reason=left", Some(json!({ "reason": "of the body" })), "of the body"),
    ] {
        let app = TestApp::new();
        let tenant = app.provisioned("fc-nord").await;
        let path = format!("/api/v1/admin/tenants/{}{query}", tenant.id);
        let ask = app.ask(Method::DELETE, &path).token(&Token::operator(app.now()).sign());
        let ask = if let Some(body) = body { ask.json(&body) } else { ask };
        ask.send().await.is(202);
        assert_eq!(app.db().row("select reason from audit_log")["reason"], reason, "{query}");
    }
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    for (query, code) in [
        ("", "required"),
        ("?reason=", "required"),
        ("?reason=%E2%80%8B", "required"),
        ("?reason=a%00b", "invalid_characters"),
    ] {
        let path = format!("/api/v1/admin/tenants/{}{query}", tenant.id);
        let ask = app.ask(Method::DELETE, &path).token(&Token::operator(app.now()).sign());
        let told = ask.send().await.complains_about();
        assert_eq!(told, [("reason".to_owned(), code.to_owned())], "{query}");
    }
    assert_eq!(tenant.row()["undo_state"], Value::Null);
}

#[tokio::test]
async fn it_is_written_down_who_removed_it_and_why() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let answer = delete(&app, &tenant.id, json!({ "reason": "left the league" })).await;
    let row = app.db().row("select actor, action, subject, reason, request_id from audit_log");
    let request = answer.header("x-request-id");
    assert_eq!(
        row,
        json!({
            "actor": "ops", "action": "tenant.deprovision", "subject": tenant.id, "reason": "left the league",
            "request_id": request
        })
    );
    tenant.waits().await;
    let history = operator_gets(&app, &format!("{SAGAS}/{}/history", run_of(&tenant))).await;
    let undone: Vec<&Value> =
        history.as_array().unwrap().iter().filter(|attempt| attempt["undo"] == true).collect();
    assert_eq!(undone.len(), 3);
    assert!(undone.iter().all(|attempt| attempt["requestId"] == request && attempt["outcome"] == "done"));
}

/// A link that was mailed before opens nothing after.
#[tokio::test]
async fn a_mailed_link_dies_with_the_tenant() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().finishes_deferred_work().await;
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap().link();
    let token = mail.split_once("#token=").unwrap().1.to_owned();
    is_removed(&tenant).await;
    for _ in 0..2 {
        app.post("/auth/magic/verify")
            .json(&json!({ "token": token }))
            .send()
            .await
            .fails(401, "INVALID_TOKEN");
        tenant.waits().await;
    }
    app.post("/auth/magic/start").json(&json!({ "email": "owner@fc-nord.example" })).send().await.is(202);
    app.outside().finishes_deferred_work().await;
    assert_eq!(app.outside().upstreams().sent_to("resend").len(), 1);
}

/// As `scripts/import.mjs` writes it: it is live, its people and its address are there, and no object has heard of it.
#[tokio::test]
async fn a_tenant_that_no_run_made_goes_with_all_its_people() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.db().execute(
        "update tenants set status = 'active', provision_state = 'completed', provisioned_at = created_at, route_ready = 1
         where id = ?1",
        [&tenant.id],
    );
    tenant.db().execute(
        "insert into auth_users (id, tenant_id, email, roles, created_at)
         select owner_user_id, id, email, '[\"tenant_admin\",\"owner\"]', created_at from tenants where id = ?1
         union all select 'user_ben', ?1, 'ben@example.org', '[\"tenant_admin\"]', 0
         union all select 'user_cem', ?1, 'cem@example.org', '[]', 0",
        [&tenant.id],
    );
    let other = app.provisioned("sv-sued").await;
    let data = is_removed(&tenant).await;
    assert_eq!(data["undo"], "undoing");
    tenant.waits().await;
    is_gone(&tenant).await;
    let told = operator_gets(&app, &format!("/api/v1/tenants/{}/events", tenant.id)).await;
    let told: Vec<&Value> = told.as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(told, ["tenant.signed_up", "tenant.deprovisioned"], "nothing failed, and nothing went live");
    let left = app.db().number(&format!("select count(*) from auth_users where tenant_id = '{}'", other.id));
    assert_eq!(left, 1, "another tenant's owner stays");
}

/// A settled delivery is kept for 30 days: whoever left after that was told once more that it had gone live.
#[tokio::test]
async fn what_was_announced_long_ago_is_not_announced_again() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().finishes_deferred_work().await;
    let before = app.outside().upstreams().sent_to("make").len();
    app.passes(40 * 86_400);
    assert!(tenant.db().execute("delete from webhook_deliveries where settled_at is not null", ()) > 0);
    is_removed(&tenant).await;
    tenant.waits().await;
    app.outside().finishes_deferred_work().await;
    let sent = app.outside().upstreams().sent_to("make");
    let told: Vec<Value> = sent[before..].iter().map(|call| call.json()["type"].clone()).collect();
    assert_eq!(told, ["tenant.deprovisioned"]);
}
