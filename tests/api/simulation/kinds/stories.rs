//! What two kinds in one object do, told one by one.

use std::time::Duration;

use tenantry::{
    domain::{RunStatus, Timestamp},
    workflow::{
        Command, Kind, Stage,
        agenda::{Agenda, Object},
    },
};

use super::{
    Count,
    house::House,
    watch::{RINGS, STILL, WATCH, hang, look},
};
use crate::workflow::run_harness::START;

fn day(number: u64) -> Timestamp {
    START.after(Duration::from_secs(number * 24 * 3600))
}

/// Alarms ring until this moment.
fn lives_until(house: &House<'_>, until: Timestamp) -> u32 {
    let mut count = 0;
    while house.alarm.get().is_some_and(|at| at <= until) {
        house.alarm_rings();
        count += 1;
    }
    count
}

#[test]
fn what_is_watched_is_looked_at_for_ever_and_costs_nothing_else() {
    let count = Count::default();
    let house = House::calm(&count);
    house.somebody_queues(Kind::PROVISIONING);
    house.somebody_queues(WATCH);
    lives_until(&house, START.after(Duration::from_secs(600)));
    assert_eq!(house.run(Kind::PROVISIONING).unwrap().status(), RunStatus::Completed);
    let run = house.run(WATCH).unwrap();
    assert_eq!(run.doing.standing.as_ref().unwrap().word, STILL);
    let (version, asked) = (run.version, house.asked(Kind::PROVISIONING));
    lives_until(&house, START.after(Duration::from_secs(3000)));
    let run = house.run(WATCH).unwrap();
    assert_eq!(
        (run.version, run.current()),
        (version, Some(look())),
        "looks that find nothing new are no change"
    );
    lives_until(&house, day(60));
    let run = house.run(WATCH).unwrap();
    assert_eq!((run.doing.standing.as_ref().unwrap().word.as_str(), run.version), (RINGS, version + 1));
    assert!(matches!(run.doing.stage, Stage::Watching { .. }), "{:?}", run.doing.stage);
    assert!(run.attempts(look()) > 1400, "{}", run.attempts(look()));
    // Whether D1 knows its tenant is asked as if there were nothing else.
    assert_eq!(house.asked(Kind::PROVISIONING) - asked, 7);
    // An attempt for each word.
    let listed = house.listed(WATCH).run.unwrap();
    assert!(listed.pending_history.len() <= 2 && !run.has_pending_projection());
}

#[test]
fn who_has_waited_for_too_long_is_told_so() {
    let count = Count::default();
    let house = House::calm_until(day(100), false, &count);
    house.somebody_queues(WATCH);
    lives_until(&house, day(90));
    let run = house.run(WATCH).unwrap();
    let Stage::Failed { failure, at, .. } = &run.doing.stage else { panic!("{:?}", run.doing.stage) };
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("DEADLINE_EXCEEDED", "The bell did not ring for too long.")
    );
    assert!(*at >= day(7) && *at < day(8), "{at:?}");
}

#[test]
fn a_look_is_made_at_once_for_whoever_asks() {
    let count = Count::default();
    let house = House::calm(&count);
    house.somebody_queues(WATCH);
    lives_until(&house, START.after(Duration::from_secs(2000)));
    let (looks, due) = (house.run(WATCH).unwrap().attempts(look()), house.alarm.get().unwrap());
    house.next_look.set(START);
    house.is_told(WATCH, Command::Look);
    assert!(house.alarm.get().unwrap() < due);
    house.alarm_rings();
    assert_eq!(house.run(WATCH).unwrap().attempts(look()), looks + 1);
    // Its pace is the first one again.
    let again = house.alarm.get().unwrap().since(house.now.get());
    assert_eq!(again, Duration::from_secs(15));
}

#[test]
fn an_alarm_that_is_set_for_another_kind_is_none() {
    let count = Count::default();
    let house = House::calm(&count);
    house.somebody_queues(Kind::PROVISIONING);
    house.alarm_rings();
    house.somebody_queues(WATCH);
    while house.run(WATCH).unwrap().doing.standing.is_none() {
        house.alarm_rings();
    }
    // Provisioning has nothing left to do for an hour: whoever wakes it need not wait for that.
    assert!(house.alarm.get().is_some());
    assert!(!house.is_woken(WATCH), "it is set for the one that is due");
    let dead = house.alarm.get();
    house.passes(Duration::from_secs(120));
    assert!(house.is_woken(WATCH), "an alarm that is overdue is dead: {dead:?}");
}

#[test]
fn a_removed_tenant_keeps_its_name_until_everything_is_gone() {
    let count = Count::default();
    let house = House::calm(&count);
    house.somebody_queues(Kind::PROVISIONING);
    house.somebody_queues(WATCH);
    lives_until(&house, START.after(Duration::from_secs(900)));
    assert!(house.there.borrow().contains(&("watch", hang())));
    house.is_to_be_removed();
    house.alarm_rings();
    let watch = house.run(WATCH).unwrap();
    assert!(watch.undoing.is_some() && !house.run(Kind::PROVISIONING).unwrap().is_undone());
    lives_until(&house, START.after(Duration::from_secs(1800)));
    assert!(house.run(WATCH).unwrap().is_undone() && house.run(Kind::PROVISIONING).unwrap().is_undone());
    assert!(house.there.borrow().is_empty(), "{:?}", house.there);
}

/// Once it was undone, it is watched again: by another run, in the place of the one that is over.
#[test]
fn another_run_follows_one_that_is_over() {
    let count = Count::default();
    let house = House::calm_until(START, true, &count);
    house.somebody_queues(WATCH);
    lives_until(&house, START.after(Duration::from_secs(600)));
    let first = house.run(WATCH).unwrap();
    assert_eq!((first.id.as_str(), first.status()), ("run_w1", RunStatus::Completed));
    assert_eq!(first.input["bell"], 1);
    house.somebody_queues(WATCH);
    assert_eq!(house.run(WATCH).unwrap(), first, "what it made is there, and nobody else would undo it");
    house.somebody_undoes(WATCH);
    lives_until(&house, START.after(Duration::from_secs(900)));
    assert!(house.run(WATCH).unwrap().is_undone() && house.there.borrow().is_empty());
    house.somebody_queues(WATCH);
    assert_eq!(house.run(WATCH).unwrap().id.as_str(), "run_w2");
    lives_until(&house, START.after(Duration::from_secs(1200)));
    assert_eq!(house.run(WATCH).unwrap().status(), RunStatus::Completed);
}

#[test]
fn provisioning_alone_writes_no_agenda() {
    let count = Count::default();
    let house = House::calm(&count);
    house.somebody_queues(Kind::PROVISIONING);
    lives_until(&house, day(1));
    assert_eq!(house.agenda().unwrap(), Agenda::default());
}

/// It rests until the version that knows it is back, and keeps nobody awake.
#[test]
fn a_kind_of_a_later_version_is_left_alone() {
    let count = Count::default();
    let house = House::calm(&count);
    house.somebody_queues(Kind::PROVISIONING);
    house.somebody_queues(WATCH);
    let before = house.run(WATCH);
    house.alarm_rings_for_provisioning();
    assert_eq!(house.run(Kind::PROVISIONING).unwrap().status(), RunStatus::Completed);
    assert_eq!(house.run(WATCH), before);
    assert!(house.alarm.get().unwrap() > house.now.get(), "what nobody can do is not due");
    // Its time counted, as it does for everybody: it says so, and does not just stay.
    house.alarm_rings();
    assert_eq!(house.run(WATCH).unwrap().status(), RunStatus::Failed);
}
