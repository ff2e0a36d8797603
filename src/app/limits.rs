//! Rate limits: who is counted, and under which key.
//!
//! Nobody uses up what is somebody else's. A client is counted by the part of its address that it can't choose. A tenant is
//! counted only by tokens that are still valid. Nothing is counted by an e-mail address, which anybody may type; the pause after
//! each mail covers that.

use crate::{
    domain::{Claims, Client},
    ports::{Level, Limit, LogLine, Ports},
};

use super::{App, access, access::AccessError};

/// Whether `client` may do this once more now, and its network with it. Clients that are over their own limit don't count
/// against their neighbours.
pub async fn allows_client<P: Ports>(app: &App<P>, limit: Limit, client: &str) -> bool {
    let client = Client::of(client);
    if !allows(app, limit, &client.key).await {
        return false;
    }
    match limit.of_network().zip(client.network) {
        Some((limit, network)) => allows(app, limit, &network).await,
        None => true,
    }
}

/// Whether the tenant whose token this is may change something once more now. `what` is counted by itself.
///
/// A token that was revoked still bears our signature, and whoever holds it must not use up what is the tenant's. So once
/// the limit is reached, the database is asked whose token is good, and those have as much again.
pub async fn allows_tenant<P: Ports>(app: &App<P>, claims: &Claims, what: &str) -> Result<bool, AccessError> {
    let Some(tenant) = &claims.tenant else { return Ok(true) };
    if asks(app, Limit::Tenant, &format!("{what} {tenant}")).await {
        return Ok(true);
    }
    access::on_behalf_of(app, claims, Vec::new()).await?;
    Ok(allows(app, Limit::Tenant, &format!("{what} {tenant} admitted")).await)
}

/// As [`asks`], and the log hears of a no.
async fn allows<P: Ports>(app: &App<P>, limit: Limit, key: &str) -> bool {
    let allowed = asks(app, limit, key).await;
    if !allowed {
        app.log(LogLine::new(Level::Warn, "rate_limited").with("limit", limit.as_str()));
    }
    allowed
}

/// Whether `key` may do this once more now. A limiter that fails turns nobody away.
async fn asks<P: Ports>(app: &App<P>, limit: Limit, key: &str) -> bool {
    app.ports.allows(limit, key).await.unwrap_or_else(|error| {
        let line = LogLine::new(Level::Error, "rate_limiter_failed").with("limit", limit.as_str());
        app.log(line.with("error", error.to_string()));
        true
    })
}
