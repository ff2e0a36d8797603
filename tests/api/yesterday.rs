//! What was stored under looser rules than today's is read as it is: rules hold at the door.

use http::Method;
use serde_json::json;

use crate::support::{RECORDS, TestApp, TestTenant, Token};

/// A pro tenant as no door would let it in today.
async fn of_yesterday(app: &TestApp) -> TestTenant {
    let tenant = app.signed_up_pro("fc-nord").await;
    app.db().execute("pragma ignore_check_constraints = on", ());
    tenant.becomes("slug", "x_");
    tenant.becomes("name", "FC \u{202e}droN\nSüd");
    tenant.becomes("email", "jürgen@vereinsheim");
    tenant.becomes("owner_user_id", "Größe 1");
    app.db()
        .execute("insert or replace into tenant_brand values (?1, 'rebeccapurple', 'Rot', 0)", [&tenant.id]);
    tenant
}

#[tokio::test]
async fn a_tenant_of_looser_rules_is_read_set_up_mailed_and_removed() {
    let app = TestApp::with(&RECORDS);
    let tenant = of_yesterday(&app).await;
    let operator = Token::operator(app.now()).sign();
    let path = format!("/api/v1/admin/tenants/{}", tenant.id);
    let read = app.get(&path).token(&operator).send_whatever_the_words().await.is(200);
    assert_eq!(read["data"]["name"], "FC \u{202e}droN\nSüd");
    assert_eq!(read["data"]["email"], "jürgen@vereinsheim");
    let list = app.get("/api/v1/admin/tenants").token(&operator).send_whatever_the_words().await.is(200);
    assert_eq!(list["data"][0]["slug"], "x_");
    for path in ["/whoami", "/api/v1/tenants/me"] {
        tenant.gets(path).send_whatever_the_words().await.is(200);
    }
    tenant.confirms_pro().await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    app.outside().finishes_deferred_work().await;
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap().call.body.unwrap();
    assert!(mail.contains("jürgen@vereinsheim"), "{mail}");
    app.ask(Method::DELETE, &path).token(&operator).json(&json!({ "reason": "left" })).send().await.is(202);
    tenant.waits().await;
    assert_eq!(tenant.row()["undo_state"], "undone");
    assert_eq!(tenant.row()["slug"], json!(null));
}

/// Its id, too: the sweep begins what was wanted, though nobody can name it at the door any more.
#[tokio::test]
async fn a_tenant_of_an_odd_id_is_begun_by_the_sweep() {
    let app = TestApp::new();
    app.db().execute("pragma ignore_check_constraints = on", ());
    app.db().execute(
        "insert into tenants (id, slug, name, email, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at,
           updated_at, provision_state, provision_updated_at, swept_at)
         values ('Tenant 1/é', 'fc-odd', 'FC Odd', 'o@fc-odd.example', 'pro', 0, 'u', '', 0, 0, 'processing', 0, 0)",
        (),
    );
    tenantry::app::sweep::run(&app.app).await;
    app.alarms_ring_to_the_end("Tenant 1/é").await;
    assert_eq!(
        app.db().row("select status, provision_state from tenants"),
        json!({ "status": "active", "provision_state": "completed" })
    );
    assert!(app.log_of("row_unreadable").is_empty());
}

/// A tenant without a name can't be read by any version.
#[tokio::test]
async fn one_row_that_cannot_be_read_hides_no_other() {
    let app = TestApp::new();
    let mut tenants = Vec::new();
    for slug in ["fc-a", "fc-b", "fc-c"] {
        tenants.push(app.signed_up(slug).await);
        app.passes(1);
    }
    app.db().execute("pragma ignore_check_constraints = on", ());
    tenants[1].becomes("plan", "of_tomorrow");
    let operator = Token::operator(app.now()).sign();
    for limit in 1..4 {
        let mut seen = Vec::new();
        let mut path = format!("/api/v1/admin/tenants?limit={limit}");
        for _ in 0..4 {
            let page = app.get(&path).token(&operator).send().await.is(200);
            seen.extend(
                page["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|tenant| tenant["slug"].as_str().unwrap().to_owned()),
            );
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            path = format!("/api/v1/admin/tenants?limit={limit}&cursor={cursor}");
        }
        assert_eq!(seen, ["fc-c", "fc-a"], "limit {limit}");
    }
    let line = app.log_of("row_unreadable").pop().unwrap();
    assert_eq!((&line.fields["table"], &line.fields["tenantId"]), (&json!("tenants"), &json!(tenants[1].id)));
}
