//! Sign-ins that one can see and end, by cookie and by token; and everything that somebody else may try with them.

use std::ops::ControlFlow;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, TestTenant, Token, at_each_poll, cookie_of, keys};

const LAPTOP: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
const SESSIONS: &str = "/api/v1/tenants/me/sessions";
const DAY: u64 = 24 * 3600;

async fn sessions(tenant: &TestTenant, cookie: &str) -> Vec<Value> {
    let list = tenant.browses(Method::GET, SESSIONS, cookie).send().await.is(200);
    list["data"].as_array().unwrap().clone()
}

async fn ends(tenant: &TestTenant, cookie: &str, session: &Value) -> Answer {
    let path = format!("{SESSIONS}/{}", session["id"].as_str().unwrap());
    tenant.browses(Method::DELETE, &path, cookie).send().await
}

fn of<'a>(list: &'a [Value], browser: &str) -> &'a Value {
    list.iter().find(|session| session["browser"] == browser).unwrap()
}

fn is_refused(answer: &Answer) {
    answer.refuses(403, "FORBIDDEN", "token_revoked");
}

/// The laptop is lost. From the phone its sign-in is seen and ended, and the phone goes on.
#[tokio::test]
async fn the_sign_in_on_a_lost_laptop_is_ended_from_the_phone() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let laptop = tenant.signs_in_by(LAPTOP).await;
    app.passes(1);
    let phone = tenant.signs_in_by(PHONE).await;
    tenant.whoami_by(&laptop).await.is(200);
    let list = sessions(&tenant, &phone).await;
    let seen: Vec<_> = list.iter().map(|s| (&s["browser"], &s["platform"], &s["current"])).collect();
    assert_eq!(
        seen,
        [
            (&json!("safari"), &json!("ios"), &json!(true)),
            (&json!("firefox"), &json!("windows"), &json!(false))
        ]
    );
    ends(&tenant, &phone, of(&list, "firefox")).await.is(200);
    is_refused(&tenant.whoami_by(&laptop).await);
    is_refused(&tenant.browses(Method::GET, "/api/v1/tenants/me", &laptop).send().await);
    tenant.whoami_by(&phone).await.is(200);
    assert_eq!(sessions(&tenant, &phone).await.len(), 1);
}

#[tokio::test]
async fn a_cookie_is_a_token_that_no_script_reads() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let body = json!({ "token": tenant.mailed_link(), "session": true });
    let answer = app.post("/auth/magic/verify").json(&body).by_our_page().send().await;
    assert_eq!(keys(&answer.is(200)), ["success", "tenant", "tenantId"]);
    let claims = Token::read(&cookie_of(&answer));
    assert_eq!(
        keys(&claims),
        ["aud", "exp", "iat", "iss", "jti", "roles", "sid", "sub", "tenantId"],
        "the same as every admin's, and which sign-in it is of"
    );
    assert_eq!(claims["exp"].as_i64(), claims["iat"].as_i64().map(|iat| iat + 7 * 24 * 3600));
    assert_eq!(claims["sub"], Token::read(&tenant.jwt)["sub"]);
    let without = json!({ "token": tenant.mailed_link() });
    let answer = app.post("/auth/magic/verify").json(&without).send().await;
    assert_eq!((keys(&answer.is(200)).contains(&"jwt".to_owned()), answer.header("set-cookie")), (true, ""));
}

/// Whoever signs in gets a sign-in of their own, whatever their browser held before.
#[tokio::test]
async fn nobody_is_signed_in_to_what_somebody_else_chose() {
    let app = TestApp::new();
    let (tenant, mallory) = (app.signed_up("fc-nord").await, app.signed_up("fc-mallory").await);
    let planted = mallory.signs_in_by(LAPTOP).await;
    let body = json!({ "token": tenant.mailed_link(), "session": true });
    let ask = app.post("/auth/magic/verify").json(&body).cookie(&planted).by_our_page();
    let cookie = cookie_of(&ask.send().await);
    assert_ne!(Token::read(&cookie)["sid"], Token::read(&planted)["sid"]);
    assert_eq!(tenant.whoami_by(&cookie).await.is(200)["data"]["tenantId"], tenant.id.as_str());
    // Another site's page, a sibling's among them, can't have a browser signed in to its own tenant.
    for headers in [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        [("sec-fetch-site", "same-site"), ("origin", "https://fc-mallory.clubs.example")],
    ] {
        let body = json!({ "token": mallory.mailed_link(), "session": true });
        let ask = app.post("/auth/magic/verify").json(&body);
        let answer = headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value)).send().await;
        answer.refuses(403, "FORBIDDEN", "cross_site");
        assert_eq!(answer.header("set-cookie"), "");
    }
    assert_eq!(app.db().number("select count(*) from magic_links where consumed_at is null"), 2);
}

/// Where the console is configured, whatever else leads to the service is no place for a cookie: a tenant's own host among them.
#[tokio::test]
async fn a_cookie_counts_at_the_console_alone() {
    let app = TestApp::with(&[("ADMIN_CONSOLE_URL", "https://api.example.com/console")]);
    let tenant = app.signed_up("fc-nord").await;
    let cookie = tenant.signs_in_by(LAPTOP).await;
    tenant.whoami_by(&cookie).await.is(200);
    for host in ["fc-nord.clubs.example", "api.example.com:8443", "tenantry.example.workers.dev"] {
        let at = |ask: crate::support::AdmissionRequest| ask.at(host).by_our_page();
        let own = format!("https://{host}");
        at(tenant.get("/whoami").cookie(&cookie))
            .header("origin", &own)
            .send()
            .await
            .fails(401, "UNAUTHORIZED");
        let logout = at(tenant.post("/auth/logout").cookie(&cookie)).header("origin", &own);
        logout.send().await.refuses(403, "FORBIDDEN", "cross_site");
        let body = json!({ "token": tenant.mailed_link(), "session": true });
        let verify = at(tenant.post("/auth/magic/verify").json(&body)).send().await;
        verify.refuses(403, "FORBIDDEN", "cross_site");
    }
    tenant.whoami_by(&cookie).await.is(200);
}

#[tokio::test]
async fn only_a_sign_in_is_a_cookie() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let now = app.now();
    let session = Token::read(&tenant.signs_in_by(LAPTOP).await)["sid"].clone();
    for cookie in [
        tenant.jwt.clone(),
        Token::tenant(&tenant.id, now).sign(),
        Token::operator(now).with("sid", session.clone()).with("tenantId", tenant.id.as_str()).sign(),
        Token::service(now).with("sid", session.clone()).sign(),
        Token::link(&tenant.id, now).with("sid", session.clone()).sign(),
        Token::tenant(&tenant.id, now)
            .with("sid", session.clone())
            .under("another-secret-of-more-than-32-bytes")
            .sign(),
        Token::tenant(&tenant.id, now).with("sid", "' or 1=1").sign(),
        "nonsense".to_owned(),
        "x".repeat(9000),
    ] {
        let answer = tenant.whoami_by(&cookie).await;
        answer.fails(401, "INVALID_TOKEN");
        assert_eq!(app.log_of("authz_deny").last().unwrap().fields["hasAuthHeader"], false);
    }
    tenant.browses(Method::GET, "/whoami", "").send().await.fails(401, "UNAUTHORIZED");
}

/// Another tenant's sign-in opens nothing of this one, although it is signed by us.
#[tokio::test]
async fn a_sign_in_is_of_its_own_tenant() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let theirs = Token::read(&other.signs_in_by(LAPTOP).await)["sid"].clone();
    let mixed = Token::tenant(&tenant.id, app.now()).with("sid", theirs).sign();
    is_refused(&tenant.whoami_by(&mixed).await);
    is_refused(&app.get("/whoami").token(&mixed).send().await);
}

#[tokio::test]
async fn clocks_that_differ_sign_nobody_out_and_let_nobody_in() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    // What was issued before the proof is refused.
    let week = 7 * 24 * 3600;
    app.passes(8 * DAY);
    let claims = Token::read(&tenant.signs_in_by(LAPTOP).await);
    let now = app.now();
    let own = |iat: i64, exp: i64| {
        let token = Token::tenant(&tenant.id, iat).with("exp", exp);
        token.with("sid", claims["sid"].clone()).with("jti", claims["jti"].clone()).sign()
    };
    tenant.whoami_by(&own(now + 299, now + week)).await.is(200);
    tenant.whoami_by(&own(now - week, now - 299)).await.is(200);
    tenant.whoami_by(&own(now + 301, now + week)).await.fails(401, "INVALID_TOKEN");
    tenant.whoami_by(&own(now - week, now - 300)).await.fails(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn a_sign_in_lasts_a_week_and_longer_while_it_is_used() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (mut used, unused) = (tenant.signs_in_by(LAPTOP).await, tenant.signs_in_by(PHONE).await);
    app.passes(DAY - 1);
    assert_eq!(tenant.whoami_by(&used).await.header("set-cookie"), "", "once a day at most");
    for day in 1..=20 {
        app.passes(if day == 1 { 1 } else { DAY });
        let answer = tenant.whoami_by(&used).await;
        let renewed = cookie_of(&answer);
        let (before, after) = (Token::read(&used), Token::read(&renewed));
        for claim in ["iat", "jti", "sid", "sub", "roles", "aud", "tenantId"] {
            assert_eq!(before[claim], after[claim], "a renewal changes nothing but the end");
        }
        assert_eq!(after["exp"].as_i64(), Some(app.now() + 7 * 24 * 3600));
        assert_eq!(tenant.whoami_by(&renewed).await.header("set-cookie"), "");
        used = renewed;
    }
    let list = sessions(&tenant, &used).await;
    assert_eq!(list.len(), 1, "that which was not used is over");
    tenant.whoami_by(&unused).await.fails(401, "INVALID_TOKEN");
}

/// However often it is renewed: a revocation is remembered for longer than that.
#[tokio::test]
async fn a_sign_in_lasts_a_year_at_most() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let mut cookie = tenant.signs_in_by(LAPTOP).await;
    let began = app.now();
    for _ in 0..70 {
        app.passes(6 * DAY);
        let answer = tenant.whoami_by(&cookie).await;
        if answer.status != 200 {
            answer.fails(401, "INVALID_TOKEN");
            let age = app.now() - began;
            assert!((360..=366).contains(&(age / (24 * 3600))), "{age}");
            return;
        }
        if !answer.header("set-cookie").is_empty() {
            cookie = cookie_of(&answer);
        }
    }
    panic!("it never ended");
}

/// A renewal after a cut-off would be a token that is younger than the revocation.
#[tokio::test]
async fn no_renewal_outlives_a_revocation() {
    for cut_off in [
        "update tenants set tokens_valid_after = (select max(created_at) + 1 from sessions)",
        "insert into user_cutoffs select user_id, created_at + 1, 0 from sessions",
        "insert into feature_flags select 'tokens_valid_after', 1, created_at + 1, 0 from sessions",
        "insert into revoked_tokens select tenant_id || '.' || substr(id, 9), null, '', 0, 9000000000 from sessions",
    ] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let first = tenant.signs_in_by(LAPTOP).await;
        app.passes(DAY);
        let renewed = cookie_of(&tenant.whoami_by(&first).await);
        app.db().execute(cut_off, ());
        for cookie in [&first, &renewed] {
            let answer = tenant.whoami_by(cookie).await;
            is_refused(&answer);
            assert_eq!(answer.header("set-cookie"), "");
        }
        let again = tenant.signs_in_by(LAPTOP).await;
        assert_eq!(sessions(&tenant, &again).await.len(), 1, "{cut_off}: what is cut off is not listed");
    }
}

#[tokio::test]
async fn signing_out_everywhere_ends_sign_ins_and_year_long_tokens() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let (laptop, phone) = (tenant.signs_in_by(LAPTOP).await, tenant.signs_in_by(PHONE).await);
    let link = json!({ "token": tenant.mailed_link() });
    let app_token = app.post("/auth/magic/verify").json(&link).send().await.is(200)["jwt"].clone();
    let elsewhere = other.signs_in_by(LAPTOP).await;
    let old_link = tenant.mailed_link();
    let all = json!({ "all": true });
    let answer = tenant.browses(Method::POST, "/auth/logout", &phone).json(&all).send().await;
    assert_eq!(answer.is(200), json!({ "success": true }));
    assert_eq!(answer.header("clear-site-data"), "\"cookies\", \"storage\"");
    let forgotten = "__Host-tenantry=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict";
    assert_eq!(answer.header("set-cookie"), forgotten);
    for cookie in [&laptop, &phone] {
        is_refused(&tenant.whoami_by(cookie).await);
    }
    for token in [tenant.jwt.as_str(), app_token.as_str().unwrap()] {
        is_refused(&app.get("/whoami").token(token).send().await);
    }
    other.whoami_by(&elsewhere).await.is(200);
    app.post("/auth/magic/verify")
        .json(&json!({ "token": old_link }))
        .send()
        .await
        .fails(401, "INVALID_TOKEN");
    app.passes(1);
    let again = tenant.signs_in_by(LAPTOP).await;
    assert_eq!(sessions(&tenant, &again).await.len(), 1);
}

#[tokio::test]
async fn a_token_signs_out_everywhere_as_well_as_a_cookie_and_only_a_tenants_does() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let laptop = tenant.signs_in_by(LAPTOP).await;
    for token in [Token::operator(app.now()), Token::service(app.now()).with("jti", "jti-service")] {
        let ask = app.post("/auth/logout").token(&token.sign()).json(&json!({ "all": true }));
        assert_eq!(ask.send().await.complains_about(), [("all".to_owned(), "invalid_value".to_owned())]);
    }
    let answer = tenant.posts("/auth/logout", &json!({ "all": true })).await;
    assert_eq!((answer.is(200), answer.header("set-cookie")), (json!({ "success": true }), ""));
    is_refused(&tenant.whoami_by(&laptop).await);
    let wrong = tenant.posts("/auth/logout", &json!({ "all": "yes" })).await;
    is_refused(&wrong);
}

#[tokio::test]
async fn signing_out_ends_the_own_sign_in_and_takes_the_cookie() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let (laptop, phone) = (tenant.signs_in_by(LAPTOP).await, tenant.signs_in_by(PHONE).await);
    let answer = tenant.browses(Method::POST, "/auth/logout", &laptop).send().await;
    answer.is(200);
    assert!(answer.header("set-cookie").starts_with("__Host-tenantry=; "));
    is_refused(&tenant.whoami_by(&laptop).await);
    tenant.whoami_by(&phone).await.is(200);
    tenant.gets("/whoami").send().await.is(200);
    assert_eq!(sessions(&tenant, &phone).await.len(), 1);
}

/// Two tabs share a sign-in: what one ends or renews, the other has.
#[tokio::test]
async fn two_tabs_are_one_sign_in() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let cookie = tenant.signs_in_by(LAPTOP).await;
    app.passes(DAY);
    let answers = join_all((0..2).map(|_| tenant.whoami_by(&cookie))).await;
    let renewed: Vec<String> = answers.iter().map(cookie_of).collect();
    for cookie in renewed.iter().chain([&cookie]) {
        assert_eq!(sessions(&tenant, cookie).await.len(), 1);
    }
    tenant.browses(Method::POST, "/auth/logout", &renewed[0]).send().await.is(200);
    for cookie in renewed.iter().chain([&cookie]) {
        is_refused(&tenant.whoami_by(cookie).await);
    }
}

/// Wherever a request is when its sign-in is ended: it is done altogether, or refused and nothing of it was done.
#[tokio::test]
async fn a_sign_in_that_is_ended_while_a_request_is_at_work() {
    let mut refused = 0;
    for at in 0.. {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let cookie = tenant.signs_in_by(LAPTOP).await;
        app.passes(DAY);
        let answered = std::cell::RefCell::new(None);
        let body = json!({ "name": "FC Another" });
        let work = async {
            let ask = tenant.browses(Method::PATCH, "/api/v1/tenants/me", &cookie).json(&body);
            *answered.borrow_mut() = Some(ask.send().await);
        };
        if at == 0 {
            app.db().execute("update sessions set ended_at = 1", ());
        }
        let polls = at_each_poll(work, |poll| {
            if poll + 1 == at {
                app.db().execute("update sessions set ended_at = 1", ());
            }
            ControlFlow::Continue(())
        });
        let answer = answered.into_inner().unwrap();
        let is_done = tenant.row()["name"] == "FC Another";
        assert_eq!(answer.status.as_u16(), if is_done { 200 } else { 403 }, "{at}: {}", answer.text);
        refused += usize::from(!is_done);
        // What it was given, if anything, opens nothing.
        if !answer.header("set-cookie").is_empty() && at > 0 && at <= polls {
            is_refused(&tenant.whoami_by(&cookie_of(&answer)).await);
        }
        if at > polls {
            break;
        }
    }
    assert!(refused > 0);
}

/// The page on the laptop kept the key of the signup: a repeat must not bring a token back.
#[tokio::test]
async fn no_repeat_of_the_signup_answers_a_token_once_a_sign_in_was_ended() {
    let app = TestApp::new();
    let tenant = app.signed_up_with_key("fc-nord", "key-1").await;
    let (laptop, phone) = (tenant.signs_in_by(LAPTOP).await, tenant.signs_in_by(PHONE).await);
    let list = sessions(&tenant, &phone).await;
    ends(&tenant, &phone, of(&list, "firefox")).await.is(200);
    let form = crate::support::signup("fc-nord");
    let again = app.post("/public/signup/start").header("idempotency-key", "key-1").json(&form).send().await;
    again.fails(409, "ALREADY_SIGNED_UP");
    is_refused(&tenant.whoami_by(&laptop).await);
}

#[tokio::test]
async fn one_person_is_revoked_with_all_that_they_hold() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up_with_key("fc-nord", "key-1").await, app.signed_up("fc-sued").await);
    let laptop = tenant.signs_in_by(LAPTOP).await;
    let link = tenant.mailed_link();
    let user = Token::read(&tenant.jwt)["sub"].clone();
    let colleague = Token::tenant(&tenant.id, app.now()).with("sub", "user_colleague").sign();
    let revoke = async |user: Value| {
        let body = json!({ "userId": user, "reason": "left the board" });
        let token = Token::operator(app.now()).sign();
        app.post("/api/v1/admin/tokens/revoke").token(&token).json(&body).send().await
    };
    assert_eq!(revoke(user.clone()).await.is(200)["data"], json!({ "scope": "user" }));
    is_refused(&tenant.gets("/whoami").send().await);
    is_refused(&tenant.whoami_by(&laptop).await);
    app.post("/auth/magic/verify").json(&json!({ "token": link })).send().await.fails(401, "INVALID_TOKEN");
    app.get("/whoami").token(&colleague).send().await.is(200);
    other.gets("/whoami").send().await.is(200);
    let form = crate::support::signup("fc-nord");
    let again = app.post("/public/signup/start").header("idempotency-key", "key-1").json(&form).send().await;
    again.fails(409, "ALREADY_SIGNED_UP");
    let audited = app.db().row("select * from audit_log where action = 'tokens.revoke'");
    assert_eq!((&audited["subject"], &audited["actor"]), (&user, &json!("ops")));
    let line = app.log_of("token_revoked").pop().unwrap();
    assert_eq!((&line.fields["scope"], &line.fields["userId"]), (&json!("user"), &user));
    // What is issued from the next second on is good, and revoking again revokes that.
    app.passes(1);
    let fresh = tenant.signs_in_by(LAPTOP).await;
    tenant.whoami_by(&fresh).await.is(200);
    revoke(user).await.is(200);
    is_refused(&tenant.whoami_by(&fresh).await);
    revoke(json!("user_never")).await.fails(404, "USER_NOT_FOUND");
    let issues = revoke(json!("tenant_1")).await.complains_about();
    assert_eq!(issues, [("userId".to_owned(), "invalid_id".to_owned())]);
}

#[tokio::test]
async fn what_is_over_is_removed_a_few_at_a_time() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let cookie = tenant.signs_in_by(LAPTOP).await;
    app.passes(7 * DAY);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.db().number("select count(*) from sessions"), 1, "clocks may differ");
    tenant.whoami_by(&cookie).await;
    app.passes(7 * DAY + 301);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.db().number("select count(*) from sessions"), 0);
    app.db().execute(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 250)
         insert into sessions select 'session_' || i, ?1, 'user_1', 'link', 1, 'chrome', 'linux', 0, 0, i, null from n",
        [&tenant.id],
    );
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.db().number("select count(*) from sessions"), 50);
}
