//! The route table: every route there is, and who may use it.

use axum::{
    Router,
    extract::MatchedPath,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::{MethodRouter, delete, get, patch, post},
};

use crate::{domain::Permission, ports::Ports};

use super::{
    error::ApiError,
    routes::{
        admin::{
            admin_tenants, audit, event_feed, new_tenants, platform_webhook, promo_changes, promos, stats,
            tenant_list, tokens,
        },
        auth::{logout, magic_links, proof},
        bgops::{idempotency_keys, pausing, retries, sagas, upstreams},
        health, internal, metrics,
        public::{email, form, signups},
        tenants::{deliveries, events, mails, overview, profile, provisioning, sessions, webhooks},
        whoami,
    },
};

/// One route.
#[derive(Debug)]
pub struct Route {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// The pattern.
    pub path: &'static str,
    /// Who may use it.
    pub permission: Permission,
}

const fn route(method: &'static str, path: &'static str, permission: Permission) -> Route {
    Route { method, path, permission }
}

/// Every route, and who may use it. Tests walk it with every kind of caller.
pub const ROUTES: &[Route] = {
    use Permission::{
        AnyToken, Anyone, Monitoring, PlatformAdmin, PlatformReader, SameTenant, SameTenantOrPlatform,
        Service, SigningUp, TenantAdmin, TenantReader,
    };
    &[
        route("GET", "/health", Anyone),
        route("GET", "/health/live", Anyone),
        route("GET", "/health/ready", Anyone),
        route("GET", "/health/startup", Anyone),
        route("GET", "/healthz", Anyone),
        route("GET", "/readyz", Anyone),
        route("POST", "/public/signup/start", Anyone),
        route("POST", "/public/signup/form", Anyone),
        route("GET", "/public/signup/availability", Anyone),
        route("POST", "/public/signup/verify-promo", Anyone),
        route("POST", "/public/signup/brand", SigningUp),
        route("POST", "/public/signup/starter/make", SigningUp),
        route("POST", "/public/signup/pro/confirm", SigningUp),
        route("PATCH", "/public/signup/email", SigningUp),
        route("GET", "/whoami", AnyToken),
        route("GET", "/api/v1/admin/whoami", AnyToken),
        route("POST", "/auth/magic/start", Anyone),
        route("POST", "/auth/magic/verify", Anyone),
        route("POST", "/auth/proof", Anyone),
        route("POST", "/auth/proof/send", SigningUp),
        route("POST", "/auth/logout", AnyToken),
        route("GET", "/api/v1/tenants/{id}/provision-status", TenantReader),
        route("POST", "/api/v1/tenants/{id}/provision/retry", SameTenant),
        route("POST", "/api/v1/tenants/{id}/welcome/resend", SameTenantOrPlatform),
        route("POST", "/api/v1/tenants/{id}/webhook/test", SameTenantOrPlatform),
        route("GET", "/api/v1/tenants/{id}/webhook/deliveries", SameTenantOrPlatform),
        route("POST", "/api/v1/tenants/{id}/webhook/deliveries/{delivery}/redeliver", SameTenantOrPlatform),
        route("GET", "/api/v1/tenants/me", SigningUp),
        route("PATCH", "/api/v1/tenants/me", SigningUp),
        route("GET", "/api/v1/tenants/me/sessions", TenantAdmin),
        route("DELETE", "/api/v1/tenants/me/sessions/{session}", TenantAdmin),
        route("POST", "/api/v1/admin/tokens/revoke", PlatformAdmin),
        route("POST", "/api/v1/admin/tenant/webhook", PlatformAdmin),
        route("GET", "/api/v1/admin/tenants", PlatformAdmin),
        route("POST", "/api/v1/admin/tenants", PlatformAdmin),
        route("GET", "/api/v1/admin/tenants/{id}", PlatformAdmin),
        route("PATCH", "/api/v1/admin/tenants/{id}", PlatformAdmin),
        route("DELETE", "/api/v1/admin/tenants/{id}", PlatformAdmin),
        route("GET", "/api/v1/admin/promo-codes", PlatformAdmin),
        route("POST", "/api/v1/admin/promo-codes", PlatformAdmin),
        route("PATCH", "/api/v1/admin/promo-codes/{code}", PlatformAdmin),
        route("POST", "/api/v1/admin/promo-codes/{code}/deactivate", PlatformAdmin),
        route("GET", "/api/v1/admin/stats", PlatformAdmin),
        route("GET", "/api/v1/admin/audit", PlatformAdmin),
        route("GET", "/api/v1/admin/events", PlatformReader),
        route("GET", "/api/v1/admin/webhook/deliveries", PlatformAdmin),
        route("POST", "/api/v1/admin/webhook/deliveries/{delivery}/redeliver", PlatformAdmin),
        route("GET", "/api/v1/tenants/{id}/events", SameTenantOrPlatform),
        route("GET", "/api/v1/tenants/{id}/overview", SameTenantOrPlatform),
        route("GET", "/api/v1/bgops/sagas", PlatformAdmin),
        route("POST", "/api/v1/bgops/sagas/retry", PlatformAdmin),
        route("GET", "/api/v1/bgops/sagas/{run}", PlatformAdmin),
        route("GET", "/api/v1/bgops/sagas/{run}/history", PlatformAdmin),
        route("POST", "/api/v1/bgops/sagas/{run}/retry", PlatformAdmin),
        route("POST", "/api/v1/bgops/sagas/{run}/cancel", PlatformAdmin),
        route("POST", "/api/v1/bgops/sagas/{run}/skip-step", PlatformAdmin),
        route("POST", "/api/v1/bgops/sagas/{run}/reset", PlatformAdmin),
        route("POST", "/api/v1/bgops/provisioning/pause", PlatformAdmin),
        route("POST", "/api/v1/bgops/provisioning/resume", PlatformAdmin),
        route("GET", "/api/v1/bgops/upstreams", PlatformAdmin),
        route("POST", "/api/v1/bgops/upstreams/{name}/open", PlatformAdmin),
        route("POST", "/api/v1/bgops/upstreams/{name}/close", PlatformAdmin),
        route("GET", "/api/v1/bgops/idempotency", PlatformAdmin),
        route("GET", "/api/v1/bgops/idempotency/{key}", PlatformAdmin),
        route("POST", "/internal/provision/queue", Service),
        route("POST", "/internal/provision/retry", Service),
        route("GET", "/metrics", Monitoring),
    ]
};

/// The router. Made once: each request brings its application along as an extension.
pub fn router<P: Ports>() -> Router {
    let mut router = Router::new();
    for (path, handlers) in handlers::<P>() {
        router = router.route(path, handlers);
    }
    router
        .route_layer(from_fn(note_route))
        .fallback(async || ApiError::not_found())
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
}

fn handlers<P: Ports>() -> Vec<(&'static str, MethodRouter)> {
    vec![
        ("/health", get(health::health::<P>)),
        ("/health/live", get(health::live)),
        ("/health/ready", get(health::ready::<P>)),
        ("/health/startup", get(health::startup::<P>)),
        ("/healthz", get(health::live)),
        ("/readyz", get(health::ready::<P>)),
        ("/public/signup/start", post(signups::start::<P>)),
        ("/public/signup/form", post(form::submit::<P>)),
        ("/public/signup/availability", get(signups::availability::<P>)),
        ("/public/signup/verify-promo", post(signups::verify_promo::<P>)),
        ("/public/signup/brand", post(signups::brand::<P>)),
        ("/public/signup/starter/make", post(signups::starter_make::<P>)),
        ("/public/signup/pro/confirm", post(signups::pro_confirm::<P>)),
        ("/public/signup/email", patch(email::correct::<P>)),
        ("/whoami", get(whoami::whoami::<P>)),
        ("/api/v1/admin/whoami", get(whoami::whoami::<P>)),
        ("/auth/magic/start", post(magic_links::start::<P>)),
        ("/auth/magic/verify", post(magic_links::verify::<P>)),
        ("/auth/proof", post(proof::prove::<P>)),
        ("/auth/proof/send", post(proof::send::<P>)),
        ("/auth/logout", post(logout::logout::<P>)),
        ("/api/v1/tenants/{id}/provision-status", get(provisioning::status::<P>)),
        ("/api/v1/tenants/{id}/provision/retry", post(provisioning::retry::<P>)),
        ("/api/v1/tenants/{id}/welcome/resend", post(mails::resend_welcome::<P>)),
        ("/api/v1/tenants/{id}/webhook/test", post(webhooks::test::<P>)),
        ("/api/v1/tenants/{id}/webhook/deliveries", get(deliveries::list::<P>)),
        ("/api/v1/tenants/{id}/webhook/deliveries/{delivery}/redeliver", post(deliveries::redeliver::<P>)),
        ("/api/v1/tenants/me", get(profile::get::<P>).patch(profile::change::<P>)),
        ("/api/v1/tenants/me/sessions", get(sessions::list::<P>)),
        ("/api/v1/tenants/me/sessions/{session}", delete(sessions::end::<P>)),
        ("/api/v1/admin/tokens/revoke", post(tokens::revoke::<P>)),
        ("/api/v1/admin/tenant/webhook", post(admin_tenants::correct_webhook::<P>)),
        ("/api/v1/admin/tenants", get(tenant_list::list::<P>).post(new_tenants::create::<P>)),
        (
            "/api/v1/admin/tenants/{id}",
            get(admin_tenants::get::<P>).patch(admin_tenants::change::<P>).delete(admin_tenants::remove::<P>),
        ),
        ("/api/v1/admin/promo-codes", get(promos::list::<P>).post(promos::create::<P>)),
        ("/api/v1/admin/promo-codes/{code}", patch(promo_changes::change::<P>)),
        ("/api/v1/admin/promo-codes/{code}/deactivate", post(promos::deactivate::<P>)),
        ("/api/v1/admin/stats", get(stats::get::<P>)),
        ("/api/v1/admin/audit", get(audit::list::<P>)),
        ("/api/v1/admin/events", get(event_feed::list::<P>)),
        ("/api/v1/admin/webhook/deliveries", get(platform_webhook::list::<P>)),
        ("/api/v1/admin/webhook/deliveries/{delivery}/redeliver", post(platform_webhook::redeliver::<P>)),
        ("/api/v1/tenants/{id}/events", get(events::list::<P>)),
        ("/api/v1/tenants/{id}/overview", get(overview::get::<P>)),
        ("/api/v1/bgops/sagas", get(sagas::list::<P>)),
        ("/api/v1/bgops/sagas/retry", post(retries::retry::<P>)),
        ("/api/v1/bgops/sagas/{run}", get(sagas::get::<P>)),
        ("/api/v1/bgops/sagas/{run}/history", get(sagas::history::<P>)),
        ("/api/v1/bgops/sagas/{run}/retry", post(sagas::retry::<P>)),
        ("/api/v1/bgops/sagas/{run}/cancel", post(sagas::cancel::<P>)),
        ("/api/v1/bgops/sagas/{run}/skip-step", post(sagas::skip_step::<P>)),
        ("/api/v1/bgops/sagas/{run}/reset", post(sagas::reset::<P>)),
        ("/api/v1/bgops/provisioning/pause", post(pausing::pause::<P>)),
        ("/api/v1/bgops/provisioning/resume", post(pausing::resume::<P>)),
        ("/api/v1/bgops/upstreams", get(upstreams::list::<P>)),
        ("/api/v1/bgops/upstreams/{name}/open", post(upstreams::open::<P>)),
        ("/api/v1/bgops/upstreams/{name}/close", post(upstreams::close::<P>)),
        ("/api/v1/bgops/idempotency", get(idempotency_keys::list::<P>)),
        ("/api/v1/bgops/idempotency/{key}", get(idempotency_keys::get::<P>)),
        ("/internal/provision/queue", post(internal::provisioning::queue::<P>)),
        ("/internal/provision/retry", post(internal::provisioning::queue::<P>)),
        ("/metrics", get(metrics::get::<P>)),
    ]
}

/// The pattern that a request matched, for the log: never the address itself.
#[derive(Debug, Clone)]
pub(super) struct RouteName(pub String);

async fn note_route(path: MatchedPath, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.extensions_mut().insert(RouteName(path.as_str().to_owned()));
    response
}
