//! The same storm over the whole application: the real steps, the real statements on real SQLite, upstreams that fail,
//! and a process that dies between any two of its waits.

use serde_json::json;

use super::chance::Chance;
use crate::support::{Breaks, Manner, Reaction, TestApp, TestTenant, dies_after};

const SCHEDULES: u64 = 150;
const STORMY_TURNS: usize = 25;

async fn storm(seed: u64) {
    let chance = Chance::of(seed);
    let app = TestApp::new();
    let tenant =
        if chance.one_in(2) { app.signed_up("fc-nord").await } else { app.signed_up_pro("fc-nord").await };
    let is_pro = tenant.row()["plan"] == "pro";
    for _ in 0..STORMY_TURNS {
        something_happens(&tenant, &chance, is_pro).await;
    }
    app.db().comes_up();
    app.outside().objects().become_(Manner::Obedient);
    for upstream in ["make", "apps_script", "resend"] {
        app.outside().upstreams().always(upstream, Reaction::Healthy);
    }
    for _ in 0..200 {
        if !app.alarm_rings(&tenant.id).await {
            app.passes(61);
            tenantry::app::sweep::run(&app.app).await;
        }
        if app.outside().objects().alarm(&tenant.id).is_none() && tenant.ended().await != "processing" {
            break;
        }
    }
    app.mails_leave().await;
    for _ in 0..20 {
        app.passes(11 * 3600);
        tenantry::app::sweep::run(&app.app).await;
    }
    is_as_promised(&tenant, seed).await;
    what_was_announced_arrived(&tenant, seed);
}

/// Every event of a run was announced if there was a webhook to announce it to, and is at its end by now: where it should be,
/// unless the webhook itself said that nobody is there.
fn what_was_announced_arrived(tenant: &TestTenant, seed: u64) {
    let rows = tenant.db().rows(
        "select d.status, d.last_error, d.attempts, d.id, e.id as event from webhook_deliveries d
         left join domain_events e on e.tenant_id = d.tenant_id and e.id = d.id",
    );
    let was_off =
        tenant.db().number("select count(*) from domain_events where type = 'webhook.disabled'") > 0;
    for row in &rows {
        assert_eq!(row["id"], row["event"], "seed {seed}: {row}");
        let (status, error) = (row["status"].as_str(), row["last_error"].as_str());
        let given_up = error == Some("GONE") || (status == Some("cancelled") && was_off);
        assert!(status == Some("delivered") || given_up, "seed {seed}: {row}");
    }
    // Of the failures of an hour, the first is announced.
    let silent = tenant.db().rows(
        "select id, type, occurred_at from domain_events e where type in ('tenant.provisioned', 'tenant.failed')
           and not exists (select 1 from webhook_deliveries where id = e.id)
           and not exists (select 1 from webhook_deliveries where type = 'tenant.failed' and e.type = 'tenant.failed'
             and created_at between e.occurred_at - 3599 and e.occurred_at)",
    );
    let has_webhook =
        tenant.db().number("select count(*) from make_connections where disabled_at is null") == 1;
    if has_webhook {
        assert!(silent.is_empty(), "seed {seed}: {silent:?} of {rows:?}");
    }
    let sent = tenant.outside().upstreams().effects();
    let delivered = sent.keys().filter(|(_, key)| key.starts_with("evt_")).count();
    let known = rows.iter().filter(|row| row["status"] == "delivered").count();
    assert!(delivered >= known, "seed {seed}: {delivered} of {known} are there");
}

async fn something_happens(tenant: &TestTenant, chance: &Chance, is_pro: bool) {
    let reactions = [
        Reaction::TimesOut,
        Reaction::Breaks,
        Reaction::LosesTheAnswer,
        Reaction::Answers(500, ""),
        Reaction::AsksToWait(429, "20"),
    ];
    match chance.below(17) {
        0..=3 => {
            // Whoever asks may not be answered; the tenant asks again.
            let _ = if is_pro { tenant.confirms_pro().await } else { tenant.connects_make().await };
        }
        4 => tenant.outside().objects().loses_the_alarm(&tenant.id),
        5 => {
            let manners = [Manner::Gone, Manner::Mute, Manner::Obedient];
            tenant.outside().objects().become_(*chance.one_of(&manners));
            tenant.outside().breakers().become_(*chance.one_of(&manners));
        }
        6 => tenant.db().breaks(usize::try_from(chance.below(8)).unwrap(), Breaks::Before),
        7 => tenant.db().breaks(usize::try_from(chance.below(8)).unwrap(), Breaks::After),
        8 => tenant.outside().upstreams().next("make", [chance.one_of(&reactions).clone()]),
        9 => tenant.outside().upstreams().next("apps_script", [chance.one_of(&reactions).clone()]),
        10 => tenant.outside().upstreams().next("resend", [chance.one_of(&reactions).clone()]),
        11 => tenant.outside().upstreams().next("make", [Reaction::Answers(410, "")]),
        12 => {
            tenant.passes(chance.below(120));
            // Nobody rings again for a sweep that died: the next one comes by itself.
            let _ = dies_after(1 + chance.below(40), tenantry::app::sweep::run(&tenant.app));
        }
        13 => {
            let _ = dies_after(1 + chance.below(60), tenant.outside().finishes_deferred_work());
        }
        _ => {
            if dies_after(1 + chance.below(120), tenant.alarm_rings(&tenant.id)).is_none() {
                tenant.outside().objects().rings_again(&tenant.id, 2, &tenant.app);
            }
        }
    }
}

async fn is_as_promised(tenant: &TestTenant, seed: u64) {
    let ended = tenant.ended().await;
    let live = tenant.row()["status"] == "active";
    let what = format!("seed {seed}: {ended}");
    assert!(
        ended != "processing" && ended != "pending" || tenant.outside().objects().run(&tenant.id).is_none(),
        "{what}"
    );
    assert_eq!(ended == "completed", live, "{what}");
    for ((upstream, key), times) in tenant.outside().upstreams().effects() {
        assert!(times == 1 || upstream == "make", "{what}: {key} was done {times} times by {upstream}");
    }
    let count = |of: &str| tenant.db().number(&format!("select count(*) from {of}"));
    // Every tenant that went live got its welcome mail, and none got two.
    let effects = tenant.outside().upstreams().effects();
    let (told, mailed): (Vec<_>, Vec<_>) =
        effects.keys().filter(|(to, _)| *to == "resend").partition(|(_, key)| key.ends_with("/setup_failed"));
    assert!(mailed.len() >= usize::from(live), "{what}");
    let of = |what: &str| count(&format!("mails where {what}"));
    let (mails, sent) = (of("kind <> 'setup_failed'"), of("kind <> 'setup_failed' and status = 'sent'"));
    assert_eq!((i64::try_from(mailed.len()).unwrap(), mails), (sent, sent), "{what}");
    // A run that failed told its owner, once; unless it completed before the mail left.
    let sent = of("kind = 'setup_failed' and status = 'sent'");
    assert_eq!(i64::try_from(told.len()).unwrap(), sent, "{what}");
    assert!(
        of("kind = 'setup_failed'") <= 1 && (live || sent >= count("provision_runs where status = 'failed'")),
        "{what}"
    );
    assert!(count("provision_runs") <= 1 && count("auth_users") <= 1 && count("feed_posts") <= 1, "{what}");
    let provisioned = count("domain_events where type = 'tenant.provisioned'");
    assert_eq!(provisioned, i64::from(live), "{what}");
    if live {
        let run = tenant.db().row("select status, reason from provision_runs");
        assert_eq!(run, json!({ "status": "completed", "reason": null }), "{what}");
        let unfinished = count("provision_steps where status not in ('completed', 'failed', 'skipped')");
        assert_eq!(unfinished, 0, "{what}");
    }
    // Every attempt that is projected was made, and none twice.
    let attempts = tenant
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
