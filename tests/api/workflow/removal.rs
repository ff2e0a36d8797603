//! Removing what a run made outside: it counts when it was looked for and is gone, may be asked for again after anything,
//! and never touches what is another's.

use serde_json::{Value, json};
use tenantry::{
    app::upstream::{
        apps_script::{self, Keys},
        cloudflare,
    },
    domain::Step,
    workflow::{Artifact, FailureCode, Outcome, TransientErrorCode},
};

use crate::support::{RECORDS, Reaction, TestApp, TestTenant, ZONE};

/// What says nothing about what was done.
const INCONCLUSIVE: [Reaction; 8] = [
    Reaction::TimesOut,
    Reaction::Breaks,
    Reaction::LosesTheAnswer,
    Reaction::Answers(500, "Internal Server Error"),
    Reaction::AsksToWait(429, "3"),
    Reaction::Answers(200, "<html>Sorry, unable to open the file at this time.</html>"),
    Reaction::Answers(200, "{\"almost\":"),
    Reaction::Answers(200, "{}"),
];

fn made_by(tenant: &TestTenant, step: Step) -> Option<Artifact> {
    tenant.outside().objects().run(&tenant.id).unwrap().artifact(step).cloned()
}

fn refused(outcome: &Outcome) -> Option<FailureCode> {
    match outcome {
        Outcome::Failed(failure) => Some(failure.code),
        _ => None,
    }
}

fn unknown(outcome: &Outcome) -> Option<TransientErrorCode> {
    match outcome {
        Outcome::Unknown(fault) => Some(fault.code),
        _ => None,
    }
}

/// The methods or actions of every call from the `from`-th on.
fn calls(tenant: &TestTenant, from: usize) -> Vec<String> {
    let sent = tenant.outside().upstreams().sent();
    let word = |call: &crate::support::RecordedCall| match call.call.upstream {
        "apps_script" => call.json()["action"].as_str().unwrap().to_owned(),
        _ => call.call.method.to_owned(),
    };
    sent.iter().skip(from).map(word).collect()
}

fn sent(tenant: &TestTenant) -> usize {
    tenant.outside().upstreams().sent().len()
}

mod records {
    use super::*;

    async fn with_record() -> (TestTenant, Option<Artifact>) {
        let tenant = TestApp::with(&RECORDS).provisioned("fc-nord").await;
        let made = made_by(&tenant, Step::ConfigureRouting);
        assert!(made.is_some());
        (tenant, made)
    }

    async fn remove(tenant: &TestTenant, made: Option<&Artifact>) -> Outcome {
        let run = tenant.outside().objects().run(&tenant.id).unwrap();
        cloudflare::remove(&tenant.app, &run.subject, made).await
    }

    fn records(tenant: &TestTenant) -> Vec<Value> {
        tenant.outside().upstreams().dns(|dns| dns.records())
    }

    #[tokio::test]
    async fn a_record_is_removed_and_looked_for() {
        let (tenant, made) = with_record().await;
        let before = sent(&tenant);
        assert_eq!(remove(&tenant, made.as_ref()).await, Outcome::Done(None));
        assert_eq!(
            (records(&tenant).len(), calls(&tenant, before)),
            (0, vec!["GET".into(), "DELETE".into(), "GET".into()])
        );
        let before = sent(&tenant);
        assert_eq!(remove(&tenant, made.as_ref()).await, Outcome::Done(None));
        assert_eq!(calls(&tenant, before), ["GET"], "once more");
    }

    #[tokio::test]
    async fn a_record_that_nobody_told_of_is_found_by_its_marker() {
        let (tenant, _) = with_record().await;
        assert_eq!(remove(&tenant, None).await, Outcome::Done(None));
        assert!(records(&tenant).is_empty());
        assert_eq!(remove(&tenant, None).await, Outcome::Done(None), "once more");
    }

    #[tokio::test]
    async fn every_call_may_end_without_a_word() {
        for told in [true, false] {
            for nth in 0..3 {
                for reaction in INCONCLUSIVE {
                    let (tenant, made) = with_record().await;
                    let made = made.filter(|_| told);
                    let script = std::iter::repeat_n(Reaction::Healthy, nth).chain([reaction.clone()]);
                    tenant.outside().upstreams().next("cloudflare", script);
                    let outcome = remove(&tenant, made.as_ref()).await;
                    assert!(unknown(&outcome).is_some(), "{nth} {reaction:?}: {outcome:?}");
                    assert_eq!(
                        remove(&tenant, made.as_ref()).await,
                        Outcome::Done(None),
                        "{nth} {reaction:?}"
                    );
                    assert!(records(&tenant).is_empty(), "{nth} {reaction:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_record_that_is_not_ours_is_never_touched() {
        for comment in ["", "the shop of somebody", "tenantry:development:tenant_another"] {
            let (tenant, made) = with_record().await;
            // The same id, name, type and content: only the marker says whose it is.
            tenant.outside().upstreams().dns(|dns| dns.edit(|all| all[0]["comment"] = comment.into()));
            let untouched = records(&tenant);
            let before = sent(&tenant);
            assert_eq!(remove(&tenant, None).await, Outcome::Done(None));
            assert_eq!(calls(&tenant, before), ["GET"], "{comment}");
            // The one that we made is not gone, whatever it says.
            let before = sent(&tenant);
            let Outcome::Failed(failure) = remove(&tenant, made.as_ref()).await else { panic!("{comment}") };
            assert_eq!(failure.code, FailureCode::CompensationRefused);
            assert_eq!(calls(&tenant, before), ["GET"], "{comment}");
            assert_eq!(records(&tenant), untouched);
            // Somebody removes it by hand, or says again that it is ours.
            tenant.outside().upstreams().dns(|dns| dns.edit(Vec::clear));
            assert_eq!(remove(&tenant, made.as_ref()).await, Outcome::Done(None));
        }
    }

    #[tokio::test]
    async fn only_our_own_goes_from_a_name_that_is_shared() {
        let (tenant, _) = with_record().await;
        let name = "fc-nord.clubs.example";
        let txt = json!({ "type": "TXT", "name": name, "content": "v=spf1 -all", "comment": null });
        let txt = tenant.outside().upstreams().dns(|dns| dns.plant(txt));
        assert_eq!(remove(&tenant, None).await, Outcome::Done(None));
        assert_eq!(records(&tenant), [txt]);
    }

    /// A filter that Cloudflare passes over must not cost a tenant its record.
    #[tokio::test]
    async fn what_was_not_asked_for_is_passed_over() {
        let (tenant, _) = with_record().await;
        let mut other = records(&tenant).remove(0);
        other["name"] = "www.fc-nord.clubs.example".into();
        let all = json!({ "success": true, "errors": [], "result": [other] }).to_string();
        tenant.outside().upstreams().next("cloudflare", [Reaction::Answers(200, all.leak())]);
        let before = sent(&tenant);
        assert_eq!(remove(&tenant, None).await, Outcome::Done(None));
        assert_eq!(calls(&tenant, before), ["GET"]);
    }

    #[tokio::test]
    async fn a_removal_that_is_only_said_does_not_count() {
        let (tenant, made) = with_record().await;
        let said = Reaction::Answers(200, r#"{"success":true,"errors":[],"result":{"id":"x"}}"#);
        tenant.outside().upstreams().next("cloudflare", [Reaction::Healthy, said]);
        let outcome = remove(&tenant, made.as_ref()).await;
        assert_eq!(unknown(&outcome), Some(TransientErrorCode::Contradiction));
        assert_eq!(records(&tenant).len(), 1);
    }

    #[tokio::test]
    async fn a_refusal_has_its_word_and_leaves_the_record() {
        let no = |status, code: u32| {
            let body =
                json!({ "success": false, "errors": [{ "code": code, "message": "…" }], "result": null });
            Reaction::Answers(status, body.to_string().leak())
        };
        for (nth, reaction, code) in [
            (0, no(403, 10000), FailureCode::Misconfigured),
            // No such zone: that says nothing about the record.
            (0, no(404, 7003), FailureCode::Misconfigured),
            (1, no(403, 10000), FailureCode::Misconfigured),
            (1, no(400, 1043), FailureCode::CompensationRefused),
        ] {
            let (tenant, made) = with_record().await;
            let script = std::iter::repeat_n(Reaction::Healthy, nth).chain([reaction]);
            tenant.outside().upstreams().next("cloudflare", script);
            assert_eq!(refused(&remove(&tenant, made.as_ref()).await), Some(code));
            assert_eq!(records(&tenant).len(), 1);
        }
    }

    /// The predecessors looked in another domain, found nothing, and called it removed.
    #[tokio::test]
    async fn a_record_is_removed_from_where_it_was_made() {
        let (tenant, made) = with_record().await;
        let transition = [
            RECORDS[0],
            RECORDS[2],
            ("CLOUDFLARE_ZONE_ID", "fedcba9876543210fedcba9876543210"),
            ("BASE_DOMAIN", "moved.example"),
        ];
        let transition = tenant.with_app(tenant.redeployed_with(&transition));
        let before = sent(&tenant);
        assert_eq!(remove(&transition, made.as_ref()).await, Outcome::Done(None));
        assert!(records(&tenant).is_empty());
        let sent = tenant.outside().upstreams().sent();
        assert!(sent.iter().skip(before).all(|sent| sent.call.url.contains(ZONE)));
    }

    #[tokio::test]
    async fn where_no_records_are_made_none_are_looked_for() {
        for mode in ["wildcard", "none"] {
            let tenant = TestApp::with(&[("SUBDOMAIN_MODE", mode)]).provisioned("fc-nord").await;
            let before = sent(&tenant);
            assert_eq!(remove(&tenant, None).await, Outcome::Done(None));
            assert_eq!(sent(&tenant), before);
        }
        // With a zone there may be one, from before the mode was changed.
        let (tenant, _) = with_record().await;
        let changed = tenant.with_app(tenant.redeployed_with(&[RECORDS[1], RECORDS[2]]));
        assert_eq!(remove(&changed, None).await, Outcome::Done(None));
        assert!(records(&tenant).is_empty());
    }

    #[tokio::test]
    async fn without_a_way_in_nothing_counts_as_removed() {
        let (tenant, made) = with_record().await;
        let bare = tenant.with_app(tenant.redeployed_with(&RECORDS[..1]));
        for made in [made.as_ref(), None] {
            assert_eq!(refused(&remove(&bare, made).await), Some(FailureCode::Misconfigured));
        }
    }
}

mod spreadsheets {
    use super::*;

    async fn with_sheet() -> (TestTenant, String) {
        let tenant = TestApp::new().signed_up_pro("fc-nord").await;
        tenant.confirms_pro().await.is(200);
        tenant.waits().await;
        let Some(Artifact::Spreadsheet { id, .. }) = made_by(&tenant, Step::CreateSpreadsheet) else {
            panic!()
        };
        (tenant, id)
    }

    async fn remove(tenant: &TestTenant, spreadsheet: Option<&str>) -> Outcome {
        let run = tenant.outside().objects().run(&tenant.id).unwrap();
        let (provision, removal) =
            (run.idempotency_key(Step::CreateSpreadsheet), format!("{}/undo_create_spreadsheet", run.id));
        let keys = Keys { provision: &provision, removal: &removal };
        apps_script::remove(&tenant.app, &run.subject, spreadsheet, keys).await
    }

    fn sheets(tenant: &TestTenant) -> Vec<String> {
        tenant.outside().upstreams().sheets()
    }

    #[tokio::test]
    async fn a_spreadsheet_is_removed_and_looked_for() {
        let (tenant, id) = with_sheet().await;
        let before = sent(&tenant);
        assert_eq!(remove(&tenant, Some(&id)).await, Outcome::Done(None));
        assert_eq!(
            (sheets(&tenant).len(), calls(&tenant, before)),
            (0, vec!["deprovision".into(), "verify".into()])
        );
        let told = tenant.outside().upstreams().sent()[before].json();
        let run = tenant.outside().objects().run(&tenant.id).unwrap().id;
        assert_eq!(
            told,
            json!({
                "action": "deprovision", "tenantId": tenant.id, "spreadsheetId": id,
                "provisionKey": format!("{run}/create_spreadsheet"),
                "idempotencyKey": format!("{run}/undo_create_spreadsheet")
            })
        );
        assert_eq!(remove(&tenant, Some(&id)).await, Outcome::Done(None), "once more");
        let removals = ("apps_script", format!("{run}/undo_create_spreadsheet"));
        assert_eq!(tenant.outside().upstreams().effects()[&removals], 1);
    }

    #[tokio::test]
    async fn a_spreadsheet_that_nobody_told_of_is_removed_by_its_key() {
        let (tenant, _) = with_sheet().await;
        let before = sent(&tenant);
        assert_eq!(remove(&tenant, None).await, Outcome::Done(None));
        assert_eq!(
            (sheets(&tenant).len(), calls(&tenant, before)),
            (0, vec!["deprovision".into(), "verify".into()])
        );
        assert!(tenant.outside().upstreams().sent()[before].json().get("spreadsheetId").is_none());
        assert_eq!(remove(&tenant, None).await, Outcome::Done(None), "once more");
    }

    #[tokio::test]
    async fn either_call_may_end_without_a_word() {
        for told in [true, false] {
            for nth in 0..2 {
                for reaction in INCONCLUSIVE {
                    let (tenant, id) = with_sheet().await;
                    let id = told.then_some(id.as_str());
                    let script = std::iter::repeat_n(Reaction::Healthy, nth).chain([reaction.clone()]);
                    tenant.outside().upstreams().next("apps_script", script);
                    let outcome = remove(&tenant, id).await;
                    assert!(unknown(&outcome).is_some(), "{nth} {reaction:?}: {outcome:?}");
                    assert_eq!(remove(&tenant, id).await, Outcome::Done(None), "{nth} {reaction:?}");
                    assert!(sheets(&tenant).is_empty(), "{nth} {reaction:?}");
                }
            }
        }
    }

    /// A request that was on its way when its answer failed must not bring the spreadsheet back.
    #[tokio::test]
    async fn a_request_that_comes_late_brings_nothing_back() {
        let tenant = TestApp::new().signed_up_pro("fc-nord").await;
        tenant.confirms_pro().await.is(200);
        tenant.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
        tenant.alarm_rings(&tenant.id).await;
        assert_eq!((made_by(&tenant, Step::CreateSpreadsheet), sheets(&tenant).len()), (None, 0));
        let before = sent(&tenant);
        assert_eq!(remove(&tenant, None).await, Outcome::Done(None));
        assert_eq!(calls(&tenant, before), ["deprovision"], "there never was one to look for");
        tenant.waits().await;
        assert_eq!((tenant.ended().await.as_str(), sheets(&tenant).len()), ("SPREADSHEET_REJECTED", 0));
    }

    #[tokio::test]
    async fn a_spreadsheet_of_another_tenant_is_never_touched() {
        let (tenant, _) = with_sheet().await;
        let other = tenant.queued_pro("fc-sued").await;
        other.waits().await;
        let Some(Artifact::Spreadsheet { id, .. }) = made_by(&other, Step::CreateSpreadsheet) else {
            panic!()
        };
        let run = other.outside().objects().run(&other.id).unwrap();
        let subject = tenant.outside().objects().run(&tenant.id).unwrap().subject;
        for spreadsheet in [Some(id.as_str()), None] {
            let keys = Keys { provision: &run.idempotency_key(Step::CreateSpreadsheet), removal: "undo" };
            let outcome = apps_script::remove(&tenant.app, &subject, spreadsheet, keys).await;
            assert_eq!(refused(&outcome), Some(FailureCode::CompensationRefused));
        }
        assert!(sheets(&tenant).contains(&id));
    }

    #[tokio::test]
    async fn a_removal_that_is_only_said_does_not_count() {
        let (tenant, id) = with_sheet().await;
        let said = Reaction::Answers(200, r#"{"ok":true,"removed":true,"spreadsheetId":"sheet_0"}"#);
        tenant.outside().upstreams().next("apps_script", [said]);
        assert_eq!(unknown(&remove(&tenant, Some(&id)).await), Some(TransientErrorCode::Contradiction));
        assert_eq!(sheets(&tenant), [id]);
    }

    #[tokio::test]
    async fn without_the_secret_nothing_counts_as_removed() {
        let (tenant, id) = with_sheet().await;
        let bare = tenant.with_app(tenant.redeployed_with(&[("GAS_HMAC_SECRET", "")]));
        assert_eq!(refused(&remove(&bare, Some(&id)).await), Some(FailureCode::Misconfigured));
        assert_eq!(sheets(&tenant), [id]);
    }
}
