//! The world: one tenant's object, D1, the other sides, and everybody who wants something.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use futures_util::FutureExt;
use tenantry::{
    domain::{Plan, RunStatus, Step, Timestamp},
    workflow::{
        Artifact, Command, Failure, FailureCode, Fault, FaultCode, Fresh, Outcome, Ring, Run, Stage, Wake,
        World as Lives, advance,
        advance::Moment,
        obey,
        policy::{RUN_LIMIT, policy},
    },
};

use super::{Summary, chance::Chance, register::Register};
use crate::workflow::lab::{START, caller, subject};

/// For how many turns things go wrong; then they calm down, and what was promised must come true.
const STORMY_TURNS: usize = 40;
/// The sweep comes every minute, and looks at what has not moved for one.
const SWEEP: Duration = Duration::from_secs(60);
/// How late an alarm may be.
const LATE: u64 = 10 * 60;

/// The process died.
#[derive(Debug)]
pub struct Died;

/// The world of one schedule.
pub struct World {
    chance: Chance,
    plan: Plan,
    now: Cell<Timestamp>,
    stormy: Cell<bool>,
    checkpoint: RefCell<Option<Run>>,
    alarm: Cell<Option<Timestamp>>,
    register: RefCell<Register>,
    d1_down_until: Cell<Timestamp>,
    /// The step whose other side is down, and until when.
    dead: (Step, Cell<Timestamp>),
    sweeps_at: Cell<Timestamp>,
    /// The furthest step that was ever done, as a place in the plan.
    done: Cell<usize>,
    summary: Cell<Summary>,
    story: RefCell<Vec<String>>,
    tells: bool,
}

impl World {
    /// The world of a seed.
    pub fn of(seed: u64, tells: bool) -> Self {
        let chance = Chance::of(seed);
        let plan = *chance.one_of(&[Plan::Starter, Plan::Pro]);
        let dead_for = if chance.one_in(4) { chance.below(3600) } else { 0 };
        let dead = (*chance.one_of(Step::of(plan)), Cell::new(START.after(Duration::from_secs(dead_for))));
        Self {
            chance,
            plan,
            now: Cell::new(START),
            stormy: Cell::new(true),
            checkpoint: RefCell::default(),
            alarm: Cell::new(None),
            register: RefCell::new(Register::new(START)),
            d1_down_until: Cell::new(START),
            dead,
            sweeps_at: Cell::new(START.after(SWEEP)),
            done: Cell::new(0),
            summary: Cell::default(),
            story: RefCell::default(),
            tells,
        }
    }

    /// Everything that happens.
    pub fn lives(&mut self) {
        self.somebody_queues();
        for _ in 0..STORMY_TURNS {
            self.something_happens();
            self.is_as_promised();
        }
        self.stormy.set(false);
        self.d1_down_until.set(self.now.get());
        if self.checkpoint.borrow().is_none() && self.register.borrow().state == RunStatus::Pending {
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

    fn counts(&self, count: impl FnOnce(&mut Summary)) {
        let mut summary = self.summary.get();
        count(&mut summary);
        self.summary.set(summary);
    }

    fn happens(&self, what: std::fmt::Arguments<'_>) {
        if self.tells {
            let millis = self.now.get().millis() - START.millis();
            self.story.borrow_mut().push(format!("{millis:>9} ms  {what}"));
        }
    }

    /// Whether this goes wrong now: once in `times`, while the storm lasts.
    fn goes_wrong(&self, times: u64) -> bool {
        self.stormy.get() && self.chance.one_in(times)
    }

    fn passes(&self, duration: Duration) {
        self.now.set(self.now.get().after(duration));
    }

    fn has_d1(&self) -> bool {
        self.now.get() >= self.d1_down_until.get()
    }

    /// One thing that happens while the storm lasts.
    fn something_happens(&self) {
        match self.chance.below(24) {
            0 | 1 => self.somebody_queues(),
            2 if self.chance.one_in(3) => self.an_operator_says(Command::Cancel),
            3 if self.chance.one_in(2) => self.an_operator_says(Command::Skip),
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
        self.register.borrow_mut().wants(self.now.get());
        if self.register.borrow().state != RunStatus::Completed {
            self.object_is_told(Command::Queue { subject: subject(), plan: self.plan, caller: caller() });
        }
    }

    fn an_operator_says(&self, command: Command) {
        if self.checkpoint.borrow().is_some() && self.has_d1() {
            if command == Command::Skip && self.register.borrow().state == RunStatus::Failed {
                self.register.borrow_mut().wants(self.now.get());
            }
            self.object_is_told(command);
        }
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
        if self.has_d1() && quiet && register.state == RunStatus::Processing {
            self.happens(format_args!("the sweep wakes it"));
            self.object_is_told(Command::Wake { subject: subject(), plan: self.plan });
        }
    }

    /// A command on its way to the object; it may be lost, or its answer.
    fn object_is_told(&self, command: Command) {
        if self.goes_wrong(5) {
            return self.happens(format_args!("but the object is never told"));
        }
        self.obeys(command);
    }

    fn obeys(&self, command: Command) {
        let before = self.checkpoint.borrow().as_ref().map(|run| (run.rounds, run.status()));
        let now = self.now.get();
        let fresh = Fresh { run: "run_1".parse().unwrap(), link_id: self.chance.bits().to_string() };
        self.happens(format_args!("the object is told to {}", word_of(&command)));
        let obeyed = obey(self.checkpoint.borrow().clone(), command, fresh, now);
        if let Some(run) = obeyed.save {
            if before.is_some_and(|(rounds, _)| run.rounds > rounds) {
                self.counts(|sum| sum.rounds += 1);
            }
            assert_ne!(
                before.map(|(_, status)| status),
                Some(RunStatus::Completed),
                "what is completed stays so"
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

    /// What must hold at any moment.
    fn is_as_promised(&self) {
        let checkpoint = self.checkpoint.borrow();
        let Some(run) = checkpoint.as_ref() else { return };
        let register = self.register.borrow();
        let is_known = register.run.is_some_and(|(version, _)| version >= run.version);
        let left = run.status() == RunStatus::Processing || !is_known;
        let found = self.alarm.get().is_some() || register.state == RunStatus::Processing;
        assert!(
            !left || found || register.state == RunStatus::Completed,
            "nobody will ever go on with {:?}",
            run.stage
        );
        // What went live is done, even if the object lost both the answer and its alarm.
        if run.status() == RunStatus::Processing && register.state != RunStatus::Completed {
            let limit = run.deadline_at.after(Duration::from_secs(2 * LATE) + 2 * SWEEP);
            assert!(self.now.get() <= limit, "it outlives its deadline: {:?}", run.stage);
        }
        for record in &run.records {
            assert!(record.round <= policy(record.step).attempts, "tried too often: {record:?}");
        }
        assert!(run.deadline_at.since(run.queued_at) >= RUN_LIMIT);
    }

    fn is_at_rest(&self) -> bool {
        let state = self.register.borrow().state;
        let ended =
            self.checkpoint.borrow().as_ref().is_some_and(|run| run.status() != RunStatus::Processing);
        let is_over = state == RunStatus::Completed || (ended && state != RunStatus::Processing);
        is_over && self.alarm.get().is_none()
    }

    /// What must hold when nothing happens any more.
    fn has_ended_as_promised(&self) {
        let checkpoint = self.checkpoint.borrow();
        let (run, register) = (checkpoint.as_ref().unwrap(), self.register.borrow());
        match &run.stage {
            Stage::Completed { .. } => {
                assert_eq!(register.state, RunStatus::Completed);
                assert!(register.live, "completed and not live");
                assert!(run.records.iter().all(|record| record.done_at.is_some()));
                self.counts(|sum| sum.completed += 1);
            }
            Stage::Failed { failure, .. } => {
                assert!(!failure.message.is_empty(), "a reason that a person can act on");
                assert!(register.live || register.state == RunStatus::Failed);
                self.counts(|sum| sum.failed += 1);
            }
            _ => {
                assert_eq!((register.state, register.live), (RunStatus::Completed, true));
                self.counts(|sum| sum.completed += 1);
            }
        }
        if register.state != RunStatus::Completed || run.status() == RunStatus::Completed {
            assert_eq!(register.run.map(|(_, status)| status), Some(run.status()), "D1 knows how it ended");
        }
        assert_eq!(register.live, register.state == RunStatus::Completed, "live and completed are one");
    }

    /// How an attempt at `step` goes.
    fn outcome(&self, run: &Run, step: Step) -> Outcome {
        let fault = |code| Outcome::Unknown(Fault::new(code));
        let inside =
            matches!(step, Step::SeedDefaults | Step::ConfigureRouting | Step::CreateOwner | Step::Activate);
        if inside && !self.has_d1() {
            return fault(FaultCode::StoreUnavailable);
        }
        if self.dead.0 == step && self.now.get() < self.dead.1.get() {
            self.passes(Duration::from_secs(self.chance.below(10)));
            return match self.chance.below(3) {
                0 => Outcome::Unknown(Fault {
                    code: FaultCode::RateLimited,
                    status: Some(429),
                    retry_after: Some(Duration::from_secs(self.chance.below(900))),
                }),
                1 => fault(FaultCode::Timeout),
                _ => fault(FaultCode::ServerError),
            };
        }
        if self.goes_wrong(60) {
            return Outcome::Refused(Failure::new(
                FailureCode::WebhookRejected,
                "The webhook refused our ping.",
            ));
        }
        if self.goes_wrong(15) {
            return fault(*self.chance.one_of(&[
                FaultCode::Timeout,
                FaultCode::Connection,
                FaultCode::Malformed,
            ]));
        }
        self.is_done(run, step);
        if self.goes_wrong(15) {
            self.happens(format_args!("its answer is lost"));
            self.counts(|sum| sum.lost_answers += 1);
            return fault(FaultCode::Connection);
        }
        Outcome::Done((step == Step::CreateSpreadsheet).then(|| Artifact::Spreadsheet {
            id: "sheet_1".to_owned(),
            url: "https://docs.google.com/sheet_1".to_owned(),
        }))
    }

    /// The step is really done. Going live lists the end in the same batch.
    fn is_done(&self, run: &Run, step: Step) {
        if step == Step::Activate {
            let mut completed = run.clone();
            completed.settle(Outcome::Done(None), self.now.get(), 0);
            self.register.borrow_mut().live = true;
            self.register_lists(&completed);
        }
    }

    fn register_lists(&self, run: &Run) {
        let before = self.register.borrow().clone();
        self.register.borrow_mut().lists(run, self.now.get());
        let after = self.register.borrow();
        assert!(
            after.run.map(|(version, _)| version) >= before.run.map(|(version, _)| version),
            "a version went back"
        );
        assert!(
            before.state != RunStatus::Completed || after.state == RunStatus::Completed,
            "it left completed"
        );
    }
}

impl Lives for World {
    type Error = Died;

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn random(&self) -> u32 {
        u32::try_from(self.chance.bits() >> 32).unwrap()
    }

    fn load(&self) -> Result<Option<Run>, Died> {
        Ok(self.checkpoint.borrow().clone())
    }

    fn save(&self, run: &Run) -> Result<(), Died> {
        if self.goes_wrong(80) {
            return Err(Died);
        }
        *self.checkpoint.borrow_mut() = Some(run.clone());
        if self.goes_wrong(80) { Err(Died) } else { Ok(()) }
    }

    async fn perform(&self, run: &Run, step: Step) -> Outcome {
        self.happens(format_args!("{} is tried", step.as_str()));
        let stored = self.checkpoint.borrow().clone().unwrap();
        assert!(
            matches!(stored.stage, Stage::Running { step: at, .. } if at == step),
            "what leaves is durable before"
        );
        assert_eq!(run.idempotency_key(step), format!("run_1/{}", step.as_str()), "one key for ever");
        let place = Step::of(self.plan).iter().position(|s| *s == step).unwrap();
        assert!(place >= self.done.get(), "{} was done already", step.as_str());
        assert!(stored.records.iter().all(|record| record.step != step || record.done_at.is_none()));
        if self.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        self.passes(Duration::from_millis(self.chance.below(300)));
        let outcome = self.outcome(run, step);
        if self.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        // The object takes commands while the call is away.
        if self.goes_wrong(40) {
            self.obeys(Command::Cancel);
        }
        if self.goes_wrong(40) {
            self.obeys(Command::Queue { subject: subject(), plan: self.plan, caller: caller() });
        }
        outcome
    }

    async fn list(&self, run: &Run) -> bool {
        if self.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        if !self.has_d1() {
            return false;
        }
        self.register_lists(run);
        if self.goes_wrong(50) {
            std::future::pending::<()>().await;
        }
        !self.goes_wrong(20)
    }

    fn tell(&self, run: &Run, moment: Moment<'_>) {
        if let Moment::Attempted(step, outcome) = moment {
            self.happens(format_args!("{} ended: {outcome:?}", step.as_str()));
        }
        let done = Step::of(self.plan).iter().take_while(|step| {
            run.records.iter().any(|record| record.step == **step && record.done_at.is_some())
        });
        self.done.set(self.done.get().max(done.count()));
    }
}

fn word_of(command: &Command) -> &'static str {
    match command {
        Command::Queue { .. } => "queue",
        Command::Wake { .. } => "wake",
        Command::Cancel => "cancel",
        Command::Skip => "skip",
        Command::Report => "report",
        Command::Ping => "say that it is there",
    }
}
