//! What operators ask about tenants: `/api/v1/admin/…`.

pub mod admin_tenants;
pub mod audit;
pub mod event_feed;
pub mod new_tenants;
pub mod platform_webhook;
pub mod promo_changes;
pub mod promos;
pub mod stats;
pub mod tenant_list;
pub mod tokens;
