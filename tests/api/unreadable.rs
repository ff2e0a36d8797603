//! A checkpoint that this version can't read: nothing is done to it, and everybody is told; an operator's `reset` goes on from what
//! the database lists, under the same keys.

use serde_json::{Value, json};
use tenantry::{
    domain::Plan,
    ports::Objects,
    workflow::{Command, Reply, RequestOrigin, Run},
};

use crate::support::{Answer, RECORDS, Reaction, TestApp, TestTenant, Token};

const SAGAS: &str = "/api/v1/bgops/sagas";
/// Of a version that stores something else.
const ANOTHERS: &str = r#"{"written":"by another version"}"#;

async fn queued(plan: Plan) -> TestTenant {
    let app = TestApp::with(&RECORDS);
    app.queued_on(plan, "fc-nord").await
}

fn run(tenant: &TestTenant) -> Run {
    tenant.outside().objects().run(&tenant.id).unwrap()
}

async fn operator_posts(tenant: &TestTenant, path: &str, body: &Value) -> Answer {
    tenant.post(path).token(&Token::operator(tenant.now()).sign()).json(body).send().await
}

async fn resets(tenant: &TestTenant, run: &str) -> Answer {
    operator_posts(tenant, &format!("{SAGAS}/{run}/reset"), &json!({ "reason": "it can't be read" })).await
}

async fn is_removed_by_an_operator(tenant: &TestTenant) {
    let token = Token::operator(tenant.now()).sign();
    let ask = tenant.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id)).token(&token);
    ask.json(&json!({ "reason": "it closed" })).send().await.is(202);
}

/// Where each outside step waits, by how its upstream takes the calls.
fn waits() -> Vec<(Plan, &'static str, Vec<Reaction>)> {
    vec![
        (Plan::Starter, "cloudflare", vec![Reaction::TimesOut]),
        (Plan::Starter, "make", vec![Reaction::TimesOut]),
        (Plan::Pro, "apps_script", vec![Reaction::LosesTheAnswer]),
        (Plan::Pro, "apps_script", vec![Reaction::Healthy, Reaction::TimesOut]),
    ]
}

#[tokio::test]
async fn every_command_is_answered_that_it_cannot_be_read_and_changes_nothing() {
    let tenant = queued(Plan::Pro).await;
    tenant.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    let known = run(&tenant);
    tenant.outside().objects().stores(&tenant.id, ANOTHERS);
    let (subject, plan, run) = (known.subject, known.plan, known.id);
    for command in [
        Command::Queue {
            subject: subject.clone(),
            plan,
            caller: RequestOrigin::default(),
            run: None,
            projected_version: Some(known.version),
        },
        Command::Wake {
            subject: subject.clone(),
            plan,
            projected_version: Some(known.version),
            resume: false,
        },
        Command::Wake {
            subject: subject.clone(),
            plan,
            projected_version: Some(known.version),
            resume: true,
        },
        Command::Undo {
            subject: Some(subject),
            plan,
            caller: RequestOrigin::default(),
            projected_version: None,
            run: Some(run.clone()),
        },
        Command::CancelRun { run: run.clone() },
        Command::SkipStep { run, step: tenantry::domain::Step::CreateSpreadsheet },
        Command::Compare { projected_version: 0 },
        Command::Forget,
        Command::Cancel,
        Command::Skip,
        Command::Report,
    ] {
        let reply = tenant.outside().send_command(&tenant.id.parse().unwrap(), &command).await.unwrap();
        assert_eq!(reply, Reply::Unreadable, "{command:?}");
        assert_eq!(
            tenant.outside().objects().checkpoint(&tenant.id).as_deref(),
            Some(ANOTHERS),
            "{command:?}"
        );
    }
}

#[tokio::test]
async fn operators_are_told_and_that_nothing_was_done_is_written_down() {
    for (action, body) in [
        ("retry", json!({ "reason": "test" })),
        ("cancel", json!({ "reason": "test" })),
        ("skip-step", json!({ "reason": "test", "step": "create_spreadsheet" })),
    ] {
        let tenant = queued(Plan::Pro).await;
        tenant.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
        tenant.alarm_rings(&tenant.id).await;
        let run = run(&tenant).id;
        tenant.outside().objects().stores(&tenant.id, ANOTHERS);
        let answer = operator_posts(&tenant, &format!("{SAGAS}/{run}/{action}"), &body).await;
        answer.fails(409, "CHECKPOINT_UNREADABLE");
        let audited = tenant.db().row("select data from audit_log where action like 'saga.%'");
        assert_eq!(audited["data"], r#"{"done":false}"#, "{action}");
        assert_eq!(tenant.outside().objects().checkpoint(&tenant.id).as_deref(), Some(ANOTHERS), "{action}");
        // The tenant still sees where it stands, and so do operators.
        let status = tenant.sees_status().await.is(200);
        assert_eq!(status["status"], "processing", "{action}");
        let token = Token::operator(tenant.now()).sign();
        tenant.get(&format!("{SAGAS}/{run}")).token(&token).send().await.is(200);
        tenant.get(&format!("{SAGAS}/{run}/history")).token(&token).send().await.is(200);
    }
}

/// What was wanted is stored, and done once it was reset: removing it, or setting it up.
#[tokio::test]
async fn what_was_wanted_meanwhile_is_stored_and_done_after_the_reset() {
    for (wish, ends) in [("retry", "completed"), ("remove", "undone"), ("cancel", "undone")] {
        let tenant = queued(Plan::Pro).await;
        tenant.outside().upstreams().next("apps_script", [Reaction::Answers(400, "{}")]);
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "SPREADSHEET_REJECTED");
        let run = run(&tenant).id;
        tenant.outside().objects().stores(&tenant.id, ANOTHERS);
        match wish {
            "retry" => {
                tenant.retries().await.fails(503, "PROVISIONER_UNAVAILABLE");
            }
            "remove" => is_removed_by_an_operator(&tenant).await,
            _ => {
                let body = json!({ "reason": "it closed", "undo": true });
                let answer = operator_posts(&tenant, &format!("{SAGAS}/{run}/cancel"), &body).await;
                answer.fails(409, "CHECKPOINT_UNREADABLE");
            }
        }
        assert_eq!(tenant.outside().objects().checkpoint(&tenant.id).as_deref(), Some(ANOTHERS), "{wish}");
        resets(&tenant, run.as_str()).await.is(200);
        for _ in 0..3 {
            tenant.passes(120);
            tenantry::app::sweep::run(&tenant.app).await;
            tenant.waits().await;
        }
        let row = tenant.row();
        let state = if ends == "undone" { &row["undo_state"] } else { &row["provision_state"] };
        assert_eq!(state, ends, "{wish}");
        if ends == "undone" {
            tenant.has_left_nothing(wish);
        }
    }
}

#[tokio::test]
async fn a_reset_goes_on_from_what_the_database_lists_under_the_same_keys() {
    for (plan, upstream, reactions) in waits() {
        let tenant = queued(plan).await;
        tenant.outside().upstreams().next(upstream, reactions.clone());
        tenant.alarm_rings(&tenant.id).await;
        let known = run(&tenant);
        let what = format!("{:?}", known.doing.stage);
        tenant.outside().objects().stores(&tenant.id, ANOTHERS);
        tenant.outside().objects().loses_the_alarm(&tenant.id);
        let answer = resets(&tenant, known.id.as_str()).await.is(200);
        assert_eq!(answer["data"]["runId"], known.id.as_str(), "{what}");
        tenant.waits().await;
        tenant.mails_leave().await;
        assert_eq!(tenant.ended().await, "completed", "{what}");
        let after = run(&tenant);
        assert_eq!((after.id.clone(), after.current()), (known.id.clone(), None), "{what}");
        for sent in tenant.outside().upstreams().sent() {
            if ["make", "apps_script", "resend"].contains(&sent.call.upstream) {
                assert!(sent.key().starts_with(known.id.as_str()), "{what}: {}", sent.key());
            }
        }
        assert_eq!(tenant.outside().upstreams().sheets().len(), usize::from(plan == Plan::Pro), "{what}");
        assert_eq!(tenant.outside().upstreams().dns(|dns| dns.made), 1, "{what}");
        // What was done is not done again.
        for record in known.doing.records.iter().filter(|record| record.done_at.is_some()) {
            let attempts = after.doing.records.iter().find(|r| r.step == record.step).map(|r| r.attempts);
            assert_eq!(attempts, Some(record.attempts), "{what}: {:?}", record.step);
        }
        let audited = tenant.db().rows("select action, data from audit_log");
        assert_eq!(audited, [json!({ "action": "saga.reset", "data": "{}" })], "{what}");
        is_removed_by_an_operator(&tenant).await;
        tenant.waits().await;
        assert_eq!(tenant.row()["undo_state"], "undone", "{what}");
        tenant.has_left_nothing(&what);
    }
}

#[tokio::test]
async fn a_reset_of_a_removal_goes_on_with_what_is_left() {
    for upstream in ["cloudflare", "apps_script"] {
        let tenant = queued(Plan::Pro).await;
        tenant.waits().await;
        is_removed_by_an_operator(&tenant).await;
        tenant.outside().upstreams().next(upstream, [Reaction::LosesTheAnswer]);
        tenant.alarm_rings(&tenant.id).await;
        let known = run(&tenant).id;
        tenant.outside().objects().stores(&tenant.id, ANOTHERS);
        tenant.outside().objects().loses_the_alarm(&tenant.id);
        resets(&tenant, known.as_str()).await.is(200);
        tenant.waits().await;
        assert_eq!(tenant.row()["undo_state"], "undone", "{upstream}");
        assert_eq!(run(&tenant).id, known, "{upstream}");
        assert!(tenant.outside().upstreams().sheets().is_empty(), "{upstream}");
        assert_eq!(tenant.outside().upstreams().dns(|dns| dns.records().len()), 0, "{upstream}");
    }
}

/// What can be read knows more than the database does.
#[tokio::test]
async fn what_can_be_read_is_not_reset() {
    let tenant = queued(Plan::Pro).await;
    tenant.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    let before = run(&tenant);
    resets(&tenant, before.id.as_str()).await.fails(409, "RUN_STATE_CONFLICT");
    assert_eq!(run(&tenant), before);
    let audited = tenant.db().row("select action, data from audit_log");
    assert_eq!(audited, json!({ "action": "saga.reset", "data": r#"{"done":false}"# }));
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

/// Its tenant is told in time, although its object can't say so.
#[tokio::test]
async fn what_cannot_be_read_is_given_up_after_its_deadline_and_completes_once_it_is_reset() {
    let tenant = queued(Plan::Pro).await;
    tenant.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
    tenant.alarm_rings(&tenant.id).await;
    let known = run(&tenant).id;
    tenant.outside().objects().stores(&tenant.id, ANOTHERS);
    tenant.outside().objects().loses_the_alarm(&tenant.id);
    for _ in 0..60 {
        tenant.passes(61);
        tenantry::app::sweep::run(&tenant.app).await;
    }
    assert_eq!(tenant.ended().await, "DEADLINE_EXCEEDED");
    let stuck = tenant.log_of("tenant_provision_stuck");
    assert!(stuck.iter().any(|line| line.fields["tenantId"] == tenant.id.as_str()));
    resets(&tenant, known.as_str()).await.is(200);
    tenant.waits().await;
    if tenant.ended().await != "completed" {
        tenant.retries().await.is(200);
        tenant.waits().await;
    }
    assert_eq!((tenant.ended().await.as_str(), run(&tenant).id), ("completed", known));
    assert_eq!(tenant.outside().upstreams().sheets().len(), 1);
}
