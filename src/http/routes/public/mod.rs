//! What anybody may ask: `/public/…`.

pub mod email;
pub mod form;
pub mod signups;
pub mod widget;
