//! `GET /whoami` and `GET /api/v1/admin/whoami`

use serde_json::{Value, json};

use crate::support::{TestApp, Token};

#[tokio::test]
async fn a_token_is_read_back_to_whoever_holds_it() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let claims = Token::read(&tenant.jwt);
    for path in ["/whoami", "/api/v1/admin/whoami"] {
        let body = tenant.gets(path).send().await.is(200);
        assert_eq!(
            body,
            json!({
                "success": true,
                "data": {
                    "sub": claims["sub"], "aud": "syston-mobile", "iss": "syston.app",
                    "roles": ["tenant_admin", "owner"], "tenantId": tenant.id, "jti": claims["jti"],
                    "iat": 1_800_000_012, "exp": 1_831_536_012,
                    "issuedAt": "2027-01-15T08:00:12.000Z", "expiresAt": "2028-01-15T08:00:12.000Z"
                }
            })
        );
    }
}

#[tokio::test]
async fn what_a_token_does_not_say_is_null() {
    let app = TestApp::new();
    let token = Token::service(app.now()).with("sub", Value::Null).sign();
    let data = app.get("/whoami").token(&token).send().await.is(200)["data"].clone();
    assert_eq!((&data["sub"], &data["tenantId"], &data["jti"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!((&data["aud"], &data["roles"]), (&json!("internal"), &json!(["service"])));
}

#[tokio::test]
async fn a_tenants_token_may_leave_its_beginning_out() {
    let app = TestApp::new();
    let tenant = app.signed_up_unasked("fc-nord").await;
    let token = Token::tenant(&tenant.id, app.now()).with("iat", Value::Null).sign();
    let data = app.get("/whoami").token(&token).send().await.is(200)["data"].clone();
    assert_eq!((&data["iat"], &data["issuedAt"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn the_name_of_the_scheme_has_no_case() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        app.get("/whoami").header("authorization", &format!("{scheme} {}", tenant.jwt)).send().await.is(200);
    }
}

#[tokio::test]
async fn a_token_is_good_up_to_its_end_and_a_little_longer() {
    for (kind, skew) in [("tenant", 300), ("operator", 300), ("service", 10)] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let token = match kind {
            "tenant" => Token::tenant(&tenant.id, app.now()),
            "operator" => Token::operator(app.now()),
            _ => Token::service(app.now()),
        };
        let token = token.with("exp", app.now() + 100).sign();
        app.passes(100 + skew - 1);
        app.get("/whoami").token(&token).send().await.is(200);
        app.passes(1);
        app.get("/whoami").token(&token).send().await.fails(401, "INVALID_TOKEN");
    }
}
