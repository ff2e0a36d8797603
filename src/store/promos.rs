//! Promo codes.

use crate::{
    db::{Query, Statement, columns},
    domain::{Plan, PromoCode, Slug, Timestamp, promos::PromoProblem},
};

use super::audit::AuditContext;

/// What a code gives, and whether it may be used.
#[derive(Debug, Clone)]
pub struct Promo {
    /// The discount.
    pub discount_percent: u8,
    /// The plan it gives.
    pub plan: Option<Plan>,
    /// Whether it holds for ever.
    pub lifetime: bool,
    /// How often it can still be used; none when there is no limit.
    pub uses_remaining: Option<u32>,
    /// What is against using it now.
    pub problem: Option<PromoProblem>,
}

columns! { Promo: discount_percent, plan, lifetime, uses_remaining, problem }

/// Looks a code up, for a tenant of this name if it is known.
pub fn by_code(code: &PromoCode, slug: Option<&Slug>, now: Timestamp) -> Query<Option<Promo>> {
    Query::optional(Statement::new(
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
    ))
}

/// A code as an operator makes it.
#[derive(Debug, Clone)]
pub struct NewPromo {
    /// The code.
    pub code: PromoCode,
    /// The discount, 0 to 100.
    pub discount_percent: u32,
    /// How often it can be used.
    pub max_uses: Option<u32>,
    /// From when it can be used.
    pub starts_at: Option<Timestamp>,
    /// Until when it can be used.
    pub valid_until: Option<Timestamp>,
    /// The plan it gives, whatever was chosen.
    pub plan: Option<Plan>,
    /// Whether it holds for ever.
    pub lifetime: bool,
    /// The tenants it is for; none for every tenant.
    pub slugs: Option<Vec<Slug>>,
    /// What operators should know about it.
    pub notes: Option<String>,
}

/// A code as operators see it.
#[derive(Debug, Clone)]
pub struct PromoRow {
    /// The code.
    pub code: PromoCode,
    /// The discount.
    pub discount_percent: u32,
    /// The plan it gives.
    pub plan: Option<Plan>,
    /// Whether it holds for ever.
    pub lifetime: bool,
    /// Whether it can be used at all.
    pub active: bool,
    /// From when it can be used, Unix seconds.
    pub starts_at: Option<i64>,
    /// Until when it can be used, Unix seconds.
    pub valid_until: Option<i64>,
    /// How often it can be used.
    pub max_uses: Option<u32>,
    /// How often it was used.
    pub uses: u32,
    /// The tenants it is for, as a JSON array.
    pub tenant_slugs: Option<String>,
    /// What operators should know about it.
    pub notes: Option<String>,
    /// When it was made, Unix seconds.
    pub created_at: i64,
}

columns! {
    PromoRow:
        code, discount_percent, plan, lifetime, active, starts_at, valid_until, max_uses, uses, tenant_slugs,
        notes, created_at
}

/// Makes a code, and writes that down, unless there is one of this name: the second answer says which.
pub fn create(promo: &NewPromo, audit_context: &AuditContext<'_>) -> [Statement; 2] {
    let [id, actor, reason, request, now] = audit_context.params();
    let slugs = promo.slugs.as_ref().map(|slugs| serde_json::to_string(slugs).unwrap_or_default());
    [
        Statement::new(
            "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
             select ?1, ?2, ?3, ?4, ?5, 'promo.create', 'promo:' || ?6, json_object(
               'discountPercent', cast(?7 as integer), 'maxUses', cast(?8 as integer))
             where not exists (select 1 from promo_codes where code = ?6)",
            [
                id,
                actor,
                reason,
                request,
                now.clone(),
                promo.code.as_str().into(),
                promo.discount_percent.into(),
                promo.max_uses.into(),
            ],
        ),
        Statement::new(
            "insert into promo_codes (code, discount_percent, plan, lifetime, starts_at, valid_until, max_uses,
               tenant_slugs, notes, created_at)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) on conflict (code) do nothing",
            [
                promo.code.as_str().into(),
                promo.discount_percent.into(),
                promo.plan.map(Plan::as_str).into(),
                promo.lifetime.into(),
                promo.starts_at.map(Timestamp::seconds).into(),
                promo.valid_until.map(Timestamp::seconds).into(),
                promo.max_uses.into(),
                slugs.into(),
                promo.notes.as_deref().into(),
                now,
            ],
        ),
    ]
}

/// Switches a code off, and writes that down, unless it is: the second answer says whether it was on.
pub fn deactivate(code: &PromoCode, audit_context: &AuditContext<'_>) -> [Statement; 2] {
    let [id, actor, reason, request, now] = audit_context.params();
    [
        Statement::new(
            "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
             select ?1, ?2, ?3, ?4, ?5, 'promo.deactivate', 'promo:' || code, json_object('uses', uses)
             from promo_codes where code = ?6 and active = 1",
            [id, actor, reason, request, now, code.as_str().into()],
        ),
        Statement::new(
            "update promo_codes set active = 0 where code = ?1 and active = 1",
            [code.as_str().into()],
        ),
    ]
}

/// One code.
pub fn named(code: &PromoCode) -> Query<Option<PromoRow>> {
    Query::optional(Statement::new(
        "select code, discount_percent, plan, lifetime, active, starts_at, valid_until, max_uses, uses, tenant_slugs,
           notes, created_at
         from promo_codes where code = ?1",
        [code.as_str().into()],
    ))
}

/// Lists codes by their name, from behind `after`.
pub fn list(after: Option<&PromoCode>, limit: u32) -> Query<Vec<PromoRow>> {
    Query::rows(Statement::new(
        "select code, discount_percent, plan, lifetime, active, starts_at, valid_until, max_uses, uses, tenant_slugs,
           notes, created_at
         from promo_codes where code > ?1 order by code limit ?2",
        [after.map_or("", PromoCode::as_str).into(), limit.into()],
    ))
}
