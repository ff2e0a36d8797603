//! The same form sent again: by whoever sent it first, and by somebody else.

use serde_json::{Value, json};

use crate::support::{Answer, Reaction, TestApp, Token, keys, signup};

async fn send(app: &TestApp, key: &str, form: &Value) -> Answer {
    app.post("/public/signup/start").header("idempotency-key", key).json(form).send().await
}

#[tokio::test]
async fn the_same_form_under_the_same_key_is_the_same_tenant_with_a_token() {
    let app = TestApp::new();
    let first = send(&app, "key-1", &signup("fc-nord")).await.is(200);
    app.passes(60);
    let again = send(&app, "key-1", &signup("fc-nord")).await.is(200);
    assert_eq!(again["replayed"], true);
    assert_eq!(again["tenant"], first["tenant"]);
    let (one, other) =
        (Token::read(first["jwt"].as_str().unwrap()), Token::read(again["jwt"].as_str().unwrap()));
    assert_eq!((&one["sub"], &one["tenantId"]), (&other["sub"], &other["tenantId"]));
    assert_ne!(one["jti"], other["jti"]);
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
    assert_eq!(app.db().batches(), 2, "one round trip each");
}

#[tokio::test]
async fn spelling_does_not_make_another_form_of_it() {
    let app = TestApp::new();
    send(&app, "key-1", &signup("fc-nord")).await.is(200);
    let mut respelled = signup("fc-nord");
    respelled["email"] = " OWNER@fc-nord.example".into();
    respelled["clubName"] = "  FC fc-nord ".into();
    respelled["promoCode"] = "".into();
    respelled["somethingElse"] = json!([1, 2]);
    assert_eq!(send(&app, "key-1", &respelled).await.is(200)["replayed"], true);
}

#[tokio::test]
async fn another_form_under_the_same_key_is_refused() {
    let app = TestApp::new();
    send(&app, "key-1", &signup("fc-nord")).await.is(200);
    for (field, value) in [
        ("clubName", "FC Other"),
        ("clubSlug", "fc-other"),
        ("email", "other@example.org"),
        ("plan", "pro"),
        ("promoCode", "SPRING"),
    ] {
        let mut other = signup("fc-nord");
        other[field] = value.into();
        send(&app, "key-1", &other).await.fails(422, "IDEMPOTENCY_KEY_REUSED");
    }
    assert_eq!(app.db().number("select count(*) from tenants"), 1);
}

#[tokio::test]
async fn a_key_that_is_at_work_is_waited_for() {
    let app = TestApp::new();
    send(&app, "key-1", &signup("fc-nord")).await.is(200);
    app.db().execute("update idempotency_keys set status = 'in_progress'", ());
    let answer = send(&app, "key-1", &signup("fc-nord")).await;
    answer.fails(409, "IDEMPOTENCY_IN_PROGRESS");
    assert_eq!(answer.header("retry-after"), "2");
}

#[tokio::test]
async fn a_key_is_remembered_for_a_day() {
    let app = TestApp::new();
    send(&app, "key-1", &signup("fc-nord")).await.is(200);
    app.passes(24 * 3600 - 1);
    send(&app, "key-1", &signup("fc-nord")).await.is(200);
    app.passes(1);
    send(&app, "key-1", &signup("fc-nord")).await.fails(409, "SLUG_TAKEN");
    let fresh = send(&app, "key-1", &signup("fc-sued")).await.is(200);
    assert_eq!(fresh.get("replayed"), None, "a forgotten key is a new one");
    assert_eq!(app.db().number("select count(*) from idempotency_keys"), 1);
}

#[tokio::test]
async fn nobody_gets_anything_with_another_key() {
    let app = TestApp::new();
    send(&app, "key-1", &signup("fc-nord")).await.is(200);
    app.outside().finishes_deferred_work().await;
    let (before, sent) = (app.db().contents(), app.outside().upstreams().sent().len());
    send(&app, "key-2", &signup("fc-nord")).await.fails(409, "SLUG_TAKEN");
    app.db().is_still(&before);
    app.outside().finishes_deferred_work().await;
    assert_eq!(app.outside().upstreams().sent().len(), sent);
}

#[tokio::test]
async fn what_the_client_sends_is_no_storage_key() {
    let app = TestApp::new();
    for key in ["key-1", "revoked:jti-tenant", "' or 1=1 --"] {
        let tenant = format!("fc-{}", key.len());
        send(&app, key, &signup(&tenant)).await.is(200);
        assert!(!serde_json::to_string(&app.db().contents()).unwrap().contains(key), "{key}");
    }
    assert!(!serde_json::to_string(&app.db().contents()).unwrap().contains("eyJ"), "no token is stored");
}

#[tokio::test]
async fn a_key_has_1_to_255_printable_characters() {
    let app = TestApp::new();
    for key in ["", &"k".repeat(256), "clé"] {
        let refused = send(&app, key, &signup("fc-nord")).await;
        assert_eq!(
            refused.complains_about(),
            [("Idempotency-Key".to_owned(), "invalid_key".to_owned())],
            "{key:?}"
        );
    }
    send(&app, &"k".repeat(255), &signup("fc-nord")).await.is(200);
}

/// Newer clients quote it, as the draft standard has it; the same app may do both after an update.
#[tokio::test]
async fn a_key_is_the_same_quoted_or_bare() {
    let app = TestApp::new();
    send(&app, "key-1", &signup("fc-nord")).await.is(200);
    for key in ["\"key-1\"", " \"key-1\" ", "\"key-1\";a=1"] {
        assert_eq!(send(&app, key, &signup("fc-nord")).await.is(200)["replayed"], true, "{key}");
    }
    send(&app, "\"key-2\"", &signup("fc-sued")).await.is(200);
    assert_eq!(send(&app, "key-2", &signup("fc-sued")).await.is(200)["replayed"], true);
    send(&app, "'key-1'", &signup("fc-nord")).await.fails(409, "SLUG_TAKEN");
}

#[tokio::test]
async fn a_key_is_not_used_up_by_a_refusal() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    let mut taken = signup("fc-nord");
    taken["email"] = "other@example.org".into();
    send(&app, "key-1", &taken).await.fails(409, "SLUG_TAKEN");
    assert_eq!(app.db().number("select count(*) from idempotency_keys"), 0);
    send(&app, "key-1", &signup("fc-sued")).await.is(200);
}

#[tokio::test]
async fn without_a_key_a_repeat_gets_no_token_but_the_owner_a_mail() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let told = app.signs_up(&signup("fc-nord")).await.fails(409, "ALREADY_SIGNED_UP");
    assert_eq!(keys(&told), ["code", "message", "requestId"], "nothing of the tenant");
    assert!(told["message"].as_str().unwrap().contains("We have mailed you a link"), "{told}");
    assert!(app.outside().upstreams().sent().is_empty(), "the answer does not wait for the mail");
    app.outside().finishes_deferred_work().await;
    let mails = app.outside().upstreams().sent_to("resend");
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].json()["to"], json!(["owner@fc-nord.example"]));
    let link = mails[0].link();
    let token = link.strip_prefix("https://api.example.com/magic/#token=").unwrap();
    let opened = app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.is(200);
    assert_eq!(opened["tenantId"], tenant.id.as_str());
}

#[tokio::test]
async fn a_repeat_mails_once_in_five_minutes() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    for (pause, mails) in [(0, 1), (1, 1), (298, 1), (1, 2), (299, 2), (1, 3)] {
        app.passes(pause);
        app.signs_up(&signup("fc-nord")).await.fails(409, "ALREADY_SIGNED_UP");
        app.outside().finishes_deferred_work().await;
        assert_eq!(app.outside().upstreams().sent_to("resend").len(), mails, "after {pause} more seconds");
    }
    assert_eq!(
        app.db().number("select count(*) from magic_links"),
        3,
        "no link is stored that is not mailed"
    );
}

#[tokio::test]
async fn repeats_at_the_same_moment_mail_once() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    let form = signup("fc-nord");
    let repeats = futures_util::future::join_all((0..20).map(|_| app.signs_up(&form))).await;
    for answer in repeats {
        answer.fails(409, "ALREADY_SIGNED_UP");
    }
    app.outside().finishes_deferred_work().await;
    assert_eq!(app.outside().upstreams().sent_to("resend").len(), 1);
}

#[tokio::test]
async fn a_repeat_is_answered_although_the_mail_fails() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    app.outside().upstreams().always("resend", Reaction::Answers(500, "{}"));
    app.signs_up(&signup("fc-nord")).await.fails(409, "ALREADY_SIGNED_UP");
    app.outside().finishes_deferred_work().await;
    let line = &app.log_of("mail_delayed")[0];
    assert_eq!((&line.fields["level"], &line.fields["kind"]), (&json!("warn"), &json!("sign_in")));
}

#[tokio::test]
async fn a_tenant_that_was_stopped_is_mailed_no_link() {
    for status in ["suspended", "cancelled"] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        tenant.becomes("status", status);
        app.signs_up(&signup("fc-nord")).await;
        app.outside().finishes_deferred_work().await;
        assert!(app.outside().upstreams().sent().is_empty(), "{status}: the link would open nothing");
    }
}

#[tokio::test]
async fn a_replay_tells_the_discount_that_was_granted() {
    let app = TestApp::new();
    app.has_promo("SPRING", 30, &[]);
    let mut form = signup("fc-nord");
    form["promoCode"] = "SPRING".into();
    assert_eq!(send(&app, "key-1", &form).await.is(200)["discount"], 30);
    app.db().execute("update promo_codes set discount_percent = 5", ());
    assert_eq!(send(&app, "key-1", &form).await.is(200)["discount"], 30);
}
