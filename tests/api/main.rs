//! The application on the host: routes, store and workflow against real SQLite and the real migrations, with everything
//! outside played.
//!
//! `support` holds the stage and its people. `routes` sits where the URLs say; the rest is about what every route, every
//! statement or every step has in common.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that is wrong shall stop right there, in its helpers too"
)]

mod conventions;
mod deliveries;
mod dependencies;
mod documents;
mod every_route;
mod layers;
mod lessons;
mod lost;
mod mails;
mod openapi;
mod plans;
mod platform_webhook;
mod promo_uses;
mod proof;
mod recovery;
mod restored;
mod restores;
mod rollups;
mod rotation;
mod routes;
mod run_admission;
mod scale;
mod sessions;
mod simulation;
mod standards;
mod stopped;
mod support;
mod suspension;
mod sweep;
mod tomorrow;
mod too_late;
mod unreadable;
mod words;
mod workflow;
mod yesterday;
