//! What anybody may ask: `/public/…`.

pub mod email;
pub mod email_changes;
pub mod form;
pub mod invitations;
pub mod pages;
pub mod signups;
pub mod widget;
