//! The breakers' objects: a row each, those who wait, and an alarm, around the real breaker.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
};

use tenantry::{
    app::App,
    domain::{Timestamp, Upstream, config::Budgets},
    ports::{Clock, ObjectError},
    workflow::breaker::{self, Breaker, BreakerCommand, Limits, Reply, Request, Waiting, limits, rings_at},
};

use super::{Manner, ports::Outside};

#[derive(Default)]
struct Object {
    breaker: String,
    waiting: String,
    alarm: Option<Timestamp>,
}

#[derive(Default)]
struct Objects {
    objects: BTreeMap<Upstream, Object>,
    budgets: Budgets,
    manner: Manner,
    told: Vec<Request>,
}

/// The breakers as they were at one moment.
pub struct Aside(Objects);

/// All breakers.
#[derive(Default)]
pub struct Breakers(Mutex<Objects>);

impl Object {
    fn breaker(&self) -> Breaker {
        serde_json::from_str(&self.breaker).unwrap_or_default()
    }

    fn waiting(&self) -> Waiting {
        serde_json::from_str(&self.waiting).unwrap_or_default()
    }

    fn arm(&mut self, limits: &Limits, now: Timestamp) {
        let at = rings_at(&self.breaker(), &self.waiting(), limits, now);
        self.alarm = at.map(|at| self.alarm.map_or(at, |set| set.min(at))).or(self.alarm);
    }
}

impl Breakers {
    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.0.lock().unwrap()
    }

    /// Until they come back by [`Self::are_again`], closed ones take their place.
    pub fn are_set_aside(&self) -> Aside {
        let mut objects = self.objects();
        let fresh = Objects { budgets: objects.budgets, ..Objects::default() };
        Aside(std::mem::replace(&mut *objects, fresh))
    }

    /// They are as they were.
    pub fn are_again(&self, aside: Aside) {
        *self.objects() = aside.0;
    }

    /// From now on they take commands so.
    pub fn become_(&self, manner: Manner) {
        self.objects().manner = manner;
    }

    /// The objects are configured so.
    pub fn have(&self, budgets: Budgets) {
        self.objects().budgets = budgets;
    }

    /// How often one was told something.
    pub fn told(&self) -> usize {
        self.objects().told.len()
    }

    /// How often one was told how an attempt ended.
    pub fn reports(&self) -> usize {
        self.objects()
            .told
            .iter()
            .filter(|told| matches!(told.command, BreakerCommand::Report { .. }))
            .count()
    }

    /// A breaker as its object remembers it.
    pub fn of(&self, upstream: Upstream) -> Breaker {
        self.objects().objects.get(&upstream).map(Object::breaker).unwrap_or_default()
    }

    /// How many wait at one, as its object remembers it.
    pub fn waiting_at(&self, upstream: Upstream) -> u32 {
        self.objects().objects.get(&upstream).map_or(0, |object| object.waiting().len())
    }

    /// The next alarm of any.
    pub fn alarm(&self) -> Option<(Timestamp, Upstream)> {
        let objects = self.objects();
        objects.objects.iter().filter_map(|(upstream, object)| Some((object.alarm?, *upstream))).min()
    }

    /// Those who wait are forgotten, and so are the alarms.
    pub fn forget_who_waits(&self) {
        for object in self.objects().objects.values_mut() {
            (object.waiting, object.alarm) = (String::new(), None);
        }
    }

    /// Obeys a command, or doesn't.
    pub fn handle(&self, command: &Request, now: Timestamp) -> Result<Reply, ObjectError> {
        let mut objects = self.objects();
        objects.told.push(command.clone());
        if objects.manner == Manner::Gone {
            return Err(ObjectError("no answer in time".to_owned()));
        }
        let limits = limits(command.upstream, objects.budgets);
        let object = objects.objects.entry(command.upstream).or_default();
        let effects = breaker::handle(&object.breaker(), &object.waiting(), command, &limits, now);
        object.breaker = serde_json::to_string(&effects.reply.breaker).unwrap();
        object.waiting = serde_json::to_string(&effects.waiting).unwrap();
        object.arm(&limits, now);
        if objects.manner == Manner::Mute {
            return Err(ObjectError("no answer in time".to_owned()));
        }
        Ok(effects.reply)
    }
}

/// The alarm of a breaker rings: it tells those who wait.
pub async fn alarm(app: &App<Outside>, upstream: Upstream) {
    let tenants = {
        let mut objects = app.ports.breakers().objects();
        let limits = limits(upstream, objects.budgets);
        let Some(object) = objects.objects.get_mut(&upstream) else { return };
        let Some(at) = object.alarm.take() else { return };
        app.ports.is_at(at);
        let woken = breaker::wake(&object.breaker(), &object.waiting(), &limits, app.ports.now());
        object.waiting = serde_json::to_string(&woken.waiting).unwrap();
        object.arm(&limits, app.ports.now());
        woken.tenants
    };
    if !tenants.is_empty() {
        tenantry::app::breakers::go_on(app, upstream, &tenants).await;
    }
}
