//! What a token says, and how long one of its kind may live.

use serde::{Deserialize, Serialize};

use super::{SessionId, TenantId, Timestamp};

/// A role that a token carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs a tenant.
    TenantAdmin,
    /// Signed the tenant up.
    Owner,
    /// Runs the platform.
    Admin,
    /// An internal service.
    Service,
    /// A role that this service gives no meaning.
    #[serde(other)]
    Other,
}

/// Whom a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A tenant's own people (`JWT_AUDIENCE`).
    Tenant,
    /// The platform's operators.
    PlatformAdmin,
    /// Machines of ours.
    Service,
    /// A link in a mail: good for one exchange, for nothing else.
    MagicLink,
}

/// The audience of operators' tokens.
pub const PLATFORM_ADMIN_AUDIENCE: &str = "syston-admin";
/// The audience of machines' tokens.
pub const SERVICE_AUDIENCE: &str = "internal";
/// The audience of mailed links.
pub const MAGIC_LINK_AUDIENCE: &str = "magic-link";

impl Audience {
    /// Reads the `aud` claim; `tenant_audience` is configuration. Of several, only one may be ours: a token is for one purpose.
    pub fn parse(aud: &AudienceClaim, tenant_audience: &str) -> Option<Self> {
        let mut ours = aud.names().iter().filter_map(|name| Self::named(name, tenant_audience));
        let first = ours.next()?;
        ours.all(|other| other == first).then_some(first)
    }

    fn named(name: &str, tenant_audience: &str) -> Option<Self> {
        match name {
            PLATFORM_ADMIN_AUDIENCE => Some(Self::PlatformAdmin),
            SERVICE_AUDIENCE => Some(Self::Service),
            MAGIC_LINK_AUDIENCE => Some(Self::MagicLink),
            other if other == tenant_audience => Some(Self::Tenant),
            _ => None,
        }
    }

    /// The longest life a token of this audience may have, in seconds; `None` where any is accepted.
    pub const fn max_ttl(self) -> Option<i64> {
        match self {
            Self::Tenant => None,
            Self::PlatformAdmin => Some(7 * 24 * 3600),
            Self::Service => Some(5 * 60),
            Self::MagicLink => Some(24 * 3600),
        }
    }

    /// How far clocks may differ, in seconds.
    pub const fn skew(self) -> i64 {
        match self {
            Self::Service => 10,
            Self::Tenant | Self::PlatformAdmin | Self::MagicLink => 300,
        }
    }
}

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who.
    pub sub: Option<String>,
    /// Whom it is for, as written; of several names, all.
    pub aud: String,
    /// Whom it is for, as understood; `None` for a foreign audience.
    pub audience: Option<Audience>,
    /// Who issued it.
    pub iss: String,
    /// What its holder may do.
    pub roles: Vec<Role>,
    /// Roles as written: what whoami and the log show.
    pub role_names: Vec<String>,
    /// The tenant it belongs to.
    pub tenant: Option<TenantId>,
    /// Its own id, by which it can be revoked.
    pub jti: Option<String>,
    /// The sign-in that it came of, where that is written down.
    pub session: Option<SessionId>,
    /// When it was issued, Unix seconds.
    pub iat: Option<i64>,
    /// When it ends, Unix seconds.
    pub exp: i64,
    /// Whether it was issued before its tenant's address was proven: see [`Permission`](super::Permission).
    pub unproven: bool,
}

impl Claims {
    /// Whether its holder has `role`.
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// When it was issued; a token that doesn't say counts as issued at the beginning of time, so that every
    /// cut-off refuses it.
    pub fn issued_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.iat.unwrap_or(0))
    }
}

/// A moment as tokens have it: Unix seconds, fractions of them allowed. Kept as milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "serde_json::Number")]
pub struct NumericDate(i64);

impl NumericDate {
    /// The second that it is in.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Unix milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }
}

impl TryFrom<serde_json::Number> for NumericDate {
    type Error = &'static str;

    fn try_from(number: serde_json::Number) -> Result<Self, Self::Error> {
        if let Some(seconds) = number.as_i64() {
            return Ok(Self(seconds.saturating_mul(1000)));
        }
        // Beyond 2^53 there are no exact numbers any more.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let millis = number.as_f64().map(|seconds| (seconds * 1000.0).round());
        let millis = millis.filter(|millis| millis.abs() <= EXACT).ok_or("no moment")?;
        format!("{millis:.0}").parse().map(Self).map_err(|_| "no moment")
    }
}

/// The `aud` claim: one name, or a list of names (RFC 7519).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AudienceClaim {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl AudienceClaim {
    /// The names.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl Default for AudienceClaim {
    fn default() -> Self {
        Self::One(String::new())
    }
}

/// Lenient about names only: `roles` array or `role` string; `tenantId`, `tenant_id` or `tenant`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WireClaims {
    /// `sub`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// `iss`
    #[serde(default)]
    pub iss: String,
    /// `aud`
    #[serde(default)]
    pub aud: AudienceClaim,
    /// `roles`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// `role`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// `tenantId`
    #[serde(
        default,
        rename = "tenantId",
        alias = "tenant_id",
        alias = "tenant",
        skip_serializing_if = "Option::is_none"
    )]
    pub tenant_id: Option<String>,
    /// `jti`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// `unproven`: there, and true, as long as the tenant's address is not proven.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproven: bool,
    /// `sid`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

/// The roles that the service gives a meaning, from their names.
pub fn roles(names: &[String]) -> Vec<Role> {
    names
        .iter()
        .map(|name| match name.as_str() {
            "tenant_admin" => Role::TenantAdmin,
            "owner" => Role::Owner,
            "admin" => Role::Admin,
            "service" => Role::Service,
            _ => Role::Other,
        })
        .collect()
}
