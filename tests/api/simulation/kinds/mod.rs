//! Two kinds of runs in one object, in the same storm: provisioning, and one that is watched for days.
//!
//! `house` is the object, its storage and its alarm; `room` is what one of its runs lives in; `watch` is the second kind.

mod house;
mod room;
mod stories;
mod watch;

use std::sync::atomic::{AtomicU64, Ordering};

use house::House;

/// How many schedules an ordinary run of the tests goes through; `SIMULATION_SCHEDULES` asks for others.
const SCHEDULES: u64 = 20_000;

/// How much of what can go wrong did, over all schedules.
#[derive(Debug, Default)]
pub struct Count {
    pub completed: AtomicU64,
    pub watching: AtomicU64,
    pub removed: AtomicU64,
    pub deaths: AtomicU64,
    pub dead_alarms: AtomicU64,
    pub lost_alarms: AtomicU64,
    pub rolled_back: AtomicU64,
    pub outages: AtomicU64,
    pub followed: AtomicU64,
}

pub fn counts(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn no_schedule_of_two_kinds_breaks_a_promise() {
    let count = Count::default();
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        return House::of(seed.parse().unwrap(), &count, true).lives();
    }
    let schedules = std::env::var("SIMULATION_SCHEDULES").map_or(SCHEDULES, |count| count.parse().unwrap());
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= schedules {
                        return;
                    }
                    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                        House::of(seed, &count, false).lives();
                    }));
                    assert!(played.is_ok(), "SIMULATION_SEED={seed}");
                }
            });
        }
    });
    let Count {
        completed,
        watching,
        removed,
        deaths,
        dead_alarms,
        lost_alarms,
        rolled_back,
        outages,
        followed,
    } = &count;
    for (what, happened) in [
        ("completed", completed),
        ("watching for ever", watching),
        ("removed", removed),
        ("deaths", deaths),
        ("alarms that never rang", dead_alarms),
        ("lost alarms", lost_alarms),
        ("alarms of the version before", rolled_back),
        ("outages", outages),
        ("runs after one that was over", followed),
    ] {
        assert!(happened.load(Ordering::Relaxed) > schedules / 100, "{what}: {count:?}");
    }
}
