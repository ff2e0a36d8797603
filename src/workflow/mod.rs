//! Provisioning as values: no clock, no network, no storage of its own.
//!
//! [`run`] holds the state of one run. [`track`] says how it moves through its steps, doing and undoing them alike, [`stage`]
//! where that stands. [`policy`] says how each step is tried. [`advance`](mod@advance) does one step after another against a
//! [`RunContext`], recording before and after. The same code runs in the Durable Object, in tests, and in a simulation.
//! [`breaker`] keeps all runs together from asking an upstream that is dead. [`witness`] notices a restored database.

pub mod advance;
pub mod breaker;
pub mod command;
pub mod handle;
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
pub use command::{Command, Reply, Subject};
pub use handle::{AlarmAction, Effects, NewIds, handle, handle_after_loss};
pub use outcome::{
    Artifact, FailureCode, Outcome, PermanentError, Product, TransientError, TransientErrorCode,
};
pub use record::{Attempt, Record, RequestOrigin, Webhook};
pub use report::{ErrorSummary, Report, StepReport};
pub use run::Run;
pub use stage::{Next, Stage};
pub use track::Track;
