//! The sweep, once a minute: the second net under the alarms, and what expired goes.

use serde_json::{Value, json};
use tenantry::{db::Db, domain::Timestamp, store::tenants};

use crate::support::{Breaks, Manner, Reaction, TestApp, TestTenant, Token};

/// One sweep: what it says of itself.
pub async fn sweep(app: &TestApp) -> Value {
    tenantry::app::sweep::run(&app.app).await;
    Value::Object(app.log_of("sweep").pop().unwrap().fields)
}

/// A tenant whose first attempt at its webhook timed out, and whose alarm was lost since.
pub async fn lost(app: &TestApp, slug: &str) -> TestTenant {
    let tenant = app.queued(slug).await;
    app.outside().upstreams().next("make", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    app.outside().objects().loses_the_alarm(&tenant.id);
    tenant
}

#[tokio::test]
async fn a_lost_alarm_is_found_within_two_minutes() {
    let app = TestApp::new();
    let tenant = lost(&app, "fc-nord").await;
    assert_eq!(sweep(&app).await["looked"], 0, "what moved just now is left alone");
    app.passes(61);
    assert_eq!(sweep(&app).await["looked"], 1);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn a_queueing_that_never_arrived_arrives() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.outside().objects().become_(Manner::Gone);
    tenant.connects_make().await.fails(503, "PROVISIONER_UNAVAILABLE");
    app.outside().objects().become_(Manner::Obedient);
    app.passes(61);
    sweep(&app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

/// The wish to try again was stored, and the object never told: the tenant must not read "processing" for ever.
#[tokio::test]
async fn a_retry_that_never_arrived_arrives() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    app.outside().objects().become_(Manner::Gone);
    tenant.connects_make().await.fails(503, "PROVISIONER_UNAVAILABLE");
    app.outside().objects().become_(Manner::Obedient);
    app.passes(61);
    sweep(&app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

/// An operator stopped it while the sweep was on its way, or the database was restored to before.
#[tokio::test]
async fn a_run_that_failed_after_the_database_last_wanted_it_is_listed_again_and_not_begun() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    app.passes(61);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    let rounds = || app.outside().objects().run(&tenant.id).map(|run| run.doing.times_queued);
    let before = rounds();
    tenant.becomes("provision_state", "processing");
    app.db().execute("update provision_runs set status = 'processing', version = 1", ());
    app.passes(61);
    sweep(&app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    assert_eq!(rounds(), before);
    let announced = "select count(*) from webhook_deliveries where type = 'tenant.failed'";
    assert_eq!(app.db().number(announced), 1, "its end is announced once");
}

/// The database is restored to when the tenant was at work.
fn is_put_back(app: &TestApp) {
    app.db().execute(
        "update tenants set status = 'trial', provision_state = 'processing', provisioned_at = null,
           provision_run_id = null, route_ready = 0",
        (),
    );
    for table in [
        ["provision_steps", "provision_history", "provision_undo", "webhook_deliveries", "provision_runs"]
            .as_slice(),
        ["tenant_brand", "feed_posts", "auth_users", "pro_automation"].as_slice(),
    ]
    .concat()
    {
        app.db().execute(&format!("delete from {table}"), ());
    }
    app.db().execute("delete from domain_events where type = 'tenant.provisioned'", ());
    app.db().execute("delete from mails", ());
    app.db().execute("update tenants set owner_email_sent_at = null", ());
}

#[tokio::test]
async fn what_an_operator_had_left_out_is_not_put_back() {
    let app = TestApp::new();
    let tenant = app.queued_pro("fc-nord").await;
    app.outside().upstreams().next("apps_script", [Reaction::Healthy, Reaction::Answers(404, "")]);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "SPREADSHEET_REJECTED");
    let run = app.outside().objects().run(&tenant.id).unwrap().id;
    let skip = app.post(&format!("/api/v1/bgops/sagas/{}/skip-step", run.as_str()));
    skip.token(&Token::operator(app.now()).sign())
        .json(&json!({ "step": "verify_spreadsheet", "reason": "looked at it" }))
        .send()
        .await
        .is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    is_put_back(&app);
    app.passes(120);
    sweep(&app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    let sheet = app.db().row("select spreadsheet_id, verified_at from pro_automation");
    assert!(sheet["spreadsheet_id"].is_string() && sheet["verified_at"].is_null(), "{sheet}");
}

/// The database is restored to when the tenant had just been queued; its object, and the upstreams, stay as they are.
#[tokio::test]
async fn a_tenant_that_went_live_after_the_database_was_saved_is_put_back_by_what_its_object_knows() {
    for slug in ["fc-starter", "fc-pro"] {
        let app = TestApp::new();
        let is_pro = slug == "fc-pro";
        let tenant = if is_pro { app.signed_up_pro(slug).await } else { app.signed_up(slug).await };
        if is_pro { tenant.confirms_pro().await } else { tenant.connects_make().await }.is(200);
        tenant.waits().await;
        app.mails_leave().await;
        let (live, done) = (tenant.row(), app.outside().upstreams().effects());
        is_put_back(&app);
        assert_eq!(tenant.ended().await, "processing");
        app.passes(120);
        sweep(&app).await;
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed");
        for column in ["status", "provision_state", "provision_run_id", "route_ready"] {
            assert_eq!(tenant.row()[column], live[column], "{column}");
        }
        for table in ["provision_runs", "tenant_brand", "feed_posts", "auth_users"] {
            assert_eq!(app.db().number(&format!("select count(*) from {table}")), 1, "{table}");
        }
        let sheets = app.db().number("select count(*) from pro_automation where verified_at is not null");
        assert_eq!(sheets, i64::from(is_pro));
        let steps = app.db().number("select count(*) from provision_steps where status = 'completed'");
        assert_eq!(steps, if is_pro { 7 } else { 6 });
        app.mails_leave().await;
        assert_eq!(app.outside().upstreams().effects(), done, "nothing is done outside again");
        let mails = app.db().rows("select status, last_error from mails");
        assert_eq!(
            mails,
            [json!({ "status": "sent", "last_error": null })],
            "and D1 knows of the mail again"
        );
        assert!(tenant.row()["owner_email_sent_at"].is_i64());
        app.passes(120);
        assert_eq!(sweep(&app).await["looked"], 0, "it is at rest");
    }
}

/// The database is restored to when the tenant was live.
#[tokio::test]
async fn a_tenant_that_was_removed_after_the_database_was_saved_is_let_go_of_once_more() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let (slug, email) = (tenant.row()["slug"].to_string(), tenant.row()["email"].to_string());
    let remove = async |status| {
        let token = Token::operator(app.now()).sign();
        let ask =
            app.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id)).token(&token);
        ask.json(&json!({ "reason": "the club closed" })).send().await.is(status);
    };
    remove(202).await;
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "undone");
    app.db().execute(
        "update tenants set undo_state = null, undo_updated_at = null, status = 'active', slug = ?1, email = ?2",
        (slug.trim_matches('"'), email.trim_matches('"')),
    );
    app.db().execute("update provision_runs set version = version - 5, undo_state = null", ());
    remove(200).await;
    app.passes(120);
    sweep(&app).await;
    tenant.waits().await;
    let row = tenant.row();
    assert_eq!(
        (&row["undo_state"], &row["slug"], &row["email"]),
        (&json!("undone"), &Value::Null, &Value::Null)
    );
    app.passes(120);
    assert_eq!(sweep(&app).await["looked"], 0, "it is at rest");
}

#[tokio::test]
async fn an_end_that_was_never_listed_is_listed() {
    // The one batch that tells of the end is the last.
    let failing = async |nth| {
        let app = TestApp::new();
        let tenant = app.queued("fc-nord").await;
        app.outside().upstreams().always("make", Reaction::Answers(410, ""));
        let before = app.db().batches();
        app.db().breaks(nth, Breaks::Before);
        tenant.alarm_rings(&tenant.id).await;
        let batches = app.db().batches() - before;
        (app, tenant, batches)
    };
    let (_, _, batches) = failing(1000).await;
    let (app, tenant, _) = failing(batches - 1).await;
    assert!(app.outside().objects().run(&tenant.id).unwrap().has_pending_projection());
    app.outside().objects().loses_the_alarm(&tenant.id);
    assert_eq!(tenant.ended().await, "processing");
    app.passes(61);
    sweep(&app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
}

/// Setting up may take its half hour: it is when nothing happens that an operator must look.
#[tokio::test]
async fn a_run_that_is_tried_again_and_again_moves() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().always("make", Reaction::AsksToWait(429, "200"));
    for _ in 0..3 {
        tenant.alarm_rings(&tenant.id).await;
        app.passes(150);
        sweep(&app).await;
    }
    assert!(app.log_of("tenant_provision_stuck").is_empty());
    app.outside().objects().loses_the_alarm(&tenant.id);
    app.passes(150);
    sweep(&app).await;
    assert_eq!(app.log_of("tenant_provision_stuck").len(), 1);
}

#[tokio::test]
async fn a_sweep_is_found_in_the_log_by_an_id_of_its_own() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().objects().loses_the_alarm(&tenant.id);
    app.passes(400);
    let first = sweep(&app).await;
    let stuck = app.log_of("tenant_provision_stuck").pop().unwrap();
    assert!(first["requestId"].as_str().unwrap().starts_with("req_"));
    assert_eq!(stuck.fields["requestId"], first["requestId"]);
    app.passes(60);
    assert_ne!(sweep(&app).await["requestId"], first["requestId"]);
}

/// A thousand tenants that signed up in the same minute are all at work, and none of them needs the sweep.
#[tokio::test]
async fn a_sweep_does_not_read_those_that_moved_just_now() {
    let mut costs = Vec::new();
    for count in [100, 1000] {
        let app = TestApp::new();
        let numbers =
            format!("with recursive n(i) as (select 1 union all select i + 1 from n where i < {count})");
        let insert = "insert into tenants (id, name, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at,
             updated_at)
           {n} select 'tenant_' || i, 'FC', 'starter', 0, 'user_' || i, '', 0, 0 from n";
        app.db().execute(&insert.replace("{n}", &numbers), ());
        // Signups are counted once, and not again.
        sweep(&app).await;
        for n in 1..=count {
            let (tenant, now) = (format!("tenant_{n}").parse().unwrap(), Timestamp::from_seconds(app.now()));
            app.db().query(tenants::mark_queued(&tenant, None, "", now)).await.unwrap();
        }
        app.passes(59);
        app.db().take_costs();
        assert_eq!(sweep(&app).await["looked"], 0);
        costs.push(app.db().take_costs());
    }
    assert_eq!(costs[0], costs[1]);
}

#[tokio::test]
async fn a_run_with_its_alarm_set_is_left_alone() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().next("make", [Reaction::AsksToWait(503, "500")]);
    tenant.alarm_rings(&tenant.id).await;
    let alarm = app.outside().objects().alarm(&tenant.id);
    app.passes(100);
    sweep(&app).await;
    assert_eq!(app.outside().objects().alarm(&tenant.id), alarm);
}

#[tokio::test]
async fn what_has_not_moved_for_five_minutes_is_told() {
    let app = TestApp::new();
    let tenant = lost(&app, "fc-nord").await;
    app.passes(299);
    sweep(&app).await;
    assert!(app.log_of("tenant_provision_stuck").is_empty());
    app.outside().objects().loses_the_alarm(&tenant.id);
    app.passes(1);
    sweep(&app).await;
    let line = app.log_of("tenant_provision_stuck").pop().unwrap();
    assert_eq!((&line.fields["level"], &line.fields["tenantId"]), (&json!("error"), &json!(tenant.id)));
    assert!(line.fields["seconds"].as_u64().unwrap() >= 300);
    assert!(line.fields["runId"].is_string());
}

#[tokio::test]
async fn a_run_past_its_deadline_fails_with_a_reason() {
    let app = TestApp::new();
    let tenant = lost(&app, "fc-nord").await;
    app.passes(3600);
    sweep(&app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn what_expired_goes_and_nothing_else() {
    let app = TestApp::new();
    let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
    let now = app.now();
    for (expires_at, n) in [(now - 1, 1), (now, 2), (now + 1, 3)] {
        app.db().execute(
            "insert into idempotency_keys values (?1, 'test', '', null, 'completed', 0, ?2, null)",
            (format!("key-{n}"), expires_at),
        );
        app.db().execute(
            "insert into magic_links (id, tenant_id, created_at, expires_at) values (?1, ?2, 0, ?3)",
            (format!("link-{n}"), &tenant.id, expires_at),
        );
        app.db().execute(
            "insert into revoked_tokens values (?1, null, '', 0, ?2)",
            (format!("jti-{n}"), expires_at),
        );
    }
    assert_eq!(sweep(&app).await["pruned"], 6);
    assert_eq!(app.db().number("select count(*) from idempotency_keys"), 2);
    assert_eq!(app.db().row("select id from magic_links")["id"], "link-3");
    assert_eq!(app.db().row("select jti from revoked_tokens")["jti"], "jti-3");
}

#[tokio::test]
async fn a_sweep_costs_the_same_however_much_there_is_to_do() {
    let app = TestApp::new();
    for n in 0..40 {
        lost(&app, &format!("fc-{n:03}")).await;
    }
    for n in 0..500 {
        app.db().execute("insert into revoked_tokens values (?1, null, '', 0, 0)", [format!("jti-{n}")]);
    }
    app.passes(61);
    let (batches, told) = (app.db().batches(), app.outside().objects().told());
    let line = sweep(&app).await;
    assert_eq!((&line["looked"], &line["pruned"]), (&json!(40), &json!(200)));
    // 24 are claimed at once; whose object answered is one batch, deliveries and what expired are two, mails one.
    assert_eq!((app.db().batches() - batches, app.outside().objects().told() - told), (6, 40));
}

/// Otherwise the first that can't be woken would hide all others for ever.
#[tokio::test]
async fn those_that_cannot_be_woken_do_not_hide_the_others() {
    let app = TestApp::new();
    for n in 0..25 {
        let slug = format!("fc-{n:03}");
        let tenant = app.queued(&slug).await;
        app.outside().upstreams().next("make", [Reaction::AsksToWait(503, "600")]);
        tenant.alarm_rings(&tenant.id).await;
    }
    app.passes(1);
    let last = lost(&app, "fc-last").await;
    app.passes(120);
    for _ in 0..5 {
        sweep(&app).await;
        app.passes(60);
    }
    assert!(app.outside().objects().alarm(&last.id).is_some(), "five sweeps have not reached it");
}

#[tokio::test]
async fn without_the_database_a_sweep_says_so_and_ends() {
    let app = TestApp::new();
    lost(&app, "fc-nord").await;
    app.passes(61);
    app.db().goes_down();
    let line = sweep(&app).await;
    assert_eq!((&line["level"], &line["looked"]), (&json!("error"), &json!(0)));
    app.db().comes_up();
    app.outside().objects().become_(Manner::Gone);
    app.passes(300);
    sweep(&app).await;
    assert!(app.log_of("tenant_provision_stuck").pop().unwrap().fields["error"].is_string());
}

/// It must not hold up the others, minute after minute.
#[tokio::test]
async fn a_row_that_cannot_be_read_stops_nobody_else() {
    let app = TestApp::new();
    let (broken, tenant) = (lost(&app, "fc-broken").await, lost(&app, "fc-nord").await);
    app.db().execute("pragma ignore_check_constraints = on", ());
    broken.becomes("plan", "of_tomorrow");
    app.passes(61);
    let line = sweep(&app).await;
    assert_eq!((&line["level"], &line["looked"]), (&json!("info"), &json!(1)));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    let told = app.log_of("row_unreadable").pop().unwrap().fields;
    assert_eq!((&told["level"], &told["table"]), (&json!("error"), &json!("tenants")));
    assert_eq!(told["tenantId"], broken.id.as_str());
}
