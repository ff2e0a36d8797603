//! The routes, one file for one subject, in folders as the addresses are.

pub mod admin;
pub mod auth;
pub mod bgops;
pub mod health;
pub mod internal;
pub mod metrics;
pub mod public;
pub mod tenants;
pub mod whoami;
