//! The Durable Object that provisions one tenant: a shell around [`advance`].
//!
//! One checkpoint row, one alarm. Requests only start and report; only the alarm advances. It fails only if the next alarm can't
//! be set: then the platform rings it again.

use std::{cell::Cell, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use worker::{DurableObject, Env, Request, Response, Result, SqlStorage, State, durable_object};

use crate::{
    app::{self, App, projection, steps::Found},
    domain::{RunId, Task, Timestamp, Upstream},
    ports::{Database, Level, LogLine, Random},
    store::{recovery, recovery::DnsContext},
    workflow::{
        Asked, Command, NewIds, Performed, ProjectionResult, Reply, Run, RunContext, Wake, advance,
        advance::RunEvent, handle, handle_after_loss,
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
        let context = Tenant { object: self, app: &app };
        let wake = match advance(&context).await {
            Ok(wake) => wake,
            Err(error) => {
                let is_unreadable = self.log_checkpoint_failure(&app, &error);
                Wake::At(now().after(if is_unreadable { WHILE_UNREADABLE } else { AFTER_FAILURE }))
            }
        };
        match wake {
            Wake::At(moment) => self.arm(moment).await?,
            Wake::CheckTenant(moment) => {
                self.arm(moment).await?;
                self.deliver(&app);
            }
            Wake::Never => self.deliver(&app),
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
        let app = self.app();
        let is_reset = matches!(command, Command::Reset { .. });
        let mails_go_on = matches!(command, Command::GoOn { upstream: Upstream::Resend });
        let is_unreadable = match self.load() {
            Ok(_) => false,
            Err(error) => self.log_checkpoint_failure(&app, &error),
        };
        if is_unreadable && !is_reset {
            return Ok(Reply::Unreadable);
        }
        let fresh = NewIds {
            run: RunId::new(now(), app.ports.random()),
            link_id: URL_SAFE_NO_PAD.encode(app.ports.random::<32>()),
        };
        let found = if is_unreadable || self.load()?.is_none() {
            let config = app.config();
            let dns_context = DnsContext {
                zone: config.cloudflare_zone_id.clone(),
                base_domain: config.base_domain.clone(),
            };
            let found = recovery::take_over(app.ports.db(), &command, &dns_context, &fresh, now()).await;
            found.map_err(|error| worker::Error::RustError(error.to_string()))?
        } else {
            None
        };
        // Read again: other commands came while D1 was asked.
        let known = if is_unreadable { None } else { self.load()? };
        if let Some(run) = known.as_ref().filter(|_| mails_go_on) {
            // It is not the run that waits, but its tenant's mails.
            app::mails::send_later(&app, &run.subject.tenant);
        }
        let now = now();
        let effects = match (known, found) {
            (None, Some(found)) => handle_after_loss(found, command, fresh, now),
            (known, _) => handle(known, command, fresh, now),
        };
        if let Some(run) = &effects.save {
            self.save(run)?;
            if effects.ended {
                app::run_log::log(&app, run, RunEvent::Ended);
            }
        }
        if effects.forget {
            self.delete_everything().await?;
        }
        let set_for = self.state.storage().get_alarm().await?.map(Timestamp::from_millis);
        if effects.alarm.is_due(set_for, now) {
            self.arm(now).await?;
        }
        Ok(effects.reply)
    }

    /// The run has ended, and its event and its mail wait. The alarm doesn't: it must be free for the next round.
    fn deliver(&self, app: &App<Platform>) {
        if let Ok(Some(run)) = self.load() {
            app::mails::send_after_deliveries(app, &run.subject.tenant);
        }
    }

    /// `set_alarm` takes an offset.
    async fn arm(&self, moment: Timestamp) -> Result<()> {
        self.state.storage().set_alarm(moment.since(now()).max(SOONEST_ALARM)).await
    }

    async fn delete_everything(&self) -> Result<()> {
        let storage = self.state.storage();
        storage.delete_alarm().await?;
        storage.delete_all().await?;
        self.has_table.set(false);
        Ok(())
    }

    /// Whether the checkpoint can't be read, rather than reached. The line names the tenant as far as the text tells.
    fn log_checkpoint_failure(&self, app: &App<Platform>, error: &worker::Error) -> bool {
        let text = self.text().ok().flatten();
        let is_unreadable = text.as_deref().is_some_and(|text| Run::read(text).is_err());
        let value: serde_json::Value =
            text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let field = |path: &str| value.pointer(path).and_then(serde_json::Value::as_str).map(str::to_owned);
        app.log(
            LogLine::new(Level::Error, "provision_checkpoint_failed")
                .with("error", told(error))
                .with("unreadable", is_unreadable)
                .with("object", self.state.id().to_string())
                .with_some("tenantId", field("/subject/tenant"))
                .with_some("runId", field("/id")),
        );
        is_unreadable
    }

    fn sql(&self) -> Result<SqlStorage> {
        let sql = self.state.storage().sql();
        if !self.has_table.replace(true) {
            sql.exec("create table if not exists checkpoint (id integer primary key check (id = 1), run text not null)", None)?;
        }
        Ok(sql)
    }

    fn load(&self) -> Result<Option<Run>> {
        self.text()?.map(|text| Run::read(&text).map_err(worker::Error::SerdeJsonError)).transpose()
    }

    fn text(&self) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Row {
            run: String,
        }
        let rows: Vec<Row> = self.sql()?.exec("select run from checkpoint", None)?.to_array()?;
        Ok(rows.into_iter().next().map(|row| row.run))
    }

    fn save(&self, run: &Run) -> Result<()> {
        let text = serde_json::to_string(run)?;
        self.sql()?.exec(
            "insert into checkpoint (id, run) values (1, ?) on conflict (id) do update set run = excluded.run",
            vec![text.into()],
        )?;
        Ok(())
    }
}

/// What a run lives in.
struct Tenant<'a> {
    object: &'a Provisioner,
    app: &'a App<Platform>,
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
        self.object.load()
    }

    fn save(&self, run: &Run) -> Result<()> {
        self.object.save(run)
    }

    fn asks_outside(&self, run: &Run, task: Task) -> bool {
        app::steps::asks_outside(self.app, run, task)
    }

    async fn perform(&self, run: &Run, task: Task, found: Found) -> Performed {
        app::steps::perform(&app::run_log::at_work_on(self.app, run, Some(task)), run, task, found).await
    }

    async fn forget(&self) -> Result<()> {
        self.object.delete_everything().await
    }

    async fn permit(&self, run: &Run, task: Task, lists: bool) -> Asked<Found> {
        app::steps::permit(&app::run_log::at_work_on(self.app, run, Some(task)), run, task, lists).await
    }

    async fn project(&self, run: &Run) -> ProjectionResult {
        projection::project(self.app.ports.db(), run, now()).await
    }

    fn log_event(&self, run: &Run, event: RunEvent<'_>) {
        app::run_log::log(self.app, run, event);
    }
}
