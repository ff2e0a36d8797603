//! How an attempt at a step can end. Three ways, not two: the third is "unknown".

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{Step, words};

use super::Webhook;

/// The end of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done(Option<Product>),
    /// It can't be done: the upstream refused. Trying again changes nothing.
    Failed(PermanentError),
    /// It may or may not have been done: no answer, or none that says. Trying again is safe, because the attempt
    /// carries the same idempotency key.
    Unknown(TransientError),
}

impl Outcome {
    /// The same, of an attempt that the upstream answered with this status.
    pub fn answered(self, status: u16) -> Self {
        match self {
            Self::Failed(failure) => Self::Failed(PermanentError { status: Some(status), ..failure }),
            Self::Done(_) | Self::Unknown(_) => self,
        }
    }
}

/// What a step produced. It is in the checkpoint at once, and in D1 with the next projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    /// It made something outside.
    Created(Artifact),
    /// This webhook took a ping.
    Pinged(Webhook),
    /// Nothing, as it is configured: the tenant has no address on the web.
    NoRoute,
}

/// What a step made outside, and needs to be known later: to verify it, and to remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Artifact {
    /// A spreadsheet of the tenant's own.
    Spreadsheet {
        /// Google's id.
        id: String,
        /// Where people open it.
        url: String,
    },
    /// A DNS record of the tenant's own.
    DnsRecord {
        /// Cloudflare's id.
        id: String,
        /// The zone it was made in: it is removed from there, whatever is configured by then.
        zone: String,
        /// The tenant's address.
        name: String,
        /// Whether it was made by the attempt that tells of it; else it was found, with the tenant's marker on it.
        created: bool,
    },
    /// Something that this version doesn't know, as another version wrote it.
    #[serde(untagged)]
    Other(serde_json::Value),
}

/// An artifact as D1 shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactRow<'a> {
    /// What it is, in a word.
    pub kind: &'a str,
    /// The upstream's id for it.
    pub id: Option<&'a str>,
    /// Whether it was made by the attempt that told of it: else it was found there, and bore the tenant's marker.
    pub ours: bool,
}

/// What D1 shows of an artifact, and what is known beside that.
#[derive(Debug, Clone)]
pub struct StoredArtifact {
    /// The upstream's id for it.
    pub id: String,
    /// Whether we made it.
    pub ours: bool,
    /// Where people open the tenant's spreadsheet, if that is known.
    pub spreadsheet_url: Option<String>,
    /// The zone of the tenants' domain, as configured.
    pub zone: String,
    /// The tenant's address.
    pub host: String,
}

impl Artifact {
    /// As D1 shows it.
    pub fn row(&self) -> ArtifactRow<'_> {
        match self {
            Self::Spreadsheet { id, .. } => ArtifactRow { kind: "spreadsheet", id: Some(id), ours: true },
            Self::DnsRecord { id, created, .. } => {
                ArtifactRow { kind: "dns_record", id: Some(id), ours: *created }
            }
            // A word, and what belongs to it, as another version wrote them.
            Self::Other(other) => {
                let (kind, rest) = other.as_object().and_then(|other| other.iter().next()).unzip();
                let id = rest.and_then(|rest| rest.get("id")?.as_str());
                ArtifactRow { kind: kind.map_or("unknown", String::as_str), id, ours: true }
            }
        }
    }

    /// What `step` made, from what D1 kept of it.
    pub fn of(step: Step, kept: StoredArtifact) -> Option<Self> {
        let StoredArtifact { id, ours, spreadsheet_url, zone, host } = kept;
        match step {
            Step::CreateSpreadsheet => {
                let url = || format!("https://docs.google.com/spreadsheets/d/{id}/edit");
                Some(Self::Spreadsheet { url: spreadsheet_url.unwrap_or_else(url), id })
            }
            Step::ConfigureRouting => Some(Self::DnsRecord { id, zone, name: host, created: ours }),
            _ => None,
        }
    }
}

words! {
    /// Why a step, or a run, failed.
    FailureCode {
        /// The tenant's address is taken by a record that is not ours.
        SubdomainConflict = "SUBDOMAIN_CONFLICT",
        /// Cloudflare refused to make the tenant's address.
        SubdomainRejected = "SUBDOMAIN_REJECTED",
        /// No webhook is stored for the tenant.
        WebhookMissing = "WEBHOOK_MISSING",
        /// The webhook refused the ping.
        WebhookRejected = "WEBHOOK_REJECTED",
        /// Apps Script refused to make the spreadsheet.
        SpreadsheetRejected = "SPREADSHEET_REJECTED",
        /// The spreadsheet is not there.
        SpreadsheetMissing = "SPREADSHEET_MISSING",
        /// The service is not configured for this.
        Misconfigured = "MISCONFIGURED",
        /// The mail provider refused the mail.
        EmailRejected = "EMAIL_REJECTED",
        /// The upstream could not be reached, as often as it was tried.
        UpstreamUnavailable = "UPSTREAM_UNAVAILABLE",
        /// The run took longer than it may.
        DeadlineExceeded = "DEADLINE_EXCEEDED",
        /// The tenant is not there any more.
        TenantGone = "TENANT_GONE",
        /// The upstream refused to remove what was made there.
        CompensationRefused = "COMPENSATION_REFUSED",
        /// An operator stopped it.
        Cancelled = "CANCELLED",
    }
}

impl FailureCode {
    /// Whether one that an upstream refused with, by `status` if it was asked, says that it is there.
    pub const fn is_answer(self, status: Option<u16>) -> bool {
        match self {
            // Found out without asking anybody, unless there is a status: an address that is not allowed any more, a spreadsheet that
            // was never made.
            Self::WebhookRejected | Self::SpreadsheetMissing => status.is_some(),
            Self::SubdomainConflict
            | Self::SubdomainRejected
            | Self::CompensationRefused
            | Self::SpreadsheetRejected
            | Self::EmailRejected => true,
            Self::WebhookMissing
            | Self::Misconfigured
            | Self::UpstreamUnavailable
            | Self::DeadlineExceeded
            | Self::TenantGone
            | Self::Cancelled
            | Self::Other(_) => false,
        }
    }
}

/// Why something failed: a code for programs and a message for people. The message never quotes the upstream; what that
/// said is for operators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermanentError {
    /// The code.
    pub code: FailureCode,
    /// The message.
    pub message: String,
    /// The HTTP status, where the upstream refused with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What the upstream said, short and safe to show. The run's history has it.
    #[serde(skip)]
    pub said: Option<String>,
}

impl PermanentError {
    /// A failure with its message.
    pub fn new(code: FailureCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: None, said: None }
    }

    /// The same, with what the upstream said.
    pub fn with_said(self, said: Option<String>) -> Self {
        Self { said, ..self }
    }
}

words! {
    /// Why nobody knows how an attempt ended.
    TransientErrorCode {
        /// No answer in time.
        Timeout = "TIMEOUT",
        /// The connection broke, or was never made.
        Connection = "CONNECTION",
        /// An answer that says the upstream is in trouble.
        ServerError = "SERVER_ERROR",
        /// Too many requests.
        RateLimited = "RATE_LIMITED",
        /// An answer that can't be read.
        Malformed = "MALFORMED",
        /// An answer that says one thing, where a look says another.
        Contradiction = "CONTRADICTION",
        /// We were stopped in the middle.
        Interrupted = "INTERRUPTED",
        /// Our own database did not answer.
        StoreUnavailable = "STORE_UNAVAILABLE",
        /// The upstream was not asked: it failed too often, or was asked as often as it allows.
        CircuitOpen = "CIRCUIT_OPEN",
    }
}

impl TransientErrorCode {
    /// A message for people.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Timeout => "The other side did not answer in time.",
            Self::Connection => "The connection to the other side broke.",
            Self::ServerError => "The other side has a problem of its own.",
            Self::RateLimited => "The other side asked us to slow down.",
            Self::Malformed => "The other side gave an answer that can't be read.",
            Self::Contradiction => "The other side says one thing and shows another.",
            Self::Interrupted => "The work was interrupted.",
            Self::StoreUnavailable => "Our own database did not answer.",
            Self::CircuitOpen => "The other side needs a rest; we ask it again as soon as it can answer.",
            Self::Other(_) => "It did not come to an end that we know.",
        }
    }
}

/// An attempt whose end is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransientError {
    /// Why.
    pub code: TransientErrorCode,
    /// The HTTP status, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the upstream asked us to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
}

impl TransientError {
    /// A fault without a status.
    pub const fn new(code: TransientErrorCode) -> Self {
        Self { code, status: None, retry_after: None }
    }
}
