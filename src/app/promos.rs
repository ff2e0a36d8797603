//! What operators do to promo codes: each written down in the same batch that does it.

use crate::{
    domain::{Claims, PromoCode},
    ports::Ports,
    store::promos::{self, NewPromo, PromoRow},
};

use super::{App, access::AccessError};

impl<P: Ports> App<P> {
    /// Makes a code. Answers it; none when there is one of this name.
    pub async fn create_promo(
        &self,
        claims: &Claims,
        promo: &NewPromo,
        reason: &str,
        request: &str,
    ) -> Result<Option<PromoRow>, AccessError> {
        let audit_context = self.audit_context(claims, reason, request);
        let batch = (promos::create(promo, &audit_context), promos::named(&promo.code));
        let ([_, inserted], made) = self.on_behalf_of(claims, batch).await?;
        Ok(made.filter(|_| inserted.has_changed()))
    }

    /// Switches a code off: whoever redeems it after this is refused. Answers it, and whether it was on; none when there is
    /// no such code.
    pub async fn deactivate_promo(
        &self,
        claims: &Claims,
        code: &PromoCode,
        reason: &str,
        request: &str,
    ) -> Result<Option<(PromoRow, bool)>, AccessError> {
        let audit_context = self.audit_context(claims, reason, request);
        let batch = (promos::deactivate(code, &audit_context), promos::named(code));
        let ([_, updated], promo) = self.on_behalf_of(claims, batch).await?;
        Ok(promo.map(|promo| (promo, updated.has_changed())))
    }
}
