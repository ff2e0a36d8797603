//! Reading and writing on behalf of a token's holder: whether the token still admits anybody is asked in the same
//! round trip as the data, and without an answer nobody is let in.

use crate::{
    db::{Answers, Batch, Db, DbError, Statement},
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

    /// Asks `batch` on behalf of `claims`: all of it is done, or nothing.
    ///
    /// # Errors
    ///
    /// When the token does not admit its holder any more, or the database doesn't answer: nothing was done then.
    pub async fn on_behalf_of<B: Batch>(&self, claims: &Claims, batch: B) -> Result<B::Answer, AccessError> {
        let (statements, read) = batch.split();
        Ok(read(&mut self.admitted(claims, statements).await?)?)
    }

    /// Runs `statements` behind the access check, whose own answer says nothing more.
    async fn admitted(
        &self,
        claims: &Claims,
        mut statements: Vec<Statement>,
    ) -> Result<Answers, AccessError> {
        statements.insert(0, store::access::gate(claims));
        let answers = self.ports.db().batch(statements).await.map_err(|error| match error {
            DbError::Raised => AccessError::Denied(Denial::TokenRevoked),
            error => error.into(),
        })?;
        let mut answers = Answers::from(answers);
        answers.one()?;
        Ok(answers)
    }
}
