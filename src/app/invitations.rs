//! Inviting somebody into a tenant, and what becomes of that.
//!
//! A link is made of the invitation's id and version, under a key that is made of `JWT_SECRET`; what is stored of it opens nothing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    db::{Answer, Db, DbError},
    domain::{Claims, Email, InvitationId, MailId, TeamRole, TenantId, Timestamp, UserId},
    ports::Ports,
    store::{
        self,
        invitations::{Invitation, Mailed, NewInvitation, Obstacle, PAUSE_SECONDS, Seen},
        mails::{Addressee, Claimed},
        sessions::How,
    },
    workflow::{FailureCode, RequestOrigin},
};

use super::{
    App, access,
    access::AccessError,
    digest,
    letters::{Enclosed, Letter, Unwritten, addressed},
    magic_links::{self, SignedInAs},
    mail::{self, Mail},
    mails, members, sessions,
    sessions::Arrival,
    tokens::NoSigningKey,
    upstream::hmac_sha256,
};

/// Why somebody was not invited, or did not join.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// There is no such invitation in the tenant.
    #[error("not found")]
    NotFound,
    /// No invitation was ever mailed with this link.
    #[error("unknown")]
    Unknown,
    /// The address belongs to one of the tenant's people.
    #[error("already member")]
    AlreadyMember,
    /// Too many are open.
    #[error("too many")]
    TooMany,
    /// Another mail may be had after so many seconds.
    #[error("too soon")]
    TooSoon(u32),
    /// It can be accepted: nobody has to ask for another one.
    #[error("open")]
    Open,
    /// Somebody has accepted it.
    #[error("used")]
    Used,
    /// It is too late.
    #[error("expired")]
    Expired,
    /// It was taken back.
    #[error("revoked")]
    Revoked,
    /// A later mail took the place of this one's.
    #[error("superseded")]
    Superseded,
    /// The tenant is stopped.
    #[error("suspended")]
    Suspended,
    /// Nothing can be signed.
    #[error(transparent)]
    NoSigningKey(#[from] NoSigningKey),
    /// The token does not admit its holder to this, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<DbError> for InvitationError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

/// Somebody who is to be invited.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who.
    pub email: Email,
    /// As what.
    pub role: TeamRole,
    /// What the inviter says.
    pub message: Option<String>,
}

/// Invites somebody, or mails the open invitation once more. Answers whether it is a new one. Only owners invite owners.
pub async fn invite<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    request: &Request,
    caller: &RequestOrigin,
) -> Result<(Invitation, bool), InvitationError> {
    let now = app.ports.now();
    let (id, mail) = (InvitationId::new(now, app.ports.random()), MailId::new(now, app.ports.random()));
    let event = members::event_id(app);
    let new = NewInvitation {
        id: &id,
        email: &request.email,
        role: request.role,
        message: request.message.as_deref(),
        by: members::actor(claims),
        event: &event,
    };
    let (change, queue, told) =
        store::invitations::invite(&new, &Mailed { tenant, mail: &mail, caller, now });
    let email = Some(&request.email);
    let batch = (
        change,
        queue,
        told,
        store::invitations::find(tenant, email, None),
        store::invitations::obstacle(tenant, email, None, now),
    );
    let (_, queued, _, found, obstacle) = match request.role {
        TeamRole::Owner => access::as_owner(app, claims, batch).await?,
        TeamRole::TenantAdmin | TeamRole::Other(_) => access::on_behalf_of(app, claims, batch).await?,
    };
    let invitation = mailed(app, tenant, &queued, found, obstacle)?.ok_or(InvitationError::TooMany)?;
    let is_new = invitation.id == id;
    if is_new {
        members::log(app, tenant, "member.invited");
    }
    Ok((invitation, is_new))
}

/// Mails an open invitation once more.
pub async fn resend<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    id: &InvitationId,
    caller: &RequestOrigin,
) -> Result<Invitation, InvitationError> {
    let now = app.ports.now();
    let mail = MailId::new(now, app.ports.random());
    let (again, queue) = store::invitations::resend(id, &Mailed { tenant, mail: &mail, caller, now });
    let batch = (
        again,
        queue,
        store::invitations::find(tenant, None, Some(id)),
        store::invitations::obstacle(tenant, None, Some(id), now),
    );
    let (_, queued, found, obstacle) = access::on_behalf_of(app, claims, batch).await?;
    match found.as_ref().map(|invitation| invitation.state.as_str()) {
        None => return Err(InvitationError::NotFound),
        Some("used") => return Err(InvitationError::Used),
        Some("open") => {}
        Some(_) => return Err(InvitationError::Revoked),
    }
    mailed(app, tenant, &queued, found, obstacle)?.ok_or(InvitationError::NotFound)
}

/// What was mailed, or why nothing was.
fn mailed<P: Ports>(
    app: &App<P>,
    tenant: &TenantId,
    queued: &Answer,
    found: Option<Invitation>,
    obstacle: Obstacle,
) -> Result<Option<Invitation>, InvitationError> {
    if queued.has_changed() {
        mails::send_later(app, tenant);
        return Ok(found);
    }
    if obstacle.is_member {
        return Err(InvitationError::AlreadyMember);
    }
    let pause = obstacle.mailed_at + PAUSE_SECONDS - app.ports.now().seconds();
    if found.is_none() && pause <= 0 && obstacle.open >= store::invitations::MOST_OPEN {
        return Ok(None);
    }
    let seconds = u32::try_from(pause).ok().filter(|seconds| *seconds > 0);
    Err(InvitationError::TooSoon(seconds.unwrap_or(3600)))
}

/// Takes an invitation back.
pub async fn revoke<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    id: &InvitationId,
) -> Result<Invitation, InvitationError> {
    let revoke = store::invitations::revoke(tenant, id, app.ports.now());
    let batch = (revoke, store::invitations::find(tenant, None, Some(id)));
    let (_, found) = access::on_behalf_of(app, claims, batch).await?;
    let invitation = found.ok_or(InvitationError::NotFound)?;
    if invitation.state == "used" { Err(InvitationError::Used) } else { Ok(invitation) }
}

/// What an invitation is to the holder of a link of its.
pub async fn look<P: Ports>(app: &App<P>, token: &str) -> Result<Seen, InvitationError> {
    let seen = app.ports.db().ask(store::invitations::see(&stored(token))).await?;
    seen.ok_or(InvitationError::Unknown)
}

/// Accepts an invitation, and signs in whoever holds its link: the link shows that they read the mail.
pub async fn accept<P: Ports>(
    app: &App<P>,
    token: &str,
    name: Option<&str>,
    arrival: &Arrival<'_>,
) -> Result<SignedInAs, InvitationError> {
    app.settings.keys.can_sign()?;
    let (now, hash) = (app.ports.now(), stored(token));
    let user = UserId::new(now, app.ports.random());
    let event = members::event_id(app);
    let session = sessions::begin(app, How::Invitation, arrival);
    let batch = (
        store::invitations::accept(&hash, &user, name, &event, now),
        session.by_membership(&user),
        sessions::tell(app, &session, &arrival.caller),
        store::magic_links::signed_in(&session),
        store::invitations::see(&hash),
    );
    let (_, _, _, signed_in, seen) = app.ports.db().ask(batch).await?;
    if let Some(signed_in) = signed_in {
        members::log(app, &signed_in.id, "member.joined");
        let signed_in = magic_links::with_token(app, &session, signed_in)?;
        mails::send_later(app, &signed_in.0.id);
        return Ok(signed_in);
    }
    Err(judge(&seen.ok_or(InvitationError::Unknown)?, now).err().unwrap_or(InvitationError::AlreadyMember))
}

/// Whether it can be accepted.
fn judge(seen: &Seen, now: Timestamp) -> Result<(), InvitationError> {
    match seen.state.as_str() {
        "used" => Err(InvitationError::Used),
        "open" if seen.is_superseded => Err(InvitationError::Superseded),
        "open" if seen.expires_at <= now.seconds() => Err(InvitationError::Expired),
        "open" if !seen.is_enabled => Err(InvitationError::Suspended),
        "open" => Ok(()),
        _ => Err(InvitationError::Revoked),
    }
}

/// Tells the owner that the holder of a link that came too late would like another one.
pub async fn ask_again<P: Ports>(
    app: &App<P>,
    token: &str,
    caller: &RequestOrigin,
) -> Result<(), InvitationError> {
    let (now, hash) = (app.ports.now(), stored(token));
    let mail = MailId::new(now, app.ports.random());
    let batch = (store::invitations::ask_again(&hash, &mail, caller, now), store::invitations::see(&hash));
    let (_, seen) = app.ports.db().ask(batch).await?;
    let seen = seen.ok_or(InvitationError::Unknown)?;
    match judge(&seen, now) {
        Err(InvitationError::Superseded | InvitationError::Expired) => {
            mails::send_later(app, &seen.tenant_id);
            Ok(())
        }
        Ok(()) => Err(InvitationError::Open),
        Err(error) => Err(error),
    }
}

/// What is stored of what a link has.
fn stored(token: &str) -> String {
    digest(&["invitation", token])
}

/// How somebody is called who invites: never the whole address.
pub fn spoken(name: Option<&str>, email: Option<&Email>) -> Option<String> {
    let email = email?;
    let domain = email.as_str().rsplit_once('@').map_or("", |(_, domain)| domain);
    let first = name.and_then(|name| name.split_whitespace().next());
    Some(first.map_or_else(
        || email.masked(),
        |first| format!("{} ({domain})", first.chars().take(40).collect::<String>()),
    ))
}

/// The mail that invites somebody: the same for the same version.
pub(super) fn letter<P: Ports>(
    app: &App<P>,
    mail: &Claimed,
    tenant: &Addressee,
) -> Result<Letter, Unwritten> {
    let missing = || Unwritten(FailureCode::Misconfigured);
    let invited = tenant.invitation().ok().flatten().ok_or(Unwritten(FailureCode::TenantGone))?;
    let base = magic_links::base(app, mail.origin.as_deref().unwrap_or_default()).ok_or_else(missing)?;
    let secret = app.config().jwt_secret.as_ref().ok_or_else(missing)?;
    // The key of the mail names the invitation and its version.
    let message = format!("invitation\n{}", mail.key);
    let token = URL_SAFE_NO_PAD.encode(hmac_sha256(secret.expose().as_bytes(), message.as_bytes()));
    let inviter = spoken(invited.inviter_name.as_deref(), invited.inviter_email.as_ref());
    let link = format!("{base}/invitation/#token={token}");
    let said = Mail::Invitation(mail::Invitation {
        name: &tenant.name,
        inviter: inviter.as_deref(),
        role: invited.role,
        message: invited.message.as_deref(),
        link: &link,
        until: Timestamp::from_seconds(invited.expires_at),
    });
    let mut mail = addressed(app, tenant, Some(&invited.email), &said)?;
    // Whoever answers would answer us, and means the club.
    mail.reply_to = None;
    Ok(Letter { mail, enclosed: Enclosed::Invitation(stored(&token)) })
}
