//! Plans, and the states of a tenant.

use serde::{Deserialize, Serialize};

use super::{field_errors::InvalidValue, words};

/// What a tenant signed up for; it decides which steps provision it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr,
)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "snake_case")]
pub enum Plan {
    /// The tenant brings its own Make scenario.
    Starter,
    /// The service runs the automation in a spreadsheet of the tenant's own.
    Pro,
}

impl Plan {
    /// The plan as stored and answered.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The plan with this word.
    pub fn named(word: &str) -> Option<Self> {
        word.parse().ok()
    }
}

impl TryFrom<String> for Plan {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::named(&text).ok_or_else(|| InvalidValue::new("invalid_plan", "Choose \"starter\" or \"pro\"."))
    }
}

words! {
    /// Where a tenant stands.
    TenantStatus {
        /// Signed up, not provisioned yet.
        Trial = "trial",
        /// Provisioned.
        Active = "active",
        /// Stopped by an operator: its tokens do nothing.
        Suspended = "suspended",
        /// Gone: its tokens do nothing.
        Cancelled = "cancelled",
    }
}

impl TenantStatus {
    /// Whether a token of this tenant may do anything.
    pub const fn is_enabled(self) -> bool {
        matches!(self, Self::Trial | Self::Active)
    }
}

impl TryFrom<String> for TenantStatus {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::named(&text).ok_or_else(|| {
            InvalidValue::new("invalid_status", "Choose \"trial\", \"active\" or \"suspended\".")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_stored_under_the_word_that_is_answered() {
        for status in
            [TenantStatus::Trial, TenantStatus::Active, TenantStatus::Suspended, TenantStatus::Cancelled]
        {
            assert_eq!(serde_json::to_string(&status).unwrap(), format!("\"{}\"", status.as_str()));
        }
    }
}
