//! Provisioning in a world where everything goes wrong that can, in an order that a seed decides: processes die between
//! any two steps, alarms are lost, late or doubled, answers are lost, D1 comes and goes, people and operators ask for
//! things at any moment.
//!
//! The workflow is the real one. A seed that fails is printed; `SIMULATION_SEED=<seed> cargo test --test api simulation`
//! replays it alone, with every event told, and it is then kept as a test below.

mod chance;
mod register;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use register::Register;
use tenantry::{domain::Plan, workflow::Command};
use world::World;

/// How many schedules every run of the tests goes through.
const SCHEDULES: u64 = 100_000;

/// Seeds that once failed, and what they found.
const KEPT: [u64; 0] = [];

/// What the sweep says to the object of a tenant that has not moved.
fn wake(plan: Plan, _: &Register) -> Command {
    Command::Wake { subject: crate::workflow::lab::subject(), plan }
}

fn plays(seed: u64, tells: bool) -> Result<Summary, String> {
    let played = std::panic::catch_unwind(|| {
        let mut world = World::of(seed, tells);
        world.lives();
        world.summary()
    });
    played.map_err(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        text.or_else(|| cause.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
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
        }
    }
}

#[test]
fn no_schedule_breaks_a_promise() {
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        let told = plays(seed.parse().unwrap(), true);
        return assert!(told.is_ok(), "{told:?}");
    }
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let ended: Vec<Result<Summary, String>> = std::thread::scope(|scope| {
        let work = || {
            let mut sum = Summary::default();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= SCHEDULES {
                    return Ok(sum);
                }
                match plays(seed, false) {
                    Ok(one) => sum = sum.and(one),
                    Err(cause) => return Err(format!("SIMULATION_SEED={seed}: {cause}")),
                }
            }
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    std::panic::set_hook(quiet);
    let mut sum = Summary::default();
    for one in ended {
        sum = sum.and(one.unwrap_or_else(|cause| panic!("{cause}")));
    }
    // Nothing of what can go wrong is rare.
    assert_eq!(sum.completed + sum.failed, SCHEDULES);
    for (what, count) in [
        ("completed", sum.completed),
        ("failed", sum.failed),
        ("deaths", sum.deaths),
        ("lost answers", sum.lost_answers),
        ("lost alarms", sum.lost_alarms),
        ("outages", sum.outages),
        ("further rounds", sum.rounds),
    ] {
        assert!(count > SCHEDULES / 20, "{what}: {sum:?}");
    }
}

#[test]
fn what_once_broke_a_promise_does_not_break_it_again() {
    for seed in KEPT {
        let told = plays(seed, false);
        assert!(told.is_ok(), "{seed}: {told:?}");
    }
}

#[test]
fn a_seed_is_one_schedule() {
    let told = |seed| {
        let mut world = World::of(seed, false);
        world.lives();
        world.story()
    };
    assert_eq!(told(7), told(7));
    assert_ne!(told(7), told(8));
}
