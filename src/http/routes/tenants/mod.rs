//! What a tenant asks about itself: `/api/v1/tenants/…`.

pub mod deliveries;
pub mod email_changes;
pub mod events;
pub mod invitations;
pub mod mails;
pub mod members;
pub mod memberships;
pub mod overview;
pub mod ownership;
pub mod profile;
pub mod provisioning;
pub mod sessions;
pub mod webhooks;
