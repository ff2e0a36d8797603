//! People change their own address: a link goes to the new one, and once it was confirmed, a way back to the old one.
//!
//! Both links are made of the change's id under a key that is made of `JWT_SECRET`. What is stored is a hash of each: a link that is out
//! outlives a rotation.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    db::{Db, DbError},
    domain::{Claims, Email, EmailChangeId, MailId, TenantId, TenantStatus, Timestamp},
    ports::{Level, LogLine, Ports},
    store::{
        self,
        email_changes::{EmailChange, LINK_SECONDS, Outcome, PAUSE_SECONDS, ShownLink, Wish},
        mails::{Addressee, Claimed, Kind},
    },
    workflow::RequestOrigin,
};

use super::{
    App, access, access::AccessError, digest, magic_links, mails, tokens::NoSigningKey, upstream::hmac_sha256,
};

/// Why an address was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The token names nobody of its tenant.
    #[error("nobody")]
    Nobody,
    /// It is their address already.
    #[error("unchanged")]
    Unchanged,
    /// Another one may be wanted after so many seconds.
    #[error("too soon")]
    TooSoon(u32),
    /// Others were wanted too often.
    #[error("too often")]
    TooOften,
    /// There is no such link.
    #[error("unknown link")]
    Unknown,
    /// It is too old.
    #[error("expired link")]
    Expired,
    /// Another wish, or a way back, has taken its place.
    #[error("superseded link")]
    Superseded,
    /// It was used.
    #[error("used link")]
    Used,
    /// Somebody else has the address that was to be confirmed.
    #[error("email exists")]
    EmailExists,
    /// Somebody else has the address that was to be put back.
    #[error("earlier email exists")]
    EarlierEmailExists,
    /// The tenant is suspended.
    #[error("suspended")]
    Suspended,
    /// Nothing can be signed.
    #[error(transparent)]
    NoSigningKey(#[from] NoSigningKey),
    /// The token does not admit its holder any more, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<DbError> for ChangeError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

/// Mails a link to the address that the caller wants to have. Answers until when it is good at least. Whether anybody has the address
/// is not asked: that is said to whoever reads its mails.
pub async fn want<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    email: &Email,
    caller: &RequestOrigin,
) -> Result<Timestamp, ChangeError> {
    // Asked before anything is written: a service that can't sign can't mail a link.
    app.settings.keys.can_sign()?;
    let now = app.ports.now();
    let id = EmailChangeId::new(now, app.ports.random());
    let mail = MailId::new(now, app.ports.random());
    let user = claims.sub.as_deref().unwrap_or_default();
    let wish = Wish { id: &id, tenant, user, email, now };
    let batch = store::email_changes::want(&wish, &mail, caller);
    let ([written, ..], wisher) = access::on_behalf_of(app, claims, batch).await?;
    let wisher = wisher.ok_or(ChangeError::Nobody)?;
    if written.has_changed() {
        app.log(LogLine::new(Level::Info, "email_change_wanted").with("tenantId", tenant.as_str()));
        mails::send_later(app, tenant);
        return Ok(Timestamp::from_seconds(now.seconds() + LINK_SECONDS));
    }
    if wisher.email.is_some_and(|own| own.as_str().eq_ignore_ascii_case(email.as_str())) {
        return Err(ChangeError::Unchanged);
    }
    app.log(LogLine::new(Level::Warn, "rate_limited").with("limit", "email_change"));
    let pause = wisher.last_at.map_or(0, |at| at + PAUSE_SECONDS - now.seconds());
    Err(match u32::try_from(pause) {
        Ok(seconds @ 1..) => ChangeError::TooSoon(seconds),
        _ => ChangeError::TooOften,
    })
}

/// What somebody does who has a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Confirm,
    Undo,
}

/// Confirms a change by the link that was mailed to the new address, once. Answers the address.
pub async fn confirm<P: Ports>(
    app: &App<P>,
    token: &str,
    caller: &RequestOrigin,
) -> Result<Email, ChangeError> {
    take(app, Step::Confirm, token, caller).await
}

/// Puts the previous address back by the link that was mailed there, once. Whoever had the other one is signed out everywhere. Answers the
/// address.
pub async fn undo<P: Ports>(app: &App<P>, token: &str, caller: &RequestOrigin) -> Result<Email, ChangeError> {
    take(app, Step::Undo, token, caller).await
}

async fn take<P: Ports>(
    app: &App<P>,
    step: Step,
    token: &str,
    caller: &RequestOrigin,
) -> Result<Email, ChangeError> {
    let now = app.ports.now();
    let notice = MailId::new(now, app.ports.random());
    let shown = shown(token).ok_or(ChangeError::Unknown)?;
    let batch = match step {
        Step::Confirm => store::email_changes::confirm(&shown, &notice, caller, now),
        Step::Undo => store::email_changes::undo(&shown, &notice, caller, now),
    };
    let (_, _, outcome) = app.ports.db().ask(batch).await?;
    let outcome = outcome.ok_or(ChangeError::Unknown)?;
    let line = |word| LogLine::new(Level::Info, word).with("tenantId", outcome.tenant_id.as_str());
    match judged(step, &outcome) {
        Ok(email) => {
            app.log(line(if step == Step::Undo { "email_change_undone" } else { "email_changed" }));
            mails::send_later(app, &outcome.tenant_id);
            Ok(email)
        }
        Err(error) => {
            app.log(line("email_change_refused").with("error", error.to_string()));
            Err(error)
        }
    }
}

fn judged(step: Step, outcome: &Outcome) -> Result<Email, ChangeError> {
    let unread = || DbError::Corrupt("an address was not changed for no reason".to_owned()).into();
    Err(match (step, outcome.state.as_str()) {
        _ if outcome.is_done => return outcome.email.clone().ok_or_else(unread),
        _ if !outcome.is_person || outcome.status == TenantStatus::Cancelled => ChangeError::Unknown,
        (_, "superseded") => ChangeError::Superseded,
        (Step::Confirm, "confirmed" | "undone") | (Step::Undo, "undone") => ChangeError::Used,
        _ if !outcome.is_young => ChangeError::Expired,
        (Step::Confirm, _) if outcome.status == TenantStatus::Suspended => ChangeError::Suspended,
        (Step::Confirm, _) if outcome.is_taken => ChangeError::EmailExists,
        (Step::Undo, _) if outcome.is_taken => ChangeError::EarlierEmailExists,
        _ => unread(),
    })
}

/// What a link has: the id of its change, and its secret.
fn shown(token: &str) -> Option<ShownLink> {
    let (id, secret) = token.split_once('.')?;
    Some(ShownLink { id: id.parse().ok()?, hash: digest(&[secret]) })
}

/// A link as it is mailed, and what is stored of it.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The link.
    pub link: String,
    /// What is stored.
    pub hash: String,
}

/// The link of a change that confirms it.
pub fn link<P: Ports>(app: &App<P>, change: &EmailChange, origin: &str) -> Option<Issued> {
    issued(app, change, "token", origin)
}

/// The link that leads back.
pub fn way_back<P: Ports>(app: &App<P>, change: &EmailChange, origin: &str) -> Option<Issued> {
    issued(app, change, "undo", origin)
}

/// The same for the same arguments. None when nothing can be signed, or nobody says where links lead.
fn issued<P: Ports>(app: &App<P>, change: &EmailChange, what: &str, origin: &str) -> Option<Issued> {
    let secret = app.config().jwt_secret.as_ref()?;
    let base = magic_links::base(app, origin)?;
    let message = format!("email-change\n{what}\n{}", change.id);
    let secret = URL_SAFE_NO_PAD.encode(hmac_sha256(secret.expose().as_bytes(), message.as_bytes()));
    Some(Issued { link: format!("{base}/email/#{what}={}.{secret}", change.id), hash: digest(&[&secret]) })
}

/// Whether a mail is about a change that has gone on without it.
pub(super) fn is_over(mail: &Claimed, tenant: &Addressee) -> bool {
    let wants = match Kind::named(&mail.kind) {
        Some(Kind::ChangeEmail) => "open",
        Some(Kind::EmailChanged) if is_undone(mail) => "undone",
        Some(Kind::EmailChanged) => "confirmed",
        _ => return false,
    };
    tenant.change().is_none_or(|change| change.state != wants)
}

/// Whether a mail tells of a way back.
pub(super) fn is_undone(mail: &Claimed) -> bool {
    mail.data().get("undone").and_then(serde_json::Value::as_bool) == Some(true)
}
