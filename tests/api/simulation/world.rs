//! The world: one tenant's object, D1, the other sides, and everybody who wants something.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::Duration,
};

use futures_util::FutureExt;
use tenantry::{
    domain::{Plan, RunStatus, Step, Timestamp, UndoStatus},
    workflow::{
        Caller, Command, Fresh, Ring, Run, Wake, advance, obey,
        policy::{Leaves, leaves},
    },
};

use super::{Summary, chance::Chance, register::Register};
use crate::workflow::lab::{START, caller, subject};

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
pub struct World {
    pub chance: Chance,
    pub plan: Plan,
    pub now: Cell<Timestamp>,
    stormy: Cell<bool>,
    pub checkpoint: RefCell<Option<Run>>,
    pub alarm: Cell<Option<Timestamp>>,
    pub register: RefCell<Register>,
    d1_down_until: Cell<Timestamp>,
    /// The step whose other side is down, and until when.
    pub dead: (Step, Cell<Timestamp>),
    /// Whether the other sides are left alone at times. In every fourth schedule, so that the seeds that are kept still play
    /// what they were kept for.
    pub rests: bool,
    /// Whether the sweep is slow at times: what it read is old when it wakes. In every eighth, for the same reason.
    sweeps_slowly: bool,
    /// Whether somebody wanted a failed run again, and nothing was begun since.
    is_wanted_again: Cell<bool>,
    sweeps_at: Cell<Timestamp>,
    /// The furthest step that was ever done, as a place in the plan.
    pub done: Cell<usize>,
    /// What is there because a step was done.
    pub there: RefCell<BTreeSet<Step>>,
    /// Whether another club may have the name.
    pub name_is_free: Cell<bool>,
    summary: Cell<Summary>,
    story: RefCell<Vec<String>>,
    tells: bool,
}

impl World {
    /// The world of a seed. In some, an earlier version was at work before.
    pub fn of(seed: u64, tells: bool) -> Self {
        let chance = Chance::of(seed);
        let mut plan = *chance.one_of(&[Plan::Starter, Plan::Pro]);
        let old: Option<Run> =
            chance.one_in(8).then(|| serde_json::from_str(chance.one_of::<&str>(&OLD)).unwrap());
        let mut now = START;
        if let Some(run) = &old {
            (plan, now) = (run.plan, run.queued_at.after(Duration::from_secs(chance.below(900))));
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
            d1_down_until: Cell::new(now),
            dead,
            rests: seed % 4 == 2,
            sweeps_slowly: seed % 8 == 1,
            is_wanted_again: Cell::new(false),
            sweeps_at: Cell::new(now.after(SWEEP)),
            done: Cell::new(0),
            there: RefCell::default(),
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
        self.happens(format_args!("a new version finds {:?}", run.stage));
        self.counts(|sum| sum.deployed_over += 1);
        self.remembers(&run);
        let begun = run.records.iter().filter(|record| record.attempts > 0).map(|record| record.step);
        *self.there.borrow_mut() = begun.filter(|step| leaves(*step) != Leaves::Nothing).collect();
        let mut register = self.register.borrow_mut();
        register.state = RunStatus::Processing;
        register.live = run.status() == RunStatus::Completed;
        if register.live || !run.is_unlisted() {
            register.lists(&run, self.now.get());
        } else if run.listed_version > 0 {
            register.run = Some((run.listed_version, RunStatus::Processing));
        }
        self.alarm.set((!run.is_over() || run.is_unlisted()).then(|| self.now.get()));
        *self.checkpoint.borrow_mut() = Some(run);
    }

    /// The run's id: every key begins with it.
    pub fn run_id(&self) -> String {
        self.checkpoint.borrow().as_ref().map_or_else(|| "run_1".to_owned(), |run| run.id.to_string())
    }

    /// What was done is done for ever.
    pub fn remembers(&self, run: &Run) {
        let done = Step::of(self.plan).iter().take_while(|step| {
            run.records.iter().any(|record| record.step == **step && record.done_at.is_some())
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
        let (state, undo) = (self.register.borrow().state, self.register.borrow().undo);
        if self.checkpoint.borrow().is_none() && state == RunStatus::Pending && undo.is_none() {
            // Nobody got through to D1 in all that time.
            self.somebody_queues();
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

    /// One thing that happens while the storm lasts.
    fn something_happens(&self) {
        match self.chance.below(24) {
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
        let (sweep, alarm) = (self.sweeps_at.get(), self.alarm.get());
        if let Some(alarm) = alarm.filter(|alarm| *alarm <= sweep) {
            self.now.set(self.now.get().max(alarm));
            self.alarm.set(None);
            self.rings();
        } else {
            self.now.set(self.now.get().max(sweep));
            self.sweeps_at.set(self.now.get().after(SWEEP));
            self.sweeps();
        }
    }

    /// A club, its page or a machine: the wish first, then the object.
    fn somebody_queues(&self) {
        if !self.has_d1() {
            return;
        }
        self.happens(format_args!("somebody queues it"));
        self.wants();
        let register = self.register.borrow().clone();
        // What D1 said may be old when the object is told.
        let is_late = self.goes_wrong(16);
        if is_late || register.state != RunStatus::Completed && register.undo.is_none() {
            self.object_is_told(Command::Queue { subject: subject(), plan: self.plan, caller: caller() });
        }
    }

    fn wants(&self) {
        let mut register = self.register.borrow_mut();
        let failed = register.state == RunStatus::Failed;
        register.wants(self.now.get());
        if failed && register.state == RunStatus::Processing {
            self.is_wanted_again.set(true);
        }
    }

    fn an_operator_says(&self, command: Command) {
        if self.checkpoint.borrow().is_some() && self.has_d1() {
            self.object_is_told(command);
        }
    }

    /// The wish first, unless it is for what can't be left out.
    fn an_operator_skips(&self) {
        if !self.has_d1() {
            return;
        }
        let checkpoint = self.checkpoint.borrow().clone();
        let Some(run) = checkpoint else { return };
        let register = self.register.borrow().clone();
        let undo_step = run.undo.as_ref().and_then(|undo| undo.stage.current());
        if register.undo == Some(UndoStatus::CompensationFailed) && undo_step != Some(Step::SeedDefaults) {
            self.register.borrow_mut().wants_undo(self.now.get());
        } else if register.state == RunStatus::Failed && run.current() != Some(Step::Activate) {
            self.wants();
        }
        self.an_operator_says(Command::Skip);
    }

    /// Somebody removes the club: the wish first, then the object.
    pub fn an_operator_undoes(&self) {
        if !self.has_d1() {
            return;
        }
        self.happens(format_args!("somebody removes the club"));
        self.register.borrow_mut().wants_undo(self.now.get());
        if self.register.borrow().undo == Some(UndoStatus::Undoing) {
            self.object_is_told(Command::Undo {
                subject: subject(),
                plan: self.plan,
                caller: caller(),
                listed_version: None,
            });
        }
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
        let read: Run = serde_json::from_value(text).unwrap();
        assert_eq!(read, run);
        *self.checkpoint.borrow_mut() = Some(read);
    }

    fn an_alarm_is_lost(&self) {
        if self.alarm.take().is_some() {
            self.happens(format_args!("the alarm is lost"));
            self.counts(|sum| sum.lost_alarms += 1);
        }
    }

    fn an_alarm_is_late(&self) {
        if let Some(alarm) = self.alarm.get() {
            self.happens(format_args!("the alarm is late"));
            self.alarm.set(Some(alarm.after(Duration::from_secs(self.chance.below(LATE)))));
        }
    }

    /// The sweep wakes what has not moved.
    fn sweeps(&self) {
        let register = self.register.borrow().clone();
        let quiet = self.now.get().since(register.moved_at) >= SWEEP;
        if !self.has_d1() || !quiet {
            return;
        }
        let listed_version = Some(register.run.map_or(0, |(version, _)| version));
        let wakes = match register.undo {
            Some(UndoStatus::Undoing) => Command::Undo {
                subject: subject(),
                plan: self.plan,
                caller: Caller::default(),
                listed_version,
            },
            None if register.state == RunStatus::Processing => {
                Command::Wake { subject: subject(), plan: self.plan, listed_version }
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
        let before = self.checkpoint.borrow().as_ref().map(|run| (run.rounds, run.status()));
        let now = self.now.get();
        let fresh = Fresh { run: "run_1".parse().unwrap(), link_id: self.chance.bits().to_string() };
        self.happens(format_args!("the object is told to {}", word_of(&command)));
        let wakes = matches!(command, Command::Wake { .. });
        let obeyed = obey(self.checkpoint.borrow().clone(), command, fresh, now);
        if let Some(run) = obeyed.save {
            if before.is_some_and(|(rounds, _)| run.rounds > rounds) {
                let wanted = self.is_wanted_again.replace(false);
                assert!(wanted || !wakes, "the sweep begins nothing again that nobody wants");
                self.counts(|sum| sum.rounds += 1);
            }
            assert!(
                before.is_none_or(|(_, status)| status != RunStatus::Completed || run.status() == status)
                    || run.undo.is_some(),
                "what is completed stays so, or is undone"
            );
            *self.checkpoint.borrow_mut() = Some(run);
        }
        match obeyed.ring {
            Ring::AsSet => {}
            Ring::IfUnset => self.alarm.set(self.alarm.get().or(Some(now))),
            Ring::Now => self.alarm.set(Some(now)),
        }
    }

    /// The alarm rings: the workflow advances until it is done, or dead.
    fn rings(&self) {
        match advance(self).now_or_never() {
            Some(Ok(Wake::At(next))) => self.alarm.set(Some(next)),
            Some(Ok(Wake::Never)) => {}
            // What died is rung for again by the platform.
            Some(Err(Died)) | None => {
                self.happens(format_args!("the process dies"));
                self.counts(|sum| sum.deaths += 1);
                self.alarm.set(Some(self.now.get().after(Duration::from_secs(2))));
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
        Command::Cancel => "cancel",
        Command::Skip => "skip",
        Command::Report => "report",
        Command::Ping => "say that it is there",
    }
}
