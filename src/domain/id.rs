//! Identifiers: a prefix that says what it names, and a UUIDv7 from the platform's random source.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Timestamp, field_errors::InvalidValue, text};

/// Longest identifier accepted from outside. Operators' own test ids (`tenant_123`) are welcome.
const MAX_LEN: usize = 64;

/// A fresh `prefix_uuidv7`: sortable by time, 74 random bits.
fn fresh(prefix: &str, now: Timestamp, random: [u8; 10]) -> String {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
    format!("{prefix}{}", uuid.simple())
}

/// The id of a token or a link: 80 random bits and the time, so that none is ever given twice.
pub fn token_id(now: Timestamp, random: [u8; 10]) -> String {
    fresh("", now, random)
}

fn parse(prefix: &str, text: &str) -> Result<String, InvalidValue> {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    let well_formed = !rest.is_empty()
        && text.len() <= MAX_LEN
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if well_formed {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue::new("invalid_id", format!("This must be an id that starts with `{prefix}`.")))
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(
            not(target_arch = "wasm32"),
            derive(utoipa::ToSchema),
            schema(max_length = 64, pattern = $pattern)
        )]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A fresh id from a moment and ten random bytes.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                Self(fresh($prefix, now, random))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;

            fn try_from(text: String) -> Result<Self, InvalidValue> {
                let text = text::read(&text).map_err(|problem| InvalidValue::new("invalid_id", problem.message))?;
                parse($prefix, &text).map(Self)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidValue;

            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                parse($prefix, text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A tenant: one tenant.
    TenantId,
    "tenant_",
    "^tenant_[A-Za-z0-9_-]+$"
);
id!(
    /// A person who may sign in.
    UserId,
    "user_",
    "^user_[A-Za-z0-9_-]+$"
);
id!(
    /// One provisioning run of one tenant.
    RunId,
    "run_",
    "^run_[A-Za-z0-9_-]+$"
);
id!(
    /// One mail of ours.
    MailId,
    "mail_",
    "^mail_[A-Za-z0-9_-]+$"
);
id!(
    /// One sign-in.
    SessionId,
    "session_",
    "^session_[A-Za-z0-9_-]+$"
);
id!(
    /// One request: in its answer, and on every log line it caused.
    RequestId,
    "req_",
    "^req_[A-Za-z0-9_-]+$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_id_is_prefixed_and_sorts_by_time() {
        let early = TenantId::new(Timestamp::from_millis(1_000), [0xff; 10]);
        let late = TenantId::new(Timestamp::from_millis(2_000), [0; 10]);
        assert!(early.as_str().starts_with("tenant_"), "{early}");
        assert_eq!(early.as_str().len(), "tenant_".len() + 32);
        assert!(early < late);
    }

    #[test]
    fn foreign_text_is_refused() {
        for text in ["", "tenant_", "user_1", "tenant_a b", "tenant_é", "tenant_'--"] {
            assert!(text.parse::<TenantId>().is_err(), "{text:?}");
        }
        assert!(format!("tenant_{}", "a".repeat(60)).parse::<TenantId>().is_err());
        assert_eq!("tenant_123".parse::<TenantId>().unwrap().as_str(), "tenant_123");
    }
}
