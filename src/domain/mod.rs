//! Every value that has a rule, and its parse.
//!
//! A value of one of these types was checked when it came in, by `TryFrom` or `FromStr`; nothing downstream checks it again. What is
//! stored is read as it is, whatever rule came later: `Deserialize` is for our own rows, checkpoints and commands.

pub mod access;
pub mod brand;
pub mod browser;
pub mod claims;
pub mod client;
pub mod config;
pub mod email;
pub mod field_errors;
pub mod id;
pub mod jwt_secret;
pub mod language;
pub mod legal;
pub mod origins;
pub mod pages;
pub mod plan;
pub mod platform_webhook;
pub mod problems;
pub mod promos;
pub mod proof;
pub mod provisioning;
pub mod request_metrics;
pub mod secret;
pub mod slug;
pub mod standard;
pub mod step;
pub mod tenant_name;
pub mod text;
pub mod time;
pub mod token_id;
pub mod upstream;
pub mod webhook;
pub mod webhook_secret;
pub mod word;

pub use access::{Denial, Permission};
pub use brand::HexColor;
pub use browser::Browser;
pub use claims::{Audience, Claims, Role};
pub use client::Client;
pub use config::Config;
pub use email::Email;
pub use field_errors::{FieldError, FieldErrors};
pub use id::{MailId, RequestId, RunId, SessionId, TenantId, UserId};
pub use language::Language;
pub use legal::LegalLinks;
pub use plan::{Plan, TenantStatus};
pub use platform_webhook::PlatformWebhook;
pub use promos::PromoCode;
pub use proof::ProofCode;
pub use provisioning::{RunStatus, StepStatus, Task, UndoStatus};
pub use request_metrics::{FlushDecision, RequestCounter, RequestKey};
pub use secret::Secret;
pub use slug::Slug;
pub use standard::Address;
pub use step::Step;
pub use tenant_name::TenantName;
pub use time::{Time, Timestamp};
pub use upstream::Upstream;
pub use webhook::WebhookUrl;
pub use webhook_secret::WebhookSecret;
pub use word::Word;
pub(crate) use word::words;
