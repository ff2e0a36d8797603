//! Promo codes.

use serde::Deserialize;

use crate::{
    db::{Db, DbError, Statement},
    domain::{Plan, PromoCode, Slug, Timestamp, promo::PromoProblem},
};

use super::flag;

/// What a code gives, and whether it may be used.
#[derive(Debug, Clone, Deserialize)]
pub struct Promo {
    /// The discount.
    pub discount_percent: u8,
    /// The plan it gives.
    pub plan: Option<Plan>,
    /// Whether it holds for ever.
    #[serde(deserialize_with = "flag")]
    pub lifetime: bool,
    /// How often it can still be used; none when there is no limit.
    pub uses_remaining: Option<u32>,
    /// What is against using it now.
    pub problem: Option<PromoProblem>,
}

/// Looks a code up, for a club of this name if it is known.
///
/// # Errors
///
/// When the database doesn't answer.
pub async fn by_code(
    db: &impl Db,
    code: &PromoCode,
    slug: Option<&Slug>,
    now: Timestamp,
) -> Result<Option<Promo>, DbError> {
    let statement = Statement::new(
        "select discount_percent, plan, lifetime, max_uses - uses as uses_remaining,
           case
             when active = 0 then 'inactive'
             when starts_at > ?3 then 'not_started'
             when valid_until <= ?3 then 'expired'
             when ?2 is not null and tenant_slugs is not null
               and not exists (select 1 from json_each(tenant_slugs) where value = ?2) then 'not_allowed'
             when uses >= max_uses then 'exhausted'
           end as problem
         from promo_codes where code = ?1",
        [code.as_str().into(), slug.map(Slug::as_str).into(), now.seconds().into()],
    );
    db.query(statement).await?.first()
}
