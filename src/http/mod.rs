//! The API: what is asked by HTTP, by whom it may be, and how it is answered.
//!
//! A file per resource; each reads in the same order: handlers, then what they answer with. Errors become responses in
//! [`error`] and nowhere else; permissions are extractors in [`auth`].

pub mod answer;
pub mod audit;
pub mod auth;
pub mod bgops;
pub mod body;
pub mod club_list;
pub mod context;
pub mod cors;
pub mod deliveries;
pub mod error;
pub mod events;
pub mod exposition;
pub mod form;
pub mod health;
pub mod idempotency;
pub mod links;
pub mod lost;
pub mod mails;
pub mod metrics;
pub mod page;
pub mod pausing;
pub mod profile;
pub mod promos;
pub mod provisioning;
pub mod register;
pub mod retries;
pub mod router;
pub mod same_origin;
pub mod service;
pub mod signup;
pub mod stats;
pub mod tokens;
pub mod upstreams;
pub mod webhook;
pub mod whoami;
pub mod widget;

pub use router::router;
pub use service::serve;
