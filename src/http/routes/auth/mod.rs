//! Signing in: `/auth/…`.

pub mod magic_links;
pub mod proof;
