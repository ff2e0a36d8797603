//! A folder for each part of a path, a file for each route.

mod api;
mod auth;
mod health;
mod internal;
mod metrics;
mod public;
mod whoami;
