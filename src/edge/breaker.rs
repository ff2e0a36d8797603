//! The Durable Object that is the breaker of one other side: a shell around [`breaker`].
//!
//! One row, no alarm: what time brings about is seen when somebody asks.
//!
//! One object of this class, under a name of its own, is no breaker but the [`witness`]: it is such a row around a pure function,
//! too. A class of its own would need a Durable Object migration, across which nothing can be rolled back; a tenant's object has an
//! alarm, a checkpoint and commands that it has no use for.

use std::cell::Cell;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use worker::{DurableObject, Env, Request, Response, Result, SqlStorage, State, durable_object};

use crate::workflow::{
    breaker::{self, Breaker},
    witness,
};

use super::platform::now;

#[durable_object(fetch)]
pub struct CircuitBreaker {
    state: State,
    has_table: Cell<bool>,
}

impl DurableObject for CircuitBreaker {
    fn new(state: State, _: Env) -> Self {
        Self { state, has_table: Cell::new(false) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let text = request.text().await?;
        if let Ok(command) = serde_json::from_str(&text) {
            return Response::from_json(&self.witness(&command)?);
        }
        match serde_json::from_str(&text) {
            Ok(command) => Response::from_json(&self.obey(&command)?),
            Err(error) => Response::error(format!("unknown command: {error}"), 400),
        }
    }
}

impl CircuitBreaker {
    /// Nothing waits between reading and writing: no two commands meet here. A breaker that is as it was is not written.
    fn obey(&self, command: &breaker::Command) -> Result<breaker::Reply> {
        let known: Breaker = self.load()?.unwrap_or_default();
        let reply = breaker::obey(&known, command, now());
        if reply.breaker != known {
            self.save(&reply.breaker)?;
        }
        Ok(reply)
    }

    fn witness(&self, command: &witness::Command) -> Result<witness::Verdict> {
        let before: Option<witness::Known> = self.load()?;
        let (known, verdict) = witness::obey(before.as_ref(), command);
        if let Some(known) = known.filter(|known| Some(known) != before.as_ref()) {
            self.save(&known)?;
        }
        Ok(verdict)
    }

    fn sql(&self) -> Result<SqlStorage> {
        let sql = self.state.storage().sql();
        if !self.has_table.replace(true) {
            sql.exec("create table if not exists breaker (id integer primary key check (id = 1), state text not null)", None)?;
        }
        Ok(sql)
    }

    /// What can't be read begins anew: a breaker is a help, and must not become the outage.
    fn load<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        #[derive(Deserialize)]
        struct Row {
            state: String,
        }
        let rows: Vec<Row> = self.sql()?.exec("select state from breaker", None)?.to_array()?;
        Ok(rows.first().and_then(|row| serde_json::from_str(&row.state).ok()))
    }

    fn save(&self, state: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(state)?;
        self.sql()?.exec(
            "insert into breaker (id, state) values (1, ?) on conflict (id) do update set state = excluded.state",
            vec![text.into()],
        )?;
        Ok(())
    }
}
