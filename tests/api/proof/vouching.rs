//! Operators correct an address, or vouch for it.

use http::Method;
use serde_json::{Value, json};

use super::{mailed, newcomer, opens};
use crate::support::{Answer, TestApp, TestTenant, Token, signup};

async fn operator_says(tenant: &TestTenant, mut what: Value) -> Answer {
    what["reason"] = "asked by telephone".into();
    let ask = tenant.ask(Method::PATCH, &format!("/api/v1/admin/tenants/{}", tenant.id));
    ask.token(&Token::operator(tenant.now()).sign()).json(&what).send().await
}

fn audited(app: &TestApp) -> Vec<Value> {
    app.db()
        .rows("select actor, action, reason, data from audit_log where action = 'tenant.email' order by id")
}

/// A typing mistake, mended by an operator: the owner goes on where they were.
#[tokio::test]
async fn an_operator_corrects_a_typing_mistake() {
    let app = TestApp::new();
    let (tenant, code, link) = newcomer(&app, "fc-nord").await;
    let changed = operator_says(&tenant, json!({ "email": "Meant@Example.org" })).await.is(200);
    assert_eq!(
        (&changed["data"]["email"], &changed["data"]["emailProven"]),
        (&json!("meant@example.org"), &json!(false))
    );
    let (another, _) = mailed(&app).await;
    opens(&app, &link).await.fails(401, "INVALID_TOKEN");
    if code != another {
        tenant.shows(&code).await.fails(400, "INVALID_CODE");
    }
    tenant.shows(&another).await.is(200);
    let audit = audited(&app);
    assert_eq!(audit.len(), 1);
    assert_eq!(audit[0]["data"], r#"{"corrected":true,"vouched":false}"#);
}

#[tokio::test]
async fn an_operator_vouches_and_that_does_what_a_proof_does() {
    let app = TestApp::new();
    let (tenant, code, _) = newcomer(&app, "fc-nord").await;
    tenant.connects_make().await.is(200);
    let changed = operator_says(&tenant, json!({ "emailProven": true })).await.is(200);
    assert_eq!(changed["data"]["emailProven"], true);
    // Its owner gets a link to sign in with.
    let mail = app.proof_of_last_mail().await;
    assert!(mail.link().contains("/magic/#token="), "{}", mail.link());
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    tenant.shows(&code).await.refuses(403, "FORBIDDEN", "token_revoked");
    operator_says(&tenant, json!({ "emailProven": true })).await.is(200);
    assert_eq!(audited(&app).len(), 1, "nothing was left to do");
}

/// It was proven by whoever got the mail: only an operator can take it back.
#[tokio::test]
async fn an_operator_gives_a_tenant_back_whose_address_a_stranger_proved() {
    let app = TestApp::new();
    let (tenant, _, link) = newcomer(&app, "fc-nord").await;
    let stranger = tenant.with_token_of(&opens(&app, &link).await.is(200));
    operator_says(&tenant, json!({ "email": "ann@example.org" })).await.fails(409, "EMAIL_PROVEN");
    stranger.gets("/whoami").send().await.is(200);
    let said = json!({ "email": "ann@example.org", "emailProven": true });
    assert_eq!(operator_says(&tenant, said).await.is(200)["data"]["email"], "ann@example.org");
    stranger.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    tenant.sees_status().await.refuses(403, "FORBIDDEN", "token_revoked");
    let mail = app.proof_of_last_mail().await;
    assert_eq!(mail.json()["to"], json!(["ann@example.org"]));
    let token = mail.link().split_once("#token=").unwrap().1.to_owned();
    app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.is(200);
}

#[tokio::test]
async fn nobody_is_given_an_address_that_another_has_proven() {
    let app = TestApp::new();
    app.signed_up("fc-known").await;
    let (tenant, ..) = newcomer(&app, "fc-nord").await;
    let proven = app.signed_up("fc-sued").await;
    for tenant in [&tenant, &proven] {
        for vouched in [json!(null), json!(true)] {
            let said = json!({ "email": "owner@fc-known.example", "emailProven": vouched });
            operator_says(tenant, said).await.fails(409, "EMAIL_EXISTS");
        }
    }
    assert_eq!(audited(&app), Vec::<Value>::new());
}

#[tokio::test]
async fn an_address_is_changed_by_itself_and_never_unproven() {
    let app = TestApp::new();
    let tenant = app.signed_up_unproven(&signup("fc-nord")).await;
    for (said, field) in [
        (json!({ "email": "ann@example.org", "comped": true }), "email"),
        (json!({ "emailProven": false }), "emailProven"),
        (json!({}), "status"),
        (json!({ "email": "nobody" }), "email"),
    ] {
        let complaints = operator_says(&tenant, said).await.complains_about();
        assert_eq!(complaints.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), [field]);
    }
    let cancelled = app.signed_up("fc-gone").await;
    cancelled.becomes("status", "cancelled");
    operator_says(&cancelled, json!({ "emailProven": true })).await.fails(409, "TENANT_CANCELLED");
    operator_says(&tenant.never(), json!({ "emailProven": true })).await.fails(404, "TENANT_NOT_FOUND");
}
