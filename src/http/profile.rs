//! `/api/v1/tenants/me`: a club as its own people see and change it.

use axum::Json;
use serde_json::{Value, json};

use crate::{
    domain::issue::Problem,
    ports::Ports,
    store::{
        profile::{self, Change},
        register::Club,
    },
};

use super::{
    auth::{Caller, TenantAdmin},
    body::Fields,
    error::ApiError,
    register::{brand_json, club_json},
};

/// What a club may change about itself.
const CHANGEABLE: [&str; 3] = ["name", "primaryColor", "secondaryColor"];

/// `GET /api/v1/tenants/me`
#[worker::send]
pub async fn get<P: Ports>(caller: Caller<P, TenantAdmin>) -> Result<Json<Value>, ApiError> {
    let found: Option<Club> = caller.ask(profile::select(caller.tenant()?)).await?.first()?;
    answer(&caller, found)
}

/// `PATCH /api/v1/tenants/me`
#[worker::send]
pub async fn change<P: Ports>(
    caller: Caller<P, TenantAdmin>,
    mut fields: Fields,
) -> Result<Json<Value>, ApiError> {
    let change = Change {
        name: fields.change("name"),
        primary: fields.change("primaryColor"),
        secondary: fields.change("secondaryColor"),
    };
    if !CHANGEABLE.iter().any(|name| fields.has(name)) {
        let message = "Send name, primaryColor or secondaryColor.";
        fields.refuse("name", Problem::new("nothing_to_change", message));
    }
    let change = fields.all(Some(change))?;
    let tenant = caller.tenant()?;
    let mut statements = profile::change(tenant, &change, caller.app.ports.now());
    statements.push(profile::select(tenant));
    let found: Option<Club> = caller.ask_all(statements).await?.pop().unwrap_or_default().first()?;
    answer(&caller, found)
}

fn answer<P: Ports>(caller: &Caller<P, TenantAdmin>, found: Option<Club>) -> Result<Json<Value>, ApiError> {
    let club = found.ok_or_else(ApiError::tenant_not_found)?;
    let address = club.slug.as_deref().map(|slug| caller.app.config().club_address(slug));
    let mut data = club_json(&club);
    if let Some(fields) = data.as_object_mut() {
        fields.insert("address".to_owned(), json!(address));
        fields.insert("brand".to_owned(), brand_json(&club));
    }
    Ok(Json(json!({ "success": true, "data": data })))
}
