//! Signing in: `/auth/…`.

pub mod magic_links;
