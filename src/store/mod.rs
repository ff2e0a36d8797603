//! One file per aggregate: its SQL, its rows, and rows into domain values.
//!
//! Every function of a tenant's data takes the tenant first. Races are decided by constraints and guarded statements;
//! nothing here looks and then writes.

pub mod access;
pub mod audit;
pub mod comparisons;
pub mod connections;
pub mod deliveries;
pub mod events;
pub mod flags;
pub mod health;
pub mod keys;
pub mod links;
pub mod mails;
pub mod metrics;
pub mod names;
pub mod overdue;
pub mod profile;
pub mod promos;
pub mod recovery;
pub mod register;
pub mod requests;
pub mod retries;
pub mod rollups;
pub mod runs;
pub mod sagas;
pub mod signups;
pub mod sweep;
pub mod tenants;
pub mod tokens;
pub mod undo;
