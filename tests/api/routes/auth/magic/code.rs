//! `POST /auth/magic/verify` by the code beside the link.

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenantry::ports::Limit;

use crate::support::{Answer, Breaks, TestApp, TestTenant, Token, cookie_of, keys};

/// The code in a mail that its owner asked for, and the token of the link beside it.
async fn mailed(tenant: &TestTenant) -> (String, String) {
    tenant.post("/auth/magic/start").json(&json!({ "email": tenant.row()["email"] })).send().await;
    tenant.outside().finishes_deferred_work().await;
    let mails = tenant.outside().upstreams().sent_to("resend");
    let mail = mails.iter().rfind(|mail| mail.json()["text"].as_str().unwrap().contains("#token=")).unwrap();
    let body = mail.json();
    let code = mail.code().unwrap();
    assert!(body["html"].as_str().unwrap().contains(&code));
    (code, mail.link().rsplit_once("#token=").unwrap().1.to_owned())
}

async fn types(app: &TestApp, whose: Value, code: &str) -> Answer {
    let mut body = whose;
    body["code"] = code.into();
    app.post("/auth/magic/verify").json(&body).send().await
}

fn by_email(tenant: &TestTenant) -> Value {
    json!({ "email": format!("owner@{}.example", tenant.slug) })
}

fn is_no_code(answer: &Answer) {
    let error = answer.fails(401, "INVALID_TOKEN");
    let message = "This code is not right, or was used, or is too old. Try again, or ask for a new one.";
    assert_eq!((&error["message"], error.get("reason")), (&json!(message), None));
}

/// A code that is not this one; another one for another `n`.
fn wrong(code: &str, n: u32) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1 + n) % 1_000_000)
}

#[tokio::test]
async fn a_code_signs_in_as_the_link_does() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (code, _) = mailed(&tenant).await;
    let body = types(&app, by_email(&tenant), &code).await.is(200);
    assert_eq!(keys(&body), ["jwt", "success", "tenant", "tenantId"]);
    let claims = Token::read(body["jwt"].as_str().unwrap());
    assert_eq!((&claims["tenantId"], &claims["exp"]), (&json!(tenant.id), &json!(app.now() + 7 * 24 * 3600)));
    assert_eq!(app.db().row("select how from sessions")["how"], "code");
}

#[tokio::test]
async fn a_link_that_was_used_hides_no_code_of_the_same_second() {
    let app = TestApp::new();
    for n in 0..8 {
        let tenant = app.signed_up(&format!("fc-{n}")).await;
        let (_, token) = mailed(&tenant).await;
        app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.is(200);
        app.db().execute("update tenants set link_mailed_at = 0", ());
        let (code, _) = mailed(&tenant).await;
        types(&app, by_email(&tenant), &code).await.is(200);
    }
}

#[tokio::test]
async fn a_code_is_typed_as_people_type_it_and_by_the_slug_too() {
    for (whose, spelled) in [
        (json!({ "slug": "fc-nord" }), "{a}{b}"),
        (json!({ "slug": "FC-Nord" }), " {a} {b} "),
        (json!({ "email": "Owner@FC-Nord.example" }), "{a}-{b}"),
        (json!({ "email": "owner@fc-nord.example", "slug": null, "token": "" }), "{a}\u{a0}{b}"),
    ] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let (code, _) = mailed(&tenant).await;
        let typed = spelled.replace("{a}", &code[..3]).replace("{b}", &code[3..]);
        types(&app, whose.clone(), &typed).await.is(200);
    }
}

#[tokio::test]
async fn a_code_sets_a_cookie_where_one_is_asked_for() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (code, _) = mailed(&tenant).await;
    let body = json!({ "slug": "fc-nord", "code": code, "session": true });
    let cookie = cookie_of(&app.post("/auth/magic/verify").json(&body).by_our_page().send().await);
    tenant.whoami_by(&cookie).await.is(200);
}

#[tokio::test]
async fn a_code_and_its_link_are_spent_together() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (code, link) = mailed(&tenant).await;
    types(&app, by_email(&tenant), &code).await.is(200);
    is_no_code(&types(&app, by_email(&tenant), &code).await);
    app.post("/auth/magic/verify").json(&json!({ "token": link })).send().await.fails(401, "INVALID_TOKEN");
    app.passes(300);
    let (code, link) = mailed(&tenant).await;
    app.post("/auth/magic/verify").json(&json!({ "token": link })).send().await.is(200);
    is_no_code(&types(&app, by_email(&tenant), &code).await);
}

#[tokio::test]
async fn of_a_hundred_who_type_a_code_at_once_one_gets_in() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (code, link) = mailed(&tenant).await;
    let by_code = join_all((0..50).map(|_| types(&app, by_email(&tenant), &code)));
    let link = json!({ "token": link });
    let by_link = join_all((0..50).map(|_| app.post("/auth/magic/verify").json(&link).send()));
    let (mut answers, others) = futures_util::future::join(by_code, by_link).await;
    answers.extend(others);
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(app.db().number("select count(*) from sessions"), 1);
}

#[tokio::test]
async fn five_wrong_codes_burn_a_code_and_leave_the_link() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (code, link) = mailed(&tenant).await;
    for n in 0..4 {
        is_no_code(&types(&app, by_email(&tenant), &wrong(&code, n)).await);
    }
    let other = TestApp::new();
    let same = other.signed_up("fc-nord").await;
    let (right, _) = mailed(&same).await;
    for n in 0..4 {
        is_no_code(&types(&other, by_email(&same), &wrong(&right, n)).await);
    }
    types(&other, by_email(&same), &right).await.is(200);
    is_no_code(&types(&app, by_email(&tenant), &wrong(&code, 4)).await);
    is_no_code(&types(&app, by_email(&tenant), &code).await);
    app.post("/auth/magic/verify").json(&json!({ "token": link })).send().await.is(200);
}

/// However many at once.
#[tokio::test]
async fn of_a_hundred_guesses_at_once_five_are_looked_at() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (code, _) = mailed(&tenant).await;
    let guesses: Vec<String> = (0..100).map(|n| wrong(&code, n)).collect();
    for answer in join_all(guesses.iter().map(|guess| types(&app, by_email(&tenant), guess))).await {
        is_no_code(&answer);
    }
    assert_eq!(app.db().number("select sum(code_tries) from magic_links"), 5);
}

/// Each mail has five tries, and mails are cheap: a mailbox has ten a day. Its owner has the links.
#[tokio::test]
async fn of_one_mailbox_ten_wrong_codes_a_day_are_looked_at() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let mut link = String::new();
    for _ in 0..20 {
        let (code, token) = mailed(&tenant).await;
        link = token;
        for n in 0..5 {
            is_no_code(&types(&app, by_email(&tenant), &wrong(&code, n)).await);
        }
        app.passes(300);
    }
    assert_eq!(app.db().number("select sum(code_tries) from magic_links"), 10);
    let (code, _) = mailed(&tenant).await;
    is_no_code(&types(&app, by_email(&tenant), &code).await);
    app.post("/auth/magic/verify").json(&json!({ "token": link })).send().await.is(200);
    app.passes(24 * 3600);
    let (code, _) = mailed(&tenant).await;
    types(&app, by_email(&tenant), &code).await.is(200);
}

/// Otherwise every mail that still lives would be another chance.
#[tokio::test]
async fn only_the_latest_mails_code_counts() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (first, _) = mailed(&tenant).await;
    app.passes(300);
    let (second, _) = mailed(&tenant).await;
    assert_ne!(first, second);
    is_no_code(&types(&app, by_email(&tenant), &first).await);
    types(&app, by_email(&tenant), &second).await.is(200);
}

#[tokio::test]
async fn nobody_learns_by_a_code_who_has_a_tenant() {
    let app = TestApp::new();
    let (tenant, silent) = (app.signed_up("fc-nord").await, app.signed_up("fc-still").await);
    let (code, _) = mailed(&tenant).await;
    let mut seen = Vec::new();
    for whose in [
        by_email(&tenant),
        by_email(&silent),
        json!({ "slug": "fc-nord" }),
        json!({ "slug": "fc-nobody" }),
        json!({ "email": "nobody@example.org" }),
    ] {
        let before = app.db().batches();
        let answer = types(&app, whose, &wrong(&code, 7)).await;
        assert_eq!(app.db().batches(), before + 1);
        is_no_code(&answer);
        let headers = answer.headers.iter().filter(|(name, _)| *name != "x-request-id");
        let headers: Vec<String> = headers.map(|header| format!("{header:?}")).collect();
        let mut body = answer.json();
        body["error"]["requestId"] = Value::Null;
        seen.push((answer.status, headers, body));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
}

#[tokio::test]
async fn a_code_lives_a_day_and_ends_with_what_ends_its_link() {
    for end in [
        "update magic_links set expires_at = 0",
        "update tenants set status = 'suspended'",
        "update tenants set tokens_valid_after = 9000000000",
        "insert into feature_flags values ('tokens_valid_after', 1, 9000000000, 0)",
        "insert into user_cutoffs select owner_user_id, 9000000000, 0 from tenants",
    ] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let (code, _) = mailed(&tenant).await;
        app.db().execute(end, ());
        is_no_code(&types(&app, by_email(&tenant), &code).await);
        assert_eq!(app.db().number("select count(*) from sessions"), 0, "{end}");
    }
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (code, link) = mailed(&tenant).await;
    let body = json!({ "jti": Token::read(&link)["jti"], "reason": "the mailbox is somebody else's" });
    let operator = Token::operator(app.now()).sign();
    app.post("/api/v1/admin/tokens/revoke").token(&operator).json(&body).send().await.is(200);
    is_no_code(&types(&app, by_email(&tenant), &code).await);
}

#[tokio::test]
async fn another_tenants_code_opens_nothing() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let (code, _) = mailed(&tenant).await;
    let (theirs, _) = mailed(&other).await;
    assert_ne!(code, theirs);
    is_no_code(&types(&app, by_email(&tenant), &theirs).await);
    types(&app, by_email(&tenant), &code).await.is(200);
}

/// Whoever reads the database has nothing to try out a million codes with.
#[tokio::test]
async fn a_code_is_stored_under_a_key_and_survives_its_rotation() {
    use sha2::{Digest, Sha256};
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (code, _) = mailed(&tenant).await;
    let stored = app.db().row("select * from magic_links where code_hash is not null");
    assert!(!stored.to_string().contains(&code));
    let plain = tenantry::app::digest(&[&code]);
    let hex: String = Sha256::digest(&code).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(![plain, hex].contains(&stored["code_hash"].as_str().unwrap().to_owned()));
    let now = app.now().to_string();
    let rotated = app.redeployed_with(&[
        ("JWT_SECRET", "the-new-secret-of-more-than-32-bytes"),
        ("JWT_SECRET_PREVIOUS", crate::support::SECRETS[0]),
        ("JWT_ROTATED_AT", &now),
    ]);
    types(&rotated, by_email(&tenant), &code).await.is(200);
}

#[tokio::test]
async fn a_code_is_not_spent_by_a_store_that_did_nothing() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (code, _) = mailed(&tenant).await;
    app.db().breaks(0, Breaks::Before);
    types(&app, by_email(&tenant), &code).await.fails(503, "STORE_UNAVAILABLE");
    types(&app, by_email(&tenant), &code).await.is(200);
}

#[tokio::test]
async fn what_is_no_code_is_told_field_by_field() {
    let app = TestApp::new();
    for (body, field, word) in [
        (json!({ "code": "12345", "slug": "fc-nord" }), "code", "invalid_value"),
        (json!({ "code": "1234567", "slug": "fc-nord" }), "code", "invalid_value"),
        (json!({ "code": "12345a", "slug": "fc-nord" }), "code", "invalid_value"),
        (json!({ "code": "١٢٣٤٥٦", "slug": "fc-nord" }), "code", "invalid_value"),
        (json!({ "code": 123_456, "slug": "fc-nord" }), "code", "invalid_type"),
        (json!({ "code": "123456" }), "email", "required"),
        (json!({ "code": "123456", "email": "a@b.example", "slug": "fc-nord" }), "email", "ambiguous"),
        (json!({ "code": "123456", "email": "nobody" }), "email", "invalid_email"),
        (json!({ "code": "123456", "slug": "x" }), "slug", "invalid_slug"),
        (json!({ "code": "123456", "token": "a.b.c", "slug": "fc-nord" }), "code", "ambiguous"),
    ] {
        let answer = app.post("/auth/magic/verify").json(&body).send().await;
        assert_eq!(answer.complains_about(), [(field.to_owned(), word.to_owned())], "{body}");
    }
}

#[tokio::test]
async fn guessing_from_one_place_is_put_off() {
    let app = TestApp::new();
    app.outside().limits(Limit::Lookup, 1);
    is_no_code(&types(&app, json!({ "slug": "fc-nord" }), "123456").await);
    types(&app, json!({ "slug": "fc-nord" }), "123456").await.fails(429, "RATE_LIMITED");
}

/// A mail that is sent again has the same code, or the first one's reader would type a wrong one.
#[tokio::test]
async fn a_repeated_mail_has_the_same_code() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.outside().upstreams().next("resend", [crate::support::Reaction::TimesOut]);
    let (code, _) = mailed(&tenant).await;
    let mails = app.outside().upstreams().sent_to("resend");
    assert!(
        mails.len() > 1 && mails.iter().all(|mail| mail.json()["text"].as_str().unwrap().contains(&code))
    );
    types(&app, by_email(&tenant), &code).await.is(200);
}
