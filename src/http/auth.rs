//! Permissions as extractors: a handler that takes a [`Authenticated`] runs only for those who may.

use std::{convert::Infallible, marker::PhantomData};

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use http::{header::AUTHORIZATION, request::Parts};

use crate::{
    app::{self, App, access::AccessError, provisioning::QueueError, tokens::TokenError},
    db::Batch,
    domain::{Audience, Claims, Denial, Permission, Secret, TenantId, config::SHORTEST_METRICS_TOKEN},
    ports::Ports,
    store::audit::AuditContext,
};

use super::{context::Context, error::ApiError, same_origin, session_cookie};

/// A permission as a type.
pub trait RequiredPermission: Send + Sync + 'static {
    /// Which.
    const PERMISSION: Permission;
}

macro_rules! permission {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl RequiredPermission for $name {
            const PERMISSION: Permission = Permission::$name;
        }
    )*};
}

permission!(
    /// [`Permission::AnyToken`]
    AnyToken,
    /// [`Permission::TenantAdmin`]
    TenantAdmin,
    /// [`Permission::SigningUp`]
    SigningUp,
    /// [`Permission::SameTenant`]
    SameTenant,
    /// [`Permission::SameTenantOrPlatform`]
    SameTenantOrPlatform,
    /// [`Permission::PlatformAdmin`]
    PlatformAdmin,
    /// [`Permission::PlatformReader`]
    PlatformReader,
    /// [`Permission::TenantReader`]
    TenantReader,
    /// [`Permission::Service`]
    Service,
    /// [`Permission::Monitoring`], for those of them who hold a token of ours. See [`Scraper`].
    Monitoring
);

/// A caller with a verified token and the permission `Permission`. Revocation is checked in the same batch as the data.
#[derive(Debug, Clone)]
pub struct Authenticated<P, G> {
    /// The application.
    pub app: App<P>,
    /// What the token says.
    pub claims: Claims,
    /// Whether it came as a cookie of the pages.
    pub by_cookie: bool,
    /// The tenant that the route names.
    requested: Option<TenantId>,
    permission: PhantomData<G>,
}

impl<P: Ports, G: RequiredPermission> Authenticated<P, G> {
    /// The tenant that this is about: the one that the route names, else the token's own.
    pub fn tenant(&self) -> Result<&TenantId, ApiError> {
        self.requested.as_ref().or(self.claims.tenant.as_ref()).ok_or_else(ApiError::tenant_not_found)
    }

    /// Asks the database on the caller's behalf, in one round trip.
    pub async fn ask<B: Batch>(&self, batch: B) -> Result<B::Answer, ApiError> {
        app::access::on_behalf_of(&self.app, &self.claims, batch).await.map_err(|error| self.refused(error))
    }

    /// Counts a change by a tenant's own people against what the tenant may change. Operators and machines have no such
    /// limit.
    #[worker::send]
    async fn within_limit(&self) -> Result<(), ApiError> {
        if self.claims.audience != Some(Audience::Tenant) {
            return Ok(());
        }
        // Whatever else was done in a tenant's name, its people can still end their sign-ins.
        let what = if G::PERMISSION == Permission::AnyToken { "sign-in" } else { "club" };
        match app::limits::allows_tenant(&self.app, &self.claims, what).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ApiError::rate_limited()),
            Err(error) => Err(self.refused(error)),
        }
    }

    /// What the audit log says of this if an operator does it. What tenants do with their own is their own business.
    pub fn audited<'a>(&'a self, reason: &'a str, context: &'a Context) -> Option<AuditContext<'a>> {
        let by_operator = self.claims.audience == Some(Audience::PlatformAdmin);
        by_operator.then(|| app::access::audit_context(&self.app, &self.claims, reason, context.id.as_str()))
    }

    /// Why something was not done on the caller's behalf.
    pub fn refused(&self, error: AccessError) -> ApiError {
        ApiError::of_access(error, &self.claims, self.requested.as_ref().map(TenantId::as_str))
    }

    /// Why provisioning was not queued on the caller's behalf.
    pub fn not_queued(&self, error: QueueError) -> ApiError {
        ApiError::of_queue(error, &self.claims, self.requested.as_ref().map(TenantId::as_str))
    }
}

impl<P: Ports, G: RequiredPermission, S: Send + Sync> FromRequestParts<S> for Authenticated<P, G> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let app = App::<P>::from_request_parts(parts, state).await?;
        let named = named_tenant(parts, state).await;
        let credential = credential(&app, parts, G::PERMISSION)?;
        let by_cookie = credential.is_cookie;
        let claims = authenticate(&app, &credential)?;
        let deny = |denial| ApiError::forbidden(denial, &claims, named.as_deref());
        let requested = match named.as_deref().map(str::parse::<TenantId>) {
            None => None,
            Some(Ok(tenant)) => Some(tenant),
            // No tenant has such an id: not the caller's own, and nobody else's.
            Some(Err(_)) => {
                match G::PERMISSION.check(&claims, None) {
                    // It is another tenant's in any case.
                    Ok(()) | Err(Denial::EmailUnproven) => {}
                    Err(denial) => return Err(deny(denial)),
                }
                if let Some(context) = parts.extensions.get::<Context>() {
                    context.admit(&claims, named.as_deref(), by_cookie);
                }
                let own_only = claims.audience == Some(Audience::Tenant);
                return Err(if own_only {
                    deny(Denial::TenantMismatch)
                } else {
                    ApiError::tenant_not_found()
                });
            }
        };
        if let Err(denial) = G::PERMISSION.check(&claims, requested.as_ref()) {
            if denial == Denial::EmailUnproven {
                still_admitted(&app, &claims, named.as_deref()).await?;
            }
            return Err(deny(denial));
        }
        if let Some(context) = parts.extensions.get::<Context>() {
            context.admit(&claims, named.as_deref(), by_cookie);
        }
        let caller = Self { app, claims, by_cookie, requested, permission: PhantomData };
        if !parts.method.is_safe() {
            caller.within_limit().await?;
        }
        Ok(caller)
    }
}

/// A token from before its tenant's address was proven says so as long as it lives. Once the address is proven, it is not the proof that
/// is missing, but the token that has ended.
#[worker::send]
async fn still_admitted<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    named: Option<&str>,
) -> Result<(), ApiError> {
    let admitted = app::access::on_behalf_of(app, claims, Vec::new()).await;
    admitted.map(|_| ()).map_err(|error| ApiError::of_access(error, claims, named))
}

/// Who reads the metrics.
#[derive(Debug, Clone)]
pub enum Scraper<P> {
    /// Whoever holds `METRICS_TOKEN`. It is configuration: nothing that is stored says whether it still admits anybody.
    Monitoring(App<P>),
    /// An operator.
    Operator(Box<Authenticated<P, Monitoring>>),
}

impl<P: Ports, S: Send + Sync> FromRequestParts<S> for Scraper<P> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let app = App::<P>::from_request_parts(parts, state).await?;
        let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
        let given = header.and_then(bearer).map(|token| Secret::new(token.to_owned()));
        // Without a METRICS_TOKEN, or with one that could be guessed, nobody holds it.
        let long_enough = given.as_ref().is_some_and(|given| given.len() >= SHORTEST_METRICS_TOKEN);
        if long_enough && given == app.config().metrics_token {
            return Ok(Self::Monitoring(app));
        }
        Ok(Self::Operator(Box::new(Authenticated::from_request_parts(parts, state).await?)))
    }
}

/// The tenant that the route's `{id}` names. What can't be decoded names a tenant that never was, and not none.
async fn named_tenant<S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<String> {
    let names_one = parts.extensions.get::<MatchedPath>().is_some_and(|path| path.as_str().contains("{id}"));
    if !names_one {
        return None;
    }
    let PathPart(id) = PathPart::from_request_parts(parts, state).await.unwrap_or_default();
    Some(id)
}

/// The part of the path that the route leaves open. What can't be decoded is empty, and names nothing that there is.
#[derive(Debug, Default)]
pub struct PathPart(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathPart {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let part = params.ok().and_then(|params| params.iter().next().map(|(_, value)| value.to_owned()));
        Ok(Self(part.unwrap_or_default()))
    }
}

/// What a request is sent on behalf of: a token of ours.
struct Credential<'a> {
    token: &'a str,
    is_cookie: bool,
}

/// The one credential of a request. A cookie counts where a tenant's own people may come, and only if our own page sent it: other
/// sites, and the hosts of tenants beside ours, can make a browser send it, too.
fn credential<'a, P: Ports>(
    app: &App<P>,
    parts: &'a Parts,
    permission: Permission,
) -> Result<Credential<'a>, ApiError> {
    let header = parts.headers.get(AUTHORIZATION);
    let mut cookies = session_cookie::sent(&parts.headers);
    cookies.retain(|cookie| permission.admits_tenants() && !cookie.is_empty());
    let asked = parts.extensions.get::<Context>().map_or("", |context| context.origin.as_str());
    let own = same_origin::console_origin(app.config(), asked);
    let is_ours = own.is_some_and(|own| same_origin::is_own(&parts.headers, &own));
    match (header, cookies.as_slice()) {
        (None, []) => Err(ApiError::unauthorized()),
        (None, [token]) if is_ours => Ok(Credential { token, is_cookie: true }),
        (None, _) if is_ours => Err(ApiError::ambiguous_credentials()),
        (None, _) if parts.method.is_safe() => Err(ApiError::unauthorized()),
        (None, _) => Err(ApiError::foreign_cookie()),
        // Pages of other origins that bring a token of their own don't choose what a browser adds to it.
        (Some(header), cookies)
            if cookies.is_empty() || (!is_ours && same_origin::is_told(&parts.headers)) =>
        {
            let token = header.to_str().ok().and_then(bearer);
            let token = token.ok_or_else(|| ApiError::invalid_token("malformed_token"))?;
            Ok(Credential { token, is_cookie: false })
        }
        (Some(_), _) => Err(ApiError::ambiguous_credentials()),
    }
}

fn authenticate<P: Ports>(app: &App<P>, credential: &Credential<'_>) -> Result<Claims, ApiError> {
    let refused = |reason| {
        let error = ApiError::invalid_token(reason);
        if credential.is_cookie { error.without_auth_header() } else { error }
    };
    let claims = app.settings.keys.verify(credential.token, app.ports.now()).map_err(|error| {
        refused(match error {
            TokenError::Invalid => "invalid_token",
            TokenError::Expired => "expired_token",
        })
    })?;
    // Only a sign-in of a page is a cookie: no other token is made one.
    let is_sign_in = claims.audience == Some(Audience::Tenant) && claims.session.is_some();
    if credential.is_cookie && !is_sign_in {
        return Err(refused("invalid_token"));
    }
    Ok(claims)
}

/// RFC 6750: `Bearer`, in any case, then one token. Blanks around the token are none of it.
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once([' ', '\t'])?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
