//! The ports: what the application needs from the platform, and nothing of how it is done. Each is a trait of its own, so that a
//! function asks for those that it needs; [`Ports`] is all of them.

use std::{future::Future, time::Duration};

use serde_json::{Map, Value};
use strum::VariantArray;

use crate::{
    db::Db,
    domain::{RequestKey, Secret, TenantId, Timestamp},
    workflow::{Command, Reply, breaker, witness},
};

/// How loud a line of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Info,
    /// Somebody may want to look.
    Warn,
    /// Somebody must look.
    Error,
}

impl Level {
    /// The word in the line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One line of the log: one object. Its words and fields are what operators filter by.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// How loud.
    pub level: Level,
    /// Everything in it, `level` and `msg` included.
    pub fields: Map<String, Value>,
}

impl LogLine {
    /// A line with its stable word.
    pub fn new(level: Level, msg: &str) -> Self {
        let mut fields = Map::new();
        fields.insert("level".to_owned(), level.as_str().into());
        fields.insert("msg".to_owned(), msg.into());
        Self { level, fields }
    }

    /// Adds a field.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a field if there is something to say.
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}

/// What is counted against a rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Limit {
    /// Signups from one client.
    Start,
    /// Signups from one network of many clients.
    StartNetwork,
    /// Look-ups from one client.
    Lookup,
    /// Look-ups from one network of many clients.
    LookupNetwork,
    /// Mailed links, for one client.
    Magic,
    /// Mailed links for one network of many clients.
    MagicNetwork,
    /// What one tenant changes.
    #[strum(to_string = "club")]
    Tenant,
}

impl Limit {
    /// All of them.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name in the log.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The name of its limiter in the configuration.
    pub const fn binding(self) -> &'static str {
        match self {
            Self::Start => "LIMIT_START",
            Self::StartNetwork => "LIMIT_START_NETWORK",
            Self::Lookup => "LIMIT_LOOKUP",
            Self::LookupNetwork => "LIMIT_LOOKUP_NETWORK",
            Self::Magic => "LIMIT_MAGIC",
            Self::MagicNetwork => "LIMIT_MAGIC_NETWORK",
            Self::Tenant => "LIMIT_CLUB",
        }
    }

    /// The limit of a client's whole network, for a limit of clients.
    pub const fn of_network(self) -> Option<Self> {
        match self {
            Self::Start => Some(Self::StartNetwork),
            Self::Lookup => Some(Self::LookupNetwork),
            Self::Magic => Some(Self::MagicNetwork),
            _ => None,
        }
    }
}

/// A limiter did not say yes or no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limiter: {0}")]
pub struct LimiterError(pub String);

/// A request to an external service.
#[derive(Debug, Clone)]
pub struct OutboundRequest {
    /// For the log: which upstream.
    pub upstream: &'static str,
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// Where to; never logged beyond its host.
    pub url: String,
    /// Request headers.
    pub headers: Vec<(&'static str, String)>,
    /// What is sent.
    pub body: Option<String>,
    /// How long it may take, redirects included.
    pub time_limit: Duration,
    /// Hosts to which a redirect is followed, by GET; beyond them a redirect is an answer like any other.
    pub follow: &'static [&'static str],
    /// The trace it belongs to: `traceparent`, and behind a blank its `tracestate`. Whoever calls says so, not who writes the request.
    pub traceparent: Option<String>,
}

impl OutboundRequest {
    /// The headers that say which trace it belongs to.
    pub fn trace_headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let (parent, state) = match self.traceparent.as_deref() {
            Some(trace) => trace.split_once(' ').map_or((Some(trace), None), |(p, s)| (Some(p), Some(s))),
            None => (None, None),
        };
        let parent = parent.map(|parent| ("traceparent", parent));
        parent.into_iter().chain(state.map(|state| ("tracestate", state)))
    }
}

/// The response of an external service. The body is read to a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundResponse {
    /// The status.
    pub status: u16,
    /// `Retry-After`, in seconds or as a date, as it came.
    pub retry_after: Option<String>,
    /// The beginning of the body.
    pub body: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// Why a call had no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Not in time.
    #[error("timeout")]
    Timeout,
    /// Not at all.
    #[error("connection")]
    Connection,
}

/// An object did not answer: not there, or not in time. Whether it did what it was told is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("object: {0}")]
pub struct ObjectError(pub String);

/// A cryptographic operation of the platform failed: a key that is no key, a sealed text that doesn't open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("crypto: {0}")]
pub struct CryptoError(pub String);

/// The database.
pub trait Database {
    /// The kind of database.
    type Db: Db;

    /// The database.
    fn db(&self) -> &Self::Db;
}

/// The clock.
#[expect(async_fn_in_trait, reason = "one thread per isolate: no future of ours crosses threads")]
pub trait Clock {
    /// What time it is.
    fn now(&self) -> Timestamp;
    /// Ends after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// Randomness fit for tokens and ids.
pub trait Random {
    /// Fills `bytes`.
    fn fill_random(&self, bytes: &mut [u8]);

    /// `N` random bytes.
    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill_random(&mut bytes);
        bytes
    }
}

/// The log, and the requests that are counted.
pub trait Log {
    /// Writes a line.
    fn log(&self, line: LogLine);
    /// Counts a request that was answered. It is written down within seconds, together with others.
    fn count(&self, served: RequestKey);
}

/// Work that nobody waits for.
pub trait Background {
    /// Goes on with `work` after the answer was sent.
    fn defer(&self, work: impl Future<Output = ()> + 'static);
}

/// The rate limiters.
#[expect(async_fn_in_trait, reason = "one thread per isolate: no future of ours crosses threads")]
pub trait Limiter {
    /// Whether `key` may do this once more now.
    async fn allows(&self, limit: Limit, key: &str) -> Result<bool, LimiterError>;
}

/// The objects: each answers within a deadline, or not at all.
#[expect(async_fn_in_trait, reason = "one thread per isolate: no future of ours crosses threads")]
pub trait Objects {
    /// Sends a command to a tenant's object.
    async fn send_command(&self, tenant: &TenantId, command: &Command) -> Result<Reply, ObjectError>;
    /// Sends a command to a breaker's object.
    async fn send_breaker_command(&self, command: &breaker::Request) -> Result<breaker::Reply, ObjectError>;
    /// Sends a command to the witness's object.
    async fn send_witness_command(&self, command: &witness::Command) -> Result<witness::Reply, ObjectError>;
}

/// The way out to external services.
#[expect(async_fn_in_trait, reason = "one thread per isolate: no future of ours crosses threads")]
pub trait Egress {
    /// Calls one, within the call's limit.
    async fn call(&self, call: OutboundRequest) -> Result<OutboundResponse, OutboundError>;
}

/// The keys that never leave the platform, and what they encrypt.
#[expect(async_fn_in_trait, reason = "one thread per isolate: no future of ours crosses threads")]
pub trait Vault {
    /// Encrypts a secret for storage. `context` must be the same to open it.
    async fn seal(&self, plain: &Secret, context: &str) -> Result<String, CryptoError>;
    /// Decrypts what [`seal`](Self::seal) made.
    async fn open(&self, sealed: &str, context: &str) -> Result<Secret, CryptoError>;
    /// Signs with a PKCS #8 key in PEM (RSASSA-PKCS1-v1_5, SHA-256).
    async fn sign_rs256(&self, private_key: &Secret, data: &[u8]) -> Result<Vec<u8>, CryptoError>;
}

/// All ports: everything that the application needs from the platform.
pub trait Ports:
    Database
    + Clock
    + Random
    + Log
    + Background
    + Limiter
    + Objects
    + Egress
    + Vault
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<P> Ports for P where
    P: Database
        + Clock
        + Random
        + Log
        + Background
        + Limiter
        + Objects
        + Egress
        + Vault
        + Clone
        + Send
        + Sync
        + 'static
{
}
