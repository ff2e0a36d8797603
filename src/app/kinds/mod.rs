//! The kinds of runs that a tenant's object has: how each is performed, told to D1, and taken over from it.
//!
//! A new kind is a folder here, with its [`Table`](workflow::kind::Table) and its [`Behaviour`], and a row in `kinds!`.

mod provisioning;

use crate::{
    db::DbError,
    domain::Task,
    ports::Ports,
    store::recovery::DnsContext,
    workflow::{self, Asked, Command, Kind, NewIds, Permit, ProjectionResult, Run},
};

use super::{App, steps::Found};

/// How the runs of a kind are at work.
trait Behaviour {
    /// Which kind.
    const KIND: Kind;

    /// Whether an attempt at `task` asks outside.
    fn asks_outside<P: Ports>(app: &App<P>, run: &Run, task: Task) -> bool;
    /// Whether an attempt at `task` may begin, and what it reads; D1 is told of the run first if it `lists`. One batch.
    async fn permit<P: Ports>(app: &App<P>, run: &Run, task: Task, lists: bool) -> Asked<Found>;
    /// Performs one attempt at `task`.
    async fn perform<P: Ports>(app: &App<P>, run: &Run, task: Task, found: Found) -> workflow::Performed;
    /// Writes what D1 doesn't show yet of a run.
    async fn project<P: Ports>(app: &App<P>, run: &Run) -> ProjectionResult;
    /// The run that D1 shows and that `command`, told to an object without one, is about.
    async fn take_over<P: Ports>(
        app: &App<P>,
        command: &Command,
        dns_context: &DnsContext,
        fresh: &NewIds,
    ) -> Result<Option<Run>, DbError>;
}

/// The table of kinds, in the order in which an alarm advances them.
macro_rules! kinds {
    ($($behaviour:ty,)+) => {
        /// Every kind, in the order in which an alarm advances them.
        pub const ALL: [Kind; [$(stringify!($behaviour)),+].len()] = [$(<$behaviour>::KIND),+];

        /// Whether an attempt at `task` of `run` asks outside.
        pub fn asks_outside<P: Ports>(app: &App<P>, run: &Run, task: Task) -> bool {
            $(if run.kind == <$behaviour>::KIND {
                return <$behaviour>::asks_outside(app, run, task);
            })+
            false
        }

        /// Whether an attempt at `task` of `run` may begin, and what it reads; D1 is told of the run first if it `lists`.
        pub async fn permit<P: Ports>(app: &App<P>, run: &Run, task: Task, lists: bool) -> Asked<Found> {
            $(if run.kind == <$behaviour>::KIND {
                return <$behaviour>::permit(app, run, task, lists).await;
            })+
            Permit::Unavailable.into()
        }

        /// Performs one attempt at `task` of `run`.
        pub async fn perform<P: Ports>(
            app: &App<P>,
            run: &Run,
            task: Task,
            found: Found,
        ) -> workflow::Performed {
            $(if run.kind == <$behaviour>::KIND {
                return <$behaviour>::perform(app, run, task, found).await;
            })+
            super::steps::misconfigured().into()
        }

        /// Writes what D1 doesn't show yet of a run.
        pub async fn project<P: Ports>(app: &App<P>, run: &Run) -> ProjectionResult {
            $(if run.kind == <$behaviour>::KIND {
                return <$behaviour>::project(app, run).await;
            })+
            ProjectionResult::Unavailable
        }

        /// The run of `kind` that D1 shows and that `command`, told to an object without one, is about.
        pub async fn take_over<P: Ports>(
            app: &App<P>,
            kind: Kind,
            command: &Command,
            dns_context: &DnsContext,
            fresh: &NewIds,
        ) -> Result<Option<Run>, DbError> {
            $(if kind == <$behaviour>::KIND {
                return <$behaviour>::take_over(app, command, dns_context, fresh).await;
            })+
            Ok(None)
        }
    };
}

kinds! {
    provisioning::Provisioning,
}
