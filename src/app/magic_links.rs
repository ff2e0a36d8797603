//! Mailed links: a token in the fragment of an address, which no server log sees, exchanged once.

use crate::{
    db::DbError,
    domain::{Audience, Email, MailId, TenantId, Timestamp},
    ports::Ports,
    store::{
        self,
        magic_links::{LINK_SECONDS, SignedIn},
    },
    workflow::RequestOrigin,
};

use super::{
    App, digest, mails, signups,
    tokens::{LINK_TOKEN_SECONDS, NoSigningKey},
};

/// Why a link was not mailed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Nothing can be signed.
    #[error(transparent)]
    NoSigningKey(#[from] NoSigningKey),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Why a link was not exchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is no link of ours, or not any more: expired, spent, or of a stopped tenant.
    #[error("invalid link")]
    Invalid,
    /// Nothing can be signed.
    #[error(transparent)]
    NoSigningKey(#[from] NoSigningKey),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The address of a link: the same for the same arguments. None when nothing can be signed, or nobody says where links lead.
pub fn url<P: Ports>(
    app: &App<P>,
    tenant: &TenantId,
    issued_at: Timestamp,
    link_id: &str,
    origin: &str,
) -> Option<String> {
    let page = page(app, origin)?;
    let token = app.settings.keys.link_token(tenant, issued_at, LINK_SECONDS, link_id).ok()?;
    Some(format!("{page}#token={token}"))
}

/// The page that links lead to. Without a link it mails a new one to whoever asks. None when nobody says where it is.
pub fn page<P: Ports>(app: &App<P>, origin: &str) -> Option<String> {
    base(app, origin).map(|base| format!("{base}/magic/"))
}

/// Where mailed links lead. None when nobody says so.
pub(super) fn base<'a, P: Ports>(app: &'a App<P>, origin: &'a str) -> Option<&'a str> {
    let base = match app.config().admin_console_url.as_str() {
        "" => origin,
        configured => configured,
    };
    (!base.is_empty()).then_some(base)
}

/// Mails a link to the owner of this address, if there is one; before it is proven, what proves it. Where a `tenant` is named, by its
/// id or its slug, it has to be the owner's. Without an address it is the owner of the tenant with that slug. The caller learns nothing:
/// the same work is done for a known and an unknown address, and the mail goes after the answer.
pub async fn start<P: Ports>(
    app: &App<P>,
    email: Option<&Email>,
    tenant: Option<&str>,
    caller: &RequestOrigin,
) -> Result<(), StartError> {
    // Asked before anything is written: a service that can't sign must not start the pause.
    app.settings.keys.can_sign()?;
    let now = app.ports.now();
    let mail = MailId::new(now, app.ports.random());
    let known = store::mails::sign_in(app.ports.db(), email, tenant, &mail, caller, now).await?;
    if let Some(tenant) = known {
        mails::send_later(app, &tenant);
    }
    Ok(())
}

/// Exchanges a link for a tenant-admin token, once.
pub async fn verify<P: Ports>(app: &App<P>, token: &str) -> Result<(SignedIn, String), LinkError> {
    let now = app.ports.now();
    let claims = app.settings.keys.verify(token, now).map_err(|_| LinkError::Invalid)?;
    if claims.audience != Some(Audience::MagicLink) {
        return Err(LinkError::Invalid);
    }
    let (Some(jti), Some(tenant)) = (claims.jti, claims.tenant) else { return Err(LinkError::Invalid) };
    // Asked before the link is spent.
    app.settings.keys.can_sign()?;
    let hash = digest(&[&jti]);
    let signed_in =
        store::magic_links::consume(app.ports.db(), &hash, &jti, now).await?.ok_or(LinkError::Invalid)?;
    if signed_in.id != tenant {
        return Err(LinkError::Invalid);
    }
    // A cut-off in this very second is a second ahead: what is issued after it must not fall before it.
    let issued_at = now.max(Timestamp::from_seconds(signed_in.tokens_valid_after));
    let token = signups::new_tenant_token(
        app,
        &signed_in.id,
        &signed_in.owner_user_id,
        Some(LINK_TOKEN_SECONDS),
        issued_at,
    )?;
    Ok((signed_in, token))
}
