//! The Durable Object that is the breaker of one upstream: a shell around [`breaker`].
//!
//! A row for the breaker, a row for those who wait, and an alarm that tells them to go on. It never throws: the platform would
//! drop it after six failures. Everything else that time brings about is seen when somebody asks.
//!
//! One object of this class, under a name of its own, is no breaker but the [`witness`]: it is such a row around a pure
//! function, too. A class of its own would need a Durable Object migration, across which nothing can be rolled back. It has
//! no use for the alarm, checkpoint and commands of a tenant's object.

use std::{cell::Cell, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worker::{DurableObject, Env, Request, Response, Result, SqlStorage, State, durable_object};

use crate::{
    app::{self, App},
    domain::{TenantId, Timestamp, Upstream},
    ports::{Level, LogLine},
    workflow::{
        breaker::{self, Breaker, Effects, Waiting, limits, rings_at},
        witness,
    },
};

use super::platform::{Platform, now};

/// The platform may drop an alarm that is due at once.
const SOON: Duration = Duration::from_millis(10);
/// One that is so late was lost.
const LATE: Duration = Duration::from_secs(60);

#[durable_object(alarm)]
pub struct CircuitBreaker {
    state: State,
    env: Env,
    has_tables: Cell<bool>,
}

/// Those who wait, and for whom: an alarm has nobody who tells it.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    upstream: Upstream,
    waiting: Waiting,
}

impl DurableObject for CircuitBreaker {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, has_tables: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let text = request.text().await?;
        if let Ok(command) = serde_json::from_str(&text) {
            return Response::from_json(&self.witness(&command)?);
        }
        match serde_json::from_str(&text) {
            Ok(command) => {
                let app = self.app();
                let effects = self.handle(&app, &command)?;
                if !effects.waiting.is_empty() {
                    self.arm(&app).await;
                }
                Response::from_json(&effects.reply)
            }
            Err(error) => Response::error(format!("unknown command: {error}"), 400),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        let app = self.app();
        match self.wake(&app) {
            Ok(Some((upstream, tenants))) => {
                // Armed before anything is awaited: whatever becomes of this one, the next one rings.
                self.arm(&app).await;
                if !tenants.is_empty() {
                    app::breakers::go_on(&app, upstream, &tenants).await;
                }
            }
            Ok(None) => {}
            Err(error) => failed(&app, &error),
        }
        Response::empty()
    }
}

fn failed(app: &App<Platform>, error: &worker::Error) {
    app.log(LogLine::new(Level::Error, "circuit_alarm_failed").with("error", error.to_string()));
}

impl CircuitBreaker {
    fn app(&self) -> App<Platform> {
        let platform = Platform::of(&self.env, None);
        let settings = platform.settings();
        App::new(platform, settings)
    }

    /// Nothing waits between reading and writing: no two commands meet here. What is as it was is not written.
    fn handle(&self, app: &App<Platform>, command: &breaker::Request) -> Result<Effects> {
        let known: Breaker = self.load("breaker", "state")?.unwrap_or_default();
        let waiting = self.line()?.map(|line| line.waiting).unwrap_or_default();
        let limits = limits(command.upstream, app.config().budgets);
        let effects = breaker::handle(&known, &waiting, command, &limits, now());
        if effects.reply.breaker != known {
            self.save("breaker", "state", &effects.reply.breaker)?;
        }
        if effects.waiting != waiting {
            let waiting = effects.waiting.clone();
            self.save("waiting", "line", &Line { upstream: command.upstream, waiting })?;
        }
        Ok(effects)
    }

    /// Takes out whom to tell now.
    fn wake(&self, app: &App<Platform>) -> Result<Option<(Upstream, Vec<TenantId>)>> {
        let Some(Line { upstream, waiting }) = self.line()? else { return Ok(None) };
        let known = self.load("breaker", "state")?.unwrap_or_default();
        let woken = breaker::wake(&known, &waiting, &limits(upstream, app.config().budgets), now());
        if woken.waiting != waiting {
            self.save("waiting", "line", &Line { upstream, waiting: woken.waiting })?;
        }
        Ok(Some((upstream, woken.tenants)))
    }

    /// Sets the alarm for those who wait. Without one they come by their own clocks.
    async fn arm(&self, app: &App<Platform>) {
        if let Err(error) = self.try_to_arm(app).await {
            failed(app, &error);
        }
    }

    async fn try_to_arm(&self, app: &App<Platform>) -> Result<()> {
        let Some(Line { upstream, waiting }) = self.line()? else { return Ok(()) };
        let known: Breaker = self.load("breaker", "state")?.unwrap_or_default();
        let limits = limits(upstream, app.config().budgets);
        let now = now();
        let Some(at) = rings_at(&known, &waiting, &limits, now) else { return Ok(()) };
        let is_set = match self.state.storage().get_alarm().await? {
            Some(set) => {
                let set = Timestamp::from_millis(set);
                set <= at && now.since(set) < LATE
            }
            None => false,
        };
        if is_set { Ok(()) } else { self.state.storage().set_alarm(at.since(now).max(SOON)).await }
    }

    fn line(&self) -> Result<Option<Line>> {
        self.load("waiting", "line")
    }

    fn witness(&self, command: &witness::Command) -> Result<witness::Reply> {
        let before: Option<witness::SeenDatabase> = self.load("breaker", "state")?;
        let (known, verdict) = witness::handle(before.as_ref(), command);
        if let Some(known) = known.filter(|known| Some(known) != before.as_ref()) {
            self.save("breaker", "state", &known)?;
        }
        Ok(verdict)
    }

    fn sql(&self) -> Result<SqlStorage> {
        let sql = self.state.storage().sql();
        if !self.has_tables.replace(true) {
            sql.exec("create table if not exists breaker (id integer primary key check (id = 1), state text not null)", None)?;
            sql.exec("create table if not exists waiting (id integer primary key check (id = 1), line text not null)", None)?;
        }
        Ok(sql)
    }

    /// What can't be read begins anew: a breaker is a help, and must not become the outage.
    fn load<T: DeserializeOwned>(&self, table: &str, column: &str) -> Result<Option<T>> {
        #[derive(Deserialize)]
        struct Row {
            text: String,
        }
        let select = format!("select {column} as text from {table}");
        let rows: Vec<Row> = self.sql()?.exec(&select, None)?.to_array()?;
        Ok(rows.first().and_then(|row| serde_json::from_str(&row.text).ok()))
    }

    fn save<T: Serialize>(&self, table: &str, column: &str, value: &T) -> Result<()> {
        let text = serde_json::to_string(value)?;
        let upsert = format!(
            "insert into {table} (id, {column}) values (1, ?) on conflict (id) do update set {column} = excluded.{column}"
        );
        self.sql()?.exec(&upsert, vec![text.into()])?;
        Ok(())
    }
}
