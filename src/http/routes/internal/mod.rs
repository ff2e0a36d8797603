//! What our other services ask for: `/internal/…`.

pub mod provisioning;
