//! The breakers' objects: a row each, around the real breaker.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use tenantry::{
    domain::{Timestamp, Upstream},
    ports::ObjectError,
    workflow::breaker::{self, Breaker, Command, Reply, Wish},
};

use super::Manner;

#[derive(Default)]
struct Objects {
    rows: BTreeMap<Upstream, String>,
    manner: Manner,
    told: Vec<Command>,
}

/// All breakers.
#[derive(Default)]
pub struct Breakers(Mutex<Objects>);

impl Breakers {
    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.0.lock().unwrap()
    }

    /// From now on they take commands so.
    pub fn become_(&self, manner: Manner) {
        self.objects().manner = manner;
    }

    /// How often one was told something.
    pub fn told(&self) -> usize {
        self.objects().told.len()
    }

    /// How often one was told how an attempt ended.
    pub fn reports(&self) -> usize {
        self.objects().told.iter().filter(|told| matches!(told.wish, Wish::Report { .. })).count()
    }

    /// A breaker as its object remembers it.
    pub fn of(&self, upstream: Upstream) -> Breaker {
        let objects = self.objects();
        objects.rows.get(&upstream).map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default()
    }

    /// Obeys a command, or doesn't.
    pub fn obey(&self, command: &Command, now: Timestamp) -> Result<Reply, ObjectError> {
        let known = self.of(command.upstream);
        let mut objects = self.objects();
        objects.told.push(command.clone());
        if objects.manner == Manner::Gone {
            return Err(ObjectError("no answer in time".to_owned()));
        }
        let reply = breaker::obey(&known, command, now);
        objects.rows.insert(command.upstream, serde_json::to_string(&reply.breaker).unwrap());
        if objects.manner == Manner::Mute {
            return Err(ObjectError("no answer in time".to_owned()));
        }
        Ok(reply)
    }
}
