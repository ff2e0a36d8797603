//! The Durable Object that provisions one tenant: a shell around [`advance`].
//!
//! One checkpoint row, one alarm. Requests only start and report; only the alarm advances, and it never throws: the
//! platform would drop it after six failures.

use std::{cell::Cell, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use worker::{DurableObject, Env, Request, Response, Result, SqlStorage, State, durable_object};

use crate::{
    app::App,
    domain::{RunId, Task, Timestamp, Upstream},
    ports::{Level, LogLine, Ports},
    store,
    workflow::{Command, Fresh, Outcome, Reply, Ring, Run, Wake, World, advance, advance::Moment, obey},
};

use super::platform::{Platform, now};

/// When to look again after a checkpoint could not be read or written.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

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
            Ok(command) => Response::from_json(&self.obey(command).await?),
            Err(error) => Response::error(format!("unknown command: {error}"), 400),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        let app = self.app();
        let world = Tenant { object: self, app: &app };
        let wake = match advance(&world).await {
            Ok(wake) => wake,
            Err(error) => {
                app.log(
                    LogLine::new(Level::Error, "provision_checkpoint_failed")
                        .with("error", error.to_string()),
                );
                Wake::At(now().after(AFTER_FAILURE))
            }
        };
        if let Wake::At(moment) = wake
            && let Err(error) = self.arm(moment).await
        {
            app.ports
                .log(LogLine::new(Level::Error, "provision_alarm_failed").with("error", error.to_string()));
        }
        if wake == Wake::Never
            && let Ok(Some(run)) = self.load()
        {
            // The run is over, and its event and its mail wait. The alarm doesn't: it must be free for the next round.
            app.deliver_all_later(&run.subject.tenant);
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

    async fn obey(&self, command: Command) -> Result<Reply> {
        let (now, platform) = (now(), Platform::of(&self.env, None));
        let fresh = Fresh {
            run: RunId::new(now, platform.random()),
            link_id: URL_SAFE_NO_PAD.encode(platform.random::<32>()),
        };
        let mails_wait = matches!(command, Command::GoOn { upstream: Upstream::Resend });
        let obeyed = obey(self.load()?, command, fresh, now);
        if let Some(run) = &obeyed.save {
            self.save(run)?;
        }
        let ring = match obeyed.ring {
            Ring::AsSet => false,
            Ring::IfUnset => self.state.storage().get_alarm().await?.is_none(),
            Ring::Now => true,
        };
        if ring {
            self.arm(now).await?;
        }
        if mails_wait && let Some(run) = self.load()? {
            // It is not the run that waits, but its club's mails.
            self.app().deliver_mails_later(&run.subject.tenant);
        }
        Ok(obeyed.reply)
    }

    /// `set_alarm` takes an offset.
    async fn arm(&self, moment: Timestamp) -> Result<()> {
        self.state.storage().set_alarm(moment.since(now())).await
    }

    fn sql(&self) -> Result<SqlStorage> {
        let sql = self.state.storage().sql();
        if !self.has_table.replace(true) {
            sql.exec("create table if not exists checkpoint (id integer primary key check (id = 1), run text not null)", None)?;
        }
        Ok(sql)
    }

    fn load(&self) -> Result<Option<Run>> {
        #[derive(Deserialize)]
        struct Row {
            run: String,
        }
        let rows: Vec<Row> = self.sql()?.exec("select run from checkpoint", None)?.to_array()?;
        rows.first()
            .map(|row| serde_json::from_str(&row.run).map_err(worker::Error::SerdeJsonError))
            .transpose()
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

impl World for Tenant<'_> {
    type Error = worker::Error;

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

    async fn perform(&self, run: &Run, task: Task) -> Outcome {
        self.app.at_work_on(run, Some(task)).perform(run, task).await
    }

    async fn list(&self, run: &Run) -> bool {
        store::runs::list(self.app.ports.db(), run, now()).await.is_ok()
    }

    fn tell(&self, run: &Run, moment: Moment<'_>) {
        self.app.tell_moment(run, moment);
    }
}
