//! `POST /public/signup/starter/make`

use futures_util::future::join_all;
use serde_json::{Value, json};

use tenantry::ports::{Clock, Vault};

use crate::support::{Breaks, Manner, TestApp, Token, WEBHOOK_SECRET, keys};

#[tokio::test]
async fn a_webhook_is_stored_and_provisioning_is_queued() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let body = tenant.connects_make().await.is(200);
    let run = app.outside().objects().run(&tenant.id).unwrap();
    let data = json!({
        "runId": run.id.as_str(), "status": "processing", "changed": true, "message": "Provisioning has started."
    });
    assert_eq!(body, json!({ "success": true, "data": data }));
    assert!(run.id.as_str().starts_with("run_"));
    let row = tenant.row();
    assert_eq!(
        (&row["provision_state"], &row["provision_updated_at"]),
        (&json!("processing"), &json!(app.now()))
    );
    assert_eq!(app.outside().objects().alarm(&tenant.id), Some(app.outside().now()));
    assert!(app.outside().upstreams().sent().is_empty(), "it answers at once");
    assert_eq!(app.log_of("tenant_provision_queued").len(), 1);
}

#[tokio::test]
async fn the_secret_is_stored_sealed_for_this_tenant_and_never_shown() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let answer = tenant.connects_make().await;
    assert!(!answer.text.contains(WEBHOOK_SECRET));
    let row = app.db().row("select * from make_connections");
    for column in [
        "validated_at",
        "failing_since",
        "disabled_at",
        "disabled_reason",
        "previous_secrets",
        "previous_until",
    ] {
        assert_eq!(row[column], json!(null), "{column}");
    }
    assert_eq!(keys(&row).len(), 10);
    assert_eq!(row["webhook_url"], "https://hook.eu2.make.com/fc-nord");
    assert!(row["webhook_secret"].as_str().unwrap().starts_with("v1."));
    assert!(!serde_json::to_string(&app.db().contents()).unwrap().contains(WEBHOOK_SECRET));
    let run = serde_json::to_string(&app.outside().objects().run(&tenant.id)).unwrap();
    assert!(!run.contains(WEBHOOK_SECRET) && !run.contains("hook.eu2"), "the run holds neither");
}

/// The predecessors stored the webhook in one place and read it from another.
#[tokio::test]
async fn what_is_stored_is_what_is_pinged() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    tenant.connects("https://HOOK.eu2.make.com:443/some/../fc-nord?x=1#fragment").await.is(200);
    tenant.waits().await;
    let pings = app.outside().upstreams().sent_to("make");
    assert_eq!(pings.len(), 1);
    assert_eq!(pings[0].call.url, "https://hook.eu2.make.com/fc-nord?x=1");
    assert!(pings[0].is_signed_with(WEBHOOK_SECRET));
    assert_eq!(tenant.ended().await, "completed");
    assert!(app.db().row("select validated_at from make_connections")["validated_at"].is_i64());
}

#[tokio::test]
async fn posting_again_while_a_run_is_at_work_changes_nothing_but_the_webhook() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let first = tenant.connects_make().await.is(200);
    let again = tenant.connects("https://hook.us1.make.com/other").await.is(200);
    assert_eq!(
        (&again["data"]["runId"], &again["data"]["changed"]),
        (&first["data"]["runId"], &json!(false))
    );
    tenant.waits().await;
    assert_eq!(app.outside().upstreams().sent_to("make")[0].call.url, "https://hook.us1.make.com/other");
}

#[tokio::test]
async fn twenty_at_once_are_one_run() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let answers = join_all((0..20).map(|_| tenant.connects_make())).await;
    let runs: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| answer.is(200)["data"]["runId"].to_string()).collect();
    assert_eq!(runs.len(), 1);
    tenant.waits().await;
    assert_eq!(app.outside().upstreams().sent_to("make").len(), 1);
}

#[tokio::test]
async fn a_pro_tenant_has_no_webhook() {
    let app = TestApp::new();
    let tenant = app.signed_up_pro("fc-nord").await;
    let before = app.db().contents();
    tenant.connects_make().await.fails(409, "PLAN_MISMATCH");
    app.db().is_still(&before);
    assert_eq!(app.outside().objects().told(), 0);
}

#[tokio::test]
async fn a_host_where_no_webhook_may_be_has_a_code_of_its_own() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    for url in [
        "http://hook.eu2.make.com/a",
        "https://example.com/a",
        "https://make.com.evil.example/a",
        "https://evilmake.com/a",
        "https://hook.eu2.make.com:8443/a",
        "https://user@hook.eu2.make.com/a",
        "https://user:pw@hook.eu2.make.com/a",
        "https://hook.eu2.make.com./a",
        "https://www.make.com/a",
        "https://eu2.make.com/a",
        "https://a.hook.eu2.make.com/a",
        "https://hook.a.b.make.com/a",
        "https://hook_.make.com/a",
        "https://hook.e_2.make.com/a",
        "https://127.0.0.1/a",
        "https://2130706433/a",
        "https://0x7f.1/a",
        "https://[::1]/a",
        "https://localhost/a",
        "ftp://hook.eu2.make.com/a",
    ] {
        let answer = tenant.connects(url).await;
        let error = answer.fails(400, "INVALID_WEBHOOK_HOST");
        assert_eq!(error["issues"][0]["path"], json!(["webhookUrl"]), "{url}");
        assert_eq!(error["issues"][0]["code"], "host_not_allowed", "{url}");
    }
    app.db().is_still(&before);
}

#[tokio::test]
async fn an_address_that_ends_after_its_host_is_not_the_whole_one() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let before = app.db().contents();
    for url in [
        "https://hook.eu2.make.com",
        "https://hook.eu2.make.com/",
        "https://hook.eu2.make.com//",
        "https://hook.eu2.make.com/a/..",
        "https://hook.eu2.make.com/?token=a",
    ] {
        let complaints = tenant.connects(url).await.complains_about();
        assert_eq!(complaints, [("webhookUrl".to_owned(), "invalid_url".to_owned())], "{url}");
    }
    app.db().is_still(&before);
}

#[tokio::test]
async fn each_of_makes_own_hosts_is_one() {
    for (slug, url) in [
        ("fc-nord", "https://hook.make.com/a"),
        ("fc-sued", "https://hook.eu1.make.com/a"),
        ("fc-west", "https://hook.us2.make.celonis.com/a"),
        ("fc-ost", "https://hook.integromat.com/a"),
    ] {
        TestApp::new().signed_up(slug).await.connects(url).await.is(200);
    }
}

/// A secret that receivers read otherwise is refused, whoever brings it.
#[tokio::test]
async fn a_secret_is_one_that_every_receiver_reads_alike() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let before = app.db().contents();
    let operator = Token::operator(app.now()).sign();
    for (secret, code) in [
        (" 0123456789abcdef", "surrounding_space"),
        ("0123456789abcdef\u{a0}", "surrounding_space"),
        ("0123456789abcdef\u{200b}", "invalid_characters"),
        ("ein schlu\u{308}ssel von uns", "invalid_characters"),
        ("whsec_not base64 at all", "invalid_base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL-_w", "invalid_base64"),
        ("whsec_c2hvcnQ=", "too_short"),
        ("0123456789abcde", "too_short"),
        ("Whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "invalid_prefix"),
    ] {
        let complaint = |field: &str| vec![(field.to_owned(), code.to_owned())];
        let body = json!({ "webhookUrl": "https://hook.eu2.make.com/a", "webhookSecret": secret });
        let stores = tenant.posts("/public/signup/starter/make", &body).await;
        assert_eq!(stores.complains_about(), complaint("webhookSecret"), "{secret:?}");
        let tries = tenant.posts(&format!("/api/v1/tenants/{}/webhook/test", tenant.id), &body).await;
        assert_eq!(tries.complains_about(), complaint("webhookSecret"), "{secret:?}");
        let body = json!({
            "tenant": tenant.id, "make_webhook_url": "https://hook.eu2.make.com/a", "webhook_secret": secret
        });
        let corrects = app.post("/api/v1/admin/tenant/webhook").token(&operator).json(&body).send().await;
        assert_eq!(corrects.complains_about(), complaint("webhook_secret"), "{secret:?}");
    }
    app.db().is_still(&before);
}

/// Unpadded, some receivers decode it and others can't: it signs as those do who can, and is read alike by any version.
#[tokio::test]
async fn base64_is_read_padded_or_not() {
    let padded = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk=";
    for secret in [padded, padded.trim_end_matches('=')] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let body = json!({ "webhookUrl": "https://hook.eu2.make.com/a", "webhookSecret": secret });
        tenant.posts("/public/signup/starter/make", &body).await.is(200);
        let sealed = app.db().row("select webhook_secret from make_connections")["webhook_secret"].clone();
        let opened = app.outside().open(sealed.as_str().unwrap(), &tenant.id).await.unwrap();
        assert_eq!(opened.expose(), padded, "as versions read it that know padded base64 alone");
        tenant.waits().await;
        let [ping] = app.outside().upstreams().sent_to("make").try_into().unwrap();
        assert!(ping.is_signed_with(padded) && ping.signatures() == 1, "{secret}");
    }
}

#[tokio::test]
async fn no_host_is_allowed_by_an_empty_list() {
    let app = TestApp::with(&[("ALLOWED_WEBHOOK_HOSTS", "")]);
    app.signed_up("fc-nord").await.connects_make().await.fails(400, "INVALID_WEBHOOK_HOST");
}

#[tokio::test]
async fn all_that_is_wrong_is_told_at_once() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let post = |body: Value| {
        let tenant = tenant.clone();
        async move { tenant.posts("/public/signup/starter/make", &body).await.complains_about() }
    };
    let both = |url: &str, secret: &str| {
        vec![("webhookUrl".to_owned(), url.to_owned()), ("webhookSecret".to_owned(), secret.to_owned())]
    };
    assert_eq!(post(json!({})).await, both("required", "required"));
    assert_eq!(
        post(json!({ "webhookUrl": "nonsense", "webhookSecret": "short" })).await,
        both("invalid_url", "too_short")
    );
    let evil = json!({ "webhookUrl": "https://example.com/a", "webhookSecret": "x".repeat(201) });
    assert_eq!(post(evil).await, both("host_not_allowed", "too_long"));
    assert_eq!(
        post(json!({ "webhookUrl": 7, "webhookSecret": [] })).await,
        both("invalid_type", "invalid_type")
    );
}

/// The wish is stored before the object is told, so that it can't be lost between the two.
#[tokio::test]
async fn an_object_that_does_not_answer_loses_no_wish() {
    for manner in [Manner::Gone, Manner::Mute] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        app.outside().objects().become_(manner);
        let answer = tenant.connects_make().await;
        answer.fails(503, "PROVISIONER_UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), "5");
        assert_eq!(tenant.ended().await, "processing", "{manner:?}");
        app.outside().objects().become_(Manner::Obedient);
        let again = tenant.connects_make().await.is(200);
        assert_eq!(again["data"]["status"], "processing");
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed", "{manner:?}");
        assert_eq!(app.db().number("select count(*) from provision_runs"), 1);
    }
}

#[tokio::test]
async fn a_store_that_fails_before_or_after_is_told_and_asking_again_helps() {
    for how in [Breaks::Before, Breaks::Within(1), Breaks::Within(2), Breaks::After] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        app.db().breaks(0, how);
        tenant.connects_make().await.fails(503, "STORE_UNAVAILABLE");
        assert_eq!(app.outside().objects().told(), 0, "{how:?}");
        tenant.connects_make().await.is(200);
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed", "{how:?}");
    }
}

#[tokio::test]
async fn a_better_webhook_lets_a_failed_run_go_on_where_it_failed() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let first = tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    let batches_of_seed =
        app.db().number("select count(*) from provision_history where step = 'seed_defaults'");
    let again = tenant.connects_make().await.is(200);
    assert_eq!((&again["data"]["runId"], &again["data"]["changed"]), (&first["data"]["runId"], &json!(true)));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    let seeds = app.db().number("select count(*) from provision_history where step = 'seed_defaults'");
    assert_eq!(seeds, batches_of_seed, "what was done is not done again");
}

#[tokio::test]
async fn once_completed_nothing_starts_again() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let told = app.outside().objects().told();
    let again = tenant.connects_make().await.is(200);
    assert_eq!((&again["data"]["status"], &again["data"]["changed"]), (&json!("completed"), &json!(false)));
    assert_eq!(
        again["data"]["message"],
        "This webhook was stored already and took a test; nothing was changed."
    );
    assert!(again["data"]["runId"].is_string());
    assert_eq!(app.outside().objects().told(), told);
    assert_eq!(app.outside().objects().alarm(&tenant.id), None);
}
