//! `GET /api/v1/bgops/sagas`, `/{run}` and `/{run}/history`

use serde_json::{Value, json};

use crate::support::{Answer, RECORDS, Reaction, TestApp, TestTenant, Token, keys, walk_pages};

async fn get(app: &TestApp, path: &str) -> Answer {
    app.get(&format!("/api/v1/bgops/sagas{path}")).token(&Token::operator(app.now()).sign()).send().await
}

fn run_of(tenant: &TestTenant) -> String {
    tenant.outside().objects().run(&tenant.id).unwrap().id.as_str().to_owned()
}

/// One run that completed, one that failed, one that waits: oldest first.
async fn three(app: &TestApp) -> [TestTenant; 3] {
    let completed = app.provisioned("fc-one").await;
    app.passes(1);
    let failed = app.signed_up("fc-two").await;
    failed.connects("https://hook.eu2.make.com/gone").await.is(200);
    failed.waits().await;
    app.passes(1);
    let waiting = app.queued_pro("fc-three").await;
    app.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
    waiting.alarm_rings(&waiting.id).await;
    [completed, failed, waiting]
}

#[tokio::test]
async fn runs_are_listed_newest_first() {
    let app = TestApp::new();
    let [completed, failed, waiting] = three(&app).await;
    let body = get(&app, "").await.is(200);
    assert_eq!(keys(&body), ["data", "nextCursor", "success"]);
    let data = body["data"].as_array().unwrap();
    let runs: Vec<&Value> = data.iter().map(|saga| &saga["runId"]).collect();
    assert_eq!(runs, [&run_of(&waiting), &run_of(&failed), &run_of(&completed)]);
    assert_eq!(
        data[1],
        json!({
            "runId": run_of(&failed), "tenantId": failed.id, "plan": "starter", "status": "failed", "stuck": false,
            "step": "validate_webhook", "reason": "WEBHOOK_REJECTED", "error": data[1]["error"],
            "version": data[1]["version"], "startedAt": "2027-01-15T08:00:13.000Z",
            "updatedAt": "2027-01-15T08:00:13.000Z", "deadlineAt": "2027-01-15T08:30:13.000Z",
            "completedAt": "2027-01-15T08:00:13.000Z"
        })
    );
}

#[tokio::test]
async fn filters_narrow_the_list() {
    let app = TestApp::new();
    let [completed, failed, waiting] = three(&app).await;
    app.passes(301);
    let list = async |query: &str| -> Vec<String> {
        let body = get(&app, query).await.is(200);
        let runs = body["data"].as_array().unwrap().iter();
        runs.map(|saga| saga["runId"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("?status=completed".to_owned(), vec![&completed]),
        ("?status=failed".to_owned(), vec![&failed]),
        ("?status=processing".to_owned(), vec![&waiting]),
        ("?status=pending".to_owned(), vec![]),
        ("?stuck=true".to_owned(), vec![&waiting]),
        ("?stuck=true&status=failed".to_owned(), vec![]),
        (format!("?stuck=true&tenant={}", completed.id), vec![]),
        (format!("?stuck=true&tenant={}", waiting.id), vec![&waiting]),
        ("?stuck=false".to_owned(), vec![&waiting, &failed, &completed]),
        ("?step=validate_webhook".to_owned(), vec![&failed]),
        ("?reason=WEBHOOK_REJECTED".to_owned(), vec![&failed]),
        ("?status=failed&reason=UPSTREAM_UNAVAILABLE".to_owned(), vec![]),
        ("?plan=pro".to_owned(), vec![&waiting]),
        (format!("?tenant={}", failed.id), vec![&failed]),
        (format!("?tenant={}&status=completed", failed.id), vec![]),
        ("?plan=starter&status=failed".to_owned(), vec![&failed]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(run_of).collect();
        assert_eq!(list(&query).await, expected, "{query}");
    }
}

/// The predecessors answered 500 to `limit=abc`, and everything to `limit=-1`.
#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let app = TestApp::new();
    for query in [
        "limit=abc",
        "limit=-1",
        "limit=0",
        "limit=101",
        "cursor=nonsense",
        "status=done",
        "step=nothing",
        "reason=two%20words",
        "reason=lower",
        "plan=gold",
        "tenant=fc-nord",
        "stuck=perhaps",
    ] {
        let complaints = get(&app, &format!("?{query}")).await.complains_about();
        let field = query.split('=').next().unwrap();
        assert_eq!(complaints.len(), 1, "{query}");
        assert_eq!(complaints[0].0, field, "{query}");
    }
    let both = get(&app, "?limit=abc&status=done").await.complains_about();
    assert_eq!(both.len(), 2);
}

#[tokio::test]
async fn pages_show_every_run_once() {
    let app = TestApp::new();
    for n in 0..5 {
        app.provisioned(&format!("fc-{n:03}")).await;
    }
    let operator = Token::operator(app.now()).sign();
    for (query, limit) in [("", 2), ("?status=completed", 2), ("", 5), ("", 1)] {
        let seen = walk_pages(&app, &format!("/api/v1/bgops/sagas{query}"), limit, &operator).await;
        let runs: std::collections::BTreeSet<String> =
            seen.iter().map(|saga| saga["runId"].to_string()).collect();
        assert_eq!((seen.len(), runs.len()), (5, 5), "{query} {limit}");
    }
}

/// Two indexes find them, and a page looks at 500 together.
#[tokio::test]
async fn pages_show_every_stuck_run_and_removal_once() {
    let app = TestApp::new();
    let numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 1300)";
    for insert in [
        "insert into tenants (id, name, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at, updated_at)
         {n} select 'tenant_' || i, 'FC', 'starter', 0, 'user_' || i, '', 0, 0 from n",
        "insert into provision_runs (id, tenant_id, plan, status, undo_state, version, started_at, deadline_at, updated_at)
         {n} select 'run_' || printf('%04d', i), 'tenant_' || i, 'starter', iif(i % 3, 'processing', 'completed'),
           iif(i % 3, null, 'undoing'), 1, 0, 0, 0 from n",
    ] {
        app.db().execute(&insert.replace("{n}", numbers), ());
    }
    for (query, count) in [("", 1300), ("&step=activate", 0)] {
        let (mut seen, mut cursor) = (std::collections::BTreeSet::new(), String::new());
        loop {
            let page = get(&app, &format!("?stuck=true&limit=100{query}{cursor}")).await.is(200);
            for saga in page["data"].as_array().unwrap() {
                assert!(seen.insert(saga["runId"].to_string()), "{saga} is listed twice");
            }
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), count, "{query}");
    }
}

#[tokio::test]
async fn one_run_is_shown_with_its_steps() {
    let app = TestApp::new();
    let [_, _, waiting] = three(&app).await;
    let data = get(&app, &format!("/{}", run_of(&waiting))).await.is(200)["data"].clone();
    let steps = data["steps"].as_array().unwrap();
    let names: Vec<&Value> = steps.iter().map(|step| &step["name"]).collect();
    assert_eq!(names, ["seed_defaults", "configure_routing", "create_spreadsheet"]);
    assert_eq!((&steps[2]["status"], &steps[2]["error"]), (&json!("running"), &json!("TIMEOUT")));
    assert!(steps[2]["retryAt"].is_string());
    assert_eq!((&data["status"], &data["tenantId"]), (&json!("processing"), &json!(waiting.id)));
}

async fn history(app: &TestApp, tenant: &TestTenant) -> Vec<Value> {
    let answer = get(app, &format!("/{}/history", run_of(tenant))).await.is(200);
    answer["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn every_attempt_is_in_the_history() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    app.outside().upstreams().next("make", [Reaction::Answers(503, ""), Reaction::TimesOut]);
    tenant.waits().await;
    let data = history(&app, &tenant).await;
    let told: Vec<String> = data
        .iter()
        .map(|a| {
            format!("{} {} {} {} {}", a["step"], a["attempt"], a["outcome"], a["error"], a["upstreamStatus"])
                .replace('"', "")
        })
        .collect();
    assert_eq!(
        told,
        [
            "seed_defaults 1 done null null",
            "configure_routing 1 done null null",
            "validate_webhook 1 unknown SERVER_ERROR 503",
            "validate_webhook 2 unknown TIMEOUT null",
            "validate_webhook 3 done null null",
            "create_owner 1 done null null",
            "send_welcome_email 1 done null null",
            "activate 1 done null null",
        ]
    );
    assert!(data[0]["ms"].is_u64() && data[0]["startedAt"].is_string());
}

#[tokio::test]
async fn a_refused_attempt_says_with_which_status() {
    let app = TestApp::with(&RECORDS);
    let taken = r#"{"success":false,"errors":[{"code":81045}],"result":null}"#;
    for (slug, upstream, reaction, error) in [
        ("fc-nord", "make", Reaction::Answers(410, ""), "WEBHOOK_REJECTED 410"),
        ("fc-sued", "apps_script", Reaction::Answers(200, r#"{"ok":false}"#), "SPREADSHEET_REJECTED 200"),
        ("fc-west", "apps_script", Reaction::Answers(404, ""), "SPREADSHEET_REJECTED 404"),
        ("fc-ost", "cloudflare", Reaction::Answers(403, taken), "MISCONFIGURED 403"),
    ] {
        let tenant =
            if upstream == "apps_script" { app.signed_up_pro(slug).await } else { app.signed_up(slug).await };
        app.outside().upstreams().next(upstream, [reaction]);
        if upstream == "apps_script" { tenant.confirms_pro().await } else { tenant.connects_make().await }
            .is(200);
        tenant.waits().await;
        let data = history(&app, &tenant).await;
        let refused = data.iter().filter(|a| a["outcome"] == "refused");
        let told: Vec<String> =
            refused.map(|a| format!("{} {}", a["error"], a["upstreamStatus"]).replace('"', "")).collect();
        assert_eq!(told, [error], "{slug}");
    }
}

#[tokio::test]
async fn a_run_that_never_was_is_not_found() {
    let app = TestApp::new();
    for run in ["run_never", "nonsense", "run_' or 1=1"] {
        let run = run.replace(' ', "%20");
        get(&app, &format!("/{run}")).await.fails(404, "RUN_NOT_FOUND");
        get(&app, &format!("/{run}/history")).await.fails(404, "RUN_NOT_FOUND");
    }
    assert_eq!(get(&app, "/%ff").await.status, 404);
}

#[tokio::test]
async fn nothing_of_it_shows_a_secret() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    for path in ["".to_owned(), format!("/{}", run_of(&tenant)), format!("/{}/history", run_of(&tenant))] {
        let text = get(&app, &path).await.text;
        for secret in ["eyJ", "hook.eu2", "owner@", "whsec_"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// Operators see why the upstream refused; nobody sees an address, a key or what moves a terminal's cursor.
#[tokio::test]
async fn what_the_other_side_said_is_in_the_history() {
    for (said, expected) in [
        (
            json!({ "ok": false, "error": "Too many files.", "code": "QUOTA" }),
            json!("QUOTA: Too many files."),
        ),
        (
            json!({ "ok": false, "error": "no\u{1b}[31m\nto ann@example.org at https://x.example/?k=1\u{202e}" }),
            json!("no [31m to … at …"),
        ),
        (json!({ "ok": false }), Value::Null),
    ] {
        let app = TestApp::new();
        let tenant = app.signed_up_pro("fc-nord").await;
        let said: &'static str = said.to_string().leak();
        app.outside().upstreams().next("apps_script", [Reaction::Answers(200, said)]);
        tenant.confirms_pro().await.is(200);
        tenant.waits().await;
        let refused: Vec<Value> = history(&app, &tenant)
            .await
            .into_iter()
            .filter(|attempt| attempt["outcome"] == "refused")
            .collect();
        assert_eq!((refused.len(), &refused[0]["said"]), (1, &expected));
        let shown = tenant.gets(&format!("/api/v1/tenants/{}/provision-status", tenant.id)).send().await;
        assert!(!shown.text.contains("Too many files"), "owners read our own words");
    }
}
