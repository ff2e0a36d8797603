//! The witness of the database: a row, around the real function.

use std::sync::{Mutex, MutexGuard};

use tenantry::{
    ports::ObjectError,
    workflow::witness::{self, Command, Reply, SeenDatabase},
};

use super::Manner;

#[derive(Default)]
struct State {
    row: Option<String>,
    manner: Manner,
    told: usize,
}

/// The one object.
#[derive(Default)]
pub struct Witness(Mutex<State>);

impl Witness {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// From now on it takes commands so.
    pub fn becomes(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// How often it was told something.
    pub fn told(&self) -> usize {
        self.state().told
    }

    /// What it remembers.
    pub fn known(&self) -> Option<SeenDatabase> {
        self.state().row.as_deref().map(|text| serde_json::from_str(text).unwrap())
    }

    /// It is gone, as in a new account.
    pub fn forgets(&self) {
        self.state().row = None;
    }

    /// Obeys a command, or doesn't.
    pub fn handle(&self, command: &Command) -> Result<Reply, ObjectError> {
        let known = self.known();
        let mut state = self.state();
        state.told += 1;
        if state.manner == Manner::Gone {
            return Err(ObjectError("no answer in time".to_owned()));
        }
        let (known, reply) = witness::handle(known.as_ref(), command);
        state.row = known.map(|known| serde_json::to_string(&known).unwrap());
        if state.manner == Manner::Mute {
            Err(ObjectError("no answer in time".to_owned()))
        } else {
            Ok(reply)
        }
    }
}
