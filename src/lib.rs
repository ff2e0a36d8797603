//! Tenantry: tenant signup and provisioning as one Cloudflare Worker.
//!
//! A tenant signs up on a public page. A Durable Object walks it through provisioning, step by step, checkpointed, against
//! external services that fail. Its admins use a mobile app against a JSON API. Operators follow it with `wrangler tail`, a
//! runbook and an operator API.
//!
//! | module | its one job |
//! |---|---|
//! | [`domain`] | every value that has a rule, and its parse |
//! | [`workflow`] | provisioning as values: the transition table, the steps, what to do next |
//! | [`db`] | the narrow waist to a SQL database |
//! | [`store`] | one file per aggregate: its SQL, its rows (some are answered as they are), rows into domain values |
//! | [`ports`] | what the application needs from outside |
//! | [`app`] | use cases that touch more than one store or port |
//! | [`http`] | the API: routes, errors, permissions |
//! | `edge` | the platform, and only here |
//!
//! A module may use those above it in this table; nothing imports `edge`.

pub mod app;
pub mod db;
pub mod domain;
pub mod http;
pub mod ports;
pub mod store;
pub mod workflow;

#[cfg(target_arch = "wasm32")]
mod edge;
