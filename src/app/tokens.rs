//! Tokens: HS256 JWS, issued and verified.
//!
//! `jwt-compact` checks the algorithm and the signature; everything else a token must satisfy is checked here.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jwt_compact::{
    AlgorithmExt, Claims as Compact, Header, UntrustedToken,
    alg::{Hs256, Hs256Key},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{
    Audience, Claims, Config, Secret, SessionId, TenantId, Timestamp, UserId,
    claims::{AudienceClaim, MAGIC_LINK_AUDIENCE, NumericDate, WireClaims, roles},
    jwt_secret, token_id,
};

/// A longer token is refused before it is parsed.
pub const LONGEST_TOKEN: usize = 8 * 1024;
/// How long the token of a signup lives.
pub const SIGNUP_TOKEN_SECONDS: i64 = 365 * 24 * 3600;
/// How long the token of a signup lives whose address is not proven.
pub const UNPROVEN_TOKEN_SECONDS: i64 = 24 * 3600;

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of ours: not well formed, not signed by a key of ours, from another issuer.
    #[error("invalid")]
    Invalid,
    /// It was one.
    #[error("expired")]
    Expired,
}

/// Nothing can be signed: there is no secret that is long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no JWT_SECRET of at least 32 bytes")]
pub struct NoSigningKey;

struct Key {
    id: String,
    hs256: Hs256Key,
}

impl Key {
    /// The key that a secret is; none when it is too short, or can't be decoded.
    fn of(secret: &Secret) -> Option<Self> {
        let bytes = jwt_secret::key(secret).ok()?;
        let hash = Sha256::new().chain_update(b"kid:").chain_update(&bytes).finalize();
        let id = URL_SAFE_NO_PAD.encode(hash.get(..6).unwrap_or_default());
        Some(Self { id, hs256: Hs256Key::new(&bytes) })
    }
}

/// A key, and what it vouches for.
struct Verifying {
    key: Key,
    /// For tenants' tokens only that were issued before this, Unix seconds; for any where there is none.
    only_before: Option<i64>,
}

impl Verifying {
    /// Whether the key vouches for a token that says this. A key that a rotation replaced keeps the tokens alive that
    /// tenants hold, and mints nothing new: whoever has it by now can't make a token that outlives those.
    fn covers(&self, audience: Option<Audience>, times: &Times) -> bool {
        let Some(rotated_at) = self.only_before else { return true };
        let is_tenants = matches!(audience, Some(Audience::Tenant | Audience::MagicLink));
        is_tenants
            && times.iat.is_some_and(|iat| iat.seconds() < rotated_at)
            && times.exp.seconds() <= rotated_at.saturating_add(SIGNUP_TOKEN_SECONDS)
    }
}

/// The keys: one signs, all verify, each what it vouches for.
pub struct Keys {
    signing: Option<Key>,
    verifying: Vec<Verifying>,
    issuer: String,
    tenant_audience: String,
    not_before: i64,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// What may stand in a header besides the usual; `crit` names extensions that must be understood, and none is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Extra {
    #[serde(default, skip_serializing, deserialize_with = "present")]
    crit: bool,
}

/// Whatever it is, it is there: `null`, too.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// The times of a token. Tokens of ours have no fractions, and others may.
#[derive(Deserialize)]
struct Times {
    exp: NumericDate,
    iat: Option<NumericDate>,
    nbf: Option<NumericDate>,
}

impl Times {
    fn read(token: &str) -> Result<Self, TokenError> {
        let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        serde_json::from_slice(&payload.unwrap_or_default()).map_err(|_| TokenError::Invalid)
    }
}

/// What is written into a token of ours: `exp` and `iat` as the standard has them, whole seconds.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    wire: &'a WireClaims,
    iat: i64,
    exp: i64,
}

impl Keys {
    /// The keys of a configuration. A secret that is too short makes none.
    pub fn of(config: &Config) -> Self {
        let current = [&config.jwt_secret, &config.jwt_secret_next].into_iter().flatten();
        let current = current.map(|secret| (secret, None));
        let previous = config.jwt_secrets_previous.iter().filter_map(|previous| {
            previous.rotated_at.map(|rotated_at| (&previous.secret, Some(rotated_at)))
        });
        let verifying = current
            .chain(previous)
            .filter_map(|(secret, only_before)| Key::of(secret).map(|key| Verifying { key, only_before }));
        Self {
            signing: config.jwt_secret.as_ref().and_then(Key::of),
            verifying: verifying.collect(),
            issuer: config.jwt_issuer.clone(),
            tenant_audience: config.jwt_audience.clone(),
            not_before: config.jwt_not_before,
        }
    }

    /// Whether anything can be signed.
    pub fn can_sign(&self) -> Result<(), NoSigningKey> {
        self.signing.as_ref().map(|_| ()).ok_or(NoSigningKey)
    }

    /// A token for an admin of `tenant`; one without a `ttl` is for a signup whose address is not proven.
    pub fn tenant_token(
        &self,
        tenant: &TenantId,
        user: &UserId,
        ttl: Option<i64>,
        now: Timestamp,
        jti: &str,
    ) -> Result<String, NoSigningKey> {
        let wire = self.admin(tenant, user.as_str(), jti.to_owned());
        self.sign(&WireClaims { unproven: ttl.is_none(), ..wire }, now, ttl.unwrap_or(UNPROVEN_TOKEN_SECONDS))
    }

    /// What a token for an admin of `tenant` says.
    fn admin(&self, tenant: &TenantId, user: &str, jti: String) -> WireClaims {
        WireClaims {
            sub: Some(user.to_owned()),
            iss: self.issuer.clone(),
            aud: AudienceClaim::One(self.tenant_audience.clone()),
            roles: vec!["tenant_admin".to_owned(), "owner".to_owned()],
            tenant_id: Some(tenant.as_str().to_owned()),
            jti: Some(jti),
            ..WireClaims::default()
        }
    }

    /// The token of a sign-in. One that is renewed says what it said before, but for its end: what cuts off or revokes the one does
    /// so with the other.
    pub fn session_token(
        &self,
        tenant: &TenantId,
        user: &str,
        session: &SessionId,
        issued_at: Timestamp,
        ttl: i64,
    ) -> Result<String, NoSigningKey> {
        let jti = token_id::of_session(tenant, session);
        let sid = Some(session.as_str().to_owned());
        self.sign(&WireClaims { sid, ..self.admin(tenant, user, jti) }, issued_at, ttl)
    }

    /// The token of a mailed link: the same for the same arguments, so that a mail can be sent again to the byte.
    pub fn link_token(
        &self,
        tenant: &TenantId,
        issued_at: Timestamp,
        ttl: i64,
        jti: &str,
    ) -> Result<String, NoSigningKey> {
        let wire = WireClaims {
            iss: self.issuer.clone(),
            aud: AudienceClaim::One(MAGIC_LINK_AUDIENCE.to_owned()),
            tenant_id: Some(tenant.as_str().to_owned()),
            jti: Some(jti.to_owned()),
            ..WireClaims::default()
        };
        self.sign(&wire, issued_at, ttl)
    }

    fn sign(&self, wire: &WireClaims, now: Timestamp, ttl: i64) -> Result<String, NoSigningKey> {
        let key = self.signing.as_ref().ok_or(NoSigningKey)?;
        let header = Header::empty().with_token_type("JWT").with_key_id(key.id.clone());
        let iat = now.seconds();
        let claims = Compact::new(Written { wire, iat, exp: iat + ttl });
        // Signing fails only if the claims can't be written as JSON, and these can.
        Hs256.token(&header, &claims, &key.hs256).map_err(|_| NoSigningKey)
    }

    /// Reads and checks a token.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > LONGEST_TOKEN || !is_canonical(token) {
            return Err(TokenError::Invalid);
        }
        let untrusted = UntrustedToken::<Extra>::try_from(token).map_err(|_| TokenError::Invalid)?;
        if untrusted.algorithm() != "HS256" || untrusted.header().other_fields.crit {
            return Err(TokenError::Invalid);
        }
        let times = Times::read(token)?;
        let wire = self.check_signature(&untrusted, &times)?;
        self.check_claims(&wire, &times, now)
    }

    /// A `kid` picks the key; without one, or with a foreign one, every key is tried.
    fn check_signature(
        &self,
        untrusted: &UntrustedToken<'_, Extra>,
        times: &Times,
    ) -> Result<WireClaims, TokenError> {
        let kid = untrusted.header().key_id.as_deref();
        let (named, others): (Vec<_>, Vec<_>) =
            self.verifying.iter().partition(|verifying| kid == Some(&*verifying.key.id));
        let signed = |verifying: &&Verifying| {
            let token = Hs256.validator::<WireClaims>(&verifying.key.hs256).validate(untrusted).ok()?;
            let wire = token.claims().custom.clone();
            let audience = Audience::parse(&wire.aud, &self.tenant_audience);
            verifying.covers(audience, times).then_some(wire)
        };
        named.iter().chain(&others).find_map(signed).ok_or(TokenError::Invalid)
    }

    fn check_claims(&self, wire: &WireClaims, times: &Times, now: Timestamp) -> Result<Claims, TokenError> {
        let Times { exp, iat, nbf } = *times;
        let audience = Audience::parse(&wire.aud, &self.tenant_audience);
        let skew = audience.map_or(0, Audience::skew);
        let now = now.seconds();
        if wire.iss != self.issuer {
            return Err(TokenError::Invalid);
        }
        let begins = nbf.max(iat);
        if begins.is_some_and(|begins| begins.seconds() > now + skew) {
            return Err(TokenError::Invalid);
        }
        if let Some(longest) = audience.and_then(Audience::max_ttl) {
            let ttl = iat.map(|iat| exp.millis().saturating_sub(iat.millis())).ok_or(TokenError::Invalid)?;
            if ttl > longest * 1000 {
                return Err(TokenError::Invalid);
            }
        }
        let (exp, iat) = (exp.seconds(), iat.map(NumericDate::seconds));
        if exp.saturating_add(skew) <= now || iat.unwrap_or(0) < self.not_before {
            return Err(TokenError::Expired);
        }
        let mut role_names = wire.roles.clone();
        role_names.extend(wire.role.clone());
        let tenant =
            wire.tenant_id.clone().map(TenantId::try_from).transpose().map_err(|_| TokenError::Invalid)?;
        let session =
            wire.sid.clone().map(SessionId::try_from).transpose().map_err(|_| TokenError::Invalid)?;
        Ok(Claims {
            sub: wire.sub.clone(),
            aud: wire.aud.names().join(" "),
            audience,
            iss: wire.iss.clone(),
            roles: roles(&role_names),
            role_names,
            tenant,
            // An empty id would be everybody's who has one.
            jti: wire.jti.clone().filter(|jti| !jti.is_empty()),
            session,
            iat,
            exp,
            unproven: wire.unproven && audience == Some(Audience::Tenant),
        })
    }
}

/// Three parts of canonical, unpadded base64url. Decoders forgive stray bits at the end of a part, and then one token
/// has many spellings.
fn is_canonical(token: &str) -> bool {
    let canonical =
        |part: &str| URL_SAFE_NO_PAD.decode(part).is_ok_and(|bytes| URL_SAFE_NO_PAD.encode(bytes) == part);
    token.split('.').count() == 3 && token.split('.').all(canonical)
}

#[cfg(test)]
mod tests;
