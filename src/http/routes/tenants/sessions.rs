//! `/api/v1/tenants/me/sessions`: a tenant's sign-ins, as its own people see and end them.

use axum::{
    extract::RawQuery,
    response::{IntoResponse, Response},
};
use http::StatusCode;

use crate::{
    app,
    domain::SessionId,
    http::{
        answer::{Json, Page, done, page},
        auth::{Authenticated, PathPart, TenantAdmin},
        context::Context,
        error::ApiError,
        page::{Query, paginate},
        session_cookie,
    },
    ports::{Level, LogLine, Ports},
    store::sessions::{self, Session},
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
    let (tenant, own) = (caller.tenant()?, caller.claims.session.as_ref());
    let rows = sessions::list(tenant, before.as_ref(), limit + 1, not_before, own, now);
    let mark = |session: &Session| format!("{} {}", session.created_at.seconds(), session.id);
    let (rows, next) = paginate(caller.ask(rows).await?, limit, mark);
    Ok(page(rows, next))
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
