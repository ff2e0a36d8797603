//! Reads and writes on behalf of a token's holder. The token is checked in the same round trip as the data; without an
//! answer nobody is admitted.

use crate::{
    db::{Answers, Batch, Db, DbError, Statement},
    domain::{Claims, Denial, id},
    ports::Ports,
    store::{self, access::Purpose, audit::AuditContext},
};

use super::{App, sessions};

/// Why a request on behalf of a token was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The token does not admit its holder any more.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The audit context of an operator's request.
pub(crate) fn audit_context<'a, P: Ports>(
    app: &App<P>,
    claims: &'a Claims,
    reason: &'a str,
    request: &'a str,
) -> AuditContext<'a> {
    let now = app.ports.now();
    AuditContext {
        id: format!("aud_{}", id::token_id(now, app.ports.random())),
        actor: claims.sub.as_deref().filter(|sub| !sub.is_empty()).unwrap_or("unknown"),
        reason,
        request,
        now,
    }
}

/// Asks `batch` on behalf of `claims`: all of it is done, or nothing.
pub async fn on_behalf_of<P: Ports, B: Batch>(
    app: &App<P>,
    claims: &Claims,
    batch: B,
) -> Result<B::Answer, AccessError> {
    with_purpose(app, claims, Purpose::Any, batch).await
}

/// The same for whoever looks how far their tenant is.
pub async fn progress<P: Ports, B: Batch>(
    app: &App<P>,
    claims: &Claims,
    batch: B,
) -> Result<B::Answer, AccessError> {
    with_purpose(app, claims, Purpose::Progress, batch).await
}

async fn with_purpose<P: Ports, B: Batch>(
    app: &App<P>,
    claims: &Claims,
    purpose: Purpose,
    batch: B,
) -> Result<B::Answer, AccessError> {
    let (statements, read) = batch.split();
    Ok(read(&mut admitted(app, claims, purpose, statements).await?)?)
}

/// Runs `statements` behind the access check, whose own answer says nothing more. A sign-in that is used is renewed with it.
async fn admitted<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    purpose: Purpose,
    mut statements: Vec<Statement>,
) -> Result<Answers, AccessError> {
    statements.insert(0, store::access::auth_guard(claims, purpose));
    let renewal = sessions::due(claims, app.ports.now());
    let before = if renewal.is_some() { 2 } else { 1 };
    if let Some(renewal) = renewal {
        statements.insert(1, renewal);
    }
    let answers = app.ports.db().batch(statements).await.map_err(|error| match error {
        DbError::Aborted => AccessError::Denied(Denial::TokenRevoked),
        error => error.into(),
    })?;
    let mut answers = Answers::from(answers);
    for _ in 0..before {
        answers.one()?;
    }
    Ok(answers)
}
