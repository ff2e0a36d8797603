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

use crate::support::{Club, RECORDS, Reaction, TestApp, ZONE};

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

fn made_by(club: &Club, step: Step) -> Option<Artifact> {
    club.outside().objects().run(&club.id).unwrap().artifact(step).cloned()
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
fn calls(club: &Club, from: usize) -> Vec<String> {
    let sent = club.outside().upstreams().sent();
    let word = |call: &crate::support::RecordedCall| match call.call.upstream {
        "apps_script" => call.json()["action"].as_str().unwrap().to_owned(),
        _ => call.call.method.to_owned(),
    };
    sent.iter().skip(from).map(word).collect()
}

fn sent(club: &Club) -> usize {
    club.outside().upstreams().sent().len()
}

mod records {
    use super::*;

    async fn with_record() -> (Club, Option<Artifact>) {
        let club = TestApp::with(&RECORDS).provisioned("fc-nord").await;
        let made = made_by(&club, Step::ConfigureRouting);
        assert!(made.is_some());
        (club, made)
    }

    async fn remove(club: &Club, made: Option<&Artifact>) -> Outcome {
        let run = club.outside().objects().run(&club.id).unwrap();
        cloudflare::remove(&club.app, &run.subject, made, run.caller.traceparent.clone()).await
    }

    fn records(club: &Club) -> Vec<Value> {
        club.outside().upstreams().dns(|dns| dns.records())
    }

    #[tokio::test]
    async fn a_record_is_removed_and_looked_for() {
        let (club, made) = with_record().await;
        let before = sent(&club);
        assert_eq!(remove(&club, made.as_ref()).await, Outcome::Done(None));
        assert_eq!(
            (records(&club).len(), calls(&club, before)),
            (0, vec!["GET".into(), "DELETE".into(), "GET".into()])
        );
        let before = sent(&club);
        assert_eq!(remove(&club, made.as_ref()).await, Outcome::Done(None));
        assert_eq!(calls(&club, before), ["GET"], "once more");
    }

    #[tokio::test]
    async fn a_record_that_nobody_told_of_is_found_by_its_marker() {
        let (club, _) = with_record().await;
        assert_eq!(remove(&club, None).await, Outcome::Done(None));
        assert!(records(&club).is_empty());
        assert_eq!(remove(&club, None).await, Outcome::Done(None), "once more");
    }

    #[tokio::test]
    async fn every_call_may_end_without_a_word() {
        for told in [true, false] {
            for nth in 0..3 {
                for reaction in INCONCLUSIVE {
                    let (club, made) = with_record().await;
                    let made = made.filter(|_| told);
                    let script = std::iter::repeat_n(Reaction::Healthy, nth).chain([reaction.clone()]);
                    club.outside().upstreams().next("cloudflare", script);
                    let outcome = remove(&club, made.as_ref()).await;
                    assert!(unknown(&outcome).is_some(), "{nth} {reaction:?}: {outcome:?}");
                    assert_eq!(remove(&club, made.as_ref()).await, Outcome::Done(None), "{nth} {reaction:?}");
                    assert!(records(&club).is_empty(), "{nth} {reaction:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_record_that_is_not_ours_is_never_touched() {
        for comment in ["", "the shop of somebody", "tenantry:development:tenant_another"] {
            let (club, made) = with_record().await;
            // The same id, name, type and content: only the marker says whose it is.
            club.outside().upstreams().dns(|dns| dns.edit(|all| all[0]["comment"] = comment.into()));
            let untouched = records(&club);
            let before = sent(&club);
            assert_eq!(remove(&club, None).await, Outcome::Done(None));
            assert_eq!(calls(&club, before), ["GET"], "{comment}");
            // The one that we made is not gone, whatever it says.
            let before = sent(&club);
            let Outcome::Failed(failure) = remove(&club, made.as_ref()).await else { panic!("{comment}") };
            assert_eq!(failure.code, FailureCode::CompensationRefused);
            assert_eq!(calls(&club, before), ["GET"], "{comment}");
            assert_eq!(records(&club), untouched);
            // Somebody removes it by hand, or says again that it is ours.
            club.outside().upstreams().dns(|dns| dns.edit(Vec::clear));
            assert_eq!(remove(&club, made.as_ref()).await, Outcome::Done(None));
        }
    }

    #[tokio::test]
    async fn only_our_own_goes_from_a_name_that_is_shared() {
        let (club, _) = with_record().await;
        let name = "fc-nord.clubs.example";
        let txt = json!({ "type": "TXT", "name": name, "content": "v=spf1 -all", "comment": null });
        let txt = club.outside().upstreams().dns(|dns| dns.plant(txt));
        assert_eq!(remove(&club, None).await, Outcome::Done(None));
        assert_eq!(records(&club), [txt]);
    }

    /// A filter that Cloudflare passes over must not cost a tenant its record.
    #[tokio::test]
    async fn what_was_not_asked_for_is_passed_over() {
        let (club, _) = with_record().await;
        let mut other = records(&club).remove(0);
        other["name"] = "www.fc-nord.clubs.example".into();
        let all = json!({ "success": true, "errors": [], "result": [other] }).to_string();
        club.outside().upstreams().next("cloudflare", [Reaction::Answers(200, all.leak())]);
        let before = sent(&club);
        assert_eq!(remove(&club, None).await, Outcome::Done(None));
        assert_eq!(calls(&club, before), ["GET"]);
    }

    #[tokio::test]
    async fn a_removal_that_is_only_said_does_not_count() {
        let (club, made) = with_record().await;
        let said = Reaction::Answers(200, r#"{"success":true,"errors":[],"result":{"id":"x"}}"#);
        club.outside().upstreams().next("cloudflare", [Reaction::Healthy, said]);
        let outcome = remove(&club, made.as_ref()).await;
        assert_eq!(unknown(&outcome), Some(TransientErrorCode::Contradiction));
        assert_eq!(records(&club).len(), 1);
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
            let (club, made) = with_record().await;
            let script = std::iter::repeat_n(Reaction::Healthy, nth).chain([reaction]);
            club.outside().upstreams().next("cloudflare", script);
            assert_eq!(refused(&remove(&club, made.as_ref()).await), Some(code));
            assert_eq!(records(&club).len(), 1);
        }
    }

    /// The predecessors looked in another domain, found nothing, and called it removed.
    #[tokio::test]
    async fn a_record_is_removed_from_where_it_was_made() {
        let (club, made) = with_record().await;
        let transition = [
            RECORDS[0],
            RECORDS[2],
            ("CLOUDFLARE_ZONE_ID", "fedcba9876543210fedcba9876543210"),
            ("BASE_DOMAIN", "moved.example"),
        ];
        let transition = club.with_app(club.redeployed_with(&transition));
        let before = sent(&club);
        assert_eq!(remove(&transition, made.as_ref()).await, Outcome::Done(None));
        assert!(records(&club).is_empty());
        let sent = club.outside().upstreams().sent();
        assert!(sent.iter().skip(before).all(|sent| sent.call.url.contains(ZONE)));
    }

    #[tokio::test]
    async fn where_no_records_are_made_none_are_looked_for() {
        for mode in ["wildcard", "none"] {
            let club = TestApp::with(&[("SUBDOMAIN_MODE", mode)]).provisioned("fc-nord").await;
            let before = sent(&club);
            assert_eq!(remove(&club, None).await, Outcome::Done(None));
            assert_eq!(sent(&club), before);
        }
        // With a zone there may be one, from before the mode was changed.
        let (club, _) = with_record().await;
        let changed = club.with_app(club.redeployed_with(&[RECORDS[1], RECORDS[2]]));
        assert_eq!(remove(&changed, None).await, Outcome::Done(None));
        assert!(records(&club).is_empty());
    }

    #[tokio::test]
    async fn without_a_way_in_nothing_counts_as_removed() {
        let (club, made) = with_record().await;
        let bare = club.with_app(club.redeployed_with(&RECORDS[..1]));
        for made in [made.as_ref(), None] {
            assert_eq!(refused(&remove(&bare, made).await), Some(FailureCode::Misconfigured));
        }
    }
}

mod spreadsheets {
    use super::*;

    async fn with_sheet() -> (Club, String) {
        let club = TestApp::new().signed_up_pro("fc-nord").await;
        club.confirms_pro().await.is(200);
        club.waits().await;
        let Some(Artifact::Spreadsheet { id, .. }) = made_by(&club, Step::CreateSpreadsheet) else {
            panic!()
        };
        (club, id)
    }

    async fn remove(club: &Club, spreadsheet: Option<&str>) -> Outcome {
        let run = club.outside().objects().run(&club.id).unwrap();
        let (provision, removal) =
            (run.idempotency_key(Step::CreateSpreadsheet), format!("{}/undo_create_spreadsheet", run.id));
        let keys = Keys { provision: &provision, removal: &removal };
        apps_script::remove(&club.app, &run.subject, spreadsheet, keys, run.caller.traceparent.clone()).await
    }

    fn sheets(club: &Club) -> Vec<String> {
        club.outside().upstreams().sheets()
    }

    #[tokio::test]
    async fn a_spreadsheet_is_removed_and_looked_for() {
        let (club, id) = with_sheet().await;
        let before = sent(&club);
        assert_eq!(remove(&club, Some(&id)).await, Outcome::Done(None));
        assert_eq!(
            (sheets(&club).len(), calls(&club, before)),
            (0, vec!["deprovision".into(), "verify".into()])
        );
        let told = club.outside().upstreams().sent()[before].json();
        let run = club.outside().objects().run(&club.id).unwrap().id;
        assert_eq!(
            told,
            json!({
                "action": "deprovision", "tenantId": club.id, "spreadsheetId": id,
                "provisionKey": format!("{run}/create_spreadsheet"),
                "idempotencyKey": format!("{run}/undo_create_spreadsheet")
            })
        );
        assert_eq!(remove(&club, Some(&id)).await, Outcome::Done(None), "once more");
        let removals = ("apps_script", format!("{run}/undo_create_spreadsheet"));
        assert_eq!(club.outside().upstreams().effects()[&removals], 1);
    }

    #[tokio::test]
    async fn a_spreadsheet_that_nobody_told_of_is_removed_by_its_key() {
        let (club, _) = with_sheet().await;
        let before = sent(&club);
        assert_eq!(remove(&club, None).await, Outcome::Done(None));
        assert_eq!(
            (sheets(&club).len(), calls(&club, before)),
            (0, vec!["deprovision".into(), "verify".into()])
        );
        assert!(club.outside().upstreams().sent()[before].json().get("spreadsheetId").is_none());
        assert_eq!(remove(&club, None).await, Outcome::Done(None), "once more");
    }

    #[tokio::test]
    async fn either_call_may_end_without_a_word() {
        for told in [true, false] {
            for nth in 0..2 {
                for reaction in INCONCLUSIVE {
                    let (club, id) = with_sheet().await;
                    let id = told.then_some(id.as_str());
                    let script = std::iter::repeat_n(Reaction::Healthy, nth).chain([reaction.clone()]);
                    club.outside().upstreams().next("apps_script", script);
                    let outcome = remove(&club, id).await;
                    assert!(unknown(&outcome).is_some(), "{nth} {reaction:?}: {outcome:?}");
                    assert_eq!(remove(&club, id).await, Outcome::Done(None), "{nth} {reaction:?}");
                    assert!(sheets(&club).is_empty(), "{nth} {reaction:?}");
                }
            }
        }
    }

    /// A request that was on its way when its answer failed must not bring the spreadsheet back.
    #[tokio::test]
    async fn a_request_that_comes_late_brings_nothing_back() {
        let club = TestApp::new().signed_up_pro("fc-nord").await;
        club.confirms_pro().await.is(200);
        club.outside().upstreams().next("apps_script", [Reaction::TimesOut]);
        club.alarm_rings(&club.id).await;
        assert_eq!((made_by(&club, Step::CreateSpreadsheet), sheets(&club).len()), (None, 0));
        let before = sent(&club);
        assert_eq!(remove(&club, None).await, Outcome::Done(None));
        assert_eq!(calls(&club, before), ["deprovision"], "there never was one to look for");
        club.waits().await;
        assert_eq!((club.ended().await.as_str(), sheets(&club).len()), ("SPREADSHEET_REJECTED", 0));
    }

    #[tokio::test]
    async fn a_spreadsheet_of_another_club_is_never_touched() {
        let (club, _) = with_sheet().await;
        let other = club.queued_pro("fc-sued").await;
        other.waits().await;
        let Some(Artifact::Spreadsheet { id, .. }) = made_by(&other, Step::CreateSpreadsheet) else {
            panic!()
        };
        let run = other.outside().objects().run(&other.id).unwrap();
        let subject = club.outside().objects().run(&club.id).unwrap().subject;
        for spreadsheet in [Some(id.as_str()), None] {
            let keys = Keys { provision: &run.idempotency_key(Step::CreateSpreadsheet), removal: "undo" };
            let outcome = apps_script::remove(&club.app, &subject, spreadsheet, keys, None).await;
            assert_eq!(refused(&outcome), Some(FailureCode::CompensationRefused));
        }
        assert!(sheets(&club).contains(&id));
    }

    #[tokio::test]
    async fn a_removal_that_is_only_said_does_not_count() {
        let (club, id) = with_sheet().await;
        let said = Reaction::Answers(200, r#"{"ok":true,"removed":true,"spreadsheetId":"sheet_0"}"#);
        club.outside().upstreams().next("apps_script", [said]);
        assert_eq!(unknown(&remove(&club, Some(&id)).await), Some(TransientErrorCode::Contradiction));
        assert_eq!(sheets(&club), [id]);
    }

    #[tokio::test]
    async fn without_the_secret_nothing_counts_as_removed() {
        let (club, id) = with_sheet().await;
        let bare = club.with_app(club.redeployed_with(&[("GAS_HMAC_SECRET", "")]));
        assert_eq!(refused(&remove(&bare, Some(&id)).await), Some(FailureCode::Misconfigured));
        assert_eq!(sheets(&club), [id]);
    }
}
