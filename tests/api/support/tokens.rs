//! Tokens made by hand, good and bad: another implementation than the one under test.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::app::SECRET;

/// A token that is about to be signed.
#[derive(Debug, Clone)]
pub struct Token {
    header: Value,
    claims: Value,
    secret: String,
}

impl Token {
    fn new(claims: Value) -> Self {
        Self { header: json!({ "alg": "HS256", "typ": "JWT" }), claims, secret: SECRET.to_owned() }
    }

    /// A machine's, as the runbook's snippet makes it.
    pub fn service(now: i64) -> Self {
        Self::new(json!({
            "roles": ["service"], "sub": "service", "iss": "syston.app", "aud": "internal", "iat": now, "exp": now + 300
        }))
    }

    /// An operator's.
    pub fn operator(now: i64) -> Self {
        Self::new(json!({
            "roles": ["admin"], "sub": "ops", "iss": "syston.app", "aud": "syston-admin", "iat": now,
            "exp": now + 3600, "jti": "jti-operator"
        }))
    }

    /// A tenant admin's.
    pub fn tenant(tenant: &str, now: i64) -> Self {
        Self::new(json!({
            "roles": ["tenant_admin", "owner"], "sub": "user_1", "iss": "syston.app", "aud": "syston-mobile",
            "tenantId": tenant, "iat": now, "exp": now + 3600, "jti": "jti-tenant"
        }))
    }

    /// A mailed link's.
    pub fn link(tenant: &str, now: i64) -> Self {
        Self::new(json!({
            "iss": "syston.app", "aud": "magic-link", "tenantId": tenant, "iat": now, "exp": now + 3600,
            "jti": "jti-link"
        }))
    }

    /// The same with this claim; `null` takes it away.
    pub fn with(mut self, claim: &str, value: impl Into<Value>) -> Self {
        let (value, claims) = (value.into(), self.claims.as_object_mut().unwrap());
        match value {
            Value::Null => claims.remove(claim),
            value => claims.insert(claim.to_owned(), value),
        };
        self
    }

    /// The same with this in its header.
    pub fn with_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.as_object_mut().unwrap().insert(name.to_owned(), value.into());
        self
    }

    /// The same under another secret.
    pub fn under(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.secret);
        self
    }

    /// The signed token.
    pub fn sign(&self) -> String {
        let signed = self.unsigned();
        let mac =
            Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap().chain_update(&signed).finalize();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.into_bytes()))
    }

    /// What would be signed.
    pub fn unsigned(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    /// The claims of a token, whoever signed it.
    pub fn read(token: &str) -> Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }
}
