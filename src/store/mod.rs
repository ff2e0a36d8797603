//! One file per aggregate: its SQL, its rows, and rows into domain values.
//!
//! Every function of a tenant's data takes the tenant first. Races are decided by constraints and guarded statements;
//! nothing here looks and then writes.

pub mod access;
pub mod admin_tenants;
pub mod audit;
pub mod comparisons;
pub mod deliveries;
pub mod event_feed;
pub mod events;
pub mod flags;
pub mod health;
pub mod idempotency_keys;
pub mod lapse;
pub mod magic_links;
pub mod mails;
pub mod metrics;
pub mod names;
pub mod new_tenants;
pub mod notices;
pub mod overdue;
pub mod platform_webhook;
pub mod profile;
pub mod promos;
pub mod proof;
pub mod recovery;
pub mod request_metrics;
pub mod retries;
pub mod rollups;
pub mod runs;
pub mod sagas;
pub mod sessions;
pub mod signups;
pub mod sweep;
pub mod tenants;
pub mod tokens;
pub mod undo;
pub mod vouching;
pub mod webhooks;
