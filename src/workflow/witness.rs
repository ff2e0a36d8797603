//! Whether D1 is the database that the last sweep saw, or was restored to an earlier moment, or is another's: somebody outside
//! of D1 has to remember, and each sweep asks.
//!
//! D1 holds an id of its own and when a sweep last did all of its work. A small object remembers the pair. Its commands are read by
//! the version before and after, as those of every object.

use serde::{Deserialize, Serialize};

/// By how much D1's mark may be older than the newest one seen, in seconds: two sweeps may overlap.
const SLACK: i64 = 120;

/// What the witness remembers of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenDatabase {
    /// Its id.
    pub database: i64,
    /// The newest end of a sweep that was seen in it, Unix seconds; none while nobody has seen the id in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<i64>,
}

/// A command to the witness's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Say whether this is the database that you know.
    See {
        /// The id in D1, if it has one.
        database: Option<i64>,
        /// When a sweep last did all of its work, as D1 has it.
        mark: Option<i64>,
        /// A random id, in case the database has none yet.
        fresh: i64,
    },
    /// From now on this is the database.
    Adopt {
        /// The id in D1.
        database: i64,
        /// When a sweep last did all of its work, as D1 has it.
        mark: Option<i64>,
    },
}

/// What the witness answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is.
    Same,
    /// The database is new, or this version's first: it gets this id. Until it was seen there, it is offered again.
    New {
        /// The id.
        database: i64,
    },
    /// It was restored, or is another.
    #[serde(rename = "put_back")]
    Restored {
        /// How that is known.
        sign: RestoreSign,
    },
}

/// How it is known that a database was restored, or is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[serde(rename_all = "snake_case")]
pub enum RestoreSign {
    /// It is older than what was seen in it.
    #[strum(to_string = "the database is older than when it was last seen")]
    Earlier,
    /// It has another id.
    #[strum(to_string = "the database is another")]
    Another,
    /// It has lost its id: it is from before it had one.
    #[strum(to_string = "the database is from before it had an id")]
    Nameless,
    /// The objects know of no database: they are new, or another's.
    #[strum(to_string = "the objects know of no database")]
    Unknown,
}

impl RestoreSign {
    /// For the log and the audit log.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Does what `command` says: the same in the object and in every test. What is remembered is to be written down if it is another
/// than `known`.
pub fn handle(known: Option<&SeenDatabase>, command: &Command) -> (Option<SeenDatabase>, Reply) {
    match (command, known) {
        (Command::Adopt { database, mark }, _) => {
            (Some(SeenDatabase { database: *database, mark: Some(mark.unwrap_or(0)) }), Reply::Same)
        }
        (Command::See { database: None, fresh, .. }, None) => {
            (Some(SeenDatabase { database: *fresh, mark: None }), Reply::New { database: *fresh })
        }
        (Command::See { database: None, .. }, Some(SeenDatabase { database, mark: None })) => {
            (known.cloned(), Reply::New { database: *database })
        }
        (Command::See { database: Some(seen), mark, .. }, Some(SeenDatabase { database, mark: newest }))
            if seen == database =>
        {
            let (mark, newest) = (mark.unwrap_or(0), newest.unwrap_or(0));
            if mark + SLACK < newest {
                return (known.cloned(), Reply::Restored { sign: RestoreSign::Earlier });
            }
            (Some(SeenDatabase { database: *database, mark: Some(mark.max(newest)) }), Reply::Same)
        }
        (Command::See { database, .. }, _) => {
            let sign = match (database, known) {
                (None, _) => RestoreSign::Nameless,
                (_, None) => RestoreSign::Unknown,
                _ => RestoreSign::Another,
            };
            (known.cloned(), Reply::Restored { sign })
        }
    }
}
