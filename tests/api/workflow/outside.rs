//! Whole runs through the real steps, the real statements and upstreams that fail: every batch and every call, one
//! after another, in every way.

use serde_json::{Value, json};
use tenantry::{
    domain::{Plan, RunStatus},
    ports::Clock,
};

use crate::support::{Breaks, Reaction, TestApp, TestTenant, WEBHOOK_SECRET, signup};

/// How many batches, and calls to each upstream, an undisturbed run makes.
async fn undisturbed(plan: Plan) -> (usize, Vec<&'static str>) {
    let app = TestApp::new();
    let tenant = app.queued_on(plan, "fc-nord").await;
    let before = app.db().batches();
    tenant.waits().await;
    let made = app.db().batches() - before;
    is_completed(&tenant, "undisturbed").await;
    let calls = app.outside().upstreams().sent().iter().map(|sent| sent.call.upstream).collect();
    (made, calls)
}

/// Completed, in D1 as in the object, and nothing was done twice outside.
async fn is_completed(tenant: &TestTenant, what: &str) {
    tenant.mails_leave().await;
    assert_eq!(tenant.ended().await, "completed", "{what}");
    let row = tenant.row();
    assert_eq!((&row["status"], &row["provision_state"]), (&json!("active"), &json!("completed")), "{what}");
    assert!(row["provisioned_at"].is_i64() && row["route_ready"] == 1, "{what}");
    assert_eq!(tenant.outside().objects().alarm(&tenant.id), None, "{what}");
    for ((upstream, key), times) in tenant.outside().upstreams().effects() {
        // Make recognises no key: a ping whose answer was lost is sent once more.
        assert!(times == 1 || upstream == "make", "{what}: {key} was done {times} times by {upstream}");
    }
    let count = |table: &str| tenant.db().number(&format!("select count(*) from {table}"));
    assert_eq!((count("auth_users"), count("feed_posts"), count("tenant_brand")), (1, 1, 1), "{what}");
    assert_eq!((count("provision_runs"), count("magic_links")), (1, 1), "{what}");
    assert_eq!(count("domain_events where type = 'tenant.provisioned'"), 1, "{what}");
    assert_eq!(count("domain_events where type = 'tenant.failed'"), 0, "{what}");
    let steps = tenant.db().rows("select status from provision_steps");
    assert!(steps.iter().all(|step| step["status"] == "completed"), "{what}: {steps:?}");
}

#[tokio::test]
async fn every_batch_of_a_run_may_fail_before_or_after_it_is_done() {
    for plan in [Plan::Starter, Plan::Pro] {
        let (batches, _) = undisturbed(plan).await;
        for nth in 0..batches {
            for how in [Breaks::Before, Breaks::After] {
                let app = TestApp::new();
                let tenant = app.queued_on(plan, "fc-nord").await;
                app.db().breaks(nth, how);
                tenant.waits().await;
                is_completed(&tenant, &format!("{plan:?} batch {nth} {how:?}")).await;
            }
        }
    }
}

/// Going live was done, its answer was lost, and D1 is not there until the run fails: the tenant is live all the same.
#[tokio::test]
async fn what_went_live_never_fails_afterwards() {
    for plan in [Plan::Starter, Plan::Pro] {
        let (batches, _) = undisturbed(plan).await;
        let app = TestApp::new();
        let tenant = app.queued_on(plan, "fc-nord").await;
        // The last goes live; behind it D1 is told that nobody knows.
        app.db().breaks(batches - 1, Breaks::After);
        app.db().breaks(batches, Breaks::Before);
        tenant.alarm_rings(&tenant.id).await;
        let run = || app.outside().objects().run(&tenant.id).unwrap();
        assert_eq!(
            (tenant.row()["status"].as_str(), run().status()),
            (Some("active"), RunStatus::Processing)
        );
        app.db().goes_down();
        while run().status() == RunStatus::Processing {
            tenant.alarm_rings(&tenant.id).await;
        }
        app.db().comes_up();
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed", "{plan:?}");
        let runs = app.db().rows("select status, reason from provision_runs");
        assert_eq!(runs, [json!({ "status": "completed", "reason": null })], "{plan:?}");
        let events = app.db().rows("select type from domain_events where type <> 'tenant.signed_up'");
        assert_eq!(events, [json!({ "type": "tenant.provisioned" })], "{plan:?}");
    }
}

#[tokio::test]
async fn every_two_batches_of_a_run_may_fail() {
    let (batches, _) = undisturbed(Plan::Starter).await;
    for first in 0..batches {
        for second in [first + 1, first + 2, first + 5] {
            let app = TestApp::new();
            let tenant = app.queued_on(Plan::Starter, "fc-nord").await;
            app.db().breaks(first, Breaks::After);
            app.db().breaks(second, Breaks::Before);
            tenant.waits().await;
            is_completed(&tenant, &format!("batches {first} and {second}")).await;
        }
    }
}

/// What an upstream may answer that says nothing about what it did.
fn inconclusive(upstream: &str) -> Vec<Reaction> {
    let mut reactions = vec![
        Reaction::TimesOut,
        Reaction::Breaks,
        Reaction::LosesTheAnswer,
        Reaction::Answers(500, "Internal Server Error"),
        Reaction::Answers(502, "<html>Bad Gateway</html>"),
        Reaction::Answers(408, ""),
        Reaction::AsksToWait(429, "3"),
        Reaction::AsksToWait(503, "Fri, 15 Jan 2027 08:01:00 GMT"),
    ];
    if upstream != "make" {
        // Make's 200 means "queued" whatever else it says.
        reactions.push(Reaction::Answers(200, "<html>Sorry, unable to open the file at this time.</html>"));
        reactions.push(Reaction::Answers(200, "{\"almost\":"));
        reactions.push(Reaction::Answers(200, "{}"));
    }
    reactions
}

#[tokio::test]
async fn every_call_of_a_run_may_end_without_a_word_twice() {
    for plan in [Plan::Starter, Plan::Pro] {
        let (_, calls) = undisturbed(plan).await;
        for (nth, upstream) in calls.iter().enumerate() {
            for reaction in inconclusive(upstream) {
                let app = TestApp::new();
                let tenant = app.queued_on(plan, "fc-nord").await;
                let earlier = calls.iter().take(nth).filter(|other| *other == upstream).count();
                let healthy = std::iter::repeat_n(Reaction::Healthy, earlier);
                app.outside().upstreams().next(upstream, healthy.chain([reaction.clone(), reaction.clone()]));
                tenant.waits().await;
                is_completed(&tenant, &format!("{plan:?} {upstream} {nth} {reaction:?}")).await;
                let tried = app.outside().upstreams().sent_to(upstream).len();
                assert_eq!(
                    tried,
                    calls.iter().filter(|other| *other == upstream).count() + 2,
                    "{reaction:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn repeats_are_the_same_to_the_byte() {
    for plan in [Plan::Starter, Plan::Pro] {
        let (_, calls) = undisturbed(plan).await;
        for upstream in ["make", "resend", "apps_script"] {
            if !calls.contains(&upstream) {
                continue;
            }
            let app = TestApp::new();
            let tenant = app.queued_on(plan, "fc-nord").await;
            app.outside().upstreams().next(upstream, [Reaction::LosesTheAnswer, Reaction::TimesOut]);
            tenant.waits().await;
            tenant.mails_leave().await;
            let sent = app.outside().upstreams().sent_to(upstream);
            for repeat in &sent[1..3] {
                if upstream == "make" {
                    // A webhook that verifies refuses what is minutes old.
                    assert_eq!(repeat.header("webhook-timestamp"), repeat.at.seconds().to_string());
                    assert_eq!(repeat.header("webhook-id"), sent[0].header("webhook-id"));
                    assert!(repeat.is_signed_with(WEBHOOK_SECRET));
                    continue;
                }
                assert_eq!((&repeat.call.body, &repeat.call.url), (&sent[0].call.body, &sent[0].call.url));
                assert_eq!(repeat.call.headers, sent[0].call.headers, "{upstream}");
            }
            assert!(sent[1].at > sent[0].at, "{upstream}: after a while");
        }
    }
}

#[tokio::test]
async fn every_refusal_has_its_word() {
    for (plan, upstream, reaction, word) in [
        (Plan::Starter, "make", Reaction::Answers(400, ""), "WEBHOOK_REJECTED"),
        (Plan::Starter, "make", Reaction::Answers(401, ""), "WEBHOOK_REJECTED"),
        (Plan::Starter, "make", Reaction::Answers(404, ""), "WEBHOOK_REJECTED"),
        (Plan::Starter, "make", Reaction::Answers(410, ""), "WEBHOOK_REJECTED"),
        (Plan::Starter, "make", Reaction::Answers(302, ""), "WEBHOOK_REJECTED"),
        (
            Plan::Pro,
            "apps_script",
            Reaction::Answers(200, r#"{"ok":false,"error":"quota"}"#),
            "SPREADSHEET_REJECTED",
        ),
        (Plan::Pro, "apps_script", Reaction::Answers(404, "<html>"), "SPREADSHEET_REJECTED"),
        (Plan::Starter, "make", Reaction::TimesOut, "UPSTREAM_UNAVAILABLE"),
        (Plan::Pro, "apps_script", Reaction::Answers(200, "<html>Error</html>"), "UPSTREAM_UNAVAILABLE"),
    ] {
        let app = TestApp::new();
        let tenant = app.queued_on(plan, "fc-nord").await;
        app.outside().upstreams().always(upstream, reaction.clone());
        tenant.waits().await;
        assert_eq!(tenant.ended().await, word, "{upstream} {reaction:?}");
        assert_eq!(tenant.row()["status"], "trial", "{upstream} {reaction:?}");
    }
}

/// Nothing verified that the spreadsheet existed.
#[tokio::test]
async fn a_spreadsheet_that_is_not_there_fails_the_run() {
    let app = TestApp::new();
    let tenant = app.queued_on(Plan::Pro, "fc-nord").await;
    let made = r#"{"ok":true,"spreadsheetId":"nowhere","spreadsheetUrl":"https://docs.google.com/nowhere"}"#;
    app.outside().upstreams().next("apps_script", [Reaction::Answers(200, made)]);
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "SPREADSHEET_MISSING");
}

#[tokio::test]
async fn a_spreadsheet_is_kept_with_the_tenant() {
    let app = TestApp::new();
    let tenant = app.queued_on(Plan::Pro, "fc-nord").await;
    tenant.waits().await;
    let row =
        app.db().row("select tenant_id, spreadsheet_id, spreadsheet_url, verified_at from pro_automation");
    let url = "https://docs.google.com/spreadsheets/d/sheet_0/edit";
    assert_eq!((&row["tenant_id"], &row["spreadsheet_id"]), (&json!(tenant.id), &json!("sheet_0")));
    assert_eq!((&row["spreadsheet_url"], row["verified_at"].is_i64()), (&json!(url), true));
}

#[tokio::test]
async fn with_a_service_account_google_itself_is_asked() {
    let key = r#"{"client_email":"bot@project.iam","private_key":"a private key","private_key_id":"k1"}"#;
    let app = TestApp::with(&[("GOOGLE_SERVICE_ACCOUNT_KEY", key)]);
    let tenant = app.queued_on(Plan::Pro, "fc-nord").await;
    app.outside().upstreams().next("google_sheets", [Reaction::Answers(401, ""), Reaction::TimesOut]);
    app.outside().upstreams().next("google_token", [Reaction::Answers(503, "")]);
    tenant.waits().await;
    is_completed(&tenant, "google").await;
    let sent = app.outside().upstreams().sent_to("google");
    let hosts: Vec<&str> = sent.iter().map(|sent| sent.call.url.split('/').nth(2).unwrap()).collect();
    let (token, sheets) = ("oauth2.googleapis.com", "sheets.googleapis.com");
    assert_eq!(hosts, [token, token, sheets, token, sheets, token, sheets]);
}

#[tokio::test]
async fn a_service_account_that_is_none_is_a_matter_of_configuration() {
    for key in ["{}", "nonsense", r#"{"client_email":"a","private_key":"not a key"}"#] {
        let app = TestApp::with(&[("GOOGLE_SERVICE_ACCOUNT_KEY", key)]);
        let tenant = app.queued_on(Plan::Pro, "fc-nord").await;
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "MISCONFIGURED", "{key}");
    }
}

#[tokio::test]
async fn a_webhook_is_judged_again_before_it_is_called() {
    let app = TestApp::new();
    let tenant = app.queued_on(Plan::Starter, "fc-nord").await;
    let stricter = tenant.with_app(app.redeployed_with(&[("ALLOWED_WEBHOOK_HOSTS", "hooks.example.com")]));
    stricter.waits().await;
    assert_eq!(tenant.ended().await, "WEBHOOK_REJECTED");
    assert!(app.outside().upstreams().sent().is_empty());
}

#[tokio::test]
async fn a_webhook_that_refuses_pings_may_count_as_there() {
    for status in [401, 403, 404, 405] {
        let app = TestApp::with(&[("MAKE_VALIDATE_STRICT", "false")]);
        let tenant = app.queued_on(Plan::Starter, "fc-nord").await;
        app.outside().upstreams().always("make", Reaction::Answers(status, ""));
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed", "{status}");
    }
}

#[tokio::test]
async fn what_goes_out_is_signed_and_says_whose_it_is() {
    let app = TestApp::new();
    let tenant = app.queued_on(Plan::Starter, "fc-nord").await;
    tenant.waits().await;
    tenant.mails_leave().await;
    let sent = app.outside().upstreams().sent();
    let run = app.outside().objects().run(&tenant.id).unwrap();
    assert_eq!(sent[0].key(), format!("{}/validate_webhook", run.id));
    assert!(sent[0].is_signed_with(WEBHOOK_SECRET));
    let ping = json!({ "type": "webhook.ping", "timestamp": "2027-01-15T08:00:12.345Z", "data": { "tenantId": tenant.id } });
    assert_eq!(sent[0].json(), ping);
    assert_eq!(sent[1].key(), format!("{}/send_welcome_email", run.id));
    let mail = sent[1].json();
    assert_eq!(
        (&mail["to"], &mail["subject"]),
        (&json!(["owner@fc-nord.example"]), &json!("Welcome, FC fc-nord"))
    );
    assert!(mail["text"].as_str().unwrap().contains("fc-nord.clubs.example"));
}

#[tokio::test]
async fn mails_that_are_only_logged_complete_a_run_too() {
    let app = TestApp::with(&[("EMAIL_PROVIDER", "log"), ("RESEND_API_KEY", ""), ("EMAIL_PROOF", "off")]);
    let tenant = app.queued_on(Plan::Starter, "fc-nord").await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
    tenant.mails_leave().await;
    assert!(app.outside().upstreams().sent_to("resend").is_empty());
    assert_eq!(app.log_of("email_logged")[0].fields["contactEmail"], "o***@fc-nord.example");
}

#[tokio::test]
async fn without_subdomains_a_tenant_has_none() {
    let app = TestApp::with(&[("SUBDOMAIN_MODE", "none")]);
    let tenant = app.queued_on(Plan::Starter, "fc-nord").await;
    tenant.waits().await;
    assert_eq!((tenant.ended().await.as_str(), &tenant.row()["route_ready"]), ("completed", &json!(0)));
}

/// What was stopped stays stopped: a run that was under way must not bring it back.
#[tokio::test]
async fn a_tenant_that_is_suspended_meanwhile_is_not_taken_live() {
    for status in ["suspended", "cancelled"] {
        let app = TestApp::new();
        let tenant = app.queued_on(Plan::Starter, "fc-nord").await;
        tenant.becomes("status", status);
        tenant.waits().await;
        assert_eq!(tenant.row()["status"], status);
    }
}

#[tokio::test]
async fn for_a_tenant_that_d1_does_not_know_nothing_is_begun() {
    let app = TestApp::new();
    let tenant = app.queued_on(Plan::Starter, "fc-nord").await;
    for table in ["domain_events", "tenant_brand", "make_connections"] {
        app.db().execute(&format!("delete from {table}"), ());
    }
    app.db().execute("delete from tenants", ());
    let mut waits = Vec::new();
    for _ in 0..20 {
        tenant.alarm_rings(&tenant.id).await;
        let Some(next) = app.outside().objects().alarm(&tenant.id) else { break };
        waits.push(next.since(app.outside().now()).as_secs());
    }
    assert!(app.outside().upstreams().sent().is_empty());
    assert!(waits[0] < 13 && waits.iter().any(|wait| *wait > 2000), "less and less often: {waits:?}");
    assert_eq!(app.log_of("tenant_provision_orphaned").len(), waits.len() + 1);
    assert_eq!(app.log_of("tenant_provision_orphaned")[0].fields["tenantId"], tenant.id);
}

#[tokio::test]
async fn nothing_secret_stays_anywhere() {
    for plan in [Plan::Starter, Plan::Pro] {
        let app = TestApp::new();
        let tenant = app.queued_on(plan, "fc-nord").await;
        app.outside().upstreams().next("resend", [Reaction::TimesOut]);
        tenant.waits().await;
        tenant.mails_leave().await;
        let stored = serde_json::to_string(&app.db().contents()).unwrap();
        let run = serde_json::to_string(&app.outside().objects().run(&tenant.id)).unwrap();
        for secret in crate::support::SECRETS {
            assert!(!stored.contains(secret) && !run.contains(secret), "{secret}");
        }
        assert!(!stored.contains("eyJ") && !run.contains("eyJ"), "no token");
        let history = serde_json::to_string(&app.db().rows("select * from provision_history")).unwrap();
        assert!(!history.contains('@') && !history.contains("https://"), "{history}");
    }
}

/// A sheet takes what begins so for a formula; an apostrophe before it says that it is text.
#[tokio::test]
async fn a_text_that_a_sheet_could_read_as_a_formula_goes_as_literal_text() {
    for (name, sent) in [
        ("=IMPORTXML(\"https://x.example\")", "'=IMPORTXML(\"https://x.example\")"),
        ("+49 Kickers", "'+49 Kickers"),
        ("-1 FC", "'-1 FC"),
        ("@home", "'@home"),
        ("＝SUM(A1)", "'＝SUM(A1)"),
        ("＠home", "'＠home"),
        ("'s-Hertogenbosch", "''s-Hertogenbosch"),
        ("FC =1+1", "FC =1+1"),
    ] {
        let app = TestApp::new();
        let mut form = signup("fc-nord");
        form["plan"] = "pro".into();
        form["clubName"] = name.into();
        form["email"] = "+ann@example.org".into();
        let tenant = app.signed_up_with(&form).await;
        tenant.confirms_pro().await.is(200);
        tenant.waits().await;
        let call = app.outside().upstreams().sent_to("apps_script").remove(0).call;
        let body: Value = serde_json::from_str(&call.body.unwrap()).unwrap();
        assert_eq!(
            (&body["teamName"], &body["email"]),
            (&json!(sent), &json!("'+ann@example.org")),
            "{name}"
        );
    }
}

/// What the spreadsheet is to look like goes with what makes it; and all of it as ASCII, whatever the tenant's name is.
#[tokio::test]
async fn the_script_is_told_of_the_tenants_colours_and_address() {
    let brand = json!({ "primaryColor": "#AA0011", "secondaryColor": "#ffffff" });
    for (mode, address) in [("wildcard", json!("https://fc-nord.clubs.example")), ("none", Value::Null)] {
        for (chosen, colors) in [(Some(&brand), ["#aa0011", "#ffffff"]), (None, ["#1f4e79", "#f4b942"])] {
            let app = TestApp::with(&[("SUBDOMAIN_MODE", mode)]);
            let mut form = signup("fc-nord");
            form["plan"] = "pro".into();
            form["clubName"] = "Fußball 🏐 Süd".into();
            let tenant = app.signed_up_with(&form).await;
            if let Some(chosen) = chosen {
                tenant.posts("/public/signup/brand", chosen).await.is(200);
            }
            tenant.confirms_pro().await.is(200);
            tenant.waits().await;
            let call = app.outside().upstreams().sent_to("apps_script").remove(0).call;
            let raw = call.body.unwrap();
            assert!(raw.is_ascii(), "{raw}");
            let body: Value = serde_json::from_str(&raw).unwrap();
            assert_eq!(body["teamName"], "Fußball 🏐 Süd");
            assert_eq!(body["address"], address);
            assert_eq!([&body["primaryColor"], &body["secondaryColor"]], colors);
        }
    }
}
