//! Around every route: the request's context before, headers and the log after.

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};
use tower_service::Service;

use crate::{
    app::{self, App},
    domain::{Claims, RequestKey},
    ports::{Level, LogLine, Ports},
};

use super::{
    context::{Admitted, Context},
    cors,
    error::{ApiError, AuthzDenial},
    lost,
    router::RouteName,
    session_cookie, well_known,
};

/// What is on every answer.
pub(crate) const HEADERS: [(HeaderName, &str); 7] = [
    // The same as the pages' in `public/_headers`. Without `preload`: that binds every host of a domain for years, and nobody here may
    // decide it.
    (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-site"),
    // By it a deployment knows that an address is its own, and not one of a server that stands in its place.
    (HeaderName::from_static("x-served-by"), "tenantry"),
];

/// Answers one request.
pub async fn serve<P: Ports>(app: App<P>, mut router: Router, mut request: Request<Body>) -> Response {
    let context = Context::of(&app, request.uri(), request.headers());
    let app = app.scoped(context.scope());
    let method = request.method().clone();
    let origin = request.headers().get(header::ORIGIN).cloned();
    let preflight = cors::is_preflight(&method, request.headers());
    let person =
        lost::is_asked(&method, request.uri().path(), request.headers()).then(|| request.headers().clone());
    let mut response = if preflight {
        StatusCode::NO_CONTENT.into_response()
    } else if let Some(answer) = well_known::answer(app.config(), app.ports.now(), &method, request.uri()) {
        answer
    } else {
        request.extensions_mut().insert(app.clone());
        request.extensions_mut().insert(context.clone());
        match router.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    };
    let route = response.extensions_mut().remove::<RouteName>();
    let mut error = response.extensions_mut().remove::<ApiError>();
    if let Some(refusal) = reject_early(&app, &context, error.as_ref()).await {
        response = refusal.clone().into_response();
        error = Some(refusal);
    }
    if let Some(error) = &error {
        response = render(error, &context, response);
    }
    if let (Some(asked), None, StatusCode::NOT_FOUND) = (&person, &route, response.status()) {
        lost::show(app.config(), asked, &mut response);
    }
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    cors::apply(&app.config().cors_allowed, origin.as_ref(), preflight, response.headers_mut());
    put_headers(response.headers_mut(), &context);
    if error.is_none() {
        renew_cookie(&app, &context, response.headers_mut());
    }
    let route = route.as_ref().map_or("unmatched", |route| route.0.as_str());
    let judged = match error.as_ref().and_then(|e| e.authz_denial.as_ref()) {
        Some(authz_denial) => Some(deny_line(authz_denial)),
        None => context.admitted().filter(|admitted| admitted.is_logged()).map(grant_line),
    };
    if let Some(line) = judged {
        app.log(line.with("route", route).with("method", method.as_str()));
    }
    app.ports.count(RequestKey::new(route, method.as_str(), response.status().as_u16()));
    app.log(summary(&app, &context, method.as_str(), route, response.status(), error.as_ref()));
    response
}

/// Whether a token still admits its holder is asked together with the data. A request that is refused before there is any to ask
/// for, because of its body, its query or a limit, is judged here: whoever is not let in learns nothing else.
async fn reject_early<P: Ports>(
    app: &App<P>,
    context: &Context,
    error: Option<&ApiError>,
) -> Option<ApiError> {
    let admitted = context.admitted()?;
    let is_judged = |status| matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
    error.filter(|error| error.status.is_client_error() && !is_judged(error.status))?;
    let judged = app::access::on_behalf_of(app, &admitted.claims, Vec::new()).await;
    judged.err().map(|error| ApiError::of_access(error, &admitted.claims, admitted.requested.as_deref()))
}

/// A sign-in that is used lasts longer.
fn renew_cookie<P: Ports>(app: &App<P>, context: &Context, headers: &mut HeaderMap) {
    let by_cookie = context.admitted().filter(|admitted| admitted.by_cookie);
    if let Some(token) = by_cookie.and_then(|admitted| app::sessions::renewed(app, &admitted.claims)) {
        session_cookie::put(headers, &token);
    }
}

fn render(error: &ApiError, context: &Context, original: Response) -> Response {
    let (mut parts, _) = original.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = error.retry_after {
        parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    // RFC 6750: the error only where there was a token to be wrong.
    let challenge = match error.code {
        "UNAUTHORIZED" => Some("Bearer realm=\"tenantry\""),
        "INVALID_TOKEN" => Some("Bearer realm=\"tenantry\", error=\"invalid_token\""),
        "FORBIDDEN" if error.authz_denial.is_some() && error.reason != Some("cross_site") => {
            Some("Bearer realm=\"tenantry\", error=\"insufficient_scope\"")
        }
        _ => None,
    };
    if let Some(challenge) = challenge {
        parts.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    let body = serde_json::to_vec(&error.body(&context.id)).unwrap_or_default();
    Response::from_parts(parts, Body::from(body))
}

fn put_headers(headers: &mut HeaderMap, context: &Context) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // Answers are about one caller and one moment unless a route says otherwise.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(context.id.as_str()) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
}

fn deny_line(authz_denial: &AuthzDenial) -> LogLine {
    let line = authz_line("deny", authz_denial.claims.as_ref(), authz_denial.requested.as_deref());
    line.with("reason", authz_denial.reason.as_str()).with("hasAuthHeader", authz_denial.has_auth_header)
}

fn grant_line(admitted: &Admitted) -> LogLine {
    let line = authz_line("grant", Some(&admitted.claims), admitted.requested.as_deref());
    line.with("reason", "permitted").with("hasAuthHeader", true)
}

fn authz_line(decision: &str, claims: Option<&Claims>, requested: Option<&str>) -> LogLine {
    let (level, word) =
        if decision == "deny" { (Level::Warn, "authz_deny") } else { (Level::Info, "authz_grant") };
    LogLine::new(level, word)
        .with("event", word)
        .with("decision", decision)
        .with("roles", claims.map_or_else(Vec::new, |c| c.role_names.clone()))
        .with_some("aud", claims.map(|c| c.aud.as_str()))
        .with_some("sub", claims.and_then(|c| c.sub.as_deref()))
        .with_some("tenantId", claims.and_then(|c| c.tenant.as_ref()).map(|t| t.as_str()))
        .with_some("requestedTenant", requested)
}

fn summary<P: Ports>(
    app: &App<P>,
    context: &Context,
    method: &str,
    route: &str,
    status: StatusCode,
    error: Option<&ApiError>,
) -> LogLine {
    let level = if status.is_server_error() { Level::Error } else { Level::Info };
    let ms = app.ports.now().since(context.started_at).as_millis();
    LogLine::new(level, "request")
        .with("route", route)
        .with("method", method)
        .with("status", status.as_u16())
        .with("ms", u64::try_from(ms).unwrap_or(u64::MAX))
        .with("version", app.config().deployment.as_ref().unwrap_or(&app.config().version).as_str())
        .with("release", app.config().version.as_str())
        .with_some("code", error.map(|e| e.code))
        .with_some("error", error.and_then(|e| e.cause.as_deref()))
}
