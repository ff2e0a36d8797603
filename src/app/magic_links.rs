//! Mailed links: a token in the fragment of an address, which no server log sees, exchanged once.

use crate::{
    db::{DbError, Statement},
    domain::{Audience, Email, MailId, TenantId, Timestamp},
    ports::Ports,
    store::{
        self,
        magic_links::{LINK_SECONDS, SignedIn, Whose},
        sessions::{How, NewSession},
    },
    workflow::RequestOrigin,
};

use super::{App, codes, digest, mails, sessions, sessions::Arrival, tokens::NoSigningKey};

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

/// What shows that somebody reads an owner's mails.
#[derive(Debug, Clone)]
pub enum Shown {
    /// The token of a link.
    Link(String),
    /// The code beside one, and whose.
    Code(Whose, String),
}

/// Exchanges a link, or the code beside it, for a tenant-admin token, once. Whatever is wrong with a code costs the same: whether there
/// is such an address, whether it was sent a code, and whether it is this one.
pub async fn verify<P: Ports>(
    app: &App<P>,
    shown: &Shown,
    arrival: &Arrival<'_>,
) -> Result<(SignedIn, String), LinkError> {
    let how = if matches!(shown, Shown::Link(_)) { How::Link } else { How::Code };
    let session = sessions::begin(app, how, arrival);
    let consume = consume(app, shown, &session)?;
    // Asked before anything is spent.
    app.settings.keys.can_sign()?;
    let told = sessions::tell(app, &session, &arrival.caller);
    let spent = store::magic_links::sign_in(app.ports.db(), consume, &session, told).await?;
    let signed_in = spent.ok_or(LinkError::Invalid)?;
    let issued_at = Timestamp::from_seconds(signed_in.issued_at);
    let token = sessions::token(app, &session, &signed_in.id, &signed_in.owner_user_id, issued_at)?;
    mails::send_later(app, &signed_in.id);
    Ok((signed_in, token))
}

fn consume<P: Ports>(app: &App<P>, shown: &Shown, session: &NewSession) -> Result<Statement, LinkError> {
    let token = match shown {
        Shown::Link(token) => token,
        Shown::Code(whose, code) => {
            let hashes = codes::stored_under_any(app.config(), code);
            return Ok(store::magic_links::consume_by_code(whose, &hashes, session));
        }
    };
    let claims = app.settings.keys.verify(token, session.now).map_err(|_| LinkError::Invalid)?;
    if claims.audience != Some(Audience::MagicLink) {
        return Err(LinkError::Invalid);
    }
    let (Some(jti), Some(tenant)) = (claims.jti, claims.tenant) else { return Err(LinkError::Invalid) };
    Ok(store::magic_links::consume(&tenant, &digest(&[&jti]), &jti, session))
}
