//! The world: one tenant's object, D1, the upstreams, and everybody who wants something.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::Duration,
};

use futures_util::FutureExt;
use tenantry::{
    domain::{Plan, RunId, RunStatus, Step, Timestamp, UndoStatus},
    workflow::{
        Command, NewIds, RequestOrigin, Run, Wake, advance, handle, handle_after_loss,
        policy::{Compensation, compensation},
    },
};

use super::{Summary, chance::Chance, register::Register};
use crate::workflow::run_harness::{START, caller, subject};

/// For how many turns things go wrong; then they calm down, and what was promised must come true.
const STORMY_TURNS: usize = 40;
/// The sweep comes every minute, and looks at what has not moved for one.
pub const SWEEP: Duration = Duration::from_secs(60);
/// How late an alarm may be.
pub const LATE: u64 = 10 * 60;

/// The process died.
#[derive(Debug)]
pub struct Died;

/// Checkpoints that earlier versions wrote, each at another stage.
const OLD: [&str; 5] = [
    include_str!("../workflow/checkpoints/0.1.0/ready.json"),
    include_str!("../workflow/checkpoints/0.1.0/running.json"),
    include_str!("../workflow/checkpoints/0.1.0/waiting.json"),
    include_str!("../workflow/checkpoints/0.1.0/failed.json"),
    include_str!("../workflow/checkpoints/0.1.0/completed.json"),
];

/// The world of one schedule.
pub struct RunContext {
    pub chance: Chance,
    pub plan: Plan,
    pub now: Cell<Timestamp>,
    stormy: Cell<bool>,
    pub checkpoint: RefCell<Option<Run>>,
    pub alarm: Cell<Option<Timestamp>>,
    pub register: RefCell<Register>,
    /// D1 as it was at some moments: what it may be restored to.
    backups: RefCell<Vec<Register>>,
    /// Whether D1 is restored at times, or objects lose what they store. In a part of the schedules each, and never both.
    pub restores: bool,
    forgets: bool,
    /// Whether D1 was restored, and was not compared with the object since.
    pub is_put_back: Cell<bool>,
    /// Whether the alarm is set, and never rings.
    alarm_is_dead: Cell<bool>,
    d1_down_until: Cell<Timestamp>,
    paused_until: Cell<Timestamp>,
    /// The step whose upstream is down, and until when.
    pub dead: (Step, Cell<Timestamp>),
    /// Whether the upstreams are left alone at times. In every fourth schedule.
    pub rests: bool,
    /// Whether the sweep is slow at times: what it read is old when it wakes. In every eighth.
    sweeps_slowly: bool,
    /// Whether somebody wanted a failed run again, and nothing was begun since.
    is_wanted_again: Cell<bool>,
    sweeps_at: Cell<Timestamp>,
    /// The furthest step that was ever done, as a place in the plan.
    pub done: Cell<usize>,
    /// What is there because a step was done.
    pub there: RefCell<BTreeSet<Step>>,
    /// What an operator had left when the rest was removed.
    pub left: RefCell<BTreeSet<Step>>,
    /// Whether another tenant may have the name.
    pub name_is_free: Cell<bool>,
    summary: Cell<Summary>,
    story: RefCell<Vec<String>>,
    tells: bool,
}

impl RunContext {
    /// The world of a seed. In some, an earlier version was at work before.
    pub fn of(seed: u64, tells: bool) -> Self {
        let chance = Chance::of(seed);
        let mut plan = *chance.one_of(&[Plan::Starter, Plan::Pro]);
        let old: Option<Run> =
            chance.one_in(8).then(|| serde_json::from_str(chance.one_of::<&str>(&OLD)).unwrap());
        let mut now = START;
        if let Some(run) = &old {
            (plan, now) = (run.plan, run.doing.queued_at.after(Duration::from_secs(chance.below(900))));
        }
        let dead_for = if chance.one_in(4) { chance.below(3600) } else { 0 };
        let dead = (*chance.one_of(Step::of(plan)), Cell::new(now.after(Duration::from_secs(dead_for))));
        let world = Self {
            chance,
            plan,
            now: Cell::new(now),
            stormy: Cell::new(true),
            checkpoint: RefCell::default(),
            alarm: Cell::new(None),
            register: RefCell::new(Register::new(now)),
            backups: RefCell::new(vec![Register::new(now), Register::without_tenant(now)]),
            restores: seed % 8 == 3,
            forgets: seed % 8 == 5,
            is_put_back: Cell::new(false),
            alarm_is_dead: Cell::new(false),
            d1_down_until: Cell::new(now),
            paused_until: Cell::new(now),
            dead,
            rests: seed % 4 == 2,
            sweeps_slowly: seed % 8 == 1,
            is_wanted_again: Cell::new(false),
            sweeps_at: Cell::new(now.after(SWEEP)),
            done: Cell::new(0),
            there: RefCell::default(),
            left: RefCell::default(),
            name_is_free: Cell::new(false),
            summary: Cell::default(),
            story: RefCell::default(),
            tells,
        };
        if let Some(run) = old {
            world.was_deployed_over(run);
        }
        world
    }

    /// The version before left this checkpoint, and what it had done.
    fn was_deployed_over(&self, run: Run) {
        self.happens(format_args!("a new version finds {:?}", run.doing.stage));
        self.counts(|sum| sum.deployed_over += 1);
        self.remembers(&run);
        let begun = run.doing.records.iter().filter(|record| record.attempts > 0).map(|record| record.step);
        *self.there.borrow_mut() = begun.filter(|step| compensation(*step) != Compensation::None).collect();
        let mut register = self.register.borrow_mut();
        register.state = RunStatus::Processing;
        register.live = run.status() == RunStatus::Completed;
        if register.live || !run.has_pending_projection() {
            register.lists(&run, self.now.get());
        } else if run.projected_version > 0 {
            register.run = Some((run.projected_version, RunStatus::Processing));
            register.projected = Some(std::rc::Rc::new(run.clone()));
        }
        self.set_alarm((!run.has_ended() || run.has_pending_projection()).then(|| self.now.get()));
        *self.checkpoint.borrow_mut() = Some(run);
    }

    /// The run's id: every key begins with it.
    pub fn run_id(&self) -> String {
        self.checkpoint.borrow().as_ref().map_or_else(|| "run_1".to_owned(), |run| run.id.to_string())
    }

    /// What was done is done for ever.
    pub fn remembers(&self, run: &Run) {
        let left = run.undoing.iter().flat_map(|undo| &undo.records).filter(|removal| removal.skipped);
        self.left.borrow_mut().extend(left.map(|removal| removal.step));
        let done = Step::of(self.plan).iter().take_while(|step| {
            run.doing.records.iter().any(|record| record.step == **step && record.done_at.is_some())
        });
        self.done.set(self.done.get().max(done.count()));
    }

    /// Everything that happens.
    pub fn lives(&mut self) {
        if self.checkpoint.borrow().is_none() {
            self.somebody_queues();
        }
        for _ in 0..STORMY_TURNS {
            self.something_happens();
            self.is_as_promised();
        }
        self.stormy.set(false);
        self.d1_down_until.set(self.now.get());
        self.paused_until.set(self.now.get());
        self.what_d1_forgot_is_told_again();
        if !self.register.borrow().exists && self.has_no_alarm() {
            // A lost alarm of somebody whom D1 does not know is found by nobody.
            self.rings();
        }
        for _ in 0..2000 {
            self.goes_on();
            self.is_as_promised();
            if self.is_at_rest() {
                return self.has_ended_as_promised();
            }
        }
        panic!("it never ends: {:?}, {:?}, alarm {:?}", self.checkpoint, self.register, self.alarm);
    }

    /// What came of it.
    pub fn summary(&self) -> Summary {
        self.summary.get()
    }

    /// What happened, in order.
    pub fn story(&self) -> Vec<String> {
        self.story.borrow().clone()
    }

    pub fn counts(&self, count: impl FnOnce(&mut Summary)) {
        let mut summary = self.summary.get();
        count(&mut summary);
        self.summary.set(summary);
    }

    pub fn happens(&self, what: std::fmt::Arguments<'_>) {
        if self.tells {
            let millis = self.now.get().millis() - START.millis();
            self.story.borrow_mut().push(format!("{millis:>9} ms  {what}"));
        }
    }

    /// Whether this goes wrong now: once in `times`, while the storm lasts.
    pub fn goes_wrong(&self, times: u64) -> bool {
        self.stormy.get() && self.chance.one_in(times)
    }

    pub fn passes(&self, duration: Duration) {
        self.now.set(self.now.get().after(duration));
    }

    pub fn has_d1(&self) -> bool {
        self.now.get() >= self.d1_down_until.get()
    }

    pub fn is_paused(&self) -> bool {
        self.now.get() < self.paused_until.get()
    }

    /// Nobody got through to D1 in all that time, or it was restored: then the sweep compares what it lists with what the objects
    /// know, and people ask once more for what it forgot.
    fn what_d1_forgot_is_told_again(&self) {
        for _ in 0..3 {
            self.d1_is_compared();
            if self.is_put_back.get() && !self.has_no_alarm() {
                self.set_alarm(None);
                self.rings();
            }
        }
        let register = self.register.borrow().clone();
        if register.state == RunStatus::Pending && register.undo.is_none() {
            self.somebody_queues();
        }
    }

    /// The sweep compares what D1 shows with what the object knows.
    fn d1_is_compared(&self) {
        let register = self.register.borrow().clone();
        if !self.is_put_back.get() || !self.has_d1() || !register.exists {
            return;
        }
        if self.checkpoint.borrow().is_some() {
            self.happens(format_args!("D1 is compared with what the object knows"));
            self.obeys(Command::Compare {
                projected_version: register.run.map_or(0, |(version, _)| version),
            });
        }
        // As often as it takes: until nothing differs any more.
        let projected = register.run.map_or(0, |(version, _)| version);
        let differs = self.checkpoint.borrow().as_ref().is_some_and(|run| {
            register.is_behind(run) || projected < run.version && !register.has_completed()
        });
        self.is_put_back.set(differs);
    }

    /// The run, as its object knows it, else as D1 shows it.
    pub fn run(&self) -> Option<Run> {
        let projected = || self.register.borrow().projected.as_deref().cloned();
        self.checkpoint.borrow().clone().or_else(projected)
    }

    /// D1 is restored to what it was at some moment before.
    fn d1_is_put_back(&self) {
        if !self.restores {
            return;
        }
        let backup = self.chance.one_of(&self.backups.borrow()).clone();
        self.happens(format_args!(
            "D1 is put back to {:?}, {:?}, {:?}",
            backup.state, backup.undo, backup.run
        ));
        self.counts(|sum| sum.put_back += 1);
        self.name_is_free.set(backup.undo == Some(UndoStatus::Undone));
        *self.register.borrow_mut() = backup;
        self.is_put_back.set(true);
    }

    /// The object loses everything that it stores; D1 is there.
    fn the_object_forgets(&self) {
        if !self.forgets || self.checkpoint.borrow().is_none() || !self.is_listed() {
            return;
        }
        self.happens(format_args!("the object forgets everything"));
        self.counts(|sum| sum.forgotten += 1);
        *self.checkpoint.borrow_mut() = None;
        self.set_alarm(None);
        // What D1 does not show is done once more, under the same keys.
        self.done.set(0);
        let projected = self.register.borrow().projected.clone();
        if let Some(run) = projected {
            self.remembers(&run);
        }
    }

    /// Whether D1 shows a run: an object that is lost before is lost with what it made.
    fn is_listed(&self) -> bool {
        self.register.borrow().run.is_some()
    }

    /// The run that D1 shows, as an object takes it over that has lost it.
    fn take_over(&self, command: &Command) -> Option<Run> {
        let is_about_it = match command {
            Command::Queue { projected_version, .. } | Command::Wake { projected_version, .. } => {
                projected_version.is_some_and(|version| version > 0)
            }
            Command::Undo { run, .. } => run.is_some(),
            Command::CancelRun { .. } | Command::SkipStep { .. } => true,
            _ => false,
        };
        let register = self.register.borrow();
        let projected = register.projected.as_ref().filter(|_| is_about_it && self.has_d1())?;
        let mut run = Run::clone(projected);
        run.pending_history.clear();
        (run.projected_version, run.projection_failures) = (run.version, 0);
        if let Some(undo) = &mut run.undoing
            && let Some(step) = undo.stage.current()
            && undo.stage.failed_at().is_none()
        {
            undo.stage = tenantry::workflow::Stage::Ready { step };
        }
        Some(run)
    }

    pub fn set_alarm(&self, at: Option<Timestamp>) {
        self.alarm.set(at);
        self.alarm_is_dead.set(false);
    }

    /// Whether no alarm will ring.
    pub fn has_no_alarm(&self) -> bool {
        self.alarm.get().is_none() || self.alarm_is_dead.get()
    }

    fn the_alarm_never_rings(&self) {
        if self.alarm.get().is_some() {
            self.happens(format_args!("the alarm is set, and never rings"));
            self.counts(|sum| sum.dead_alarms += 1);
            self.alarm_is_dead.set(true);
        }
    }

    /// One thing that happens while the storm lasts.
    fn something_happens(&self) {
        match self.chance.below(28) {
            24 if self.chance.one_in(2) => self.d1_is_put_back(),
            24 => self.d1_is_compared(),
            25 => self.the_object_forgets(),
            26 if self.chance.one_in(2) => self.the_alarm_never_rings(),
            27 if self.chance.one_in(2) => {
                self.happens(format_args!("provisioning is paused"));
                self.paused_until.set(self.now.get().after(Duration::from_secs(self.chance.below(600))));
            }
            0 | 1 => self.somebody_queues(),
            2 if self.chance.one_in(3) => self.an_operator_says(Command::Cancel),
            3 if self.chance.one_in(2) => self.an_operator_skips(),
            3 if self.chance.one_in(3) => self.an_operator_undoes(),
            10 => self.an_operator_tries_to_undo_again(),
            11 if self.chance.one_in(4) => self.is_deployed(),
            4 => self.an_alarm_is_lost(),
            5 => self.an_alarm_is_late(),
            6 | 7 => {
                self.happens(format_args!("an alarm rings that nobody set"));
                self.rings();
            }
            8 => {
                let outage = self.chance.below(if self.chance.one_in(4) { 1200 } else { 40 });
                self.happens(format_args!("D1 goes away"));
                self.counts(|sum| sum.outages += 1);
                self.d1_down_until.set(self.now.get().after(Duration::from_secs(outage)));
            }
            9 => self.passes(Duration::from_secs(self.chance.below(300))),
            _ => self.goes_on(),
        }
    }

    /// Time goes on to whatever comes next, the alarm or the sweep.
    fn goes_on(&self) {
        // The sweep does not see whom D1 does not know, who waits for days.
        let sees = self.register.borrow().exists || self.stormy.get();
        let sweep =
            if sees { self.sweeps_at.get() } else { self.now.get().after(Duration::from_secs(1 << 30)) };
        let alarm = self.alarm.get();
        if let Some(alarm) = alarm.filter(|alarm| *alarm <= sweep && !self.alarm_is_dead.get()) {
            self.now.set(self.now.get().max(alarm));
            self.set_alarm(None);
            self.rings();
        } else {
            self.now.set(self.now.get().max(sweep));
            self.sweeps_at.set(self.now.get().after(SWEEP));
            self.sweeps();
        }
    }

    /// A tenant, its page or a machine: the wish first, then the object.
    fn somebody_queues(&self) {
        if !self.has_d1() || !self.register.borrow().exists {
            return;
        }
        if self.goes_wrong(2) {
            self.backups.borrow_mut().push(self.register.borrow().clone());
        }
        self.happens(format_args!("somebody queues it"));
        self.wants();
        let register = self.register.borrow().clone();
        // What D1 said may be old when the object is told.
        let is_late = self.goes_wrong(16);
        if is_late || register.state != RunStatus::Completed && register.undo.is_none() {
            let projected_version = register.run.map(|(version, _)| version);
            self.object_is_told(Command::Queue {
                subject: subject(),
                plan: self.plan,
                caller: caller(),
                run: None,
                projected_version,
            });
        }
    }

    pub fn wants(&self) {
        let mut register = self.register.borrow_mut();
        let failed = register.state == RunStatus::Failed;
        register.wants(self.now.get());
        if failed && register.state == RunStatus::Processing {
            self.is_wanted_again.set(true);
        }
    }

    fn an_operator_says(&self, command: Command) {
        if self.checkpoint.borrow().is_some() && self.has_d1() && self.register.borrow().exists {
            self.object_is_told(command);
        }
    }

    /// The wish first, unless it is for what can't be left out.
    fn an_operator_skips(&self) {
        if !self.has_d1() {
            return;
        }
        // An operator names the step that D1 shows, which may be old.
        let register = self.register.borrow().clone();
        let Some(shown) = register.projected.clone() else { return };
        let Some(step) = shown.failed_at() else { return };
        if register.undo == Some(UndoStatus::CompensationFailed) && step != Step::SeedDefaults {
            self.register.borrow_mut().wants_undo(self.now.get());
        } else if register.state == RunStatus::Failed && step != Step::Activate {
            self.wants();
        }
        self.an_operator_says(Command::SkipStep { run: shown.id.clone(), step });
    }

    /// Somebody removes the tenant: the wish first, then the object.
    pub fn an_operator_undoes(&self) {
        if !self.has_d1() || !self.register.borrow().exists {
            return;
        }
        self.happens(format_args!("somebody removes the club"));
        self.register.borrow_mut().wants_undo(self.now.get());
        if self.register.borrow().undo == Some(UndoStatus::Undoing) {
            self.object_is_told(Command::Undo {
                subject: Some(subject()),
                plan: self.plan,
                caller: caller(),
                projected_version: self.register.borrow().run.map(|(version, _)| version),
                run: self.listed_run(),
            });
        }
    }

    fn listed_run(&self) -> Option<RunId> {
        self.register.borrow().projected.as_ref().map(|run| run.id.clone())
    }

    fn an_operator_tries_to_undo_again(&self) {
        if self.register.borrow().undo == Some(UndoStatus::CompensationFailed) {
            self.an_operator_undoes();
        }
    }

    /// Another version takes over: what is at work is interrupted, and the checkpoint is read as text that another version
    /// wrote, who knew of something else.
    fn is_deployed(&self) {
        let Some(run) = self.checkpoint.take() else { return };
        self.happens(format_args!("another version takes over"));
        let mut text = serde_json::to_value(&run).unwrap();
        text["something"] = serde_json::json!({ "new": true });
        let read = Run::read(&text.to_string()).unwrap();
        assert_eq!(read, run);
        *self.checkpoint.borrow_mut() =
            Some(if self.chance.one_in(2) { self.of_fewer_steps(read) } else { read });
    }

    /// The run as a version left it that knew one step less: it is added when this version reads it.
    fn of_fewer_steps(&self, run: Run) -> Run {
        let mut fewer = run.clone();
        let step = *self.chance.one_of(Step::of(self.plan));
        let is_at = run.current() == Some(step) || step == Step::SeedDefaults;
        fewer
            .doing
            .records
            .retain(|record| record.step != step || record.attempts > 0 || record.done_at.is_some() || is_at);
        if fewer.undoing.is_none() && fewer.status() != RunStatus::Completed {
            self.happens(format_args!("an older version knew nothing of {}", step.as_str()));
        } else {
            return run;
        }
        let read = Run::read(&serde_json::to_string(&fewer).unwrap()).unwrap();
        assert_eq!(read.doing.records, run.doing.records, "what was missing is in its place");
        read
    }

    fn an_alarm_is_lost(&self) {
        if self.alarm.get().is_some() {
            self.set_alarm(None);
            self.happens(format_args!("the alarm is lost"));
            self.counts(|sum| sum.lost_alarms += 1);
        }
    }

    fn an_alarm_is_late(&self) {
        if let Some(alarm) = self.alarm.get() {
            self.happens(format_args!("the alarm is late"));
            self.set_alarm(Some(alarm.after(Duration::from_secs(self.chance.below(LATE)))));
        }
    }

    /// The sweep wakes what has not moved.
    fn sweeps(&self) {
        if !self.has_d1() || self.is_paused() {
            return;
        }
        let resumes = self.register.borrow_mut().resumes(self.now.get());
        if resumes {
            self.happens(format_args!("the sweep resumes it"));
            self.counts(|sum| sum.resumed += 1);
            self.is_wanted_again.set(true);
        }
        let register = self.register.borrow().clone();
        let quiet = self.now.get().since(register.last_progress_at) >= SWEEP;
        if !register.exists || !quiet && !resumes {
            return;
        }
        let projected_version = Some(register.run.map_or(0, |(version, _)| version));
        let wakes = match register.undo {
            Some(UndoStatus::Undoing) => Command::Undo {
                subject: Some(subject()),
                plan: self.plan,
                caller: RequestOrigin::default(),
                projected_version,
                run: self.listed_run(),
            },
            None if register.state == RunStatus::Processing => {
                Command::Wake { subject: subject(), plan: self.plan, projected_version, resume: resumes }
            }
            _ => return,
        };
        if self.sweeps_slowly && self.goes_wrong(3) {
            self.happens(format_args!("the sweep is slow, and an operator is quicker"));
            self.an_operator_says(Command::Cancel);
            self.passes(Duration::from_secs(self.chance.below(240)));
            self.rings();
        }
        self.happens(format_args!("the sweep wakes it"));
        self.object_is_told(wakes);
    }

    /// A command on its way to the object; it may be lost, or its answer.
    fn object_is_told(&self, command: Command) {
        if self.goes_wrong(5) {
            return self.happens(format_args!("but the object is never told"));
        }
        self.obeys(command);
    }

    pub fn obeys(&self, command: Command) {
        let before = self.checkpoint.borrow().as_ref().map(|run| (run.doing.times_queued, run.status()));
        let now = self.now.get();
        let fresh = NewIds { run: "run_1".parse().unwrap(), link_id: self.chance.bits().to_string() };
        self.happens(format_args!("the object is told to {}", word_of(&command)));
        let wakes = matches!(command, Command::Wake { .. });
        let known = self.checkpoint.borrow().clone();
        let found = if known.is_none() { self.take_over(&command) } else { None };
        if known.is_none() && found.is_none() && self.is_listed() && !self.has_d1() {
            return self.happens(format_args!("but D1 can't say whether there was a run"));
        }
        let effects = match found {
            Some(found) => handle_after_loss(found, command, fresh, now),
            None => handle(known, command, fresh, now),
        };
        if let Some(run) = effects.save {
            if before.is_some_and(|(rounds, _)| run.doing.times_queued > rounds) {
                let wanted = self.is_wanted_again.replace(false);
                assert!(wanted || !wakes, "the sweep begins nothing again that nobody wants");
                self.counts(|sum| sum.rounds += 1);
            }
            assert!(
                before.is_none_or(|(_, status)| status != RunStatus::Completed || run.status() == status)
                    || run.undoing.is_some(),
                "what is completed stays so, or is undone"
            );
            *self.checkpoint.borrow_mut() = Some(run);
        }
        if effects.alarm.is_due(self.alarm.get(), now) {
            self.set_alarm(Some(now));
        }
    }

    /// The alarm rings: the workflow advances until it is done, or dead.
    fn rings(&self) {
        match advance(self).now_or_never() {
            Some(Ok(Wake::At(next))) => self.set_alarm(Some(next)),
            Some(Ok(Wake::CheckTenant(_) | Wake::Never)) => {}
            // What died is rung for again by the platform.
            Some(Err(Died)) | None => {
                self.happens(format_args!("the process dies"));
                self.counts(|sum| sum.deaths += 1);
                self.set_alarm(Some(self.now.get().after(Duration::from_secs(2))));
            }
        }
    }
}

fn word_of(command: &Command) -> &'static str {
    match command {
        Command::Queue { .. } => "queue",
        Command::Wake { .. } => "wake",
        Command::Undo { .. } => "undo",
        Command::GoOn { .. } => "go on",
        Command::Cancel | Command::CancelRun { .. } => "cancel",
        Command::Skip | Command::SkipStep { .. } => "skip",
        Command::Reset { .. } => "reset",
        Command::Forget => "forget",
        Command::Compare { .. } => "compare",
        Command::Report => "report",
        Command::Ping => "say that it is there",
    }
}
