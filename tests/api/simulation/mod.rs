//! Provisioning in a world where everything goes wrong that can, in an order that a seed decides: processes die between any
//! two steps. Alarms are lost, late or doubled. Answers are lost, D1 comes and goes. People and operators make requests at
//! any moment.
//!
//! The workflow is the real one. A failing seed is printed. `SIMULATION_SEED=<seed> cargo test --test api no_schedule` plays
//! it alone and prints everything that happened. What it found is then kept as a story, in `tests/api/workflow`: a seed is
//! another schedule as soon as anything here changes.

pub mod chance;
mod outside;
mod promises;
mod register;
mod whole;
mod world;

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

use world::RunContext;

/// How many schedules an ordinary run of the tests goes through; `SIMULATION_SCHEDULES` asks for more.
const SCHEDULES: u64 = 100_000;

/// Plays the schedule of a seed: what came of it, or which promise was broken.
fn plays(seed: u64) -> Result<Summary, String> {
    let played = std::panic::catch_unwind(|| {
        let mut world = RunContext::of(seed, false);
        world.lives();
        world.summary()
    });
    played.map_err(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// What happens in the schedule of a seed, up to where a promise is broken.
fn story(seed: u64) -> Vec<String> {
    let mut world = RunContext::of(seed, true);
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.lives()));
    world.story()
}

thread_local! {
    /// Whether this thread's panics are somebody else's to tell.
    static STALE_AFTER: Cell<bool> = const { Cell::new(false) };
}

/// From now on the panics of quiet threads are told by whoever catches them.
fn panic_quietly() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !STALE_AFTER.get() {
            told(panic);
        }
    }));
}

/// What came of some schedules: that they really were what they are meant to be.
#[derive(Debug, Default, Clone, Copy)]
pub struct Summary {
    completed: u64,
    failed: u64,
    deaths: u64,
    lost_answers: u64,
    lost_alarms: u64,
    outages: u64,
    rounds: u64,
    undone: u64,
    not_undone: u64,
    lies: u64,
    deployed_over: u64,
    refused: u64,
    put_back: u64,
    forgotten: u64,
    dead_alarms: u64,
    resumed: u64,
    abandoned: u64,
}

impl Summary {
    fn and(self, other: Self) -> Self {
        Self {
            completed: self.completed + other.completed,
            failed: self.failed + other.failed,
            deaths: self.deaths + other.deaths,
            lost_answers: self.lost_answers + other.lost_answers,
            lost_alarms: self.lost_alarms + other.lost_alarms,
            outages: self.outages + other.outages,
            rounds: self.rounds + other.rounds,
            undone: self.undone + other.undone,
            not_undone: self.not_undone + other.not_undone,
            lies: self.lies + other.lies,
            deployed_over: self.deployed_over + other.deployed_over,
            refused: self.refused + other.refused,
            put_back: self.put_back + other.put_back,
            forgotten: self.forgotten + other.forgotten,
            dead_alarms: self.dead_alarms + other.dead_alarms,
            resumed: self.resumed + other.resumed,
            abandoned: self.abandoned + other.abandoned,
        }
    }
}

#[test]
fn no_schedule_breaks_a_promise() {
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        let seed = seed.parse().unwrap();
        return plays(seed).map(|_| ()).unwrap_or_else(|cause| panic!("{}\n{cause}", story(seed).join("\n")));
    }
    let schedules = std::env::var("SIMULATION_SCHEDULES").map_or(SCHEDULES, |count| count.parse().unwrap());
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    panic_quietly();
    let ended: Vec<Result<Summary, String>> = std::thread::scope(|scope| {
        let work = || {
            STALE_AFTER.set(true);
            let mut sum = Summary::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= schedules {
                    return Ok(sum);
                }
                match plays(seed) {
                    Ok(one) => sum = sum.and(one),
                    Err(cause) => return Err(format!("SIMULATION_SEED={seed}: {cause}")),
                }
            }
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut sum = Summary::default();
    for one in ended {
        sum = sum.and(one.unwrap_or_else(|cause| panic!("{cause}")));
    }
    // Nothing of what can go wrong is rare.
    assert_eq!(sum.completed + sum.failed + sum.abandoned, schedules);
    for (what, count) in [
        ("completed", sum.completed),
        ("failed", sum.failed),
        ("deaths", sum.deaths),
        ("lost answers", sum.lost_answers),
        ("lost alarms", sum.lost_alarms),
        ("outages", sum.outages),
        ("further rounds", sum.rounds),
        ("undone", sum.undone),
        ("what could not be undone", sum.not_undone),
        ("lies", sum.lies),
        ("deployments over an older version", sum.deployed_over),
        ("attempts that did not leave", sum.refused),
        ("databases that were put back", sum.put_back),
        ("objects that lost what they stored", sum.forgotten),
        ("alarms that never rang", sum.dead_alarms),
        ("runs that were resumed by themselves", sum.resumed),
        ("runs whose tenant D1 did not know", sum.abandoned),
    ] {
        assert!(count > schedules / 200, "{what}: {sum:?}");
    }
}

#[test]
fn a_seed_is_one_schedule() {
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}
