//! A kind of run that only tests have: it makes a bell, watches it until it rings, or for ever, and tells somebody.

use std::{sync::LazyLock, time::Duration};

use tenantry::{
    domain::{
        Step, Task, Timestamp, Word,
        step::{Spec, Standing},
    },
    workflow::{
        Kind,
        kind::{Sayings, Table},
        policy::RUN_LIMIT,
    },
};

/// Its table.
static TABLE: Table = Table {
    word: "watch",
    steps: |_| &*STEPS,
    spec,
    is_last: |_| false,
    limit: RUN_LIMIT,
    repeats: true,
    outlasts_suspension: true,
    sayings: Sayings {
        cancelled: "Watching was stopped by our support.",
        suspended: "This club is suspended.",
        late: "The bell did not ring for too long.",
        late_removal: "Removing the bell took too long.",
    },
};

pub const WATCH: Kind = Kind(&TABLE);

/// While the bell hangs still.
pub const STILL: &str = "still";
/// Once it rings.
pub const RINGS: &str = "rings";
/// How long it may hang still.
pub const PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);

static STEPS: LazyLock<[Step; 3]> = LazyLock::new(|| ["hang", "look", "tell"].map(step));

fn step(word: &str) -> Step {
    Step::Other(Word::of(word))
}

pub fn hang() -> Step {
    step("hang")
}

pub fn look() -> Step {
    step("look")
}

fn spec(of: Step) -> Option<Spec> {
    match of.as_str() {
        "hang" => Some(Spec::outside(5).makes("bell")),
        "look" => Some(Spec::outside(5).watches(pace)),
        "tell" => Some(Spec::outside(5)),
        _ => None,
    }
}

/// Often at first, and after somebody asked; then seldom. For ever once it rings.
pub fn pace(standing: &Standing, now: Timestamp) -> Option<Duration> {
    let age = now.since(standing.since);
    let asked_ago = now.since(standing.asked_at.unwrap_or(standing.since));
    match standing.word.as_str() {
        RINGS => Some(Duration::from_secs(3600)),
        _ if age >= PATIENCE => None,
        _ if asked_ago < Duration::from_secs(600) => Some(Duration::from_secs(15)),
        _ => Some(Duration::from_secs(300)),
    }
}

/// Whether undoing it removes something.
pub fn leaves_something(task: Task) -> bool {
    task.step() == hang()
}
