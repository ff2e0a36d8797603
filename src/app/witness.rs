//! Noticing a database that was restored, or is another's: the sweep asks before it does anything.

use crate::{
    db::{Db, DbError},
    domain::{RequestId, Timestamp, id},
    ports::{Level, LogLine, Ports, Random},
    store::{
        self,
        audit::AuditContext,
        flags::{PauseScope, SweepState},
    },
    workflow::witness::{Command, Reply, RestoreSign},
};

use super::{App, pausing};

/// How long an announced restore is waited for, in seconds.
const ANNOUNCED: i64 = 10 * 60;
/// Who it is in the audit log.
const ACTOR: &str = "system";

/// What came of asking the witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Witnessed {
    /// The id to give a new database, at the end of the sweep.
    pub name: Option<i64>,
    /// Whether the database was restored, and provisioning is paused for it.
    pub paused: bool,
}

/// Asks the witness whether this is the database that it knows; if not, pauses provisioning before anything is woken or sent.
/// A witness that does not answer stops nothing.
pub(super) async fn ask<P: Ports>(
    app: &App<P>,
    sweep_state: &SweepState,
    request: &RequestId,
    now: Timestamp,
) -> Result<Witnessed, DbError> {
    let (database, mark) = (sweep_state.database, sweep_state.mark);
    let reply = app
        .ports
        .send_witness_command(&Command::See { database, mark, fresh: database_id(&app.ports) })
        .await;
    match reply {
        Ok(Reply::Same) => Ok(Witnessed { name: None, paused: false }),
        Ok(Reply::New { database }) => Ok(Witnessed { name: Some(database), paused: false }),
        Ok(Reply::Restored { sign }) => was_restored(app, sweep_state, sign, request, now).await,
        Err(error) => {
            app.log(LogLine::new(Level::Error, "witness_unavailable").with("error", error.to_string()));
            Ok(Witnessed { name: None, paused: false })
        }
    }
}

/// Pauses provisioning, unless somebody announced that it shall go on, and takes what is there for the truth from now on. D1
/// first: an end in between pauses once more, and never leaves it out.
async fn was_restored<P: Ports>(
    app: &App<P>,
    sweep_state: &SweepState,
    sign: RestoreSign,
    request: &RequestId,
    now: Timestamp,
) -> Result<Witnessed, DbError> {
    let is_announced = sweep_state.announced_at.is_some_and(|at| now.seconds() - at <= ANNOUNCED);
    let database = database_id(&app.ports);
    let mut statements = store::flags::rename(database, now);
    statements.push(store::comparisons::begin());
    if !is_announced {
        let audit_context = AuditContext {
            id: format!("aud_{}", id::token_id(now, app.ports.random())),
            actor: ACTOR,
            reason: sign.as_str(),
            request: request.as_str(),
            now,
        };
        statements.push(store::flags::pause(PauseScope::Everything, now));
        statements.push(store::audit::write(&audit_context, pausing::PAUSE, pausing::SUBJECT));
    }
    app.ports.db().batch(statements).await?;
    app.log(
        LogLine::new(Level::Error, "database_restored")
            .with("reason", sign.as_str())
            .with("paused", !is_announced)
            .with_some("sweptAt", sweep_state.mark.map(|at| Timestamp::from_seconds(at).rfc3339())),
    );
    // One that does not hear of it notices again, and pauses again.
    let _ = app.ports.send_witness_command(&Command::Adopt { database, mark: sweep_state.mark }).await;
    Ok(Witnessed { name: None, paused: !is_announced })
}

/// 53 bits: D1 binds numbers as floats.
fn database_id(random: &impl Random) -> i64 {
    i64::try_from(u64::from_le_bytes(random.random()) >> 11).unwrap_or(0)
}
