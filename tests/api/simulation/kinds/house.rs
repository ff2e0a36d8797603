//! One tenant's object with two kinds of runs: what it stores, its alarm, and everybody who wants something.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::FutureExt;
use serde_json::json;
use tenantry::{
    domain::{Plan, RunId, RunStatus, Step, Timestamp, UndoStatus},
    workflow::{
        AlarmAction, Command, Kind, NewIds, Reply, Run, Wake, advance,
        agenda::{self, Agenda, Object},
        handle_of,
    },
};

use super::{
    Count, counts,
    room::Room,
    watch::{RINGS, WATCH},
};
use crate::{
    simulation::chance::Chance,
    workflow::run_harness::{START, caller, subject},
};

pub const KINDS: [Kind; 2] = [Kind::PROVISIONING, WATCH];
/// For how many turns things go wrong.
const STORMY_TURNS: usize = 60;
const SWEEP: Duration = Duration::from_secs(60);

/// The process died, or the storage failed.
#[derive(Debug)]
pub struct Died;

/// What D1 shows of a run.
#[derive(Debug, Clone, Default)]
pub struct Listed {
    /// The run that is wanted, or listed.
    pub id: Option<RunId>,
    /// As it was listed last.
    pub run: Option<Run>,
    /// Whether somebody wants it to go on, and D1 does not know that it ended.
    pub is_wanted: bool,
    /// Whether somebody wants it undone, and D1 does not know that it is.
    pub is_unwanted: bool,
    pub moved_at: Option<Timestamp>,
}

/// The object, and the world around it.
pub struct House<'a> {
    pub chance: Chance,
    pub now: Cell<Timestamp>,
    pub stormy: Cell<bool>,
    /// The text of each kind's run.
    pub runs: RefCell<BTreeMap<&'static str, String>>,
    /// When each kind is due, as it is written down.
    due: RefCell<BTreeMap<&'static str, Option<Timestamp>>>,
    pub alarm: Cell<Option<Timestamp>>,
    alarm_is_dead: Cell<bool>,
    sweeps_at: Cell<Timestamp>,
    pub d1: RefCell<BTreeMap<&'static str, Listed>>,
    d1_down_until: Cell<Timestamp>,
    pub is_suspended: Cell<bool>,
    /// What is there because a step was done.
    pub there: RefCell<BTreeSet<(&'static str, Step)>>,
    /// From when on the bell rings.
    pub rings_from: Timestamp,
    /// Whether nobody looks any more once it rings.
    pub ends: bool,
    /// When the bell was last looked at, and the next look may be.
    pub next_look: Cell<Timestamp>,
    /// How often D1 was asked whether a run may go on, of each kind.
    pub asked: RefCell<BTreeMap<&'static str, u32>>,
    /// Whether the tenant is to be removed.
    pub is_removed: Cell<bool>,
    wishes: Cell<u32>,
    pub count: &'a Count,
    tells: bool,
}

impl<'a> House<'a> {
    pub fn of(seed: u64, count: &'a Count, tells: bool) -> Self {
        let chance = Chance::of(seed);
        let rings_from = START.after(Duration::from_secs(chance.below(1 << 14)));
        let ends = chance.one_in(2);
        Self {
            chance,
            now: Cell::new(START),
            stormy: Cell::new(true),
            runs: RefCell::default(),
            due: RefCell::default(),
            alarm: Cell::new(None),
            alarm_is_dead: Cell::new(false),
            sweeps_at: Cell::new(START.after(SWEEP)),
            d1: RefCell::default(),
            d1_down_until: Cell::new(START),
            is_suspended: Cell::new(false),
            there: RefCell::default(),
            rings_from,
            ends,
            next_look: Cell::new(START),
            asked: RefCell::default(),
            is_removed: Cell::new(false),
            wishes: Cell::new(0),
            count,
            tells,
        }
    }

    /// One where nothing goes wrong by itself.
    pub fn calm(count: &'a Count) -> Self {
        Self::calm_until(START.after(Duration::from_secs(3600)), false, count)
    }

    /// The same, where the bell rings from then on, and where that is the end of it or not.
    pub fn calm_until(rings_from: Timestamp, ends: bool, count: &'a Count) -> Self {
        let house = Self::of(1, count, false);
        house.stormy.set(false);
        Self { ends, rings_from, ..house }
    }

    pub fn happens(&self, what: std::fmt::Arguments<'_>) {
        if self.tells {
            println!("{:>9} ms  {what}", self.now.get().millis() - START.millis());
        }
    }

    pub fn goes_wrong(&self, times: u64) -> bool {
        self.stormy.get() && self.chance.one_in(times)
    }

    pub fn passes(&self, duration: Duration) {
        self.now.set(self.now.get().after(duration));
    }

    pub fn has_d1(&self) -> bool {
        self.now.get() >= self.d1_down_until.get()
    }

    pub fn run(&self, kind: Kind) -> Option<Run> {
        self.runs.borrow().get(kind.as_str()).map(|text| Run::read_of(kind, text).unwrap())
    }

    pub fn listed(&self, kind: Kind) -> Listed {
        self.d1.borrow().get(kind.as_str()).cloned().unwrap_or_default()
    }

    pub fn lists(&self, kind: Kind, change: impl FnOnce(&mut Listed)) {
        change(self.d1.borrow_mut().entry(kind.as_str()).or_default());
    }

    /// Everything that happens.
    pub fn lives(&self) {
        for _ in 0..STORMY_TURNS {
            self.something_happens();
            self.is_as_promised();
        }
        self.stormy.set(false);
        self.d1_down_until.set(self.now.get());
        self.is_suspended.set(false);
        self.comes_to_rest();
        if !self.is_removed.get() && self.chance.one_in(2) {
            self.is_to_be_removed();
            self.comes_to_rest();
        }
        self.has_ended_as_promised();
    }

    pub fn comes_to_rest(&self) {
        for _ in 0..4000 {
            if self.is_at_rest() {
                return;
            }
            self.goes_on();
            self.is_as_promised();
        }
        panic!("it never ends: {:?}, due {:?}, alarm {:?}", self.runs, self.due, self.alarm);
    }

    fn something_happens(&self) {
        match self.chance.below(26) {
            0 | 1 => self.somebody_queues(Kind::PROVISIONING),
            2..=4 => self.somebody_queues(WATCH),
            5 => {
                self.happens(format_args!("somebody asks for a look"));
                self.next_look.set(START);
                self.is_told(WATCH, Command::Look);
            }
            6 if self.alarm.take().is_some() => {
                self.happens(format_args!("the alarm is lost"));
                counts(&self.count.lost_alarms);
            }
            7 if self.alarm.get().is_some() => {
                self.happens(format_args!("the alarm never rings"));
                counts(&self.count.dead_alarms);
                self.alarm_is_dead.set(true);
            }
            8 => {
                self.happens(format_args!("an alarm rings that nobody set"));
                self.next_look.set(START);
                self.rings();
            }
            9 => {
                self.happens(format_args!("D1 goes away"));
                counts(&self.count.outages);
                self.d1_down_until.set(self.now.get().after(Duration::from_secs(self.chance.below(600))));
            }
            10 => self.passes(Duration::from_secs(self.chance.below(900))),
            11 if self.chance.one_in(8) => self.is_to_be_removed(),
            12 if self.chance.one_in(4) => self.is_told(Kind::PROVISIONING, Command::Cancel),
            13 if self.chance.one_in(4) => self.is_told(WATCH, Command::Cancel),
            14 if self.chance.one_in(4) => self.somebody_undoes(WATCH),
            15 => self.is_suspended.set(!self.is_suspended.get()),
            16 | 17 => self.the_version_before_rings(),
            _ => self.goes_on(),
        }
    }

    /// Time goes on to whatever comes next, the alarm or the sweep.
    pub fn goes_on(&self) {
        let sweep = self.sweeps_at.get();
        match self.alarm.get().filter(|alarm| *alarm <= sweep && !self.alarm_is_dead.get()) {
            Some(alarm) => {
                self.now.set(self.now.get().max(alarm));
                self.alarm.set(None);
                self.rings();
            }
            None => {
                self.now.set(self.now.get().max(sweep));
                self.sweeps_at.set(self.now.get().after(SWEEP));
                self.sweeps();
            }
        }
    }

    /// The next alarm, in a version that knows no kind but provisioning, and yet keeps an agenda.
    pub fn alarm_rings_for_provisioning(&self) {
        let alarm = self.alarm.take().unwrap();
        self.now.set(self.now.get().max(alarm));
        self.rings_for(&[Kind::PROVISIONING]);
    }

    /// The next alarm, and no sweep.
    pub fn alarm_rings(&self) {
        let alarm = self.alarm.take().unwrap();
        self.now.set(self.now.get().max(alarm));
        self.rings();
    }

    fn set_alarm(&self, at: Timestamp) {
        self.alarm.set(Some(at.max(self.now.get())));
        self.alarm_is_dead.set(false);
    }

    fn rings(&self) {
        self.rings_for(&KINDS);
    }

    /// As in a version that knows these kinds.
    fn rings_for(&self, kinds: &[Kind]) {
        match agenda::ring(self, kinds).now_or_never() {
            Some(Ok(rung)) => {
                if let Some(at) = rung.alarm {
                    self.set_alarm(at);
                }
            }
            // The platform rings again, unless another alarm was set meanwhile.
            Some(Err(Died)) | None => {
                self.happens(format_args!("the process dies"));
                counts(&self.count.deaths);
                self.next_look.set(START);
                if self.alarm.get().is_none() || self.alarm_is_dead.get() {
                    self.set_alarm(self.now.get().after(Duration::from_secs(2)));
                }
            }
        }
    }

    /// The version before is rolled back to, and knows of provisioning and of its own alarm only.
    fn the_version_before_rings(&self) {
        self.happens(format_args!("the version before rings"));
        counts(&self.count.rolled_back);
        self.next_look.set(START);
        let wake = advance(&Room { house: self, kind: Kind::PROVISIONING, is_before: true }).now_or_never();
        match wake {
            Some(Ok(Wake::At(at) | Wake::CheckTenant(at))) => self.set_alarm(at),
            Some(Ok(Wake::Never)) => {}
            Some(Err(Died)) | None => self.set_alarm(self.now.get().after(Duration::from_secs(2))),
        }
    }

    /// The wish first, then the object.
    pub fn somebody_queues(&self, kind: Kind) {
        let listed = self.listed(kind);
        let is_undone = listed.run.as_ref().is_some_and(Run::is_undone);
        let is_good = listed.run.as_ref().is_some_and(|run| {
            !run.has_ended() || run.undoing.is_none() && run.status() == RunStatus::Completed
        });
        if !self.has_d1() || self.is_removed.get() || listed.is_wanted || listed.is_unwanted || is_good {
            return;
        }
        let has_gone_on = is_undone;
        if kind == WATCH && (listed.id.is_none() || has_gone_on) {
            self.wishes.set(self.wishes.get() + 1);
            if has_gone_on {
                counts(&self.count.followed);
            }
            let id = format!("run_w{}", self.wishes.get()).parse().unwrap();
            self.lists(kind, |listed| *listed = Listed { id: Some(id), ..Listed::default() });
        }
        self.happens(format_args!("somebody queues {kind:?}"));
        self.lists(kind, |listed| {
            listed.is_wanted = true;
            listed.moved_at = Some(self.now.get());
        });
        self.is_told(
            kind,
            Command::Queue {
                subject: subject(),
                plan: Plan::Pro,
                caller: caller(),
                run: None,
                projected_version: self.listed(kind).run.map(|run| run.version),
            },
        );
    }

    pub fn somebody_undoes(&self, kind: Kind) {
        let listed = self.listed(kind);
        let is_undone = listed.run.as_ref().is_some_and(Run::is_undone);
        if !self.has_d1() || listed.id.is_none() && kind == WATCH || is_undone {
            return;
        }
        self.happens(format_args!("somebody undoes {kind:?}"));
        self.lists(kind, |listed| {
            (listed.is_wanted, listed.is_unwanted) = (false, true);
            listed.moved_at = Some(self.now.get());
        });
        self.is_told(kind, self.undo(kind));
    }

    fn undo(&self, kind: Kind) -> Command {
        let projected_version = self.listed(kind).run.map(|run| run.version);
        Command::Undo {
            subject: Some(subject()),
            plan: Plan::Pro,
            caller: caller(),
            projected_version,
            run: None,
        }
    }

    pub fn is_to_be_removed(&self) {
        if self.has_d1() {
            self.is_removed.set(true);
            self.somebody_undoes(Kind::PROVISIONING);
        }
    }

    /// The sweep wakes what has not moved.
    fn sweeps(&self) {
        let removed = self.listed(Kind::PROVISIONING).run.filter(Run::is_undone);
        if let Some(tenant) = removed.filter(|_| !self.stormy.get()) {
            // It has been gone for so long that its object is told to forget it.
            if matches!(self.undo_others(&tenant), Ok(false)) {
                self.set_alarm(self.now.get());
            }
        }
        for kind in KINDS {
            let listed = self.listed(kind);
            let is_quiet = listed.moved_at.is_some_and(|at| self.now.get().since(at) >= SWEEP);
            if !self.has_d1() || !is_quiet {
                continue;
            }
            let projected_version = Some(listed.run.map_or(0, |run| run.version));
            if listed.is_unwanted {
                self.is_told(kind, self.undo(kind));
            } else if listed.is_wanted {
                let wake =
                    Command::Wake { subject: subject(), plan: Plan::Pro, projected_version, resume: false };
                self.is_told(kind, wake);
            }
        }
    }

    /// A command on its way to the object, which may be lost.
    pub fn is_told(&self, kind: Kind, command: Command) {
        self.next_look.set(START);
        if !self.goes_wrong(6) {
            let _ = self.obeys(kind, command);
        }
    }

    /// What the object's shell does with it.
    fn obeys(&self, kind: Kind, command: Command) -> Result<Reply, Died> {
        let command = if kind == Kind::PROVISIONING {
            command
        } else {
            let (run, input) = (self.listed(kind).id, json!({ "bell": 1 }));
            Command::Of { kind: kind.as_str().to_owned(), run, input, command: Box::new(command) }
        };
        // On its way it is text.
        let command: Command = serde_json::from_str(&serde_json::to_string(&command).unwrap()).unwrap();
        let (address, command) = command.addressed();
        let kind =
            address.kind.as_deref().map_or(Kind::PROVISIONING, |word| Kind::named(word, &KINDS).unwrap());
        self.happens(format_args!("{kind:?} is told {command:?}"));
        let fresh = NewIds { run: "run_1".parse().unwrap(), link_id: self.chance.bits().to_string() };
        let effects = handle_of(kind, address, self.run(kind), command, fresh, self.now.get());
        if let Some(run) = &effects.save {
            self.runs.borrow_mut().insert(kind.as_str(), serde_json::to_string(run).unwrap());
            if kind != Kind::PROVISIONING {
                self.due.borrow_mut().entry(kind.as_str()).or_default();
            }
        }
        if agenda::follow(self, kind, effects.alarm, self.alarm.get())? {
            self.set_alarm(self.now.get());
        }
        Ok(effects.reply)
    }

    /// As the shell does it.
    pub fn undo_others(&self, tenant: &Run) -> Result<bool, Died> {
        let Some(mut other) = self.run(WATCH) else { return Ok(true) };
        if other.undo_with(tenant, self.now.get()) {
            self.runs.borrow_mut().insert(WATCH.as_str(), serde_json::to_string(&other).unwrap());
            self.note(WATCH, Some(self.now.get()))?;
        }
        Ok(other.is_undone())
    }

    /// Whatever is left to do, an alarm is set, or the sweep will find it.
    fn is_as_promised(&self) {
        for kind in KINDS {
            let Some(run) = self.run(kind) else { continue };
            let listed = self.listed(kind);
            let is_swept = listed.is_wanted || listed.is_unwanted;
            let is_left = !run.has_ended() || run.has_pending_projection();
            let removal = kind == WATCH && self.listed(Kind::PROVISIONING).is_unwanted;
            let is_known = listed.run.as_ref().is_some_and(|known| known.version >= run.version);
            let found = self.alarm.get().is_some() || is_swept || removal || is_known && run.has_ended();
            assert!(!is_left || found, "nobody goes on with {run:?}");
        }
    }

    /// Whether nothing happens any more, but further looks at a bell that rings.
    fn is_at_rest(&self) -> bool {
        KINDS.into_iter().all(|kind| {
            let (listed, Some(run)) = (self.listed(kind), self.run(kind)) else {
                return !self.listed(kind).is_wanted;
            };
            let rings = run.doing.standing.as_ref().is_some_and(|standing| standing.word == RINGS);
            let is_removed = self.run(Kind::PROVISIONING).is_some_and(|tenant| tenant.is_undone());
            let is_watching = kind == WATCH && rings && !self.ends && run.undoing.is_none() && !is_removed;
            let is_told = !run.has_pending_projection() && !listed.is_unwanted;
            let is_left = kind == WATCH && is_removed && run.undoing.is_none();
            is_told && !is_left && (is_watching && !run.has_ended() || run.has_ended() && !listed.is_wanted)
        })
    }

    fn has_ended_as_promised(&self) {
        for kind in KINDS {
            let Some(run) = self.run(kind) else { continue };
            let listed = self.listed(kind).run.unwrap();
            assert_eq!((&listed.id, listed.version), (&run.id, run.version), "D1 knows how it stands");
            if run.status() == RunStatus::Completed {
                counts(&self.count.completed);
                assert!(run.doing.records.iter().all(|record| record.done_at.is_some()));
            }
            if kind == WATCH && !run.has_ended() {
                counts(&self.count.watching);
                assert!(!self.ends && self.there.borrow().contains(&(kind.as_str(), super::watch::hang())));
                assert!(self.alarm.get().is_some() || self.listed(kind).is_wanted, "nobody looks any more");
            }
            if run.undo_status() == Some(UndoStatus::Undone) {
                counts(&self.count.removed);
                let left: Vec<Step> = run
                    .undoing
                    .iter()
                    .flat_map(|undo| &undo.records)
                    .filter(|r| r.skipped)
                    .map(|r| r.step)
                    .collect();
                let there = self.there.borrow();
                assert!(
                    there.iter().all(|(of, step)| *of != kind.as_str() || left.contains(step)),
                    "{there:?}"
                );
                if kind == Kind::PROVISIONING {
                    let undo = self.run(WATCH).map(|run| run.undo_status());
                    assert!(
                        undo.is_none_or(|undo| undo.is_some()),
                        "its name is free before the rest is gone"
                    );
                }
            }
        }
    }

    pub fn asked(&self, kind: Kind) -> u32 {
        self.asked.borrow().get(kind.as_str()).copied().unwrap_or(0)
    }

    pub fn is_woken(&self, kind: Kind) -> bool {
        let agenda = agenda::follow(self, kind, AlarmAction::SetIfUnset, self.alarm.get());
        agenda.unwrap()
    }
}

impl Object for House<'_> {
    type Error = Died;

    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn agenda(&self) -> Result<Agenda, Died> {
        if self.goes_wrong(300) {
            return Err(Died);
        }
        Ok(Agenda::new(self.due.borrow().iter().map(|(kind, due)| ((*kind).to_owned(), *due)).collect()))
    }

    fn note(&self, kind: Kind, due: Option<Timestamp>) -> Result<(), Died> {
        if self.goes_wrong(100) {
            return Err(Died);
        }
        self.due.borrow_mut().insert(kind.as_str(), due);
        if self.goes_wrong(100) { Err(Died) } else { Ok(()) }
    }

    async fn advance(&self, kind: Kind) -> Result<Wake, Died> {
        self.happens(format_args!("{kind:?} advances"));
        if let Some(tenant) =
            self.run(Kind::PROVISIONING).filter(|tenant| kind == WATCH && tenant.is_undone())
        {
            self.undo_others(&tenant)?;
        }
        let advanced = advance(&Room { house: self, kind, is_before: false }).await;
        match advanced {
            Err(Died) if self.chance.one_in(2) => {
                self.next_look.set(START);
                Ok(Wake::At(self.now.get().after(Duration::from_secs(30))))
            }
            advanced => advanced,
        }
    }
}
