//! A tenant that is stopped is not set up, whoever asks, and no wish of it is stored for later.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestTenant, Token};

/// A tenant whose webhook was gone, which was stopped since.
async fn stopped(app: &TestApp, status: &str) -> TestTenant {
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    tenant.becomes("status", status);
    tenant
}

async fn operator_posts(app: &TestApp, path: &str, body: &Value) -> Answer {
    app.post(path).token(&Token::operator(app.now()).sign()).json(body).send().await
}

const STOPPED: [(&str, &str); 2] = [("suspended", "TENANT_SUSPENDED"), ("cancelled", "TENANT_CANCELLED")];

/// The tenant's row and its run are as they were, and its object was not told.
async fn nothing_is_wanted<T>(tenant: &TestTenant, ask: impl AsyncFnOnce() -> T) {
    let (row, told) = (tenant.row(), tenant.outside().objects().told());
    let webhooks = tenant.db().rows("select * from make_connections");
    ask().await;
    assert_eq!((tenant.row(), tenant.outside().objects().told()), (row, told));
    assert_eq!(tenant.db().rows("select * from make_connections"), webhooks);
    tenant.passes(120);
    tenantry::app::sweep::run(&tenant.app).await;
    assert_eq!(tenant.outside().objects().told(), told, "no sweep finds a wish");
}

#[tokio::test]
async fn a_machine_does_not_queue_it() {
    for (status, code) in STOPPED {
        for path in ["/internal/provision/queue", "/internal/provision/retry"] {
            let app = TestApp::new();
            let tenant = stopped(&app, status).await;
            nothing_is_wanted(&tenant, async || {
                let token = Token::service(app.now()).sign();
                let ask = app.post(path).token(&token).json(&json!({ "tenantId": tenant.id }));
                ask.send().await.fails(409, code);
            })
            .await;
        }
    }
}

#[tokio::test]
async fn a_machine_does_not_queue_one_that_was_never_queued_either() {
    for (status, code) in STOPPED {
        let app = TestApp::new();
        let tenant = app.signed_up_pro("fc-nord").await;
        tenant.becomes("status", status);
        nothing_is_wanted(&tenant, async || tenant.machine_queues(&tenant.id).await.fails(409, code)).await;
    }
}

#[tokio::test]
async fn an_operator_neither_retries_nor_skips_its_run_and_that_it_was_tried_is_written_down() {
    for (status, code) in STOPPED {
        for action in ["retry", "skip-step"] {
            let app = TestApp::new();
            let tenant = stopped(&app, status).await;
            let run = app.outside().objects().run(&tenant.id).unwrap().id;
            nothing_is_wanted(&tenant, async || {
                let path = format!("/api/v1/bgops/sagas/{}/{action}", run.as_str());
                let body = json!({ "reason": "test", "step": "validate_webhook" });
                operator_posts(&app, &path, &body).await.fails(409, code);
            })
            .await;
            assert_eq!(app.db().row("select data from audit_log")["data"], r#"{"done":false}"#);
        }
    }
}

#[tokio::test]
async fn a_press_for_many_leaves_it_out() {
    for (status, _) in STOPPED {
        let app = TestApp::new();
        let tenant = stopped(&app, status).await;
        nothing_is_wanted(&tenant, async || {
            let body = json!({ "status": "failed", "why": "test" });
            let answer = operator_posts(&app, "/api/v1/bgops/sagas/retry", &body).await.is(200);
            assert_eq!(answer["data"]["matched"], 0);
        })
        .await;
    }
}

#[tokio::test]
async fn its_webhook_is_not_corrected() {
    for (status, code) in STOPPED {
        let app = TestApp::new();
        let tenant = stopped(&app, status).await;
        nothing_is_wanted(&tenant, async || {
            let body =
                json!({ "tenant": tenant.id, "make_webhook_url": "https://hook.us1.make.com/correct-url" });
            operator_posts(&app, "/api/v1/admin/tenant/webhook", &body).await.fails(409, code);
        })
        .await;
        assert_eq!(app.db().number("select count(*) from audit_log"), 0);
    }
}

#[tokio::test]
async fn its_own_token_opens_nothing() {
    for (status, _) in STOPPED {
        let app = TestApp::new();
        let tenant = stopped(&app, status).await;
        nothing_is_wanted(&tenant, async || {
            tenant.retries().await.fails(403, "FORBIDDEN");
            tenant.connects_make().await.fails(403, "FORBIDDEN");
        })
        .await;
        let pro = app.signed_up_pro("fc-sued").await;
        pro.becomes("status", status);
        nothing_is_wanted(&pro, async || pro.confirms_pro().await.fails(403, "FORBIDDEN")).await;
    }
}

#[tokio::test]
async fn it_is_set_up_once_it_is_active_again_and_is_asked_to() {
    let app = TestApp::new();
    let tenant = stopped(&app, "suspended").await;
    tenant.machine_queues(&tenant.id).await.fails(409, "TENANT_SUSPENDED");
    tenant.becomes("status", "trial");
    tenant.connects_make().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

/// It is let go of all the same: nothing more is made for it.
#[tokio::test]
async fn it_can_be_cancelled_and_removed() {
    let app = TestApp::new();
    let tenant = stopped(&app, "suspended").await;
    let run = app.outside().objects().run(&tenant.id).unwrap().id;
    let path = format!("/api/v1/bgops/sagas/{}/cancel", run.as_str());
    operator_posts(&app, &path, &json!({ "reason": "test", "undo": true })).await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "undone");
}
