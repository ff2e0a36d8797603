//! Noticing a database that was put back, or is another's: the sweep asks before it does anything.

use crate::{
    db::{Db, DbError},
    domain::{RequestId, Timestamp, id},
    ports::{Level, LogLine, Ports},
    store::{
        self,
        audit::Act,
        flags::{Hold, Sighting},
    },
    workflow::witness::{Command, Sign, Verdict},
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
    /// Whether the database was put back, and provisioning is paused for it.
    pub paused: bool,
}

impl<P: Ports> App<P> {
    /// Asks the witness whether this is the database that it knows; if not, pauses provisioning before anything is woken or sent.
    /// A witness that does not answer stops nothing.
    ///
    /// # Errors
    ///
    /// When provisioning had to be paused, and the database doesn't answer: nothing may be woken or sent then.
    pub(super) async fn ask_witness(
        &self,
        sighting: &Sighting,
        request: &RequestId,
        now: Timestamp,
    ) -> Result<Witnessed, DbError> {
        let (database, mark) = (sighting.database, sighting.mark);
        let verdict =
            self.ports.tell_witness(&Command::See { database, mark, fresh: self.database_id() }).await;
        match verdict {
            Ok(Verdict::Same) => Ok(Witnessed { name: None, paused: false }),
            Ok(Verdict::New { database }) => Ok(Witnessed { name: Some(database), paused: false }),
            Ok(Verdict::PutBack { sign }) => self.was_put_back(sighting, sign, request, now).await,
            Err(error) => {
                self.log(LogLine::new(Level::Error, "witness_unavailable").with("error", error.to_string()));
                Ok(Witnessed { name: None, paused: false })
            }
        }
    }

    /// Pauses provisioning, unless somebody announced that it shall go on, and takes what is there for the truth from now on. D1
    /// first: an end in between pauses once more, and never leaves it out.
    async fn was_put_back(
        &self,
        sighting: &Sighting,
        sign: Sign,
        request: &RequestId,
        now: Timestamp,
    ) -> Result<Witnessed, DbError> {
        let is_announced = sighting.announced_at.is_some_and(|at| now.seconds() - at <= ANNOUNCED);
        let database = self.database_id();
        let mut statements = store::flags::rename(database, now);
        statements.push(store::comparisons::begin());
        if !is_announced {
            let act = Act {
                id: format!("aud_{}", id::token_id(now, self.ports.random())),
                actor: ACTOR,
                reason: sign.as_str(),
                request: request.as_str(),
                now,
            };
            statements.push(store::flags::pause(Hold::Everything, now));
            statements.push(store::audit::write(&act, pausing::PAUSE, pausing::SUBJECT));
        }
        self.ports.db().batch(statements).await?;
        self.log(
            LogLine::new(Level::Error, "database_restored")
                .with("reason", sign.as_str())
                .with("paused", !is_announced)
                .with_some("sweptAt", sighting.mark.map(|at| Timestamp::from_seconds(at).rfc3339())),
        );
        // One that does not hear of it notices again, and pauses again.
        let _ = self.ports.tell_witness(&Command::Adopt { database, mark: sighting.mark }).await;
        Ok(Witnessed { name: None, paused: !is_announced })
    }

    /// 53 bits: D1 binds numbers as floats.
    fn database_id(&self) -> i64 {
        i64::try_from(u64::from_le_bytes(self.ports.random()) >> 11).unwrap_or(0)
    }
}
