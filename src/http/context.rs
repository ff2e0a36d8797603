//! What every request carries with it: its id, its trace, who sent it.

use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use http::{HeaderMap, header::HOST, request::Parts};

use crate::{
    app::{self, App},
    domain::{Audience, Claims, RequestId, Timestamp},
    ports::{Limit, Ports},
    workflow::RequestOrigin,
};

use super::{error::ApiError, trace};

/// What one request carries with it.
#[derive(Debug, Clone)]
pub struct Context {
    /// Its id.
    pub id: RequestId,
    /// When it came.
    pub started_at: Timestamp,
    /// The address it came from, as Cloudflare says.
    pub client: String,
    /// The service's own address, as the request named it.
    pub origin: String,
    /// The trace it belongs to, with a span of its own; see [`trace`].
    pub traceparent: Option<String>,
    /// Who was let in, once that is known.
    admitted: Arc<OnceLock<Admitted>>,
}

/// Who was let in: the fields of the log's `authz_grant`.
#[derive(Debug)]
pub(super) struct Admitted {
    pub claims: Claims,
    pub requested: Option<String>,
    pub by_cookie: bool,
}

impl Admitted {
    /// Whether the log hears of it. What a tenant does every few seconds is not worth a line; whatever the platform's own
    /// people and machines do is.
    pub fn is_logged(&self) -> bool {
        matches!(self.claims.audience, Some(Audience::PlatformAdmin | Audience::Service))
    }
}

impl Context {
    /// Reads what a request carries.
    pub fn of<P: Ports>(app: &App<P>, uri: &http::Uri, headers: &HeaderMap) -> Self {
        let now = app.ports.now();
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
        let host = uri
            .authority()
            .map(http::uri::Authority::as_str)
            .or_else(|| text(HOST.as_str()))
            .unwrap_or_default();
        Self {
            id: RequestId::new(now, app.ports.random()),
            started_at: now,
            client: text("cf-connecting-ip").unwrap_or("unknown").to_owned(),
            origin: format!("{}://{host}", uri.scheme_str().unwrap_or("https")),
            traceparent: text("traceparent")
                .and_then(|parent| trace::continued(parent, &trace::state(headers), app.ports.random())),
            admitted: Arc::default(),
        }
    }

    /// Counts the request against a limit of clients.
    pub(super) async fn limited<P: Ports>(&self, app: &App<P>, limit: Limit) -> Result<(), ApiError> {
        if app::limits::allows_client(app, limit, &self.client).await {
            Ok(())
        } else {
            Err(ApiError::rate_limited())
        }
    }

    /// Notes who was let in.
    pub(super) fn admit(&self, claims: &Claims, requested: Option<&str>, by_cookie: bool) {
        let admitted =
            Admitted { claims: claims.clone(), requested: requested.map(str::to_owned), by_cookie };
        // Set once a request: the first caller it names is the only one.
        let _ = self.admitted.set(admitted);
    }

    /// Who was let in.
    pub(super) fn admitted(&self) -> Option<&Admitted> {
        self.admitted.get()
    }

    /// The trace's id, for the log.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref()?.split('-').nth(1)
    }

    /// What a run that this request queues takes along.
    pub fn caller(&self) -> RequestOrigin {
        RequestOrigin {
            origin: self.origin.clone(),
            request: Some(self.id.to_string()),
            traceparent: self.traceparent.clone(),
        }
    }

    /// The fields of every line that the request causes.
    pub fn scope(&self) -> Vec<(&'static str, String)> {
        let trace = self.trace_id().map(|trace| ("traceId", trace.to_owned()));
        [("requestId", self.id.to_string())].into_iter().chain(trace).collect()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("no context"))
    }
}

impl<P: Ports, S: Send + Sync> FromRequestParts<S> for App<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("no application"))
    }
}
