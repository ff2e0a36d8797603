//! When the runs of an object are due. An object has one alarm, which is set for the earliest of them.
//!
//! An object that has provisioning alone keeps no agenda: its alarm is provisioning's, as the version before has it. With a run of
//! another kind it writes down when each is due, provisioning too, so that none is advanced because another is.

use crate::domain::Timestamp;

use super::{AlarmAction, Kind, Wake};

/// When each kind of an object's runs is due, as it is written down. None stands for never.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agenda(Vec<(String, Option<Timestamp>)>);

/// An object with runs of several kinds: what is written down of them, and how each advances.
#[expect(async_fn_in_trait, reason = "one thread per isolate: no future of ours crosses threads")]
pub trait Object {
    /// Why something could not be read or written.
    type Error;

    /// The clock.
    fn now(&self) -> Timestamp;
    /// What is written down.
    fn agenda(&self) -> Result<Agenda, Self::Error>;
    /// Writes down when a kind is due.
    fn note(&self, kind: Kind, due: Option<Timestamp>) -> Result<(), Self::Error>;
    /// Does all that a kind can do now, and says when to come back. What keeps one from it keeps no other.
    async fn advance(&self, kind: Kind) -> Result<Wake, Self::Error>;
}

/// What comes after an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// When the next one is due.
    pub alarm: Option<Timestamp>,
    /// The kinds that were advanced and have nothing left to do, but to look whether D1 still knows the tenant.
    pub at_rest: Vec<Kind>,
}

/// The alarm rings: whatever is due is advanced, in the order of `kinds`.
pub async fn ring<O: Object>(object: &O, kinds: &[Kind]) -> Result<Rung, O::Error> {
    let begun = object.agenda()?;
    let (mut alarm, mut at_rest) = (None, Vec::new());
    for kind in begun.to_advance(kinds, object.now()) {
        let wake = object.advance(kind).await?;
        let due = match wake {
            Wake::At(at) => Some(at),
            Wake::CheckTenant(at) => {
                at_rest.push(kind);
                Some(at)
            }
            Wake::Never => {
                at_rest.push(kind);
                None
            }
        };
        let agenda = object.agenda()?;
        if agenda.is_empty() {
            alarm = due;
        } else if kind.is_provisioning() || agenda.entry(kind).is_some() {
            // A command that came meanwhile wants it sooner.
            let wanted = agenda.entry(kind).filter(|entry| begun.entry(kind) != Some(*entry)).flatten();
            object.note(kind, [due, wanted].into_iter().flatten().min())?;
        }
    }
    let agenda = object.agenda()?;
    Ok(Rung { alarm: if agenda.is_empty() { alarm } else { agenda.earliest(kinds) }, at_rest })
}

/// What a command to a run of `kind` leaves to the alarm, which is set for `alarm`. Answers whether it is to be set for now.
pub fn follow<O: Object>(
    object: &O,
    kind: Kind,
    action: AlarmAction,
    alarm: Option<Timestamp>,
) -> Result<bool, O::Error> {
    let (agenda, now) = (object.agenda()?, object.now());
    if !agenda.is_wanted(kind, action, alarm, now) {
        return Ok(false);
    }
    if agenda.is_empty() {
        return Ok(true);
    }
    if agenda.entry(Kind::PROVISIONING).is_none() {
        // The alarm was its own so far.
        object.note(Kind::PROVISIONING, alarm)?;
    }
    object.note(kind, Some(now))?;
    Ok(true)
}

impl Agenda {
    /// Of these words of kinds.
    pub const fn new(entries: Vec<(String, Option<Timestamp>)>) -> Self {
        Self(entries)
    }

    /// Whether there is nothing but provisioning.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn entry(&self, kind: Kind) -> Option<Option<Timestamp>> {
        self.0.iter().find(|(word, _)| word == kind.as_str()).map(|(_, due)| *due)
    }

    /// What an alarm advances: whatever is due. One that rings for nobody was set by the version before, which knows only
    /// provisioning, or rings twice: then all look whether there is anything to do.
    fn to_advance(&self, kinds: &[Kind], now: Timestamp) -> Vec<Kind> {
        let is_there = |kind: &Kind| kind.is_provisioning() || self.entry(*kind).is_some();
        let is_due = |kind: &Kind| match self.entry(*kind) {
            None => kind.is_provisioning(),
            Some(due) => due.is_some_and(|due| due <= now),
        };
        let due: Vec<Kind> = kinds.iter().copied().filter(is_due).collect();
        if due.is_empty() { kinds.iter().copied().filter(is_there).collect() } else { due }
    }

    /// Of those that this version knows: a later one's kind would be due for ever.
    fn earliest(&self, kinds: &[Kind]) -> Option<Timestamp> {
        kinds.iter().filter_map(|kind| self.entry(*kind).flatten()).min()
    }

    /// Whether the alarm is to be set for now: for a lost one, and for one that is set for others only.
    fn is_wanted(&self, kind: Kind, action: AlarmAction, alarm: Option<Timestamp>, now: Timestamp) -> bool {
        match self.entry(kind) {
            None => action.is_due(alarm, now),
            Some(due) => action.is_due(alarm, now) || action.is_due(due, now),
        }
    }
}
