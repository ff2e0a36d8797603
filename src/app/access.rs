//! Reading and writing on behalf of a token's holder: whether the token still admits anybody is asked in the same
//! round trip as the data, and without an answer nobody is let in.

use crate::{
    db::{Answer, Db, DbError, Statement},
    domain::{Claims, Denial, id},
    ports::Ports,
    store::{self, audit::Act},
};

use super::App;

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

impl<P: Ports> App<P> {
    /// Somebody at work, for the audit log.
    pub(crate) fn act<'a>(&self, claims: &'a Claims, reason: &'a str, request: &'a str) -> Act<'a> {
        let now = self.ports.now();
        Act {
            id: format!("aud_{}", id::token_id(now, self.ports.random())),
            actor: claims.sub.as_deref().filter(|sub| !sub.is_empty()).unwrap_or("unknown"),
            reason,
            request,
            now,
        }
    }

    /// Runs `statements` on behalf of `claims`, all or nothing, and answers them.
    ///
    /// # Errors
    ///
    /// When the token does not admit its holder any more, or the database doesn't answer: nothing was done then.
    pub async fn on_behalf_of(
        &self,
        claims: &Claims,
        statements: Vec<Statement>,
    ) -> Result<Vec<Answer>, AccessError> {
        let mut batch = Vec::with_capacity(statements.len() + 1);
        batch.push(store::access::gate(claims));
        batch.extend(statements);
        match self.ports.db().batch(batch).await {
            Ok(answers) => Ok(answers.into_iter().skip(1).collect()),
            Err(DbError::Raised) => Err(AccessError::Denied(Denial::TokenRevoked)),
            Err(error) => Err(error.into()),
        }
    }
}
