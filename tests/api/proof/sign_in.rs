//! What proves an address signs a browser in, when a page of ours asks for it.

use http::Method;
use serde_json::{Value, json};

use super::{newcomer, other_than};
use crate::support::{AdmissionRequest, TestApp, cookie_of};

/// What a page sends, without where it came from.
fn proves(app: &TestApp, mut what: Value) -> AdmissionRequest {
    what["session"] = true.into();
    app.post("/auth/proof").json(&what)
}

fn sessions(app: &TestApp) -> i64 {
    app.db().number("select count(*) from sessions")
}

#[tokio::test]
async fn a_code_and_a_link_sign_a_browser_in_and_no_token_is_told() {
    for by_link in [true, false] {
        let app = TestApp::new();
        let (tenant, code, link) = newcomer(&app, "fc-nord").await;
        let ask = if by_link {
            proves(&app, json!({ "token": link }))
        } else {
            proves(&app, json!({ "code": code })).token(&tenant.jwt)
        };
        let answer = ask.by_our_page().send().await;
        let body = answer.is(200);
        assert_eq!((body.get("jwt"), &body["tenantId"]), (None, &json!(tenant.id.as_str())));
        let cookie = cookie_of(&answer);
        let told = tenant.whoami_by(&cookie).await.is(200);
        assert_eq!(told["data"]["tenantId"], tenant.id.as_str());
        assert_eq!(app.db().row("select how from sessions")["how"], "proof");
        assert_eq!(app.db().number("select count(*) from domain_events where type = 'session.started'"), 1);
        // Whoever has just proven the address needs no mail about it.
        app.outside().finishes_deferred_work().await;
        tenant.mails_leave().await;
        let mails = app.outside().upstreams().sent_to("resend");
        assert!(mails.iter().all(|mail| !mail.json()["subject"].as_str().unwrap().contains("sign-in")));
        tenant.browses(Method::POST, "/auth/logout", &cookie).send().await.is(200);
        tenant.whoami_by(&cookie).await.refuses(403, "FORBIDDEN", "token_revoked");
    }
}

#[tokio::test]
async fn what_proves_nothing_signs_nobody_in() {
    let app = TestApp::new();
    let (tenant, code, link) = newcomer(&app, "fc-nord").await;
    for (ask, status) in [
        (proves(&app, json!({ "code": other_than(&code) })).token(&tenant.jwt), 400),
        (proves(&app, json!({ "token": "x" })), 401),
        (proves(&app, json!({ "code": code })), 401),
    ] {
        let answer = ask.by_our_page().send().await;
        assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (status, ""), "{}", answer.text);
    }
    assert_eq!(sessions(&app), 0);
    cookie_of(&proves(&app, json!({ "token": link })).by_our_page().send().await);
    let again = proves(&app, json!({ "token": link })).by_our_page().send().await;
    again.fails(401, "INVALID_TOKEN");
    assert_eq!((again.header("set-cookie"), sessions(&app)), ("", 1));
}

/// Another site could sign its visitor in to a tenant of its own.
#[tokio::test]
async fn another_site_signs_nobody_in() {
    let app = TestApp::new();
    let (_, _, link) = newcomer(&app, "fc-nord").await;
    for site in ["cross-site", "same-site"] {
        let answer = proves(&app, json!({ "token": link })).header("sec-fetch-site", site).send().await;
        answer.refuses(403, "FORBIDDEN", "cross_site");
        assert_eq!((answer.header("set-cookie"), sessions(&app)), ("", 0), "{site}");
    }
    proves(&app, json!({ "token": link })).by_our_page().send().await.is(200);
}
