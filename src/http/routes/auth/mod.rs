//! Signing in: `/auth/…`.

pub mod logout;
pub mod magic_links;
pub mod proof;
