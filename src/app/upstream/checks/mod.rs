//! Whether each upstream takes what is configured for it: asked in a way that changes nothing, and past the breakers. What is wrong
//! has a code, and a sentence that says what to do.

mod apps_script;
mod cloudflare;
mod google;
mod resend;

use std::{borrow::Cow, time::Duration};

use serde::Serialize;

use crate::{
    app::App,
    domain::Upstream,
    ports::{OutboundRequest, OutboundResponse, Ports},
    workflow::{TransientError, TransientErrorCode},
};

use super::unknown_status;

/// How long a call of a check may take. No check makes more than three, one after the other.
const TIME_LIMIT: Duration = Duration::from_secs(4);

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = UpstreamCheckCode))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckCode {
    /// It works.
    Ok,
    /// Nothing of what is configured needs it.
    NotUsed,
    /// What could be looked at is well; the rest may not be looked at.
    PartlyChecked,
    /// A variable or a secret is missing.
    NotConfigured,
    /// The secret is not the one that it knows.
    WrongSecret,
    /// It knows the secret, which may not do what is needed.
    MissingScope,
    /// The script is not deployed for "Anyone".
    NotPublic,
    /// Nothing is there under what is configured.
    NotFound,
    /// The script ends before it answers.
    ScriptFailed,
    /// The script speaks another protocol.
    WrongVersion,
    /// The sender's domain is none of the account's.
    DomainMissing,
    /// The sender's domain may not send yet.
    DomainUnverified,
    /// The zone is not that of the tenants' domain.
    WrongZone,
    /// The zone serves nothing.
    ZoneInactive,
    /// The spreadsheets are not shared with the service account.
    NotShared,
    /// The API is not switched on in the account's project.
    ApiDisabled,
    /// It refuses, for a reason that it does not name.
    Refused,
    /// It has trouble of its own, or is asked too often.
    Busy,
    /// No answer in time.
    Timeout,
    /// No connection.
    Unreachable,
    /// An answer that it never gives.
    Malformed,
}

impl CheckCode {
    /// Whether nothing has to be done.
    pub const fn is_ok(self) -> bool {
        matches!(self, Self::Ok | Self::NotUsed | Self::PartlyChecked)
    }
}

/// One upstream that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamCheck {
    /// Which.
    pub upstream: Upstream,
    /// What came of it.
    pub code: CheckCode,
    /// The same in a sentence, with what to do.
    pub message: String,
}

/// Checks all of them at once. `spreadsheet` is one that a tenant has, if there is any. Make has no check: its webhooks are the tenants'
/// own.
pub async fn check_upstreams<P: Ports>(app: &App<P>, spreadsheet: Option<&str>) -> Vec<UpstreamCheck> {
    let checker = |upstream, name| Checker { app, upstream, name };
    let (apps_script, google, resend, cloudflare) = futures_util::join!(
        apps_script::check(checker(Upstream::AppsScript, "Apps Script")),
        google::check(checker(Upstream::Google, "Google"), spreadsheet),
        resend::check(checker(Upstream::Resend, "Resend")),
        cloudflare::check(checker(Upstream::Cloudflare, "Cloudflare")),
    );
    [
        (Upstream::AppsScript, apps_script),
        (Upstream::Google, google),
        (Upstream::Resend, resend),
        (Upstream::Cloudflare, cloudflare),
    ]
    .into_iter()
    .map(|(upstream, Verdict(code, message))| UpstreamCheck { upstream, code, message: message.into_owned() })
    .collect()
}

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Verdict(CheckCode, Cow<'static, str>);

impl Verdict {
    fn new(code: CheckCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self(code, message.into())
    }

    fn not_configured(name: &str) -> Self {
        Self::new(CheckCode::NotConfigured, format!("Set {name}."))
    }

    /// What is one verdict, whether the check went to its end or not.
    fn of(result: Result<Self, Self>) -> Self {
        match result {
            Ok(verdict) | Err(verdict) => verdict,
        }
    }
}

/// One upstream, to be asked.
#[derive(Debug)]
struct Checker<'a, P> {
    app: &'a App<P>,
    upstream: Upstream,
    name: &'static str,
}

impl<P: Ports> Checker<'_, P> {
    fn get(&self, url: String, token: &str) -> OutboundRequest {
        OutboundRequest {
            upstream: self.upstream.as_str(),
            method: "GET",
            url,
            headers: vec![("authorization", format!("Bearer {token}"))],
            body: None,
            time_limit: TIME_LIMIT,
            follow: &[],
            traceparent: None,
        }
    }

    /// The answer, if it is one that says something about what is configured.
    async fn ask(&self, call: OutboundRequest) -> Result<OutboundResponse, Verdict> {
        let response = self.app.call(call).await.map_err(|error| self.unknown(&error.into()))?;
        match unknown_status(&response, self.app.ports.now()) {
            Some(fault) => Err(self.unknown(&fault)),
            None => Ok(response),
        }
    }

    fn unknown(&self, fault: &TransientError) -> Verdict {
        let (code, what) = match fault.code {
            TransientErrorCode::Timeout => (CheckCode::Timeout, "does not answer in time"),
            TransientErrorCode::Connection => (CheckCode::Unreachable, "can't be reached"),
            TransientErrorCode::ServerError | TransientErrorCode::RateLimited => {
                (CheckCode::Busy, "has trouble, or is asked too often")
            }
            _ => (CheckCode::Malformed, "gives an answer that can't be read"),
        };
        let status = fault.status.map_or_else(String::new, |status| format!(" (status {status})"));
        let message = format!("{} {what}{status}: check again, then look at its status page.", self.name);
        Verdict::new(code, message)
    }

    fn unreadable(&self) -> Verdict {
        self.unknown(&TransientError::new(TransientErrorCode::Malformed))
    }

    fn malformed(&self, response: &OutboundResponse) -> Verdict {
        self.unknown(&super::malformed(response))
    }

    fn refused(&self, status: u16, what: &str) -> Verdict {
        let message = format!("{} refuses (status {status}): {what}", self.name);
        Verdict::new(CheckCode::Refused, message)
    }
}
