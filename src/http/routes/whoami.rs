//! `GET /whoami`: what the service reads in a token.

use serde::Serialize;

use crate::{
    app,
    domain::TenantId,
    http::{
        answer::{Data, Json, Time, data},
        auth::{AnyToken, Authenticated},
        error::ApiError,
    },
    ports::Ports,
};

/// `GET /whoami`
#[worker::send]
pub async fn whoami<P: Ports>(caller: Authenticated<P, AnyToken>) -> Result<Json<Data<WhoAmI>>, ApiError> {
    let claims = &caller.claims;
    app::access::on_behalf_of(&caller.app, claims, Vec::new())
        .await
        .map_err(|error| caller.refused(error))?;
    Ok(data(WhoAmI {
        sub: claims.sub.clone(),
        aud: claims.aud.clone(),
        iss: claims.iss.clone(),
        roles: claims.role_names.clone(),
        tenant_id: claims.tenant.clone(),
        jti: claims.jti.clone(),
        iat: claims.iat,
        exp: claims.exp,
        issued_at: claims.iat.map(Time::at),
        expires_at: Time::at(claims.exp),
    }))
}

/// What a token says.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WhoAmI {
    /// Who holds it.
    pub sub: Option<String>,
    /// Whom it is for.
    pub aud: String,
    /// Who issued it.
    pub iss: String,
    /// What its holder may be.
    pub roles: Vec<String>,
    /// The tenant of a tenant admin.
    pub tenant_id: Option<TenantId>,
    /// Its id, by which it can be revoked.
    pub jti: Option<String>,
    /// When it was issued, Unix seconds.
    pub iat: Option<i64>,
    /// When it ends, Unix seconds.
    pub exp: i64,
    /// When it was issued.
    pub issued_at: Option<Time>,
    /// When it ends.
    pub expires_at: Time,
}
