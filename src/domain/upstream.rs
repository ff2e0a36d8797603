//! The other sides that provisioning depends on.

use serde::{Deserialize, Serialize};

/// One of the other sides, as far as it fails as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Upstream {
    /// Make, behind the clubs' webhooks.
    Make,
    /// The Apps Script web app that makes spreadsheets.
    AppsScript,
    /// Google's own APIs.
    Google,
    /// Resend, which sends mail.
    Resend,
    /// Cloudflare's API.
    Cloudflare,
}

impl Upstream {
    /// Every one there is.
    pub const ALL: [Self; 5] = [Self::Make, Self::AppsScript, Self::Google, Self::Resend, Self::Cloudflare];

    /// The word as stored, answered and logged.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::AppsScript => "apps_script",
            Self::Google => "google",
            Self::Resend => "resend",
            Self::Cloudflare => "cloudflare",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|upstream| upstream.as_str() == word)
    }
}
