//! `PATCH /public/signup/email`: another address, as long as the one that was given is not proven.

use serde::Serialize;

use crate::{
    app,
    domain::Email,
    http::{
        answer::{Data, False, Json, data},
        auth::{Authenticated, SigningUp},
        body::{Fields, body},
        context::Context,
        error::ApiError,
    },
    ports::Ports,
};

/// `PATCH /public/signup/email`
#[worker::send]
pub async fn correct<P: Ports>(
    caller: Authenticated<P, SigningUp>,
    context: Context,
    fields: Fields,
) -> Result<Json<Data<CorrectedEmail>>, ApiError> {
    let EmailRequest { email } = fields.read(EmailRequest::read)?;
    let tenant = caller.tenant()?;
    let email = app::proof::correct(&caller.app, &caller.claims, tenant, &email, &context.caller())
        .await
        .map_err(|error| caller.not_proven(error))?;
    Ok(data(CorrectedEmail { email, email_proven: False }))
}

body! {
    /// The address that was meant.
    pub struct EmailRequest {
        /// The owner's address.
        pub email: Email = required("email"),
    }
}

/// An address that is to be proven.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CorrectedEmail {
    /// The address that is stored now.
    pub email: Email,
    /// It is not proven: a code and a link are on their way there.
    pub email_proven: False,
}
