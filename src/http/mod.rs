//! The API: what is asked by HTTP, by whom it may be, and how it is answered.
//!
//! A file per resource; each reads in the same order: handlers, then what they answer with. Errors become responses in
//! [`error`] and nowhere else; permissions are extractors in [`auth`].

pub mod answer;
pub mod auth;
pub mod body;
pub mod context;
pub mod cors;
pub mod error;
pub mod exposition;
pub mod idempotency;
pub mod lost;
pub mod page;
pub mod router;
pub mod routes;
pub mod same_origin;
pub mod service;
pub mod session_cookie;
pub mod trace;
pub mod well_known;

pub use router::router;
pub use service::serve;
