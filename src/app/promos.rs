//! What operators do to promo codes: each written down in the same batch that does it.

use crate::{
    domain::{Claims, PromoCode},
    ports::Ports,
    store::promos::{self, NewPromo, PromoRow},
};

use super::{App, access::AccessError};

impl<P: Ports> App<P> {
    /// Makes a code. Answers it; none when there is one of this name.
    ///
    /// # Errors
    ///
    /// When the token does not admit its holder any more, or the database doesn't answer.
    pub async fn create_promo(
        &self,
        claims: &Claims,
        promo: &NewPromo,
        reason: &str,
        request: &str,
    ) -> Result<Option<PromoRow>, AccessError> {
        let act = self.act(claims, reason, request);
        let mut statements = Vec::from(promos::create(promo, &act));
        statements.push(promos::select(&promo.code));
        let mut answers = self.on_behalf_of(claims, statements).await?;
        let made = promos::read(answers.pop().unwrap_or_default())?;
        let is_new = answers.pop().is_some_and(|inserted| inserted.changes > 0);
        Ok(made.filter(|_| is_new))
    }

    /// Switches a code off: whoever redeems it after this is refused. Answers it, and whether it was on; none when there is
    /// no such code.
    ///
    /// # Errors
    ///
    /// When the token does not admit its holder any more, or the database doesn't answer.
    pub async fn deactivate_promo(
        &self,
        claims: &Claims,
        code: &PromoCode,
        reason: &str,
        request: &str,
    ) -> Result<Option<(PromoRow, bool)>, AccessError> {
        let act = self.act(claims, reason, request);
        let mut statements = Vec::from(promos::deactivate(code, &act));
        statements.push(promos::select(code));
        let mut answers = self.on_behalf_of(claims, statements).await?;
        let promo = promos::read(answers.pop().unwrap_or_default())?;
        let was_on = answers.pop().is_some_and(|updated| updated.changes > 0);
        Ok(promo.map(|promo| (promo, was_on)))
    }
}
