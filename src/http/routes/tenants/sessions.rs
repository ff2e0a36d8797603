//! `/api/v1/tenants/me/sessions`: a tenant's sign-ins, as its own people see and end them.

use axum::{
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;

use crate::{
    app,
    domain::{
        SessionId,
        browser::{Family, Platform},
    },
    http::{
        answer::{Json, Page, Time, done, page},
        auth::{Authenticated, PathPart, TenantAdmin},
        context::Context,
        error::ApiError,
        page::{Query, paginate},
        session_cookie,
    },
    ports::{Level, LogLine, Ports},
    store::sessions::{self, How},
};

/// `GET /api/v1/tenants/me/sessions`
#[worker::send]
pub async fn list<P: Ports>(
    caller: Authenticated<P, TenantAdmin>,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<Session>>, ApiError> {
    let mut query = Query::of(query.as_deref());
    let limit = query.limit();
    let before = query.mark();
    let before = query.all(before)?;
    let not_before = caller.app.config().jwt_not_before;
    let now = caller.app.ports.now();
    let rows = sessions::list(caller.tenant()?, before.as_ref(), limit + 1, not_before, now);
    let (rows, next) =
        paginate(caller.ask(rows).await?, limit, |row| format!("{} {}", row.created_at, row.id));
    let own = caller.claims.session.as_ref();
    Ok(page(rows, next, |row| Session {
        current: own == Some(&row.id),
        id: row.id,
        how: row.how,
        credential: if row.cookie { Credential::Cookie } else { Credential::Token },
        browser: row.browser,
        platform: row.platform,
        created_at: Time::at(row.created_at),
        last_seen_at: Time::at(row.seen_at),
        expires_at: Time::at(row.expires_at),
    }))
}

/// `DELETE /api/v1/tenants/me/sessions/{session}`
#[worker::send]
pub async fn end<P: Ports>(
    caller: Authenticated<P, TenantAdmin>,
    PathPart(session): PathPart,
    context: Context,
) -> Result<Response, ApiError> {
    let not_found = || {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "SESSION_NOT_FOUND",
            "There is no such sign-in, or not any more.",
        )
    };
    let named: Result<SessionId, _> = session.parse();
    // What is no id names none, but whoever asks is judged all the same.
    let session = named.map_err(|_| not_found())?;
    let (app, tenant) = (&caller.app, caller.tenant()?);
    let ended = app::sessions::end(app, &caller.claims, tenant, &session, &context.caller()).await;
    if !ended.map_err(|error| caller.refused(error))? {
        return Err(not_found());
    }
    let line = LogLine::new(Level::Info, "token_revoked").with("scope", "session");
    app.log(line.with("tenantId", tenant.as_str()).with("sessionId", session.as_str()));
    let is_own = caller.by_cookie && caller.claims.session.as_ref() == Some(&session);
    let answer = done().into_response();
    Ok(if is_own { session_cookie::clear(answer) } else { answer })
}

/// A sign-in of the tenant that still opens something.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whether it is the one that asks.
    pub current: bool,
    /// How somebody signed in.
    pub how: How,
    /// What it is held by.
    pub credential: Credential,
    /// By which browser, as far as it says.
    pub browser: Family,
    /// On what.
    pub platform: Platform,
    /// When.
    pub created_at: Time,
    /// When it was last used, to a day.
    pub last_seen_at: Time,
    /// When it ends by itself. A page's is moved on once a day while it is used, for a year at the most.
    pub expires_at: Time,
}

/// What a sign-in is held by.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = SessionCredential))]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// A cookie of the pages.
    Cookie,
    /// A token that was answered: an app's.
    Token,
}
