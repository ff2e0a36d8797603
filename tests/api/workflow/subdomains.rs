//! Tenants with DNS records of their own: each gets exactly one, whatever happens on the way, and nobody else's is
//! touched.

use serde_json::{Value, json};
use tenantry::{domain::Step, workflow::Artifact};

use crate::support::{Breaks, Club, RECORDS, Reaction, TestApp, ZONE};

const ANOTHER: &str =
    r#"{"success":true,"errors":[],"result":{"id":"x","type":"A","name":"x","content":"x"}}"#;
const NOTHING: &str = r#"{"success":true,"errors":[],"result":[]}"#;

async fn queued() -> Club {
    TestApp::with(&RECORDS).queued("fc-nord").await
}

fn records(club: &Club) -> Vec<Value> {
    club.outside().upstreams().dns(|dns| dns.records())
}

fn artifact(club: &Club) -> Option<Artifact> {
    club.outside().objects().run(&club.id).unwrap().artifact(Step::ConfigureRouting).cloned()
}

fn methods(club: &Club) -> Vec<&'static str> {
    club.outside().upstreams().sent_to("cloudflare").iter().map(|sent| sent.call.method).collect()
}

/// Its own record, with nothing but the id left to Cloudflare.
fn own_record(club: &Club) -> Value {
    json!({
        "type": "CNAME", "name": "fc-nord.clubs.example", "content": "clubs.example", "proxied": true, "ttl": 1,
        "comment": format!("tenantry:development:{}", club.id)
    })
}

/// Live, with one record that was made once.
async fn has_its_record(club: &Club, what: &str) {
    assert_eq!(club.ended().await, "completed", "{what}");
    assert_eq!(club.row()["route_ready"], 1, "{what}");
    let mut all = records(club);
    assert_eq!((all.len(), club.outside().upstreams().dns(|dns| dns.made)), (1, 1), "{what}: {all:?}");
    let mut record = all.remove(0);
    let id = record["id"].take();
    record.as_object_mut().unwrap().remove("id");
    assert_eq!(record, own_record(club), "{what}");
    let Some(Artifact::DnsRecord { id: known, zone, name, .. }) = artifact(club) else { panic!("{what}") };
    assert_eq!((json!(known), zone.as_str(), name.as_str()), (id, ZONE, "fc-nord.clubs.example"), "{what}");
}

#[tokio::test]
async fn a_club_gets_a_record_of_its_own() {
    let club = queued().await;
    club.waits().await;
    has_its_record(&club, "undisturbed").await;
    assert_eq!(methods(&club), ["GET", "POST"]);
    assert!(matches!(artifact(&club), Some(Artifact::DnsRecord { created: true, .. })));
    let calls = club.log_of("upstream_call");
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
            let club = queued().await;
            // The second time as the step is tried again: from its beginning.
            let healthy = || std::iter::repeat_n(Reaction::Healthy, nth);
            let script = healthy().chain([reaction.clone()]).chain(healthy()).chain([reaction.clone()]);
            club.outside().upstreams().next("cloudflare", script);
            club.waits().await;
            has_its_record(&club, &format!("call {nth} {reaction:?}")).await;
            let tried =
                club.db().number("select attempts from provision_steps where step = 'configure_routing'");
            // The record whose answer was lost is found by the second attempt's look, so that nothing is left to be lost.
            let lost = nth == 1 && reaction == Reaction::LosesTheAnswer;
            assert_eq!(tried, if lost { 2 } else { 3 }, "call {nth} {reaction:?}");
        }
    }
}

/// A lost answer must not end in a conflict with our own record.
#[tokio::test]
async fn a_record_whose_answer_was_lost_is_recognised_by_its_marker() {
    let club = queued().await;
    club.outside().upstreams().next("cloudflare", [Reaction::Healthy, Reaction::LosesTheAnswer]);
    club.waits().await;
    has_its_record(&club, "lost").await;
    assert_eq!(methods(&club), ["GET", "POST", "GET"]);
    assert!(matches!(artifact(&club), Some(Artifact::DnsRecord { created: false, .. })));
}

#[tokio::test]
async fn cloudflares_word_about_waiting_is_kept() {
    let club = queued().await;
    club.outside().upstreams().next("cloudflare", [Reaction::AsksToWait(429, "37")]);
    club.waits().await;
    has_its_record(&club, "429").await;
    let sent = club.outside().upstreams().sent_to("cloudflare");
    assert_eq!(sent[1].at.since(sent[0].at).as_secs(), 37);
}

/// Everything that can stand under the tenant's name and is not its own.
fn foreign(club: &Club) -> Vec<Value> {
    let own = own_record(club);
    let but = |field: &str, value: &str| {
        let mut other = own.clone();
        other[field] = value.into();
        other
    };
    vec![
        but("comment", ""),
        but("comment", "the shop of somebody"),
        but("comment", "tenantry:development:tenant_another"),
        but("comment", &format!("tenantry:production:{}", club.id)),
        but("content", "shop.example"),
        json!({ "type": "A", "name": own["name"], "content": "192.0.2.7", "comment": own["comment"] }),
        json!({ "type": "TXT", "name": own["name"], "content": "v=spf1 -all", "comment": null }),
    ]
}

#[tokio::test]
async fn a_record_that_is_not_ours_is_a_conflict_and_stays_as_it_is() {
    for at in 0..foreign(&queued().await).len() {
        let club = queued().await;
        let planted = club.outside().upstreams().dns(|dns| dns.plant(foreign(&club).remove(at)));
        club.waits().await;
        assert_eq!(club.ended().await, "SUBDOMAIN_CONFLICT", "{planted}");
        assert_eq!((records(&club), methods(&club)), (vec![planted], vec!["GET"]));
        assert_eq!(club.row()["route_ready"], 0);
        // Once it is out of the way, the run goes on.
        club.outside().upstreams().dns(|dns| dns.edit(Vec::clear));
        club.retries().await.is(200);
        club.waits().await;
        has_its_record(&club, "afterwards").await;
    }
}

#[tokio::test]
async fn whoever_was_quicker_is_looked_at_once_more() {
    for (ours, ended) in [(true, "completed"), (false, "SUBDOMAIN_CONFLICT")] {
        let club = queued().await;
        let quicker = if ours { own_record(&club) } else { foreign(&club).remove(0) };
        let quicker = club.outside().upstreams().dns(|dns| dns.plant(quicker));
        club.outside().upstreams().next("cloudflare", [Reaction::Answers(200, NOTHING)]);
        club.waits().await;
        assert_eq!(club.ended().await, ended);
        assert_eq!((records(&club), methods(&club)), (vec![quicker], vec!["GET", "POST", "GET"]));
    }
}

#[tokio::test]
async fn a_conflict_that_can_not_be_seen_is_tried_again() {
    for code in ["81053", "81054", "81057", "81058"] {
        let club = queued().await;
        let taken =
            format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"…"}}],"result":null}}"#);
        let script = [Reaction::Healthy, Reaction::Answers(400, taken.leak())];
        club.outside().upstreams().next("cloudflare", script);
        club.waits().await;
        has_its_record(&club, code).await;
        assert_eq!(methods(&club), ["GET", "POST", "GET", "GET", "POST"]);
        let attempts = "select count(*) from provision_history where error = 'CONTRADICTION'";
        assert_eq!(club.db().number(attempts), 1);
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
        let club = queued().await;
        let healthy = std::iter::repeat_n(Reaction::Healthy, nth);
        club.outside().upstreams().next("cloudflare", healthy.chain([reaction.clone()]));
        club.waits().await;
        assert_eq!((club.ended().await.as_str(), methods(&club).len()), (word, nth + 1), "{reaction:?}");
        assert!(records(&club).is_empty());
    }
}

#[tokio::test]
async fn an_account_that_is_none_is_a_matter_of_configuration() {
    for (name, value) in [("CLOUDFLARE_ZONE_ID", "another"), ("CLOUDFLARE_API_TOKEN", "another")] {
        let club = queued().await;
        let wrong = [RECORDS[0], RECORDS[1], RECORDS[2], (name, value)];
        let club = club.with_app(club.redeployed_with(&wrong));
        club.waits().await;
        assert_eq!(club.ended().await, "MISCONFIGURED", "{name}");
    }
}

#[tokio::test]
async fn without_a_zone_or_a_token_the_service_is_not_ready_for_records() {
    for name in ["CLOUDFLARE_ZONE_ID", "CLOUDFLARE_API_TOKEN"] {
        let app = TestApp::with(&[RECORDS[0], RECORDS[1], RECORDS[2], (name, "")]);
        let answer = app.get("/health/ready").send().await.is(503);
        assert!(answer.to_string().contains(&format!("{name} is missing")), "{answer}");
        let club = app.queued("fc-nord").await;
        club.waits().await;
        assert_eq!((club.ended().await.as_str(), methods(&club).len()), ("MISCONFIGURED", 0));
    }
}

#[tokio::test]
async fn every_batch_of_a_run_may_fail_before_or_after_it_is_done() {
    for nth in 0..12 {
        for how in [Breaks::Before, Breaks::After] {
            let club = queued().await;
            club.db().breaks(nth, how);
            club.waits().await;
            has_its_record(&club, &format!("batch {nth} {how:?}")).await;
        }
    }
}

#[tokio::test]
async fn clubs_do_not_get_into_each_others_way() {
    let app = TestApp::with(&RECORDS);
    let (nord, sued) = (app.queued("fc-nord").await, app.queued("fc-sued").await);
    nord.waits().await;
    sued.waits().await;
    let names: Vec<Value> = records(&nord).iter().map(|record| record["name"].clone()).collect();
    assert_eq!(names, ["fc-nord.clubs.example", "fc-sued.clubs.example"]);
}
