//! The provisioning objects: a checkpoint and an alarm for each tenant, around the real workflow.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use tenantry::{
    app::{App, projection, steps::Found},
    domain::{RunId, Task, TenantId, Timestamp},
    ports::{Clock, Database, ObjectError, Random},
    store::{recovery, recovery::DnsContext},
    workflow::{
        self, Asked, Command, NewIds, Performed, ProjectionResult, Reply, Run, RunContext, Wake, advance,
        advance::RunEvent, handle_after_loss,
    },
};

use super::{app::ZONE, ports::Outside};

/// How the objects take commands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// They obey.
    #[default]
    Obedient,
    /// They can't be reached.
    Gone,
    /// They obey, and the answer is lost.
    Mute,
}

#[derive(Debug, Clone, Default)]
struct Object {
    checkpoint: Option<String>,
    alarm: Option<Timestamp>,
    /// The alarm of one that has nothing left to do: the platform has one alarm, and this one leaves room for another.
    look: Option<Timestamp>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    manner: Manner,
    slow: BTreeSet<String>,
    told: usize,
}

/// All objects.
#[derive(Default)]
pub struct Objects(Mutex<State>);

impl Objects {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// From now on they take commands so.
    pub fn become_(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// From now on this tenant's object does not answer within the time that it has.
    pub fn becomes_slow(&self, tenant: &str) {
        self.state().slow.insert(tenant.to_owned());
    }

    /// From now on it answers again.
    pub fn becomes_fast(&self, tenant: &str) {
        self.state().slow.remove(tenant);
    }

    /// A tenant's run has more time than it had.
    pub fn has_time(&self, tenant: &str) {
        let mut run = self.run(tenant).unwrap();
        run.doing.deadline_at = run.doing.deadline_at.after(std::time::Duration::from_secs(7200));
        self.save(tenant, &run);
    }

    /// Whether a tenant's object does not answer in time.
    pub fn is_slow(&self, tenant: &TenantId) -> bool {
        self.state().slow.contains(tenant.as_str())
    }

    /// How often one was told something.
    pub fn told(&self) -> usize {
        self.state().told
    }

    /// A tenant's run, as its object remembers it.
    pub fn run(&self, tenant: &str) -> Option<Run> {
        let checkpoint = self.state().objects.get(tenant)?.checkpoint.clone()?;
        Some(Run::read(&checkpoint).unwrap())
    }

    /// Another version wrote a tenant's checkpoint.
    pub fn another_version_writes(&self, tenant: &str, change: impl FnOnce(&mut serde_json::Value)) {
        let mut state = self.state();
        let checkpoint = state.objects.get_mut(tenant).and_then(|object| object.checkpoint.as_mut()).unwrap();
        let mut value = serde_json::from_str(checkpoint).unwrap();
        change(&mut value);
        *checkpoint = value.to_string();
    }

    /// A tenant's next alarm.
    pub fn alarm(&self, tenant: &str) -> Option<Timestamp> {
        self.state().objects.get(tenant)?.alarm
    }

    /// When a tenant's object, which has nothing left to do, looks whether D1 still knows the tenant.
    pub fn look(&self, tenant: &str) -> Option<Timestamp> {
        self.state().objects.get(tenant)?.look
    }

    /// A tenant's alarm is lost.
    pub fn loses_the_alarm(&self, tenant: &str) {
        self.state().objects.entry(tenant.to_owned()).or_default().alarm = None;
    }

    /// A process died while its alarm was at work: the platform rings again so many seconds later, unless another alarm
    /// was set meanwhile.
    pub fn rings_again(&self, tenant: &str, seconds: u64, app: &App<Outside>) {
        let at = app.ports.now().after(std::time::Duration::from_secs(seconds));
        let mut state = self.state();
        let object = state.objects.entry(tenant.to_owned()).or_default();
        object.alarm = object.alarm.or(object.checkpoint.is_some().then_some(at));
    }

    /// Obeys a command, or doesn't. Where it looks for a run that it has lost, and what it logs, is `outside`'s.
    pub async fn handle(
        &self,
        outside: &Outside,
        tenant: &TenantId,
        command: Command,
        now: Timestamp,
        random: [u8; 10],
    ) -> Result<Reply, ObjectError> {
        self.state().told += 1;
        if self.state().manner == Manner::Gone {
            return Err(ObjectError("no answer in time".to_owned()));
        }
        let reply = self.obeys(outside, tenant.as_str(), command, now, random).await?;
        if self.state().manner == Manner::Mute {
            Err(ObjectError("no answer in time".to_owned()))
        } else {
            Ok(reply)
        }
    }

    /// What the object's shell does with a command.
    async fn obeys(
        &self,
        outside: &Outside,
        tenant: &str,
        command: Command,
        now: Timestamp,
        random: [u8; 10],
    ) -> Result<Reply, ObjectError> {
        let is_unreadable = self.checkpoint(tenant).is_some_and(|text| Run::read(&text).is_err());
        if is_unreadable && !matches!(command, Command::Reset { .. }) {
            return Ok(Reply::Unreadable);
        }
        let fresh = NewIds { run: RunId::new(now, random), link_id: format!("link-{random:?}") };
        let place = DnsContext { zone: ZONE.to_owned(), base_domain: "clubs.example".to_owned() };
        let found = if is_unreadable || self.checkpoint(tenant).is_none() {
            let found = recovery::take_over(outside.db(), &command, &place, &fresh, now).await;
            found.map_err(|error| ObjectError(error.to_string()))?
        } else {
            None
        };
        let known = if is_unreadable { None } else { self.run(tenant) };
        let effects = match (known, found) {
            (None, Some(found)) => handle_after_loss(found, command, fresh, now),
            (known, _) => workflow::handle(known, command, fresh, now),
        };
        if let Some(run) = &effects.save {
            self.save(tenant, run);
            if effects.ended {
                tenantry::app::run_log::log(&outside.app(), run, RunEvent::Ended);
            }
        }
        if effects.forget {
            self.forgets(tenant);
        }
        if effects.alarm.is_due(self.alarm(tenant), now) {
            self.arm(tenant, now);
        }
        Ok(effects.reply)
    }

    /// What a tenant's object stores.
    pub fn checkpoint(&self, tenant: &str) -> Option<String> {
        self.state().objects.get(tenant)?.checkpoint.clone()
    }

    /// Another version wrote this.
    pub fn stores(&self, tenant: &str, checkpoint: &str) {
        self.state().objects.entry(tenant.to_owned()).or_default().checkpoint = Some(checkpoint.to_owned());
    }

    /// A tenant's object is gone, with all that it stored.
    pub fn forgets(&self, tenant: &str) {
        self.state().objects.remove(tenant);
    }

    fn save(&self, tenant: &str, run: &Run) {
        let text = serde_json::to_string(run).unwrap();
        self.state().objects.entry(tenant.to_owned()).or_default().checkpoint = Some(text);
    }

    fn take_alarm(&self, tenant: &str) -> Option<Timestamp> {
        self.state().objects.get_mut(tenant)?.alarm.take()
    }

    /// It has nothing left to do, but to look at this moment.
    fn rests(&self, tenant: &str, look: Option<Timestamp>) {
        if let Some(object) = self.state().objects.get_mut(tenant) {
            object.look = look;
        }
    }

    /// It rings when it is to look.
    pub fn looks(&self, tenant: &str) {
        if let Some(object) = self.state().objects.get_mut(tenant) {
            object.alarm = object.look.take();
        }
    }

    fn arm(&self, tenant: &str, at: Timestamp) {
        self.state().objects.entry(tenant.to_owned()).or_default().alarm = Some(at);
    }
}

/// A tenant's alarm rings: the workflow advances. Answers whether there was one.
pub async fn alarm(app: &App<Outside>, tenant: &str) -> bool {
    let Some(at) = app.ports.objects().take_alarm(tenant) else { return false };
    app.ports.is_at(at);
    let Ok(wake) = advance(&Tenant { app, id: tenant }).await;
    let look = match wake {
        Wake::At(next) => {
            app.ports.objects().arm(tenant, next);
            return true;
        }
        Wake::CheckTenant(next) => Some(next),
        Wake::Never => None,
    };
    app.ports.objects().rests(tenant, look);
    tenantry::app::mails::send_after_deliveries(app, &serde_json::from_value(tenant.into()).unwrap());
    true
}

struct Tenant<'a> {
    app: &'a App<Outside>,
    id: &'a str,
}

impl RunContext for Tenant<'_> {
    type Error = std::convert::Infallible;
    type Found = Found;

    fn now(&self) -> Timestamp {
        self.app.ports.now()
    }

    fn random(&self) -> u32 {
        u32::from_le_bytes(self.app.ports.random())
    }

    fn load(&self) -> Result<Option<Run>, Self::Error> {
        Ok(self.app.ports.objects().run(self.id))
    }

    fn save(&self, run: &Run) -> Result<(), Self::Error> {
        self.app.ports.objects().save(self.id, run);
        Ok(())
    }

    fn asks_outside(&self, run: &Run, task: Task) -> bool {
        tenantry::app::steps::asks_outside(self.app, run, task)
    }

    async fn perform(&self, run: &Run, task: Task, found: Found) -> Performed {
        tenantry::app::steps::perform(
            &tenantry::app::run_log::at_work_on(self.app, run, Some(task)),
            run,
            task,
            found,
        )
        .await
    }

    async fn forget(&self) -> Result<(), Self::Error> {
        self.app.ports.objects().forgets(self.id);
        Ok(())
    }

    async fn permit(&self, run: &Run, task: Task, lists: bool) -> Asked<Found> {
        tenantry::app::steps::permit(
            &tenantry::app::run_log::at_work_on(self.app, run, Some(task)),
            run,
            task,
            lists,
        )
        .await
    }

    async fn project(&self, run: &Run) -> ProjectionResult {
        projection::project(self.app.ports.db(), run, self.app.ports.now()).await
    }

    fn log_event(&self, run: &Run, moment: RunEvent<'_>) {
        tenantry::app::run_log::log(self.app, run, moment);
    }
}
