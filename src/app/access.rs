//! Reading and writing on behalf of a token's holder: whether the token still admits anybody is asked in the same
//! round trip as the data, and without an answer nobody is let in.

use crate::{
    db::{Answer, Db, DbError, Statement},
    domain::{Claims, Denial},
    ports::Ports,
    store,
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
    /// Runs `statements` on behalf of `claims` in one batch, and answers them. Writes among them must carry the guard
    /// of [`store::access`] themselves: the batch is one transaction, but a refusal does not undo it.
    ///
    /// # Errors
    ///
    /// When the token does not admit its holder any more, or the database doesn't answer.
    pub async fn on_behalf_of(
        &self,
        claims: &Claims,
        statements: Vec<Statement>,
    ) -> Result<Vec<Answer>, AccessError> {
        let mut batch = Vec::with_capacity(statements.len() + 1);
        batch.push(store::access::statement(claims));
        batch.extend(statements);
        let mut answers = self.ports.db().batch(batch).await?;
        let access = if answers.is_empty() { Answer::default() } else { answers.remove(0) };
        store::access::verdict(claims, access)??;
        Ok(answers)
    }
}
