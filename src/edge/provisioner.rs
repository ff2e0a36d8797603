//! The Durable Object of one tenant, which provisions it: a shell around [`advance`].
//!
//! One checkpoint for each kind of run, one alarm. Requests only start and report; only the alarm advances. It fails only if the next alarm can't
//! be set: then the platform rings it again.

use std::{cell::Cell, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use worker::{DurableObject, Env, Request, Response, Result, SqlStorage, State, durable_object};

use crate::{
    app::{self, App, kinds, steps::Found},
    domain::{RunId, Task, Timestamp, Upstream},
    ports::{Level, LogLine, Random},
    store::recovery::DnsContext,
    workflow::{
        Address, Asked, Command, Kind, NewIds, Performed, ProjectionResult, Reply, Report, Run, RunContext,
        Wake, advance,
        advance::RunEvent,
        agenda::{self, Agenda, Object},
        handle_after_loss, handle_of,
    },
};

use super::{
    platform::{Platform, now},
    told,
};

/// When to look again after a checkpoint could not be written.
const AFTER_FAILURE: Duration = Duration::from_secs(30);
/// When to look again at a checkpoint that can't be read: only another version, or an operator, changes that.
const WHILE_UNREADABLE: Duration = Duration::from_secs(10 * 60);
/// An alarm that is due at once, or earlier, never rings when it was set from inside an alarm (cloudflare/workerd#6866).
const SOONEST_ALARM: Duration = Duration::from_millis(10);

#[durable_object(alarm)]
pub struct Provisioner {
    state: State,
    env: Env,
    has_table: Cell<bool>,
}

impl DurableObject for Provisioner {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, has_table: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let text = request.text().await?;
        match serde_json::from_str(&text) {
            Ok(command) => Response::from_json(&self.handle(command).await?),
            Err(error) => Response::error(format!("unknown command: {error}"), 400),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        let app = self.app();
        // Without an agenda there is one alarm for one run: as long as the storage can't be read, it is tried again.
        let rung = agenda::ring(&Kinds { object: self, app: &app }, &kinds::ALL).await;
        let alarm = match &rung {
            Ok(rung) => rung.alarm,
            Err(error) => {
                self.log_checkpoint_failure(&app, Kind::PROVISIONING, error);
                Some(now().after(AFTER_FAILURE))
            }
        };
        if let Some(moment) = alarm {
            self.arm(moment).await?;
        }
        if rung.is_ok_and(|rung| !rung.at_rest.is_empty()) {
            self.deliver(&app);
        }
        Response::empty()
    }
}

impl Provisioner {
    fn app(&self) -> App<Platform> {
        let platform = Platform::of(&self.env, None);
        let settings = platform.settings();
        App::new(platform, settings)
    }

    async fn handle(&self, command: Command) -> Result<Reply> {
        let (address, command) = command.addressed();
        let kind = match &address.kind {
            None => Some(Kind::PROVISIONING),
            Some(word) => Kind::named(word, &kinds::ALL),
        };
        match kind {
            Some(kind) => self.handle_of(kind, address, command).await,
            // Of a later version, which is rolled out.
            None => Ok(Reply::Unreadable),
        }
    }

    async fn handle_of(&self, kind: Kind, address: Address, command: Command) -> Result<Reply> {
        let app = self.app();
        let is_reset = matches!(command, Command::Reset { .. });
        let mails_go_on = matches!(command, Command::GoOn { upstream: Upstream::Resend });
        let is_unreadable = match self.load(kind) {
            Ok(_) => false,
            Err(error) => self.log_checkpoint_failure(&app, kind, &error),
        };
        if is_unreadable && !is_reset {
            return Ok(Reply::Unreadable);
        }
        let fresh = NewIds {
            run: RunId::new(now(), app.ports.random()),
            link_id: URL_SAFE_NO_PAD.encode(app.ports.random::<32>()),
        };
        let found = if is_unreadable || self.load(kind)?.is_none() {
            let config = app.config();
            let dns_context = DnsContext {
                zone: config.cloudflare_zone_id.clone(),
                base_domain: config.base_domain.clone(),
            };
            let found = kinds::take_over(&app, kind, &command, &dns_context, &fresh).await;
            found.map_err(|error| worker::Error::RustError(error.to_string()))?
        } else {
            None
        };
        // Read again: other commands came while D1 was asked.
        let known = if is_unreadable { None } else { self.load(kind)? };
        if let Some(run) = known.as_ref().filter(|_| mails_go_on) {
            // It is not the run that waits, but its tenant's mails.
            app::mails::send_later(&app, &run.subject.tenant);
        }
        let now = now();
        // The version before undid its tenant without them.
        if matches!(command, Command::Forget)
            && let Some(run) = known.as_ref().filter(|run| kind.is_provisioning() && run.is_undone())
            && !self.undo_others(&app, run)?
        {
            self.arm(now).await?;
            return Ok(Reply::Run { report: Report::of(run), changed: false });
        }
        let effects = match (known, found) {
            (None, Some(found)) => handle_after_loss(found, command, fresh, now),
            (known, _) => handle_of(kind, address, known, command, fresh, now),
        };
        if let Some(run) = &effects.save {
            self.save(run)?;
            if effects.ended {
                app::run_log::log(&app, run, RunEvent::Ended);
            }
        }
        if effects.forget {
            self.forget(kind).await?;
        }
        let set_for = self.state.storage().get_alarm().await?.map(Timestamp::from_millis);
        if agenda::follow(&Kinds { object: self, app: &app }, kind, effects.alarm, set_for)? {
            self.arm(now).await?;
        }
        Ok(effects.reply)
    }

    /// The run has ended, and its event and its mail wait. The alarm doesn't: it must be free for the next round.
    fn deliver(&self, app: &App<Platform>) {
        if let Ok(Some(run)) = self.load(Kind::PROVISIONING) {
            app::mails::send_after_deliveries(app, &run.subject.tenant);
        }
    }

    /// `set_alarm` takes an offset.
    async fn arm(&self, moment: Timestamp) -> Result<()> {
        self.state.storage().set_alarm(moment.since(now()).max(SOONEST_ALARM)).await
    }

    /// Deletes the run of this kind; with the last one, everything that is stored.
    async fn forget(&self, kind: Kind) -> Result<()> {
        let is_last = if kind.is_provisioning() {
            self.is_without_others()?
        } else {
            self.text(Kind::PROVISIONING)?.is_none() && self.others()? == [kind]
        };
        if is_last {
            return self.delete_everything().await;
        }
        let sql = self.sql()?;
        if kind.is_provisioning() {
            sql.exec("delete from checkpoint", None)?;
        }
        sql.exec("delete from checkpoints where kind = ?", vec![kind.as_str().into()])?;
        Ok(())
    }

    /// Whether nothing is left to do, or to undo, of the runs of other kinds than provisioning.
    fn is_without_others(&self) -> Result<bool> {
        for kind in self.others()? {
            if self.load(kind)?.is_some_and(|run| !run.is_over()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Undoes what the runs of other kinds made for a tenant that is removed. Answers whether all of it is gone.
    fn undo_others(&self, app: &App<Platform>, tenant: &Run) -> Result<bool> {
        let mut are_gone = true;
        for kind in self.others()? {
            let Some(mut other) = self.load(kind)? else { continue };
            if other.undo_with(tenant, now()) {
                self.save(&other)?;
                Kinds { object: self, app }.note(kind, Some(now()))?;
            }
            are_gone &= other.is_undone();
        }
        Ok(are_gone)
    }

    async fn delete_everything(&self) -> Result<()> {
        let storage = self.state.storage();
        storage.delete_alarm().await?;
        storage.delete_all().await?;
        self.has_table.set(false);
        Ok(())
    }

    /// Whether the checkpoint can't be read, rather than reached. The line names the tenant as far as the text tells.
    fn log_checkpoint_failure(&self, app: &App<Platform>, kind: Kind, error: &worker::Error) -> bool {
        let text = self.text(kind).ok().flatten();
        let is_unreadable = text.as_deref().is_some_and(|text| Run::read_of(kind, text).is_err());
        let value: serde_json::Value =
            text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let field = |path: &str| value.pointer(path).and_then(serde_json::Value::as_str).map(str::to_owned);
        app.log(
            LogLine::new(Level::Error, "provision_checkpoint_failed")
                .with("error", told(error))
                .with("unreadable", is_unreadable)
                .with("object", self.state.id().to_string())
                .with_some("kind", (!kind.is_provisioning()).then(|| kind.as_str()))
                .with_some("tenantId", field("/subject/tenant"))
                .with_some("runId", field("/id")),
        );
        is_unreadable
    }

    /// Provisioning stands in a table of its own, which the version before reads; the other kinds, and when each is due, in another.
    fn sql(&self) -> Result<SqlStorage> {
        let sql = self.state.storage().sql();
        if !self.has_table.replace(true) {
            sql.exec("create table if not exists checkpoint (id integer primary key check (id = 1), run text not null)", None)?;
            sql.exec(
                "create table if not exists checkpoints (kind text primary key, run text, due_at integer)",
                None,
            )?;
        }
        Ok(sql)
    }

    /// The kinds beside provisioning of which there is a run.
    fn others(&self) -> Result<Vec<Kind>> {
        let agenda = self.due()?;
        let is_there =
            |kind: &Kind| !kind.is_provisioning() && agenda.iter().any(|due| due.kind == kind.as_str());
        Ok(kinds::ALL.into_iter().filter(is_there).collect())
    }

    fn due(&self) -> Result<Vec<Due>> {
        self.sql()?.exec("select kind, due_at from checkpoints", None)?.to_array()
    }

    fn load(&self, kind: Kind) -> Result<Option<Run>> {
        let read = |text: String| Run::read_of(kind, &text).map_err(worker::Error::SerdeJsonError);
        self.text(kind)?.map(read).transpose()
    }

    fn text(&self, kind: Kind) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Row {
            run: Option<String>,
        }
        let sql = self.sql()?;
        let rows = if kind.is_provisioning() {
            sql.exec("select run from checkpoint", None)?
        } else {
            sql.exec("select run from checkpoints where kind = ?", vec![kind.as_str().into()])?
        };
        let rows: Vec<Row> = rows.to_array()?;
        Ok(rows.into_iter().next().and_then(|row| row.run))
    }

    fn save(&self, run: &Run) -> Result<()> {
        let (sql, text) = (self.sql()?, serde_json::to_string(run)?);
        if run.kind.is_provisioning() {
            sql.exec(
                "insert into checkpoint (id, run) values (1, ?) on conflict (id) do update set run = excluded.run",
                vec![text.into()],
            )?;
        } else {
            sql.exec(
                "insert into checkpoints (kind, run) values (?, ?) on conflict (kind) do update set run = excluded.run",
                vec![run.kind.as_str().into(), text.into()],
            )?;
        }
        Ok(())
    }
}

/// When a kind is due, as it is written down.
#[derive(Deserialize)]
struct Due {
    kind: String,
    due_at: Option<f64>,
}

/// The runs of the object, together.
struct Kinds<'a> {
    object: &'a Provisioner,
    app: &'a App<Platform>,
}

impl Object for Kinds<'_> {
    type Error = worker::Error;

    fn now(&self) -> Timestamp {
        now()
    }

    fn agenda(&self) -> Result<Agenda> {
        #[expect(clippy::cast_possible_truncation, reason = "whole milliseconds, as they were written")]
        let at = |due: f64| Timestamp::from_millis(due as i64);
        let due = self.object.due()?.into_iter();
        Ok(Agenda::new(due.map(|due| (due.kind, due.due_at.map(at))).collect()))
    }

    fn note(&self, kind: Kind, due: Option<Timestamp>) -> Result<()> {
        self.object.sql()?.exec(
            "insert into checkpoints (kind, due_at) values (?, ?) on conflict (kind) do update set due_at = excluded.due_at",
            vec![kind.as_str().into(), due.map(Timestamp::millis).into()],
        )?;
        Ok(())
    }

    async fn advance(&self, kind: Kind) -> Result<Wake> {
        if !kind.is_provisioning()
            && let Ok(Some(tenant)) = self.object.load(Kind::PROVISIONING)
            && tenant.is_undone()
        {
            // The version before removed the tenant without it.
            self.object.undo_others(self.app, &tenant)?;
        }
        match advance(&Tenant { object: self.object, app: self.app, kind }).await {
            Ok(wake) => Ok(wake),
            Err(error) => {
                let is_unreadable = self.object.log_checkpoint_failure(self.app, kind, &error);
                Ok(Wake::At(now().after(if is_unreadable { WHILE_UNREADABLE } else { AFTER_FAILURE })))
            }
        }
    }
}

/// What a run lives in.
struct Tenant<'a> {
    object: &'a Provisioner,
    app: &'a App<Platform>,
    kind: Kind,
}

impl RunContext for Tenant<'_> {
    type Error = worker::Error;
    type Found = Found;

    fn now(&self) -> Timestamp {
        now()
    }

    fn random(&self) -> u32 {
        u32::from_le_bytes(self.app.ports.random())
    }

    fn load(&self) -> Result<Option<Run>> {
        self.object.load(self.kind)
    }

    fn save(&self, run: &Run) -> Result<()> {
        self.object.save(run)
    }

    fn asks_outside(&self, run: &Run, task: Task) -> bool {
        kinds::asks_outside(self.app, run, task)
    }

    async fn perform(&self, run: &Run, task: Task, found: Found) -> Performed {
        kinds::perform(&app::run_log::at_work_on(self.app, run, Some(task)), run, task, found).await
    }

    async fn forget(&self) -> Result<()> {
        self.object.forget(self.kind).await
    }

    async fn permit(&self, run: &Run, task: Task, lists: bool) -> Asked<Found> {
        kinds::permit(&app::run_log::at_work_on(self.app, run, Some(task)), run, task, lists).await
    }

    async fn project(&self, run: &Run) -> ProjectionResult {
        kinds::project(self.app, run).await
    }

    fn undo_others(&self, run: &Run) -> Result<bool> {
        Ok(!run.kind.is_provisioning() || self.object.undo_others(self.app, run)?)
    }

    fn log_event(&self, run: &Run, event: RunEvent<'_>) {
        app::run_log::log(self.app, run, event);
    }
}
