//! The same storm over the whole application: the real steps, the real statements on real SQLite, other sides that fail,
//! and a process that dies between any two of its waits.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

use serde_json::json;

use super::chance::Chance;
use crate::support::{Breaks, Club, Manner, Reaction, TestApp};

const SCHEDULES: u64 = 150;
const STORMY_TURNS: usize = 25;

/// Polls `work` so often and no more: then the process dies.
fn dies_after<T>(polls: u64, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(ended) = work.as_mut().poll(&mut context) {
            return Some(ended);
        }
    }
    None
}

async fn storm(seed: u64) {
    let chance = Chance::of(seed);
    let app = TestApp::new();
    let club =
        if chance.one_in(2) { app.signed_up("fc-nord").await } else { app.signed_up_pro("fc-nord").await };
    let is_pro = club.row()["plan"] == "pro";
    for _ in 0..STORMY_TURNS {
        something_happens(&club, &chance, is_pro).await;
    }
    app.db().comes_up();
    app.outside().objects().become_(Manner::Obedient);
    for upstream in ["make", "apps_script", "resend"] {
        app.outside().upstreams().always(upstream, Reaction::Healthy);
    }
    for _ in 0..200 {
        if !app.alarm_rings(&club.id).await {
            app.passes(61);
            app.app.sweep().await;
        }
        if app.outside().objects().alarm(&club.id).is_none() && club.ended().await != "processing" {
            break;
        }
    }
    is_as_promised(&club, seed).await;
}

async fn something_happens(club: &Club, chance: &Chance, is_pro: bool) {
    let reactions = [
        Reaction::TimesOut,
        Reaction::Breaks,
        Reaction::LosesTheAnswer,
        Reaction::Answers(500, ""),
        Reaction::AsksToWait(429, "20"),
    ];
    match chance.below(16) {
        0..=3 => {
            // Whoever asks may not be answered; the club asks again.
            let _ = if is_pro { club.confirms_pro().await } else { club.connects_make().await };
        }
        4 => club.outside().objects().loses_the_alarm(&club.id),
        5 => {
            let manners = [Manner::Gone, Manner::Mute, Manner::Obedient];
            club.outside().objects().become_(*chance.one_of(&manners));
            club.outside().breakers().become_(*chance.one_of(&manners));
        }
        6 => club.db().breaks(usize::try_from(chance.below(8)).unwrap(), Breaks::Before),
        7 => club.db().breaks(usize::try_from(chance.below(8)).unwrap(), Breaks::After),
        8 => club.outside().upstreams().next("make", [chance.one_of(&reactions).clone()]),
        9 => club.outside().upstreams().next("apps_script", [chance.one_of(&reactions).clone()]),
        10 => club.outside().upstreams().next("resend", [chance.one_of(&reactions).clone()]),
        11 => club.outside().upstreams().next("make", [Reaction::Answers(410, "")]),
        12 => {
            club.passes(chance.below(120));
            club.app.sweep().await;
        }
        _ => {
            if dies_after(1 + chance.below(120), club.alarm_rings(&club.id)).is_none() {
                club.outside().objects().rings_again(&club.id, 2, &club.app);
            }
        }
    }
}

async fn is_as_promised(club: &Club, seed: u64) {
    let ended = club.ended().await;
    let live = club.row()["status"] == "active";
    let what = format!("seed {seed}: {ended}");
    assert!(
        ended != "processing" && ended != "pending" || club.outside().objects().run(&club.id).is_none(),
        "{what}"
    );
    assert_eq!(ended == "completed", live, "{what}");
    for ((upstream, key), times) in club.outside().upstreams().effects() {
        assert!(times == 1 || upstream == "make", "{what}: {key} was done {times} times by {upstream}");
    }
    let count = |of: &str| club.db().number(&format!("select count(*) from {of}"));
    assert!(count("provision_runs") <= 1 && count("auth_users") <= 1 && count("feed_posts") <= 1, "{what}");
    let provisioned = count("domain_events where type = 'tenant.provisioned'");
    assert_eq!(provisioned, i64::from(live), "{what}");
    if live {
        let run = club.db().row("select status, reason from provision_runs");
        assert_eq!(run, json!({ "status": "completed", "reason": null }), "{what}");
        let unfinished = count("provision_steps where status not in ('completed', 'failed', 'skipped')");
        assert_eq!(unfinished, 0, "{what}");
    }
    // Every attempt that is listed was made, and none twice.
    let attempts = club
        .db()
        .rows("select step, count(*) as n, max(attempt) as last from provision_history group by step");
    assert!(attempts.iter().all(|row| row["n"].as_i64() <= row["last"].as_i64()), "{what}: {attempts:?}");
}

#[tokio::test]
async fn the_whole_application_keeps_its_promises_in_a_storm() {
    let seeds = match std::env::var("STORM_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => {
            (0..std::env::var("STORM_SCHEDULES").map_or(SCHEDULES, |count| count.parse().unwrap())).collect()
        }
    };
    for seed in seeds {
        storm(seed).await;
    }
}
