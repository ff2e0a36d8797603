//! A world for one run: its clock, its checkpoint, its alarm, what it did outside; scripted, and killed on demand.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use futures_util::FutureExt;
use tenantry::{
    domain::{Plan, RunStatus, Step, Task, Timestamp, UndoStatus},
    workflow::{
        Artifact, Asked, Command, FailureCode, NewIds, Outcome, Performed, PermanentError, Permit, Product,
        ProjectionResult, Reply, RequestOrigin, Run, RunContext, Stage, Subject, TransientError,
        TransientErrorCode, Wake, advance,
        advance::RunEvent,
        handle,
        policy::{Compensation, compensation},
    },
};

/// When every run is queued.
pub const START: Timestamp = Timestamp::from_millis(1_800_000_012_345);
/// How long the platform takes to ring again after a process died.
const AFTER_DEATH: Duration = Duration::from_secs(2);

/// How one attempt at a step goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// It is done.
    Works,
    /// The upstream says no.
    Refused,
    /// Nobody knows; it was not done.
    Unknown(TransientError),
    /// Nobody knows; it was done.
    AnswerLost,
    /// It is done, and meanwhile the object was told this.
    Meanwhile(Vec<Command>),
    /// The process dies, before anything was done.
    DiesBefore,
    /// The process dies, after it was done.
    DiesAfter,
}

/// Where else the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Before its `n`-th checkpoint, counted from zero, is written.
    BeforeSave(usize),
    /// After it was written.
    AfterSave(usize),
    /// Before its `n`-th projection is written.
    BeforeListing(usize),
    /// After it was written, before it is known.
    AfterListing(usize),
}

/// The process died.
#[derive(Debug, PartialEq, Eq)]
pub struct Died;

/// The world of one run.
pub struct RunHarness {
    now: Cell<Timestamp>,
    checkpoint: RefCell<Option<String>>,
    alarm: Cell<Option<Timestamp>>,
    script: RefCell<BTreeMap<String, VecDeque<Attempt>>>,
    always: RefCell<BTreeMap<String, Attempt>>,
    death: Cell<Option<Death>>,
    saves: Cell<usize>,
    listings: Cell<usize>,
    /// How many projection fail, from now on.
    pub listing_fails: Cell<usize>,
    /// Whether D1 does not know the tenant.
    pub tenant_is_unknown: Cell<bool>,
    /// Whether attempts may begin.
    pub permit: Cell<Permit>,
    /// What the object is told while D1 is told of it the `n`-th time, counted from zero.
    while_listed: RefCell<Option<(usize, Command)>>,
    /// Every attempt, in order: the step, and the key under which it went out.
    pub attempts: RefCell<Vec<(Step, String)>>,
    /// Every attempt at undoing a step, in order.
    pub removals: RefCell<Vec<(Step, String)>>,
    /// What is there now because a step was done.
    pub there: RefCell<BTreeSet<&'static str>>,
    /// When each attempt began.
    pub begun_at: RefCell<Vec<Timestamp>>,
    /// How often each step was really done.
    pub effects: RefCell<BTreeMap<&'static str, usize>>,
    /// What D1 was told last.
    pub projected: RefCell<Option<Run>>,
    /// What became of each attempt, as D1 was updated: by what was tried, and which attempt it was.
    pub history: RefCell<BTreeMap<(String, u32), Option<String>>>,
    /// Every word to the log.
    pub told: RefCell<Vec<String>>,
}

impl RunHarness {
    /// A run of this plan was just queued.
    pub fn queued(plan: Plan) -> Self {
        let harness = Self {
            now: Cell::new(START),
            checkpoint: RefCell::default(),
            alarm: Cell::new(None),
            script: RefCell::default(),
            always: RefCell::default(),
            death: Cell::new(None),
            saves: Cell::new(0),
            listings: Cell::new(0),
            listing_fails: Cell::new(0),
            tenant_is_unknown: Cell::new(false),
            permit: Cell::new(Permit::Granted),
            while_listed: RefCell::default(),
            attempts: RefCell::default(),
            removals: RefCell::default(),
            there: RefCell::default(),
            begun_at: RefCell::default(),
            effects: RefCell::default(),
            projected: RefCell::default(),
            history: RefCell::default(),
            told: RefCell::default(),
        };
        harness.is_told(queue(plan, caller()));
        harness
    }

    /// A run that was left with this checkpoint, by whatever version; its alarm rings again.
    pub fn left_with(checkpoint: &str) -> Self {
        let harness = Self::queued(Plan::Starter);
        let run = Run::read(checkpoint).unwrap();
        harness.now.set(run.doing.queued_at.after(Duration::from_secs(60)));
        *harness.checkpoint.borrow_mut() = Some(checkpoint.to_owned());
        *harness.projected.borrow_mut() = Some(run).filter(|run| !run.has_pending_projection());
        harness.alarm.set(Some(harness.now.get()));
        harness
    }

    /// The next attempts at `step` go so, then they work.
    pub fn next(&self, step: Step, attempts: impl IntoIterator<Item = Attempt>) {
        self.script.borrow_mut().entry(word(Task::Do(step))).or_default().extend(attempts);
    }

    /// The next attempts at undoing `step` go so, then they work.
    pub fn next_removal(&self, step: Step, attempts: impl IntoIterator<Item = Attempt>) {
        self.script.borrow_mut().entry(word(Task::Undo(step))).or_default().extend(attempts);
    }

    /// Every attempt at `step` goes so.
    pub fn always(&self, step: Step, attempt: Attempt) {
        self.always.borrow_mut().insert(word(Task::Do(step)), attempt);
    }

    /// Every attempt at undoing `step` goes so.
    pub fn always_when_removed(&self, step: Step, attempt: Attempt) {
        self.always.borrow_mut().insert(word(Task::Undo(step)), attempt);
    }

    /// The process dies there, once.
    pub fn dies(&self, death: Death) {
        self.death.set(Some(death));
    }

    /// Whether it has died where it was told to.
    pub fn has_died(&self) -> bool {
        self.death.get().is_none()
    }

    /// The run, as its checkpoint has it.
    pub fn run(&self) -> Run {
        Run::read(self.checkpoint.borrow().as_deref().unwrap()).unwrap()
    }

    /// The next alarm.
    pub fn alarm(&self) -> Option<Timestamp> {
        self.alarm.get()
    }

    /// The alarm is lost.
    pub fn loses_its_alarm(&self) {
        self.alarm.set(None);
    }

    /// The alarm is set for this moment.
    pub fn alarm_is_set_for(&self, at: Timestamp) {
        self.alarm.set(Some(at));
    }

    /// The object is told this while D1 is told of it the `nth` time from now, counted from zero.
    pub fn is_told_while_listed(&self, nth: usize, command: Command) {
        *self.while_listed.borrow_mut() = Some((self.listings.get() + nth, command));
    }

    /// Now.
    pub fn clock(&self) -> Timestamp {
        self.now.get()
    }

    /// How many checkpoints and projection were written, or tried to be.
    pub fn writes(&self) -> (usize, usize) {
        (self.saves.get(), self.listings.get())
    }

    /// Somebody tells the object something.
    pub fn is_told(&self, command: Command) -> Reply {
        let now = self.now.get();
        let fresh = NewIds { run: "run_lab".parse().unwrap(), link_id: format!("link-{}", now.millis()) };
        let known = self.checkpoint.borrow().as_deref().map(|text| Run::read(text).unwrap());
        let effects = handle(known, command, fresh, now);
        if let Some(run) = &effects.save {
            *self.checkpoint.borrow_mut() = Some(serde_json::to_string(run).unwrap());
            if effects.ended {
                self.log_event(run, RunEvent::Ended);
            }
        }
        if effects.forget {
            *self.checkpoint.borrow_mut() = None;
        }
        if effects.alarm.is_due(self.alarm.get(), now) {
            self.alarm.set(Some(now));
        }
        effects.reply
    }

    /// Somebody queues it again.
    pub fn is_queued_again(&self) -> Reply {
        let plan = self.run().plan;
        self.is_told(queue(plan, RequestOrigin::default()))
    }

    /// An operator leaves out the step at which it failed.
    pub fn is_skipped(&self, step: Step) -> Reply {
        self.is_told(Command::SkipStep { run: self.run().id, step })
    }

    /// An operator stops it.
    pub fn is_cancelled(&self) -> Reply {
        self.is_told(self.cancel())
    }

    /// What an operator says who stops it.
    pub fn cancel(&self) -> Command {
        Command::CancelRun { run: self.run().id }
    }

    /// Somebody wants it undone.
    pub fn is_undone(&self) -> Reply {
        let plan = self.checkpoint.borrow().as_ref().map_or(Plan::Starter, |_| self.run().plan);
        self.is_told(undo(plan, caller(), None))
    }

    /// Time passes.
    pub fn passes(&self, duration: Duration) {
        self.now.set(self.now.get().after(duration));
    }

    /// The alarm rings, when it is due. Answers whether there was one.
    pub fn rings(&self) -> bool {
        let Some(at) = self.alarm.take() else { return false };
        self.now.set(self.now.get().max(at));
        self.advances();
        true
    }

    /// An alarm rings now, whether it is due or not.
    pub fn advances(&self) {
        match advance(self).now_or_never() {
            Some(Ok(Wake::At(next))) => self.alarm.set(Some(next)),
            Some(Ok(Wake::CheckTenant(_) | Wake::Never)) => {}
            // Dead: the platform rings again a little later, with nothing left but what was stored.
            Some(Err(Died)) | None => self.alarm.set(Some(self.now.get().after(AFTER_DEATH))),
        }
    }

    /// Alarms ring until there is none.
    pub fn runs_to_the_end(&self) {
        self.runs_until_it_rests();
        self.is_as_promised();
    }

    /// The same, of a run that another version began: it has other steps than this one's plans.
    pub fn runs_until_it_rests(&self) {
        for _ in 0..5_000 {
            if !self.rings() {
                return;
            }
        }
        panic!("it never ends: {:?}", self.run().doing.stage);
    }

    /// Whether the process dies here.
    fn is_here(&self, death: Death) -> bool {
        let here = self.death.get() == Some(death);
        if here {
            self.death.set(None);
        }
        here
    }

    /// How the run ended: `completed`, or the word for why not.
    pub fn ended(&self) -> String {
        match self.run().doing.stage {
            Stage::Completed { .. } => "completed".to_owned(),
            Stage::Failed { failure, .. } => failure.code.as_str().to_owned(),
            other => panic!("it has not ended: {other:?}"),
        }
    }

    /// It really happens.
    fn is_done(&self, task: Task) {
        let step = task.step();
        let (mut effects, mut there) = (self.effects.borrow_mut(), self.there.borrow_mut());
        if task.is_undo() {
            there.remove(step.as_str());
        } else {
            *effects.entry(step.as_str()).or_default() += 1;
            if compensation(step) != Compensation::None {
                there.insert(step.as_str());
            }
        }
    }

    /// How undoing it ended: `undone`, or the word for why not.
    pub fn was_undone(&self) -> String {
        match self.run().undoing.map(|undo| undo.stage) {
            Some(Stage::Completed { .. }) => "undone".to_owned(),
            Some(Stage::Failed { failure, .. }) => failure.code.as_str().to_owned(),
            other => panic!("it was not undone: {other:?}"),
        }
    }

    /// How often `step` was tried.
    pub fn attempts_at(&self, step: Step) -> usize {
        self.attempts.borrow().iter().filter(|(tried, _)| *tried == step).count()
    }

    /// What went wrong in each attempt at `task`, as D1 was updated.
    pub fn history_of(&self, task: Task) -> Vec<Option<String>> {
        let history = self.history.borrow();
        history
            .iter()
            .filter(|((tried, _), _)| *tried == word(task))
            .map(|(_, error)| error.clone())
            .collect()
    }

    /// How often `step` was done.
    pub fn effects_of(&self, step: Step) -> usize {
        self.effects.borrow().get(step.as_str()).copied().unwrap_or(0)
    }

    /// What must hold of every run, whatever happened to it.
    pub fn is_as_promised(&self) {
        let run = self.run();
        let steps = Step::of(run.plan);
        let removed: Vec<Step> = self.removals.borrow().iter().map(|(step, _)| *step).collect();
        let order: Vec<usize> =
            removed.iter().rev().map(|step| steps.iter().position(|s| s == step).unwrap()).collect();
        assert!(order.is_sorted(), "what was removed was removed again, or not in reverse: {removed:?}");
        for (step, key) in self.removals.borrow().iter() {
            assert_eq!(*key, format!("{}/undo_{}", run.id, step.as_str()), "one key a removal, for ever");
        }
        let tried: Vec<Step> = self.attempts.borrow().iter().map(|(step, _)| *step).collect();
        let order: Vec<usize> =
            tried.iter().map(|step| steps.iter().position(|s| s == step).unwrap()).collect();
        assert!(order.is_sorted(), "a completed step was tried again: {tried:?}");
        for (step, key) in self.attempts.borrow().iter() {
            assert_eq!(*key, format!("{}/{}", run.id, step.as_str()), "one key a step, for ever");
        }
        for step in Step::ALL {
            let removals = self.removals.borrow().iter().filter(|(removed, _)| *removed == step).count();
            for (task, tried) in [(Task::Do(step), self.attempts_at(step)), (Task::Undo(step), removals)] {
                let told = self.history_of(task).len();
                assert!(told >= tried, "{task:?} was tried {tried} times, and {told} are in the history");
            }
        }
        assert_ne!(run.status(), RunStatus::Processing, "it is silently stuck: {:?}", run.doing.stage);
        if let Some(undo) = &run.undoing {
            assert_ne!(
                run.undo_status().unwrap(),
                UndoStatus::Undoing,
                "it is silently stuck: {:?}",
                undo.stage
            );
            let left: Vec<_> = undo.records.iter().filter(|r| r.skipped).map(|r| r.step.as_str()).collect();
            if run.undo_status().unwrap() == UndoStatus::Undone {
                let there = self.there.borrow();
                assert!(there.iter().all(|step| left.contains(step)), "still there: {there:?}");
            }
        }
        if run.status() == RunStatus::Completed {
            let all = run.doing.records.iter().all(|record| record.done_at.is_some());
            assert!(all, "completed without every step: {:?}", run.doing.records);
        }
        let projected = self.projected.borrow().clone().unwrap();
        assert_eq!(
            (&projected.doing.stage, projected.version),
            (&run.doing.stage, run.version),
            "what ended is listed"
        );
        assert_eq!(projected.undoing, run.undoing, "what was undone is listed");
        assert!(!run.has_pending_projection() && run.pending_history.is_empty());
    }
}

impl RunContext for RunHarness {
    type Error = Died;
    type Found = ();

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn random(&self) -> u32 {
        7
    }

    fn load(&self) -> Result<Option<Run>, Died> {
        Ok(self.checkpoint.borrow().as_deref().map(|text| Run::read(text).unwrap()))
    }

    fn save(&self, run: &Run) -> Result<(), Died> {
        let number = self.saves.replace(self.saves.get() + 1);
        if self.is_here(Death::BeforeSave(number)) {
            return Err(Died);
        }
        *self.checkpoint.borrow_mut() = Some(serde_json::to_string(run).unwrap());
        if self.is_here(Death::AfterSave(number)) { Err(Died) } else { Ok(()) }
    }

    /// As the service is configured to have no addresses of its own.
    fn asks_outside(&self, _: &Run, task: Task) -> bool {
        asks_outside(task)
    }

    async fn perform(&self, run: &Run, task: Task, (): ()) -> Performed {
        // What leaves is durable before it leaves.
        assert_eq!(self.run().running().map(|(running, _)| running), Some(task), "{:?}", self.run());
        let step = task.step();
        match task {
            Task::Do(_) => {
                assert!(run.undoing.is_none(), "what is to be undone is not done");
                self.attempts.borrow_mut().push((step, run.idempotency_key(step)));
            }
            Task::Undo(_) => self.removals.borrow_mut().push((step, run.undo_key(step))),
        }
        self.begun_at.borrow_mut().push(self.now.get());
        self.passes(Duration::from_millis(20));
        let scripted = self.script.borrow_mut().get_mut(&word(task)).and_then(VecDeque::pop_front);
        let attempt =
            scripted.or_else(|| self.always.borrow().get(&word(task)).cloned()).unwrap_or(Attempt::Works);
        if !matches!(attempt, Attempt::Refused | Attempt::Unknown(_) | Attempt::DiesBefore) {
            self.is_done(task);
        }
        let done = || Outcome::Done(artifact(step).filter(|_| !task.is_undo()).map(Product::Created));
        match attempt {
            Attempt::Works => done(),
            Attempt::Meanwhile(commands) => {
                for command in commands {
                    self.is_told(command);
                }
                done()
            }
            Attempt::Refused => Outcome::Failed(PermanentError::new(FailureCode::Misconfigured, "No.")),
            Attempt::Unknown(fault) => Outcome::Unknown(fault),
            Attempt::AnswerLost => Outcome::Unknown(TransientError::new(TransientErrorCode::Connection)),
            Attempt::DiesBefore | Attempt::DiesAfter => std::future::pending().await,
        }
        .into()
    }

    async fn forget(&self) -> Result<(), Died> {
        *self.checkpoint.borrow_mut() = None;
        Ok(())
    }

    async fn permit(&self, run: &Run, _: Task, lists: bool) -> Asked<()> {
        let projection = if lists { Some(self.project(run).await) } else { None };
        Asked { projection, ..self.permit.get().into() }
    }

    async fn project(&self, run: &Run) -> ProjectionResult {
        let number = self.listings.replace(self.listings.get() + 1);
        if self.is_here(Death::BeforeListing(number)) {
            std::future::pending::<()>().await;
        }
        if self.listing_fails.get() > 0 {
            self.listing_fails.set(self.listing_fails.get() - 1);
            return ProjectionResult::Unavailable;
        }
        if self.tenant_is_unknown.get() {
            return ProjectionResult::TenantUnknown;
        }
        let known = self.projected.borrow().as_ref().map_or(0, |projected| projected.version);
        let was_completed = self
            .projected
            .borrow()
            .as_ref()
            .is_some_and(|projected| projected.status() == RunStatus::Completed);
        if known < run.projected_version {
            return ProjectionResult::Restored;
        }
        assert!(run.version >= known, "an older version is listed after a newer one");
        *self.projected.borrow_mut() = Some(run.clone());
        for attempt in &run.pending_history {
            let task = if attempt.undo { Task::Undo(attempt.step) } else { Task::Do(attempt.step) };
            let error = attempt.error.clone();
            self.history.borrow_mut().entry((word(task), attempt.number)).or_insert(error);
        }
        if self.is_here(Death::AfterListing(number)) {
            std::future::pending::<()>().await;
        }
        let told = self.while_listed.borrow_mut().take_if(|(nth, _)| *nth == number);
        if let Some((_, command)) = told {
            self.is_told(command);
        }
        ProjectionResult::Written { was_completed }
    }

    fn log_event(&self, _: &Run, moment: RunEvent<'_>) {
        let word = match moment {
            RunEvent::Started => "started".to_owned(),
            RunEvent::Attempted(task, outcome) => format!("{} {}", word(task), word_of(outcome)),
            RunEvent::Ended => "ended".to_owned(),
            RunEvent::ProjectionFailed => "not listed".to_owned(),
            RunEvent::Orphaned => "orphaned".to_owned(),
            RunEvent::Restored => "put back".to_owned(),
        };
        self.told.borrow_mut().push(word);
    }
}

/// Whether an attempt at this asks outside, where subdomains are a wildcard's.
pub fn asks_outside(task: Task) -> bool {
    match task {
        Task::Do(step) => {
            matches!(step, Step::ValidateWebhook | Step::CreateSpreadsheet | Step::VerifySpreadsheet)
        }
        Task::Undo(step) => step == Step::CreateSpreadsheet,
    }
}

/// `step`, or `undo_step`.
fn word(task: Task) -> String {
    format!("{}{}", if task.is_undo() { "undo_" } else { "" }, task.step().as_str())
}

fn word_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(_) => "done",
        Outcome::Failed(_) => "refused",
        Outcome::Unknown(_) => "unknown",
    }
}

fn artifact(step: Step) -> Option<Artifact> {
    (step == Step::CreateSpreadsheet).then(|| Artifact::Spreadsheet {
        id: "sheet_1".to_owned(),
        url: "https://docs.google.com/sheet_1".to_owned(),
    })
}

/// Somebody queues the run of [`subject`].
pub fn queue(plan: Plan, caller: RequestOrigin) -> Command {
    Command::Queue { subject: subject(), plan, caller, run: None, projected_version: None }
}

/// The sweep wakes it, or resumes it.
pub fn wake(plan: Plan, projected_version: Option<u64>, resume: bool) -> Command {
    Command::Wake { subject: subject(), plan, projected_version, resume }
}

/// Somebody, or the sweep, wants it removed.
pub fn undo(plan: Plan, caller: RequestOrigin, projected_version: Option<u64>) -> Command {
    Command::Undo { subject: Some(subject()), plan, caller, projected_version, run: None }
}

/// Where every run is queued from.
pub fn caller() -> RequestOrigin {
    RequestOrigin {
        origin: "https://api.example.com".to_owned(),
        request: Some("req_1".to_owned()),
        traceparent: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
    }
}

/// Whom every run provisions.
pub fn subject() -> Subject {
    serde_json::from_value(serde_json::json!({
        "tenant": "tenant_1", "slug": "fc-nord", "name": "FC Nord", "email": "owner@fc-nord.example", "owner": "user_1"
    }))
    .unwrap()
}
