//! Provisioning as values: no clock, no network, no storage of its own.
//!
//! [`run`] holds the state of one run and how it moves, [`stage`] where it stands and what that wants done; [`policy`] says how each step is
//! tried; [`advance`](mod@advance) does one step after another against a [`World`], recording before
//! and after; [`undo`] removes what a run made. The same code runs in the Durable Object, in tests, and in a simulation.
//! [`breaker`] keeps all runs together from asking an other side that is dead. [`witness`] notices a database that was put back.

pub mod advance;
pub mod breaker;
pub mod command;
mod names;
pub mod obey;
mod outage;
pub mod outcome;
pub mod policy;
mod reading;
pub mod record;
pub mod report;
pub mod run;
pub mod stage;
pub mod undo;
pub mod versions;
pub mod witness;

pub use advance::{Asked, Listing, Performed, Permit, Wake, World, advance};
pub use command::{Command, Reply, Subject};
pub use obey::{Fresh, Obeyed, Ring, obey, obey_after_loss};
pub use outcome::{Artifact, Failure, FailureCode, Fault, FaultCode, Outcome, Product};
pub use record::{Attempt, Caller, Record, Webhook};
pub use report::{Report, StepReport, Trouble};
pub use run::Run;
pub use stage::{Next, Stage};
pub use undo::{Removal, Undo};
