//! Sign-ins: what begins one, renews it and ends it. A sign-in is a row, and its token says which; see [`store::sessions`].

use crate::{
    db::{Answer, Statement},
    domain::{Browser, Claims, MailId, SessionId, TenantId, Timestamp, UserId},
    ports::Ports,
    store::{
        self,
        sessions::{How, LONGEST_SECONDS, NewSession, RENEWED_AFTER_SECONDS, SESSION_SECONDS},
        tokens::TokenOwner,
    },
    workflow::RequestOrigin,
};

use super::{App, access, access::AccessError, mails, tokens::NoSigningKey};

/// How somebody who signs in came.
#[derive(Debug, Clone)]
pub struct Arrival<'a> {
    /// What the browser calls itself.
    pub user_agent: &'a str,
    /// Whether the token becomes a cookie of the pages.
    pub is_cookie: bool,
    /// The request.
    pub caller: RequestOrigin,
}

/// A sign-in that is about to be written down. `store::sessions` has the statement that does it, for the batch of whatever it is
/// that signs somebody in; [`token`] makes its token afterwards.
pub fn begin<P: Ports>(app: &App<P>, how: How, arrival: &Arrival<'_>) -> NewSession {
    let now = app.ports.now();
    NewSession {
        id: SessionId::new(now, app.ports.random()),
        how,
        is_cookie: arrival.is_cookie,
        browser: Browser::of(arrival.user_agent),
        now,
    }
}

/// What tells a tenant of a sign-in that the same batch has just written down: an event, and a mail to its owner.
pub fn tell<P: Ports>(app: &App<P>, session: &NewSession, caller: &RequestOrigin) -> Vec<Statement> {
    let mail = MailId::new(session.now, app.ports.random());
    store::notices::signed_in(session, &mail, caller)
}

/// The token of a sign-in. `issued_at` is what its row says: after every cut-off.
pub fn token<P: Ports>(
    app: &App<P>,
    session: &NewSession,
    tenant: &TenantId,
    user: &UserId,
    issued_at: Timestamp,
) -> Result<String, NoSigningKey> {
    app.settings.keys.session_token(tenant, user.as_str(), &session.id, issued_at, SESSION_SECONDS)
}

/// What notes that a sign-in is used, if that is due: its token ends a day earlier than a new one would.
pub(super) fn due(claims: &Claims, now: Timestamp) -> Option<Statement> {
    let session = claims.session.as_ref().filter(|_| is_due(claims, now))?;
    Some(store::sessions::renew(session, now))
}

fn is_due(claims: &Claims, now: Timestamp) -> bool {
    claims.exp - SESSION_SECONDS + RENEWED_AFTER_SECONDS <= now.seconds()
}

/// The token that takes the place of a page's, if that is due: the same to the letter, but for its end.
pub fn renewed<P: Ports>(app: &App<P>, claims: &Claims) -> Option<String> {
    let now = app.ports.now();
    let (session, tenant, issued_at) = (claims.session.as_ref()?, claims.tenant.as_ref()?, claims.iat?);
    let ttl = (now.seconds() - issued_at + SESSION_SECONDS).min(LONGEST_SECONDS);
    if !is_due(claims, now) || issued_at + ttl <= claims.exp {
        return None;
    }
    let user = claims.sub.as_deref()?;
    let issued_at = Timestamp::from_seconds(issued_at);
    app.settings.keys.session_token(tenant, user, session, issued_at, ttl).ok()
}

/// Ends one of the tenant's sign-ins on behalf of its people. Answers whether there was one.
pub async fn end<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    session: &SessionId,
    caller: &RequestOrigin,
) -> Result<bool, AccessError> {
    let now = app.ports.now();
    let is_own = claims.session.as_ref() == Some(session);
    let mail = MailId::new(now, app.ports.random());
    let mut batch = Vec::from(store::sessions::end(tenant, session, "session_ended", now));
    batch.extend(store::notices::session_ended(tenant, session, (!is_own).then_some(&mail), caller, now));
    let answers = access::on_behalf_of(app, claims, batch).await?;
    let has_ended = answers.get(1).is_some_and(Answer::has_changed);
    if has_ended {
        mails::send_later(app, tenant);
    }
    Ok(has_ended)
}

/// Ends every sign-in of the tenant on behalf of its people, and refuses every token that it was given up to now.
pub async fn end_all<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    caller: &RequestOrigin,
) -> Result<(), AccessError> {
    let now = app.ports.now();
    let mail = MailId::new(now, app.ports.random());
    let mut batch = vec![store::tokens::revoke_tenant(tenant, now), store::sessions::end_all(tenant, now)];
    batch.extend(store::notices::all_ended(tenant, &mail, caller, now));
    access::on_behalf_of(app, claims, batch).await?;
    mails::send_later(app, tenant);
    Ok(())
}

/// Ends the sign-in that a token came of, with the token itself.
pub(super) fn log_out(claims: &Claims, jti: &str, now: Timestamp) -> Vec<Statement> {
    let whose = claims.tenant.as_ref().map_or(TokenOwner::NoTenants, TokenOwner::Tenant);
    let mut statements = Vec::new();
    if let (Some(tenant), Some(session)) = (&claims.tenant, &claims.session) {
        statements.extend(store::sessions::end(tenant, session, "logout", now));
        statements.extend(store::notices::session_ended(
            tenant,
            session,
            None,
            &RequestOrigin::default(),
            now,
        ));
    }
    statements.push(store::tokens::revoke(jti, whose, claims.exp, "logout", now));
    statements
}
