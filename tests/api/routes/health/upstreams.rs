//! `GET /health/ready?deep=1`: the upstreams, asked in a way that changes nothing.

use http::Method;
use serde_json::{Value, json};

use crate::support::{
    Manner, RECORDS,
    Reaction::{self, Answers, AsksToWait, Hangs, LosesTheAnswer, TimesOut},
    SECRETS, TestApp, Token,
};

const DEEP: &str = "/health/ready?deep=1";
const KEY_FILE: &str = r#"{"client_email":"reader@clubs.example","private_key":"a private key"}"#;

/// With everything that can be checked.
fn whole() -> TestApp {
    TestApp::with(&[RECORDS[0], RECORDS[1], RECORDS[2], ("GOOGLE_SERVICE_ACCOUNT_KEY", KEY_FILE)])
}

fn operator(app: &TestApp) -> String {
    Token::operator(app.now()).sign()
}

/// The upstreams as an operator is told of them; the status must fit what is told.
async fn deep(app: &TestApp) -> Value {
    let answer = app.get(DEEP).token(&operator(app)).send().await;
    for secret in SECRETS {
        assert!(!answer.text.contains(secret), "{}", answer.text);
    }
    let body = answer.json();
    let checks = body["checks"].as_object().unwrap().values();
    let well = checks.chain(body["upstreams"].as_array().unwrap()).all(|check| check["ok"] == true);
    assert_eq!((body["ok"] == true, answer.status == 200), (well, well), "{body}");
    assert_eq!(body["status"], if well { "ready" } else { "unavailable" });
    body["upstreams"].clone()
}

/// What is said of one of them: its code, whether that is well, and the sentence.
fn of(upstreams: &Value, name: &str) -> (String, bool, String) {
    let found = upstreams.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    let text = |field: &str| found[field].as_str().unwrap().to_owned();
    (text("code"), found["ok"] == true, text("message"))
}

/// The codes of all of them, by name.
fn codes(upstreams: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    upstreams.as_array().unwrap().iter().map(|one| (text(&one["name"]), text(&one["code"]))).collect()
}

#[tokio::test]
async fn an_operator_sees_that_each_of_them_works() {
    let expected = [
        ("apps_script", "The script answers, version 1.0.0."),
        ("google", "The service account may read spreadsheets that are shared with it."),
        ("resend", "The key is known, and clubs.example is verified."),
        ("cloudflare", "The token may change the records of the clubs' zone."),
    ];
    let expected =
        expected.map(|(name, message)| json!({ "name": name, "ok": true, "code": "OK", "message": message }));
    assert_eq!(deep(&whole()).await, json!(expected));
}

#[tokio::test]
async fn nothing_changes_anywhere_and_no_breaker_hears_of_it() {
    let app = whole();
    for part in ["apps_script", "google_token", "resend", "cloudflare"] {
        app.outside().upstreams().always(part, Answers(500, "no"));
    }
    let sizes =
        || app.db().rows("select (select count(*) from audit_log) a, (select count(*) from domain_events) e");
    let before = sizes();
    for _ in 0..12 {
        let told = codes(&deep(&app).await);
        assert!(told.iter().all(|(_, code)| code == "BUSY"), "{told:?}");
    }
    let outside = app.outside();
    assert_eq!((outside.breakers().told(), outside.upstreams().effects().len()), (0, 0));
    assert_eq!(sizes(), before);
}

#[tokio::test]
async fn only_an_operator_may_ask_and_nobody_else_makes_a_call() {
    let app = whole();
    let tenant = app.signed_up("fc-nord").await;
    let now = app.now();
    let sent = app.outside().upstreams().sent().len();
    for path in [DEEP, "/readyz?deep=1", "/health/ready?x=1&deep=1"] {
        app.get(path).send().await.fails(401, "UNAUTHORIZED");
        app.get(path).header("authorization", "Bearer nonsense").send().await.fails(401, "INVALID_TOKEN");
        for token in [Token::tenant(&tenant.id, now), Token::service(now)] {
            app.get(path).token(&token.sign()).send().await.fails(403, "FORBIDDEN");
        }
    }
    app.db().execute(
        "insert into revoked_tokens (jti, revoked_at, expires_at) values ('jti-operator', 0, 9999999999)",
        (),
    );
    app.get(DEEP).token(&operator(&app)).send().await.refuses(403, "FORBIDDEN", "token_revoked");
    assert_eq!(app.outside().upstreams().sent().len(), sent);
    // Who does not ask for it needs no token, and a wrong one is nobody's business.
    app.get("/health/ready").header("authorization", "Bearer nonsense").send().await.is(200);
}

#[tokio::test]
async fn deep_is_1_or_is_not_there() {
    let app = whole();
    for query in [
        "deep",
        "deep=",
        "deep=0",
        "deep=true",
        "deep=1&deep=1",
        "deep=1&deep=0",
        "deep=%201",
        "deep=01",
        "deep=2",
    ] {
        for path in ["/health/ready", "/readyz"] {
            for token in [None, Some(operator(&app))] {
                let ask = app.get(&format!("{path}?{query}")).maybe_token(token.as_deref());
                let error = ask.send().await.fails(400, "VALIDATION");
                assert_eq!(error["issues"][0]["path"], json!(["deep"]), "{query}");
            }
        }
    }
    assert_eq!(app.outside().upstreams().sent().len(), 0);
    for path in ["/health/ready?Deep=2", "/health/ready?deeper=1", "/health?deep=2", "/health/startup?deep=1"]
    {
        assert_eq!(app.get(path).send().await.is(200).get("upstreams"), None, "{path}");
    }
}

#[tokio::test]
async fn without_the_database_nobody_is_known_and_nothing_is_asked() {
    let app = whole();
    app.db().goes_down();
    let body = app.get(DEEP).token(&operator(&app)).send().await.is(503);
    assert_eq!((&body["checks"]["database"]["ok"], body.get("upstreams")), (&json!(false), None));
    assert_eq!(app.outside().upstreams().sent().len(), 0);
}

#[tokio::test]
async fn what_is_wrong_with_the_service_itself_is_said_beside_them() {
    let app = whole();
    app.outside().objects().become_(Manner::Gone);
    assert!(codes(&deep(&app).await).iter().all(|(_, code)| code == "OK"));
}

#[tokio::test]
async fn one_that_is_silent_or_broken_hides_no_other() {
    const ECHO: &str = r#""the-gas-secret re_the_resend_key the-cloudflare-token a private key ya29.test""#;
    for (part, name) in [
        ("apps_script", "apps_script"),
        ("google_token", "google"),
        ("google_sheets", "google"),
        ("resend", "resend"),
        ("cloudflare", "cloudflare"),
    ] {
        for (reaction, code) in [
            (TimesOut, "TIMEOUT"),
            (Reaction::Breaks, "UNREACHABLE"),
            (LosesTheAnswer, "UNREACHABLE"),
            (AsksToWait(403, "7"), "BUSY"),
            (Answers(429, ""), "BUSY"),
            (Answers(503, "<html>"), "BUSY"),
            (Answers(200, ""), "MALFORMED"),
            (Answers(200, "null"), "MALFORMED"),
            (Answers(200, "[]"), "MALFORMED"),
            (Answers(200, ECHO), "MALFORMED"),
            (Answers(400, ECHO), "MALFORMED"),
        ] {
            let app = whole();
            app.outside().upstreams().always(part, reaction.clone());
            for (other, told) in codes(&deep(&app).await) {
                let expected = if other == name { code } else { "OK" };
                assert_eq!(told, expected, "{part} {reaction:?}: {other}");
            }
        }
    }
}

#[tokio::test]
async fn each_call_has_a_limit_of_its_own() {
    let app = whole();
    app.outside().upstreams().always("apps_script", Hangs);
    let before = app.now();
    assert_eq!(of(&deep(&app).await, "apps_script").0, "TIMEOUT");
    assert!(app.now() - before <= 10);
    assert!(app.outside().upstreams().sent().iter().all(|sent| sent.call.time_limit.as_secs() <= 10));
}

/// Where it is answered so, `name` has this code.
async fn means(at: &[(&'static str, Reaction)], name: &str, code: &str, ok: bool) -> String {
    let app = whole();
    for (part, reaction) in at {
        app.outside().upstreams().always_at(part, reaction.clone());
    }
    let (told, well, message) = of(&deep(&app).await, name);
    assert_eq!((told.as_str(), well), (code, ok), "{at:?}: {message}");
    assert!(message.ends_with('.') && message.len() < 160, "{message}");
    message
}

#[tokio::test]
async fn what_is_wrong_with_the_script_is_named() {
    for (status, body, code, ok) in [
        (200, r#"{"ok":true,"version":"1.2.3","protocol":1}"#, "OK", true),
        (200, "\u{feff}{\"ok\":true,\"version\":\"1.2.3\",\"protocol\":1}", "OK", true),
        (200, r#"{"ok":true,"version":"a b <script>","protocol":1}"#, "OK", true),
        (200, r#"{"ok":true,"version":7.5,"protocol":1}"#, "OK", true),
        (200, r#"{"ok":"yes","protocol":1}"#, "MALFORMED", false),
        (200, r#"{"ok":true,"version":"1.0.0","protocol":1,"problems":[]}"#, "OK", true),
        (
            200,
            r#"{"ok":true,"version":"1.0.0","protocol":1,"problems":["TEMPLATE_MISSING"]}"#,
            "NOT_CONFIGURED",
            false,
        ),
        (
            200,
            r#"{"ok":true,"version":"1.0.0","protocol":1,"problems":["<script>"]}"#,
            "NOT_CONFIGURED",
            false,
        ),
        (200, r#"{"ok":true,"version":"1.0.0","protocol":1,"problems":[7]}"#, "NOT_CONFIGURED", false),
        (200, r#"{"ok":true,"version":"1.0.0","protocol":2}"#, "WRONG_VERSION", false),
        (200, r#"{"ok":true}"#, "PARTLY_CHECKED", true),
        (200, r#"{"ok":false,"error":"It is not known.","code":"UNKNOWN_ACTION"}"#, "PARTLY_CHECKED", true),
        (200, r#"{"ok":false,"error":"BAD_SIGNATURE"}"#, "WRONG_SECRET", false),
        (200, r#"{"ok":false,"error":"No match.","code":"BAD_SIGNATURE"}"#, "WRONG_SECRET", false),
        (200, r#"{"ok":false,"error":"unauthorized"}"#, "WRONG_SECRET", false),
        (200, r#"{"ok":false,"error":"the-gas-secret was wrong"}"#, "WRONG_SECRET", false),
        (200, r#"{"ok":false,"error":"NO_TEMPLATE"}"#, "REFUSED", false),
        (200, r#"{"ok":false,"error":"re_the_resend_key"}"#, "REFUSED", false),
        (200, r#"{"ok":false,"code":"BUSY","error":"At work.","retryAfter":30}"#, "BUSY", false),
        (200, r#"{"ok":false}"#, "REFUSED", false),
        (302, "<HTML><A HREF=\"https://accounts.google.com/ServiceLogin\">", "NOT_PUBLIC", false),
        (302, "", "NOT_PUBLIC", false),
        (401, "", "NOT_PUBLIC", false),
        (403, "<html>You need access", "NOT_PUBLIC", false),
        (200, "<html><base href=\"https://accounts.google.com/v3/\">Sign in", "NOT_PUBLIC", false),
        (404, "<html>Sorry, the file you have requested does not exist.", "NOT_FOUND", false),
        (200, "<!DOCTYPE html><div>Script function not found: doPost</div>", "SCRIPT_FAILED", false),
        (200, "  <html>TypeError", "SCRIPT_FAILED", false),
        (418, "{}", "MALFORMED", false),
    ] {
        means(&[("script.google.com", Answers(status, body))], "apps_script", code, ok).await;
    }
    let refusal = Answers(200, r#"{"ok":false,"error":"NO_TEMPLATE"}"#);
    let message = means(&[("script.google.com", refusal)], "apps_script", "REFUSED", false).await;
    assert!(message.contains("(NO_TEMPLATE)"), "{message}");
    let app = TestApp::with(&[("GAS_HMAC_SECRET", "another-secret")]);
    assert_eq!(of(&deep(&app).await, "apps_script").0, "WRONG_SECRET");
}

#[tokio::test]
async fn what_is_wrong_with_the_mail_service_is_named() {
    let list = |status: &str, name: &str, more: bool| -> &'static str {
        let domain = json!({ "id": "d1", "name": name, "status": status });
        Box::leak(
            json!({ "object": "list", "has_more": more, "data": [domain] }).to_string().into_boxed_str(),
        )
    };
    for (status, body, code, ok) in [
        (200, list("verified", "Clubs.Example", false), "OK", true),
        (200, list("pending", "clubs.example", false), "DOMAIN_UNVERIFIED", false),
        (200, list("not_started", "clubs.example", false), "DOMAIN_UNVERIFIED", false),
        (200, list("temporary_failure", "clubs.example", false), "DOMAIN_UNVERIFIED", false),
        (200, list("a word of later", "clubs.example", false), "DOMAIN_UNVERIFIED", false),
        (200, list("verified", "example", false), "DOMAIN_MISSING", false),
        (200, list("verified", "mail.clubs.example", false), "DOMAIN_MISSING", false),
        (200, list("verified", "other.example", true), "PARTLY_CHECKED", true),
        (200, r#"{"object":"list","data":[]}"#, "DOMAIN_MISSING", false),
        (200, r#"{"data":[],"has_more":true}"#, "DOMAIN_MISSING", false),
        (
            200,
            r#"{"data":[{"id":"d","name":"clubs.example","status":"verified","capabilities":{"sending":"disabled"}}]}"#,
            "DOMAIN_UNVERIFIED",
            false,
        ),
        (401, r#"{"statusCode":401,"name":"restricted_api_key","message":"…"}"#, "PARTLY_CHECKED", true),
        (401, r#"{"name":"validation_error","message":"API key is invalid"}"#, "WRONG_SECRET", false),
        (403, r#"{"name":"invalid_api_key","message":"re_the_resend_key"}"#, "WRONG_SECRET", false),
        (400, r#"{"name":"missing_api_key"}"#, "WRONG_SECRET", false),
        (422, r#"{"name":"validation_error"}"#, "REFUSED", false),
        (403, "error code: 1010", "MALFORMED", false),
        (302, "", "MALFORMED", false),
    ] {
        means(&[("api.resend.com", Answers(status, body))], "resend", code, ok).await;
    }
    let app = TestApp::with(&[("RESEND_API_KEY", "re_another_key")]);
    assert_eq!(of(&deep(&app).await, "resend").0, "WRONG_SECRET");
}

#[tokio::test]
async fn a_domain_is_found_on_a_later_page() {
    let app = whole();
    let page = |body: &'static str| Answers(200, body);
    let first = page(r#"{"has_more":true,"data":[{"id":"d&1","name":"other.example","status":"verified"}]}"#);
    let second = page(r#"{"has_more":true,"data":[{"id":"d2","name":"clubs.example","status":"verified"}]}"#);
    app.outside().upstreams().next("resend", [first, second]);
    assert_eq!(of(&deep(&app).await, "resend").0, "OK");
    let sent = app.outside().upstreams().sent_to("resend");
    assert_eq!(sent[1].call.url, "https://api.resend.com/domains?limit=100&after=d%261");
}

#[tokio::test]
async fn what_is_wrong_with_the_token_or_the_zone_is_named() {
    const LIST: &str = "dns_records?per_page=5";
    const RECORD: &str = "dns_records/0";
    const STATE: &str = "tokens/verify";
    const AT_ZONE: &str = "zones/0123456789abcdef0123456789abcdef";
    let says = |status: u16, body: Value| Answers(status, Box::leak(body.to_string().into_boxed_str()));
    let refuses = |status: u16, code: u32| {
        says(
            status,
            json!({ "success": false, "errors": [{ "code": code, "message": "…" }], "result": null }),
        )
    };
    let result = |result: Value| says(200, json!({ "success": true, "result": result }));
    let denied = || refuses(403, 10000);
    let cases = vec![
        (vec![(LIST, denied())], "MISSING_SCOPE", false),
        (vec![(LIST, refuses(403, 9109))], "MISSING_SCOPE", false),
        (vec![(LIST, denied()), (STATE, refuses(401, 1000))], "WRONG_SECRET", false),
        (vec![(LIST, refuses(400, 6003)), (STATE, refuses(400, 6003))], "WRONG_SECRET", false),
        (vec![(LIST, denied()), (STATE, result(json!({ "status": "expired" })))], "WRONG_SECRET", false),
        (vec![(LIST, denied()), (STATE, Answers(500, ""))], "BUSY", false),
        (vec![(LIST, refuses(404, 7003))], "NOT_FOUND", false),
        (vec![(LIST, result(json!({})))], "MALFORMED", false),
        (vec![(LIST, refuses(429, 971))], "BUSY", false),
        (vec![(RECORD, denied())], "MISSING_SCOPE", false),
        (vec![(RECORD, refuses(400, 9207))], "OK", true),
        (vec![(RECORD, result(json!({})))], "REFUSED", false),
        (vec![(RECORD, Answers(403, "<html>blocked"))], "MALFORMED", false),
        // A token of an account: nobody knows its state, and it does all that it must.
        (vec![(STATE, refuses(401, 1000))], "OK", true),
    ];
    for (at, code, ok) in cases {
        means(&at, "cloudflare", code, ok).await;
    }
    let zone = |name: &str, status: &str, paused: bool| {
        result(json!({ "name": name, "status": status, "paused": paused }))
    };
    for (reaction, code, ok) in [
        (zone("example", "active", false), "OK", true),
        (zone("other.example", "active", false), "WRONG_ZONE", false),
        (zone("bs.example", "active", false), "WRONG_ZONE", false),
        (zone("clubs.example", "pending", false), "ZONE_INACTIVE", false),
        (zone("clubs.example", "active", true), "ZONE_INACTIVE", false),
        (result(json!({ "status": "active" })), "WRONG_ZONE", false),
        (denied(), "PARTLY_CHECKED", true),
        (Answers(502, ""), "BUSY", false),
    ] {
        // The zone's own address is the beginning of the others: it comes last.
        let at = [(LIST, result(json!([]))), (RECORD, refuses(404, 81044)), (AT_ZONE, reaction)];
        means(&at, "cloudflare", code, ok).await;
    }
    let app = TestApp::with(&[RECORDS[0], RECORDS[1], ("CLOUDFLARE_API_TOKEN", "another-token")]);
    assert_eq!(of(&deep(&app).await, "cloudflare").0, "WRONG_SECRET");
}

#[tokio::test]
async fn what_is_wrong_with_the_service_account_is_named() {
    for (status, body, code) in [
        (400, r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#, "WRONG_SECRET"),
        (401, r#"{"error":"invalid_client","error_description":"a private key"}"#, "WRONG_SECRET"),
        (400, r#"{"error":"invalid_scope"}"#, "MISSING_SCOPE"),
        (401, r#"{"error":"unauthorized_client"}"#, "MISSING_SCOPE"),
        (403, r#"{"error":"rate_limit_exceeded"}"#, "BUSY"),
        (400, r#"{"error":"something_else"}"#, "REFUSED"),
        (400, "<html>", "MALFORMED"),
        (302, "", "MALFORMED"),
        (200, r#"{"token_type":"Bearer"}"#, "MALFORMED"),
    ] {
        means(&[("oauth2.googleapis.com", Answers(status, body))], "google", code, false).await;
    }
    for (status, body, code, ok) in [
        (404, r#"{"error":{"code":404,"status":"NOT_FOUND"}}"#, "OK", true),
        (
            403,
            r#"{"error":{"details":[{"reason":"ACCESS_TOKEN_SCOPE_INSUFFICIENT"}]}}"#,
            "MISSING_SCOPE",
            false,
        ),
        (403, r#"{"error":{"errors":[{"reason":"accessNotConfigured"}]}}"#, "API_DISABLED", false),
        (
            403,
            r#"{"error":{"details":[{"@type":"x"},{"reason":"SERVICE_DISABLED"}]}}"#,
            "API_DISABLED",
            false,
        ),
        (403, r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#, "REFUSED", false),
        (401, r#"{"error":{"code":401,"status":"UNAUTHENTICATED"}}"#, "REFUSED", false),
        (403, r#"{"error":{"status":"RESOURCE_EXHAUSTED"}}"#, "BUSY", false),
        (403, "{}", "MALFORMED", false),
        (200, r#"{"spreadsheetId":"1TenantryAsksForWhatIsNotThereAndReadsNothing"}"#, "MALFORMED", false),
        (302, "", "MALFORMED", false),
    ] {
        means(&[("sheets.googleapis.com", Answers(status, body))], "google", code, ok).await;
    }
    for key in ["{}", "not json", r#"{"client_email":"a@b.example","private_key":"another"}"#] {
        let app = TestApp::with(&[("GOOGLE_SERVICE_ACCOUNT_KEY", key)]);
        assert_eq!(of(&deep(&app).await, "google").0, "WRONG_SECRET", "{key}");
    }
}

#[tokio::test]
async fn a_tenants_spreadsheet_is_read_where_there_is_one() {
    let app = whole();
    app.queued_pro("fc-nord").await.waits().await;
    assert_eq!(of(&deep(&app).await, "google").2, "The service account reads a club's spreadsheet.");
    let refusal = r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#;
    app.outside().upstreams().always_at("sheets.googleapis.com", Answers(403, refusal));
    assert_eq!(of(&deep(&app).await, "google").0, "NOT_SHARED");
}

#[tokio::test]
async fn what_is_not_configured_or_not_used_is_said_without_a_call() {
    for (changes, name, code) in [
        (vec![("GAS_WEBAPP_URL", "")], "apps_script", "NOT_CONFIGURED"),
        (vec![("GAS_HMAC_SECRET", "")], "apps_script", "NOT_CONFIGURED"),
        (vec![("RESEND_API_KEY", "")], "resend", "NOT_CONFIGURED"),
        (vec![("RESEND_FROM_EMAIL", "")], "resend", "NOT_CONFIGURED"),
        (vec![("RESEND_FROM_EMAIL", "Tenantry")], "resend", "NOT_CONFIGURED"),
        (vec![("EMAIL_PROVIDER", "log")], "resend", "NOT_USED"),
        (vec![], "google", "NOT_USED"),
        (vec![], "cloudflare", "NOT_USED"),
        (vec![RECORDS[1]], "cloudflare", "NOT_USED"),
        (vec![RECORDS[0], RECORDS[1]], "cloudflare", "NOT_CONFIGURED"),
        (vec![RECORDS[0], RECORDS[2]], "cloudflare", "NOT_CONFIGURED"),
    ] {
        let app = TestApp::with(&changes);
        let (told, well, message) = of(&deep(&app).await, name);
        assert_eq!((told.as_str(), well), (code, code == "NOT_USED"), "{changes:?}: {message}");
        assert_eq!(app.outside().upstreams().sent_to(name).len(), 0, "{changes:?}");
    }
    // Records of before are still removed with it.
    let app = TestApp::with(&[RECORDS[1], RECORDS[2]]);
    assert_eq!(of(&deep(&app).await, "cloudflare").0, "OK");
}

#[tokio::test]
async fn a_head_is_judged_alike() {
    let app = whole();
    let answer = app.ask(Method::HEAD, DEEP).token(&operator(&app)).send().await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
}
