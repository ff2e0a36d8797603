//! Another webhook for a tenant that is live: stored by its own people through `POST /public/signup/starter/make`, or by an
//! operator.

use serde_json::{Value, json};
use tenantry::{domain::Secret, ports::Vault};

use crate::support::{Answer, Reaction, RecordedCall, TestApp, TestTenant, Token, WEBHOOK_SECRET, keys};

const OLD: &str = WEBHOOK_SECRET;
const NEW: &str = "the new secret of the club";
const NEWEST: &str = "the newest secret of the club";
const ELSEWHERE: &str = "https://hook.us1.make.com/elsewhere";
const DAY: u64 = 24 * 3600;

async fn stores(tenant: &TestTenant, url: &str, secret: &str) -> Answer {
    let body = json!({ "webhookUrl": url, "webhookSecret": secret });
    tenant.posts("/public/signup/starter/make", &body).await
}

async fn operator_stores(tenant: &TestTenant, url: &str, secret: Option<&str>) -> Answer {
    let token = Token::operator(tenant.now()).sign();
    let body = json!({ "tenant": tenant.id, "make_webhook_url": url, "webhook_secret": secret });
    tenant.post("/api/v1/admin/tenant/webhook").token(&token).json(&body).send().await
}

fn last_sent(tenant: &TestTenant) -> RecordedCall {
    tenant.outside().upstreams().sent_to("make").pop().unwrap()
}

/// Its webhook takes a test: as it is signed now.
async fn is_pinged(tenant: &TestTenant) -> RecordedCall {
    let path = format!("/api/v1/tenants/{}/webhook/test", tenant.id);
    assert_eq!(tenant.post(&path).token(&tenant.jwt).send().await.is(200)["data"]["delivered"], true);
    last_sent(tenant)
}

/// It was signed by these secrets, and by no other.
fn is_signed_by(sent: &RecordedCall, secrets: &[&str]) {
    for secret in [OLD, NEW, NEWEST] {
        assert_eq!(sent.is_signed_with(secret), secrets.contains(&secret), "{secret}");
    }
    assert_eq!(sent.signatures(), secrets.len());
}

fn row(tenant: &TestTenant) -> Value {
    tenant.db().row("select * from make_connections")
}

#[tokio::test]
async fn it_is_stored_and_pinged_and_said() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let told = app.outside().objects().told();
    let run = app.outside().objects().run(&tenant.id).unwrap().id;
    let answer = stores(&tenant, ELSEWHERE, NEW).await;
    let ms = answer.is(200)["data"]["webhook"]["test"]["ms"].clone();
    assert_eq!(
        answer.is(200)["data"],
        json!({
            "runId": run.as_str(), "status": "completed", "changed": true,
            "message": "The webhook is stored and took a test. Events go there from now on, signed for 24 hours by the earlier secret, too.",
            "webhook": {
                "host": "hook.us1.make.com", "changed": true, "previousSecretUntil": "2027-01-16T08:00:12.000Z",
                "test": { "delivered": true, "status": 200, "ms": ms, "reason": null },
            }
        })
    );
    assert!(!answer.text.contains("elsewhere") && !answer.text.contains(NEW));
    let ping = last_sent(&tenant);
    assert_eq!((ping.call.url.as_str(), ping.json()["type"].as_str()), (ELSEWHERE, Some("webhook.ping")));
    is_signed_by(&ping, &[NEW, OLD]);
    assert_eq!(
        (&row(&tenant)["webhook_url"], row(&tenant)["validated_at"].is_i64()),
        (&json!(ELSEWHERE), true)
    );
    assert_eq!(app.outside().objects().told(), told, "its run is over");
    assert_eq!(app.log_of("webhook_stored").len(), 1);
}

#[tokio::test]
async fn whoever_stores_it_it_is_pinged_and_said() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let data = operator_stores(&tenant, ELSEWHERE, Some(NEW)).await.is(200)["data"].clone();
    assert_eq!((&data["resumed"], &data["runId"]), (&json!(false), &Value::Null));
    let webhook = &data["webhook"];
    assert_eq!((&webhook["host"], &webhook["changed"]), (&json!("hook.us1.make.com"), &json!(true)));
    assert_eq!(webhook["previousSecretUntil"], "2027-01-16T08:00:12.000Z");
    assert_eq!(webhook["test"]["delivered"], true);
    is_signed_by(&last_sent(&tenant), &[NEW, OLD]);
    // Without a secret the stored one stays, and so does what it replaced.
    let data =
        operator_stores(&tenant, "https://hook.us1.make.com/third", None).await.is(200)["data"].clone();
    assert_eq!(
        (&data["webhook"]["changed"], &data["webhook"]["test"]["delivered"]),
        (&json!(true), &json!(true))
    );
    let ping = last_sent(&tenant);
    assert!(ping.call.url.ends_with("/third"));
    is_signed_by(&ping, &[NEW, OLD]);
    let data =
        operator_stores(&tenant, "https://hook.us1.make.com/third", None).await.is(200)["data"].clone();
    assert_eq!(data["webhook"]["changed"], false);
}

#[tokio::test]
async fn for_a_day_both_secrets_sign_and_then_the_new_one_alone() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    tenantry::app::sweep::run(&app.app).await;
    stores(&tenant, ELSEWHERE, NEW).await.is(200);
    app.passes(DAY - 1);
    is_signed_by(&is_pinged(&tenant).await, &[NEW, OLD]);
    let delivery = app.db().row("select id from webhook_deliveries")["id"].clone();
    let again =
        format!("/api/v1/tenants/{}/webhook/deliveries/{}/redeliver", tenant.id, delivery.as_str().unwrap());
    tenant.post(&again).token(&tenant.jwt).send().await.is(200);
    app.outside().finishes_deferred_work().await;
    let event = last_sent(&tenant);
    assert_eq!(event.header("webhook-id"), delivery);
    is_signed_by(&event, &[NEW, OLD]);
    app.passes(1);
    is_signed_by(&is_pinged(&tenant).await, &[NEW]);
    tenant.post(&again).token(&tenant.jwt).send().await.is(200);
    app.outside().finishes_deferred_work().await;
    is_signed_by(&last_sent(&tenant), &[NEW]);
}

#[tokio::test]
async fn the_same_once_more_changes_nothing_and_ends_no_earlier_secret() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    stores(&tenant, ELSEWHERE, NEW).await.is(200);
    for _ in 0..3 {
        let data = stores(&tenant, ELSEWHERE, NEW).await.is(200)["data"].clone();
        assert_eq!((&data["changed"], &data["webhook"]["changed"]), (&json!(false), &json!(false)));
        assert_eq!(data["webhook"]["previousSecretUntil"], "2027-01-16T08:00:12.000Z");
        is_signed_by(&last_sent(&tenant), &[NEW, OLD]);
    }
    let alone = app.provisioned("fc-sued").await;
    let data = alone.connects_make().await.is(200)["data"].clone();
    assert_eq!((&data["changed"], &data["webhook"]["previousSecretUntil"]), (&json!(false), &Value::Null));
    is_signed_by(&last_sent(&alone), &[OLD]);
}

#[tokio::test]
async fn each_secret_signs_for_a_day_after_it_was_replaced() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    stores(&tenant, ELSEWHERE, NEW).await.is(200);
    app.passes(3600);
    stores(&tenant, ELSEWHERE, NEWEST).await.is(200);
    is_signed_by(&last_sent(&tenant), &[NEWEST, NEW, OLD]);
    app.passes(DAY - 3600);
    is_signed_by(&is_pinged(&tenant).await, &[NEWEST, NEW]);
    // The way back.
    let data = stores(&tenant, ELSEWHERE, NEW).await.is(200)["data"].clone();
    assert_eq!(data["changed"], true);
    is_signed_by(&last_sent(&tenant), &[NEW, NEWEST]);
}

#[tokio::test]
async fn one_that_does_not_take_the_ping_is_stored_and_said_to_fail() {
    for (reaction, status, later) in [
        (Reaction::Answers(404, "who-is-this"), json!(404), Value::Null),
        (Reaction::Answers(400, "Queue is full."), json!(400), json!(true)),
        (Reaction::TimesOut, Value::Null, json!(true)),
    ] {
        let app = TestApp::new();
        let tenant = app.provisioned("fc-nord").await;
        app.outside().upstreams().next("make", [reaction.clone()]);
        let answer = stores(&tenant, ELSEWHERE, NEW).await;
        let data = answer.is(200)["data"].clone();
        assert!(data["message"].as_str().unwrap().ends_with("But it did not take a test."), "{reaction:?}");
        let test = &data["webhook"]["test"];
        assert_eq!(
            (&test["delivered"], &test["status"], &test["tryAgain"]),
            (&json!(false), &status, &later)
        );
        assert!(!answer.text.contains("who-is-this"));
        assert_eq!(
            (&row(&tenant)["webhook_url"], &row(&tenant)["validated_at"]),
            (&json!(ELSEWHERE), &Value::Null)
        );
    }
}

#[tokio::test]
async fn one_that_was_switched_off_is_on_again_and_that_is_a_change() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.db().execute(
        "update make_connections set failing_since = 1, disabled_at = 1, disabled_reason = 'gone'",
        (),
    );
    assert_eq!(tenant.connects_make().await.is(200)["data"]["changed"], true);
    assert_eq!((&row(&tenant)["disabled_at"], &row(&tenant)["failing_since"]), (&Value::Null, &Value::Null));
}

/// Nobody has relied on the secret of a tenant that never went live.
#[tokio::test]
async fn before_a_tenant_is_live_the_new_secret_signs_alone() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    let data = stores(&tenant, ELSEWHERE, NEW).await.is(200)["data"].clone();
    assert_eq!(keys(&data), ["changed", "message", "runId", "status"]);
    tenant.waits().await;
    let pings = app.outside().upstreams().sent_to("make");
    assert_eq!(pings.len(), 1, "its run pings it");
    is_signed_by(&pings[0], &[NEW]);
    assert_eq!(row(&tenant)["previous_secrets"], Value::Null);
}

/// Each ping reaches whoever has that address.
#[tokio::test]
async fn the_same_one_is_no_other_however_often_it_is_stored() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let url = row(&tenant)["webhook_url"].as_str().unwrap().to_owned();
    for _ in 0..15 {
        let answer = stores(&tenant, &url, OLD).await.is(200);
        assert_eq!(answer["data"]["changed"], false);
        operator_stores(&tenant, &url, Some(OLD)).await.is(200);
        is_signed_by(&last_sent(&tenant), &[OLD]);
        app.passes(10);
    }
    // Nor does it take away from those that may be stored.
    for n in 0..10 {
        stores(&tenant, &url, &format!("secret number {n} of the club")).await.is(200);
    }
    let last = "secret number 9 of the club";
    stores(&tenant, &url, NEW).await.fails(429, "RATE_LIMITED");
    let answer = stores(&tenant, &url, last).await.is(200);
    assert_eq!(answer["data"]["changed"], false, "not even then");
    stores(&tenant, ELSEWHERE, last).await.fails(429, "RATE_LIMITED");
}

#[tokio::test]
async fn it_is_stored_ten_times_a_day_and_no_more() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    for n in 0..10 {
        stores(&tenant, &format!("https://hook.us1.make.com/{n}"), NEW).await.is(200);
        app.passes(60);
    }
    let (before, sent) = (app.db().contents(), app.outside().upstreams().sent().len());
    let refused = stores(&tenant, ELSEWHERE, NEW).await;
    refused.fails(429, "RATE_LIMITED");
    assert_eq!(refused.header("retry-after"), "3600");
    operator_stores(&tenant, ELSEWHERE, Some(NEW)).await.fails(429, "RATE_LIMITED");
    app.db().is_still(&before);
    assert_eq!(app.outside().upstreams().sent().len(), sent);
    operator_stores(&tenant, ELSEWHERE, None).await.is(200);
    is_signed_by(&is_pinged(&tenant).await, &[NEW, OLD]);
    app.passes(DAY);
    stores(&tenant, ELSEWHERE, NEW).await.is(200);
}

#[tokio::test]
async fn an_earlier_secret_is_stored_sealed_and_removed_after_its_end() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let sealed = row(&tenant)["webhook_secret"].clone();
    stores(&tenant, ELSEWHERE, NEW).await.is(200);
    let until = app.now() + 24 * 3600;
    let stored = row(&tenant);
    let previous: Value = serde_json::from_str(stored["previous_secrets"].as_str().unwrap()).unwrap();
    assert_eq!(previous, json!([{ "secret": sealed, "until": until }]));
    assert_eq!(stored["previous_until"], until);
    let contents = serde_json::to_string(&app.db().contents()).unwrap();
    assert!(!contents.contains(OLD) && !contents.contains(NEW));
    app.passes(DAY - 1);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(row(&tenant)["previous_until"], until);
    app.passes(1);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(
        (&row(&tenant)["previous_secrets"], &row(&tenant)["previous_until"]),
        (&Value::Null, &Value::Null)
    );
}

/// As stored, to the letter: other versions read and write it.
#[tokio::test]
async fn earlier_secrets_are_read_as_they_were_stored() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let sealed = app.outside().seal(&Secret::new(NEW.to_owned()), &tenant.id).await.unwrap();
    let (later, over) = (app.now() + 60, app.now());
    for (previous, secrets) in [
        (format!(r#"[{{"secret":"{sealed}","until":{later}}}]"#), [OLD, NEW].as_slice()),
        (format!(r#"[{{"secret":"{sealed}","until":{later},"from":"a newer version"}}]"#), &[OLD, NEW]),
        (format!(r#"[{{"secret":"{sealed}","until":{over}}}]"#), &[OLD]),
        (
            format!(
                r#"[{{"secret":"v1.lost.key","until":{later}}},{{"secret":"{sealed}","until":{later}}}]"#
            ),
            &[OLD, NEW],
        ),
        (r#"{"not":"a list"}"#.to_owned(), &[OLD]),
        ("[]".to_owned(), &[OLD]),
        ("null".to_owned(), &[OLD]),
    ] {
        app.db().execute("update make_connections set previous_secrets = ?1", [&previous]);
        is_signed_by(&is_pinged(&tenant).await, secrets);
    }
    for unreadable in [r#"{"not":"a list"}"#, "null", "7", r#"["a text",{"until":"never"}]"#] {
        app.db().execute("update make_connections set previous_secrets = ?1", [unreadable]);
        stores(&tenant, ELSEWHERE, OLD).await.is(200);
        is_signed_by(&last_sent(&tenant), &[OLD]);
    }
}

/// The statement of a version that knows no earlier secrets.
#[tokio::test]
async fn an_older_version_stores_beside_them() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    stores(&tenant, ELSEWHERE, NEW).await.is(200);
    let sealed = app.outside().seal(&Secret::new(NEWEST.to_owned()), &tenant.id).await.unwrap();
    app.db().execute(
        "insert into make_connections (tenant_id, webhook_url, webhook_secret, updated_at)
         select t.id, ?2, coalesce(?3, m.webhook_secret), ?4
         from tenants t left join make_connections m on m.tenant_id = t.id where t.id = ?1
         on conflict (tenant_id) do update set webhook_url = excluded.webhook_url,
           webhook_secret = excluded.webhook_secret, validated_at = null, failing_since = null, disabled_at = null,
           disabled_reason = null, updated_at = excluded.updated_at",
        (&tenant.id, "https://hook.eu2.make.com/older", &sealed, app.now()),
    );
    is_signed_by(&is_pinged(&tenant).await, &[NEWEST, OLD]);
    stores(&tenant, ELSEWHERE, NEW).await.is(200);
    is_signed_by(&last_sent(&tenant), &[NEW, NEWEST, OLD]);
}

#[tokio::test]
async fn a_secret_that_does_not_open_any_more_is_said_and_replaced() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.db().execute("update make_connections set webhook_secret = 'v1.lost.key'", ());
    let sent = app.outside().upstreams().sent().len();
    let test = operator_stores(&tenant, ELSEWHERE, None).await.is(200)["data"]["webhook"]["test"].clone();
    assert_eq!(test["delivered"], false);
    assert!(test["reason"].as_str().unwrap().contains("Store it again"), "{test}");
    assert_eq!(app.outside().upstreams().sent().len(), sent);
    assert_eq!(stores(&tenant, ELSEWHERE, NEW).await.is(200)["data"]["changed"], true);
    is_signed_by(&last_sent(&tenant), &[NEW]);
}

#[tokio::test]
async fn a_secret_that_was_stored_before_its_spelling_was_checked_signs_as_it_did_and_as_it_is_read() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let unpadded = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBk";
    let sealed = app.outside().seal(&Secret::new(unpadded.to_owned()), &tenant.id).await.unwrap();
    app.db().execute("update make_connections set webhook_secret = ?1", [&sealed]);
    let ping = is_pinged(&tenant).await;
    assert!(ping.is_signed_with(&format!("{unpadded}=")) && ping.signatures() == 2);
}

#[tokio::test]
async fn it_is_stored_even_if_its_ping_can_not_be_noted() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.db().breaks(1, crate::support::Breaks::Before);
    let data = stores(&tenant, ELSEWHERE, NEW).await.is(200)["data"].clone();
    assert_eq!((&data["changed"], &data["webhook"]["test"]["delivered"]), (&json!(true), &json!(true)));
    assert_eq!(app.log_of("webhook_validation_not_noted").len(), 1);
}

/// Whoever has another webhook stored reads what happens to the tenant from then on: its owner hears of it.
#[tokio::test]
async fn an_owner_is_told_that_the_webhook_is_another_one() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let told = async || {
        app.outside().finishes_deferred_work().await;
        tenant.mails_leave().await;
        let events = "select count(*) from domain_events where type = 'webhook.changed'";
        let mails = app.outside().upstreams().sent_to("resend");
        let of_it =
            mails.iter().filter(|mail| mail.json()["subject"] == "The webhook of FC fc-nord was changed");
        (app.db().number(events), of_it.count())
    };
    assert_eq!(told().await, (0, 0), "the first one is none that was changed");
    tenant.connects_make().await.is(200);
    assert_eq!(told().await, (0, 0), "the same one");
    tenant.connects("https://hook.us1.make.com/another-secret-path").await.is(200);
    assert_eq!(told().await, (1, 1));
    let mail = app.outside().upstreams().sent_to("resend").pop().unwrap().json().to_string();
    assert!(mail.contains("hook.us1.make.com") && !mail.contains("another-secret-path"), "{mail}");
    let body = serde_json::json!({
        "tenant": tenant.id, "make_webhook_url": "https://hook.eu2.make.com/correct", "webhook_secret": WEBHOOK_SECRET,
    });
    let operator = Token::operator(app.now()).sign();
    app.post("/api/v1/admin/tenant/webhook").token(&operator).json(&body).send().await.is(200);
    assert_eq!(told().await, (2, 2));
}
