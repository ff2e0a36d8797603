//! After a rollback this version reads what the one after it wrote: its words are shown as they are, and what it made is never
//! told as removed.

use http::Method;
use serde_json::{Value, json};
use tenantry::http::router::ROUTES;

use crate::support::{Answer, TestApp, TestTenant, Token};

const TOMORROW: &str = "of_tomorrow";
const SAGAS: &str = "/api/v1/bgops/sagas";

/// Every column that holds a word, and whose words may become more. A plan is not among them: it decides which steps there
/// are, and a version that doesn't know those can't set such a tenant up.
const COLUMNS: [(&str, &[&str]); 8] = [
    ("tenants", &["status", "provision_state", "provision_reason", "undo_state", "billing_tier"]),
    ("provision_runs", &["status", "step", "reason", "undo_state", "undo_step", "undo_reason"]),
    ("provision_steps", &["step", "status", "error_code"]),
    ("provision_history", &["step", "outcome", "error"]),
    ("provision_undo", &["step", "kind", "status", "error_code"]),
    ("webhook_deliveries", &["type", "status", "last_error"]),
    ("domain_events", &["type"]),
    ("make_connections", &["disabled_reason"]),
];

/// Everything that can be read about a tenant, by those who may.
async fn reads_everything(tenant: &TestTenant, case: &str) {
    let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
    let tokens =
        [tenant.jwt.clone(), Token::operator(tenant.now()).sign(), Token::service(tenant.now()).sign()];
    for route in ROUTES.iter().filter(|route| route.method == "GET" && !route.path.starts_with("/health")) {
        let id = if route.path.contains("/sagas/") { run.as_str() } else { &tenant.id };
        let path = route.path.replace("{id}", id).replace("{run}", id).replace("{key}", "none");
        for token in &tokens {
            let answer = tenant.get(&path).token(token).send_whatever_the_words().await;
            assert!(answer.status.as_u16() < 500 || path == "/readyz", "{case}: {path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn no_word_of_a_later_version_makes_a_tenant_unreadable() {
    for is_pro in [false, true] {
        for (table, columns) in COLUMNS {
            for column in columns {
                let app = TestApp::new();
                let tenant =
                    if is_pro { app.signed_up_pro("fc-nord").await } else { app.queued("fc-nord").await };
                if is_pro {
                    tenant.confirms_pro().await.is(200);
                }
                tenant.waits().await;
                // It has widened its checks.
                app.db().execute("pragma ignore_check_constraints = on", ());
                let key = if table == "tenants" { "id" } else { "tenant_id" };
                let of_tenant = match table {
                    "provision_steps" | "provision_history" | "provision_undo" => {
                        format!("step = (select min(step) from {table})")
                    }
                    _ => format!("{key} = '{}'", tenant.id),
                };
                app.db().execute(&format!("update {table} set {column} = ?1 where {of_tenant}"), [TOMORROW]);
                reads_everything(&tenant, &format!("{table}.{column}")).await;
                app.passes(61);
                tenantry::app::sweep::run(&app.app).await;
                assert_eq!(app.log_of("sweep").pop().unwrap().fields["level"], "info", "{table}.{column}");
            }
        }
    }
}

#[tokio::test]
async fn steps_of_a_later_version_are_shown_behind_those_that_are_known() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.db().execute(
        "insert into provision_steps (run_id, step, position, status, attempts, error_code, error)
         select id, ?1, 2, 'failed', 3, 'TOO_NEW', 'Not yet.' from provision_runs",
        [TOMORROW],
    );
    let status = tenant.gets(&tenant.status_path()).send_whatever_the_words().await.is(200);
    let steps = status["data"]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 7);
    assert_eq!(
        json!([steps[6]["name"], steps[6]["status"], steps[6]["attempts"], steps[6]["error"]["code"]]),
        json!([TOMORROW, "failed", 3, "TOO_NEW"])
    );
    assert_eq!(status["status"], "completed");
}

/// Words that callers send are held to those that are known.
#[tokio::test]
async fn nobody_asks_for_a_word_of_a_later_version() {
    let app = TestApp::new();
    let token = Token::operator(app.now()).sign();
    for query in ["status", "step", "plan"] {
        app.get(&format!("{SAGAS}?{query}={TOMORROW}")).token(&token).send().await.fails(400, "VALIDATION");
    }
    for query in ["status", "plan", "provision"] {
        let path = format!("/api/v1/admin/tenants?{query}={TOMORROW}");
        app.get(&path).token(&token).send().await.fails(400, "VALIDATION");
    }
}

async fn operator_sends(tenant: &TestTenant, method: Method, path: &str) -> Answer {
    let token = Token::operator(tenant.now()).sign();
    tenant.ask(method, path).token(&token).json(&json!({ "reason": "test" })).send_whatever_the_words().await
}

/// What the later version made is there until somebody who knows it removes it, or an operator leaves it.
#[tokio::test]
async fn what_a_later_version_made_is_not_told_as_removed() {
    let app = TestApp::new();
    for (name, change) in [
        (
            "fc-step",
            (|run: &mut Value| {
                let made = json!({
                    "step": TOMORROW, "attempts": 1, "round": 1, "started_at": 1, "done_at": 1,
                    "artifact": { "calendar": { "id": "c1" } }
                });
                run["records"].as_array_mut().unwrap().insert(3, made);
            }) as fn(&mut Value),
        ),
        ("fc-thing", |run| run["records"][1]["artifact"] = json!({ "custom_hostname": { "id": "h1" } })),
    ] {
        let tenant = app.provisioned(name).await;
        app.outside().objects().another_version_writes(&tenant.id, change);
        let path = format!("/api/v1/admin/tenants/{}", tenant.id);
        for _ in 0..2 {
            operator_sends(&tenant, Method::DELETE, &path).await.is(202);
            tenant.waits().await;
            assert_eq!(tenant.row()["undo_state"], "compensation_failed");
            assert!(tenant.row()["slug"].is_string(), "its name is not free");
            let run = app.outside().objects().run(&tenant.id).unwrap();
            let failure = run.undoing.as_ref().unwrap().stage.failure().unwrap();
            assert_eq!(failure.code.as_str(), "MISCONFIGURED");
            assert_eq!(
                failure.message,
                "This was made by a newer version of the service. Deploy that version and try again, or leave it."
            );
            reads_everything(&tenant, name).await;
        }
        let run = app.outside().objects().run(&tenant.id).unwrap().id;
        let step = app.outside().objects().run(&tenant.id).unwrap().failed_at().unwrap();
        let body = json!({ "reason": "it is another version's", "step": step.as_str() });
        let ask = app.post(&format!("{SAGAS}/{run}/skip-step")).token(&Token::operator(app.now()).sign());
        ask.json(&body).send_whatever_the_words().await.is(200);
        tenant.waits().await;
        assert_eq!(tenant.row()["undo_state"], "undone");
        let left = app.db().row(&format!(
            "select kind, external_id, status from provision_undo where run_id = '{run}' and status = 'left'"
        ));
        assert!(["c1", "h1"].contains(&left["external_id"].as_str().unwrap()), "{left}");
    }
}
