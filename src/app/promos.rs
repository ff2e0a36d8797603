//! What operators do to promo codes: each written down in the same batch that does it.

use crate::{
    domain::{Claims, PromoCode},
    ports::Ports,
    store::promos::{self, NewPromo, Promo, PromoChange, PromoRefusal},
};

use super::{App, access, access::AccessError};

/// Makes a code. Answers it; none when there is one of this name.
pub async fn create<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    promo: &NewPromo,
    reason: &str,
    request: &str,
) -> Result<Option<Promo>, AccessError> {
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
) -> Result<Option<(Promo, bool)>, AccessError> {
    let audit_context = access::audit_context(app, claims, reason, request);
    let batch = (promos::deactivate(code, &audit_context), promos::named(code));
    let ([_, updated], promo) = access::on_behalf_of(app, claims, batch).await?;
    Ok(promo.map(|promo| (promo, updated.has_changed())))
}

/// How changing a code ended.
#[derive(Debug)]
pub enum Changed {
    /// There is no such code.
    Unknown,
    /// Nothing was changed, for this reason.
    Refused(PromoRefusal),
    /// It says this now; whether it said anything else before.
    Done(Promo, bool),
}

/// Changes a code, all that is wanted or nothing. Whoever redeems it meanwhile does so before or after, and counts.
pub async fn change<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    code: &PromoCode,
    change: &PromoChange,
    reason: &str,
    request: &str,
) -> Result<Changed, AccessError> {
    let audit_context = access::audit_context(app, claims, reason, request);
    let batch = (promos::change(code, change, &audit_context), promos::named(code));
    let ([_, updated], promo) = access::on_behalf_of(app, claims, batch).await?;
    Ok(match promo {
        None => Changed::Unknown,
        Some(promo) if updated.has_changed() => Changed::Done(promo, true),
        Some(promo) => match change.refusal(&promo) {
            Some(refusal) => Changed::Refused(refusal),
            None => Changed::Done(promo, false),
        },
    })
}
