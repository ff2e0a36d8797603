//! Tenants with DNS records of their own: each gets exactly one, whatever happens on the way, and nobody else's is
//! touched.

use serde_json::{Value, json};
use tenantry::{domain::Step, workflow::Artifact};

use crate::support::{Breaks, RECORDS, Reaction, TestApp, TestTenant, ZONE};

const ANOTHER: &str =
    r#"{"success":true,"errors":[],"result":{"id":"x","type":"A","name":"x","content":"x"}}"#;
const NOTHING: &str = r#"{"success":true,"errors":[],"result":[]}"#;

async fn queued() -> TestTenant {
    TestApp::with(&RECORDS).queued("fc-nord").await
}

fn records(tenant: &TestTenant) -> Vec<Value> {
    tenant.outside().upstreams().dns(|dns| dns.records())
}

fn artifact(tenant: &TestTenant) -> Option<Artifact> {
    tenant.outside().objects().run(&tenant.id).unwrap().artifact(Step::ConfigureRouting).cloned()
}

fn methods(tenant: &TestTenant) -> Vec<&'static str> {
    tenant.outside().upstreams().sent_to("cloudflare").iter().map(|sent| sent.call.method).collect()
}

/// Its own record, with nothing but the id left to Cloudflare.
fn own_record(tenant: &TestTenant) -> Value {
    json!({
        "type": "CNAME", "name": "fc-nord.clubs.example", "content": "clubs.example", "proxied": true, "ttl": 1,
        "comment": format!("tenantry:development:{}", tenant.id)
    })
}

/// Live, with one record that was made once.
async fn has_its_record(tenant: &TestTenant, what: &str) {
    assert_eq!(tenant.ended().await, "completed", "{what}");
    assert_eq!(tenant.row()["route_ready"], 1, "{what}");
    let mut all = records(tenant);
    assert_eq!((all.len(), tenant.outside().upstreams().dns(|dns| dns.made)), (1, 1), "{what}: {all:?}");
    let mut record = all.remove(0);
    let id = record["id"].take();
    record.as_object_mut().unwrap().remove("id");
    assert_eq!(record, own_record(tenant), "{what}");
    let Some(Artifact::DnsRecord { id: known, zone, name, .. }) = artifact(tenant) else { panic!("{what}") };
    assert_eq!((json!(known), zone.as_str(), name.as_str()), (id, ZONE, "fc-nord.clubs.example"), "{what}");
}

#[tokio::test]
async fn a_tenant_gets_a_record_of_its_own() {
    let tenant = queued().await;
    tenant.waits().await;
    has_its_record(&tenant, "undisturbed").await;
    assert_eq!(methods(&tenant), ["GET", "POST"]);
    assert!(matches!(artifact(&tenant), Some(Artifact::DnsRecord { created: true, .. })));
    let calls = tenant.log_of("upstream_call");
    let hosts: Vec<&Value> = calls.iter().map(|line| &line.fields["host"]).collect();
    assert!(hosts.contains(&&json!("api.cloudflare.com")), "{hosts:?}");
}

#[tokio::test]
async fn either_call_may_end_without_a_word_twice() {
    for nth in 0..2 {
        for reaction in [
            Reaction::TimesOut,
            Reaction::Breaks,
            Reaction::LosesTheAnswer,
            Reaction::Answers(500, "Internal Server Error"),
            Reaction::Answers(502, "<html>Bad Gateway</html>"),
            Reaction::AsksToWait(429, "3"),
            Reaction::Answers(200, "<html>Just a moment...</html>"),
            Reaction::Answers(403, "<html>Sorry, you have been blocked</html>"),
            Reaction::Answers(200, r#"{"success":true,"result":"#),
            Reaction::Answers(200, r#"{"success":true,"errors":[],"result":null}"#),
            Reaction::Answers(200, r#"{"success":true,"errors":[],"result":{"id":"x"}}"#),
            Reaction::Answers(200, r#"{"success":false,"errors":[],"result":null}"#),
            Reaction::Answers(200, ANOTHER),
        ] {
            let tenant = queued().await;
            // The second time as the step is tried again: from its beginning.
            let healthy = || std::iter::repeat_n(Reaction::Healthy, nth);
            let script = healthy().chain([reaction.clone()]).chain(healthy()).chain([reaction.clone()]);
            tenant.outside().upstreams().next("cloudflare", script);
            tenant.waits().await;
            has_its_record(&tenant, &format!("call {nth} {reaction:?}")).await;
            let tried =
                tenant.db().number("select attempts from provision_steps where step = 'configure_routing'");
            // The record whose answer was lost is found by the second attempt's look, so that nothing is left to be lost.
            let lost = nth == 1 && reaction == Reaction::LosesTheAnswer;
            assert_eq!(tried, if lost { 2 } else { 3 }, "call {nth} {reaction:?}");
        }
    }
}

/// A lost answer must not end in a conflict with our own record.
#[tokio::test]
async fn a_record_whose_answer_was_lost_is_recognised_by_its_marker() {
    let tenant = queued().await;
    tenant.outside().upstreams().next("cloudflare", [Reaction::Healthy, Reaction::LosesTheAnswer]);
    tenant.waits().await;
    has_its_record(&tenant, "lost").await;
    assert_eq!(methods(&tenant), ["GET", "POST", "GET"]);
    assert!(matches!(artifact(&tenant), Some(Artifact::DnsRecord { created: false, .. })));
}

#[tokio::test]
async fn cloudflares_word_about_waiting_is_kept() {
    let tenant = queued().await;
    tenant.outside().upstreams().next("cloudflare", [Reaction::AsksToWait(429, "37")]);
    tenant.waits().await;
    has_its_record(&tenant, "429").await;
    let sent = tenant.outside().upstreams().sent_to("cloudflare");
    assert_eq!(sent[1].at.since(sent[0].at).as_secs(), 37);
}

/// Everything that can stand under the tenant's name and is not its own.
fn foreign(tenant: &TestTenant) -> Vec<Value> {
    let own = own_record(tenant);
    let but = |field: &str, value: &str| {
        let mut other = own.clone();
        other[field] = value.into();
        other
    };
    vec![
        but("comment", ""),
        but("comment", "the shop of somebody"),
        but("comment", "tenantry:development:tenant_another"),
        but("comment", &format!("tenantry:production:{}", tenant.id)),
        but("content", "shop.example"),
        json!({ "type": "A", "name": own["name"], "content": "192.0.2.7", "comment": own["comment"] }),
        json!({ "type": "TXT", "name": own["name"], "content": "v=spf1 -all", "comment": null }),
    ]
}

#[tokio::test]
async fn a_record_that_is_not_ours_is_a_conflict_and_stays_as_it_is() {
    for at in 0..foreign(&queued().await).len() {
        let tenant = queued().await;
        let planted = tenant.outside().upstreams().dns(|dns| dns.plant(foreign(&tenant).remove(at)));
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "SUBDOMAIN_CONFLICT", "{planted}");
        assert_eq!((records(&tenant), methods(&tenant)), (vec![planted], vec!["GET"]));
        assert_eq!(tenant.row()["route_ready"], 0);
        // Once it is out of the way, the run goes on.
        tenant.outside().upstreams().dns(|dns| dns.edit(Vec::clear));
        tenant.retries().await.is(200);
        tenant.waits().await;
        has_its_record(&tenant, "afterwards").await;
    }
}

#[tokio::test]
async fn whoever_was_quicker_is_looked_at_once_more() {
    for (ours, ended) in [(true, "completed"), (false, "SUBDOMAIN_CONFLICT")] {
        let tenant = queued().await;
        let quicker = if ours { own_record(&tenant) } else { foreign(&tenant).remove(0) };
        let quicker = tenant.outside().upstreams().dns(|dns| dns.plant(quicker));
        tenant.outside().upstreams().next("cloudflare", [Reaction::Answers(200, NOTHING)]);
        tenant.waits().await;
        assert_eq!(tenant.ended().await, ended);
        assert_eq!((records(&tenant), methods(&tenant)), (vec![quicker], vec!["GET", "POST", "GET"]));
    }
}

#[tokio::test]
async fn a_conflict_that_can_not_be_seen_is_tried_again() {
    for code in ["81053", "81054", "81057", "81058"] {
        let tenant = queued().await;
        let taken =
            format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"…"}}],"result":null}}"#);
        let script = [Reaction::Healthy, Reaction::Answers(400, taken.leak())];
        tenant.outside().upstreams().next("cloudflare", script);
        tenant.waits().await;
        has_its_record(&tenant, code).await;
        assert_eq!(methods(&tenant), ["GET", "POST", "GET", "GET", "POST"]);
        let attempts = "select count(*) from provision_history where error = 'CONTRADICTION'";
        assert_eq!(tenant.db().number(attempts), 1);
    }
}

#[tokio::test]
async fn a_refusal_is_not_tried_again() {
    let refused = |status, code: u32| {
        let body = json!({ "success": false, "errors": [{ "code": code, "message": "…" }], "result": null });
        Reaction::Answers(status, body.to_string().leak())
    };
    for (nth, reaction, word) in [
        (0, refused(401, 10000), "MISCONFIGURED"),
        (0, refused(403, 10000), "MISCONFIGURED"),
        (0, refused(400, 9106), "MISCONFIGURED"),
        (0, refused(404, 7003), "MISCONFIGURED"),
        (1, refused(403, 10000), "MISCONFIGURED"),
        (1, refused(400, 81045), "SUBDOMAIN_REJECTED"),
        (1, refused(400, 9000), "SUBDOMAIN_REJECTED"),
    ] {
        let tenant = queued().await;
        let healthy = std::iter::repeat_n(Reaction::Healthy, nth);
        tenant.outside().upstreams().next("cloudflare", healthy.chain([reaction.clone()]));
        tenant.waits().await;
        assert_eq!((tenant.ended().await.as_str(), methods(&tenant).len()), (word, nth + 1), "{reaction:?}");
        assert!(records(&tenant).is_empty());
    }
}

#[tokio::test]
async fn an_account_that_is_none_is_a_matter_of_configuration() {
    for (name, value) in [("CLOUDFLARE_ZONE_ID", "another"), ("CLOUDFLARE_API_TOKEN", "another")] {
        let tenant = queued().await;
        let wrong = [RECORDS[0], RECORDS[1], RECORDS[2], (name, value)];
        let tenant = tenant.with_app(tenant.redeployed_with(&wrong));
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "MISCONFIGURED", "{name}");
    }
}

#[tokio::test]
async fn without_a_zone_or_a_token_the_service_is_not_ready_for_records() {
    for name in ["CLOUDFLARE_ZONE_ID", "CLOUDFLARE_API_TOKEN"] {
        let app = TestApp::with(&[RECORDS[0], RECORDS[1], RECORDS[2], (name, "")]);
        let answer = app.get("/health/ready").send().await.is(503);
        assert!(answer.to_string().contains(&format!("{name} is missing")), "{answer}");
        let tenant = app.queued("fc-nord").await;
        tenant.waits().await;
        assert_eq!((tenant.ended().await.as_str(), methods(&tenant).len()), ("MISCONFIGURED", 0));
    }
}

#[tokio::test]
async fn every_batch_of_a_run_may_fail_before_or_after_it_is_done() {
    for nth in 0..12 {
        for how in [Breaks::Before, Breaks::After] {
            let tenant = queued().await;
            tenant.db().breaks(nth, how);
            tenant.waits().await;
            has_its_record(&tenant, &format!("batch {nth} {how:?}")).await;
        }
    }
}

#[tokio::test]
async fn tenants_do_not_get_into_each_others_way() {
    let app = TestApp::with(&RECORDS);
    let (nord, sued) = (app.queued("fc-nord").await, app.queued("fc-sued").await);
    nord.waits().await;
    sued.waits().await;
    let names: Vec<Value> = records(&nord).iter().map(|record| record["name"].clone()).collect();
    assert_eq!(names, ["fc-nord.clubs.example", "fc-sued.clubs.example"]);
}
