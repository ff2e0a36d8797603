//! What anybody may ask: `/public/…`.

pub mod email;
pub mod form;
pub mod pages;
pub mod signups;
pub mod widget;
