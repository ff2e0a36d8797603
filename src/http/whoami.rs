//! `GET /whoami`: what the service reads in a token.

use axum::Json;
use serde_json::{Value, json};

use crate::{domain::Timestamp, ports::Ports};

use super::{
    auth::{AnyToken, Caller},
    error::ApiError,
};

/// `GET /whoami`
#[worker::send]
pub async fn whoami<P: Ports>(caller: Caller<P, AnyToken>) -> Result<Json<Value>, ApiError> {
    let claims = &caller.claims;
    caller.app.on_behalf_of(claims, Vec::new()).await.map_err(|error| caller.refused(error))?;
    let at = |seconds| Timestamp::from_seconds(seconds).rfc3339();
    Ok(Json(json!({
        "success": true,
        "data": {
            "sub": claims.sub,
            "aud": claims.aud,
            "iss": claims.iss,
            "roles": claims.role_names,
            "tenantId": claims.tenant,
            "jti": claims.jti,
            "iat": claims.iat,
            "exp": claims.exp,
            "issuedAt": claims.iat.map(at),
            "expiresAt": at(claims.exp),
        }
    })))
}
