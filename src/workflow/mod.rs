//! Provisioning, and whatever else takes its time, as values: no clock, no network, no storage of its own.
//!
//! [`kind`] has a table for each kind of run, and [`agenda`] when each of an object's runs is due. [`run`] holds the state of one run. [`track`] says how it moves through its steps, doing and undoing them alike, [`stage`]
//! where that stands. [`policy`] says how each step is tried. [`advance`](mod@advance) does one step after another against a
//! [`RunContext`], recording before and after. The same code runs in the Durable Object, in tests, and in a simulation.
//! [`breaker`] keeps all runs together from asking an upstream that is dead. [`witness`] notices a restored database.

pub mod advance;
pub mod agenda;
pub mod breaker;
pub mod command;
pub mod handle;
pub mod kind;
mod names;
mod outage;
pub mod outcome;
pub mod policy;
mod reading;
pub mod record;
pub mod report;
pub mod run;
pub mod stage;
pub mod track;
pub mod versions;
pub mod witness;

pub use advance::{Asked, Performed, Permit, ProjectionResult, RunContext, Wake, advance};
pub use command::{Address, Command, Reply, Subject};
pub use handle::{AlarmAction, Effects, NewIds, handle, handle_after_loss, handle_of};
pub use kind::Kind;
pub use outcome::{
    Artifact, FailureCode, Look, Outcome, PermanentError, Product, TransientError, TransientErrorCode,
};
pub use record::{Attempt, Record, RequestOrigin, Webhook};
pub use report::{ErrorSummary, Report, StepReport};
pub use run::Run;
pub use stage::{Next, Stage};
pub use track::Track;
