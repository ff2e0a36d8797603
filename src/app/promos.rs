//! What operators do to promo codes: each written down in the same batch that does it.

use crate::{
    domain::{Claims, PromoCode},
    ports::Ports,
    store::promos::{self, NewPromo, PromoRow},
};

use super::{App, access, access::AccessError};

/// Makes a code. Answers it; none when there is one of this name.
pub async fn create<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    promo: &NewPromo,
    reason: &str,
    request: &str,
) -> Result<Option<PromoRow>, AccessError> {
    let audit_context = access::audit_context(app, claims, reason, request);
    let batch = (promos::create(promo, &audit_context), promos::named(&promo.code));
    let ([_, inserted], made) = access::on_behalf_of(app, claims, batch).await?;
    Ok(made.filter(|_| inserted.has_changed()))
}

/// Switches a code off: whoever redeems it after this is refused. Answers it, and whether it was on; none when there is
/// no such code.
pub async fn deactivate<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    code: &PromoCode,
    reason: &str,
    request: &str,
) -> Result<Option<(PromoRow, bool)>, AccessError> {
    let audit_context = access::audit_context(app, claims, reason, request);
    let batch = (promos::deactivate(code, &audit_context), promos::named(code));
    let ([_, updated], promo) = access::on_behalf_of(app, claims, batch).await?;
    Ok(promo.map(|promo| (promo, updated.has_changed())))
}
