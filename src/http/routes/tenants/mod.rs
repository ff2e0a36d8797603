//! What a tenant asks about itself: `/api/v1/tenants/…`.

pub mod deliveries;
pub mod events;
pub mod mails;
pub mod overview;
pub mod profile;
pub mod provisioning;
pub mod sessions;
pub mod webhooks;
