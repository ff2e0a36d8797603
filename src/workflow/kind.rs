//! The kinds of runs that an object may have: the table of a kind is all that the engine knows of it.

use std::{fmt, time::Duration};

use crate::domain::{
    Plan, Step, Task,
    step::{Compensation, Pace, Policy, Spec},
};

use super::policy::{self, RUN_LIMIT};

/// What the engine knows of one kind of run.
pub struct Table {
    /// Its word: in commands, in the object's storage, in listings.
    pub word: &'static str,
    /// Its steps for a tenant of a plan, in their order.
    pub steps: fn(Plan) -> &'static [Step],
    /// What is known of each of them; none of a step of another version.
    pub spec: fn(Step) -> Option<Spec>,
    /// Whether a run, or undoing it, ends with this. It can't be left out, and D1 hears of the end in the batch that does it.
    pub is_last: fn(Task) -> bool,
    /// How long a round may take. What is looked at again and again takes longer.
    pub limit: Duration,
    /// Whether another run may follow one that is over.
    pub repeats: bool,
    /// Whether a run waits while its tenant is suspended, and is not stopped.
    pub outlasts_suspension: bool,
    /// What people are told.
    pub sayings: Sayings,
}

/// What people are told of a kind of run.
pub struct Sayings {
    /// An operator stopped it.
    pub cancelled: &'static str,
    /// Its tenant is suspended.
    pub suspended: &'static str,
    /// It took too long.
    pub late: &'static str,
    /// Removing what it made took too long.
    pub late_removal: &'static str,
}

/// A kind of run.
#[derive(Clone, Copy)]
pub struct Kind(pub &'static Table);

/// Setting a tenant up, and removing it.
static PROVISIONING: Table = Table {
    word: "provisioning",
    steps: Step::of,
    spec: known_step,
    is_last: policy::is_last,
    limit: RUN_LIMIT,
    repeats: false,
    outlasts_suspension: false,
    sayings: Sayings {
        cancelled: "Setting up was stopped by our support.",
        suspended: "This club is suspended, so setting it up was stopped.",
        late: "Setting up took too long and was stopped. It can be started again and goes on where it stopped.",
        late_removal: "Removing took too long and was stopped. Try again: it goes on where it stopped.",
    },
};

fn known_step(step: Step) -> Option<Spec> {
    (!matches!(step, Step::Other(_))).then(|| step.spec())
}

impl Kind {
    /// Setting a tenant up, and removing it.
    pub const PROVISIONING: Self = Self(&PROVISIONING);

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        self.0.word
    }

    /// The one of `kinds` with this word.
    pub fn named(word: &str, kinds: &[Self]) -> Option<Self> {
        kinds.iter().copied().find(|kind| kind.as_str() == word)
    }

    /// Whether it is provisioning: its checkpoint stands where the version before reads it.
    pub fn is_provisioning(self) -> bool {
        self == Self::PROVISIONING
    }

    /// Its steps for a tenant of a plan.
    pub fn steps(self, plan: Plan) -> &'static [Step] {
        (self.0.steps)(plan)
    }

    /// The step that it begins with.
    pub(super) fn first(self, plan: Plan) -> Step {
        self.steps(plan).first().copied().unwrap_or(Step::SeedDefaults)
    }

    /// Whether this version knows the step.
    pub fn knows(self, step: Step) -> bool {
        (self.0.spec)(step).is_some()
    }

    /// What is known of a step. What one of another version left, this one can't know.
    pub fn spec(self, step: Step) -> Spec {
        (self.0.spec)(step).unwrap_or_else(|| step.spec())
    }

    pub(super) fn policy(self, step: Step) -> Policy {
        self.spec(step).policy
    }

    pub(super) fn compensation(self, step: Step) -> Compensation {
        self.spec(step).compensation
    }

    pub(super) fn pace(self, step: Step) -> Option<Pace> {
        self.spec(step).looks
    }

    /// Whether a run, or undoing it, ends with this.
    pub fn is_last(self, task: Task) -> bool {
        (self.0.is_last)(task)
    }

    pub(super) const fn repeats(self) -> bool {
        self.0.repeats
    }

    pub(super) const fn outlasts_suspension(self) -> bool {
        self.0.outlasts_suspension
    }

    pub(super) const fn sayings(self) -> &'static Sayings {
        &self.0.sayings
    }
}

/// Who reads or makes a run of another kind says so.
impl Default for Kind {
    fn default() -> Self {
        Self::PROVISIONING
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.0.word == other.0.word
    }
}

impl Eq for Kind {}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.word)
    }
}
