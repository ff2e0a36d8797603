//! Promo codes.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    db::{Json, Query, Statement, columns},
    domain::{Plan, PromoCode, Slug, Time, Timestamp, promos::PromoProblem},
};

use super::audit::AuditContext;

/// What a code gives, and whether it may be used.
#[derive(Debug, Clone)]
pub struct Terms {
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

columns! { Terms: discount_percent, plan, lifetime, uses_remaining, problem }

/// Looks a code up, for a tenant of this name if it is known.
pub fn by_code(code: &PromoCode, slug: Option<&Slug>, now: Timestamp) -> Query<Option<Terms>> {
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

/// A promo code.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Promo {
    /// The code.
    pub code: PromoCode,
    /// How much it takes off, percent.
    #[cfg_attr(not(target_arch = "wasm32"), schema(maximum = 100))]
    pub discount_percent: u32,
    /// The plan that it gives, whatever was asked for.
    pub plan: Option<Plan>,
    /// Whether the discount never ends.
    pub lifetime: bool,
    /// Whether it is switched on.
    pub active: bool,
    /// From when on it can be used.
    pub starts_at: Option<Time>,
    /// Until when it can be used.
    pub valid_until: Option<Time>,
    /// How often it can be used.
    pub max_uses: Option<u32>,
    /// How often it was.
    pub uses: u32,
    /// How often it still can be.
    pub uses_remaining: Option<u32>,
    /// The tenants that may use it.
    #[cfg_attr(not(target_arch = "wasm32"), schema(value_type = Option<Vec<String>>))]
    pub tenant_slugs: Json<Option<Vec<String>>>,
    /// For operators.
    pub notes: Option<String>,
    /// When it was made.
    pub created_at: Time,
}

columns! {
    Promo: code, discount_percent, plan, lifetime, active, starts_at, valid_until, max_uses, uses, uses_remaining, tenant_slugs,
        notes, created_at
}

/// Selects a [`Promo`].
macro_rules! promo {
    ($rest:literal) => {
        concat!(
            "select code, discount_percent, plan, lifetime, active, starts_at, valid_until, max_uses, uses,
               max(max_uses - uses, 0) as uses_remaining, tenant_slugs, notes, created_at
             from promo_codes ",
            $rest
        )
    };
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

/// What an operator changes about a code. What is none stays; what may be nothing, and is to be, is `Some(None)`.
#[derive(Debug, Clone, Default)]
pub struct PromoChange {
    /// The discount, 0 to 100.
    pub discount_percent: Option<u32>,
    /// Whether it holds for ever.
    pub lifetime: Option<bool>,
    /// Whether it can be used at all.
    pub active: Option<bool>,
    /// The plan it gives.
    pub plan: Option<Option<Plan>>,
    /// How often it can be used.
    pub max_uses: Option<Option<u32>>,
    /// From when it can be used.
    pub starts_at: Option<Option<Timestamp>>,
    /// Until when it can be used.
    pub valid_until: Option<Option<Timestamp>>,
    /// The tenants it is for.
    pub slugs: Option<Option<Vec<Slug>>>,
    /// What operators should know about it.
    pub notes: Option<Option<String>>,
}

impl PromoChange {
    /// As JSON: a field that stays is not there. One text, as a statement has no other way to tell "nothing" from "as it is".
    fn patch(&self) -> String {
        let seconds = |at: Option<Timestamp>| at.map(Timestamp::seconds);
        let fields = [
            ("discountPercent", self.discount_percent.map(|percent| json!(percent))),
            ("lifetime", self.lifetime.map(|lifetime| json!(lifetime))),
            ("active", self.active.map(|active| json!(active))),
            ("plan", self.plan.map(|plan| json!(plan))),
            ("maxUses", self.max_uses.map(|most| json!(most))),
            ("startsAt", self.starts_at.map(|at| json!(seconds(at)))),
            ("validUntil", self.valid_until.map(|at| json!(seconds(at)))),
            ("tenantSlugs", self.slugs.as_ref().map(|slugs| json!(slugs))),
            ("notes", self.notes.as_ref().map(|notes| json!(notes))),
        ];
        let sent = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(sent.collect::<Map<_, _>>()).to_string()
    }

    /// Why nothing of it was done to a code that is still as `code` says; none if there was nothing to do.
    pub fn refusal(&self, code: &Promo) -> Option<PromoRefusal> {
        let gives_other = self.discount_percent.is_some_and(|percent| percent != code.discount_percent)
            || self.lifetime.is_some_and(|lifetime| lifetime != code.lifetime)
            || self.plan.is_some_and(|plan| plan != code.plan);
        if gives_other && code.uses > 0 {
            return Some(PromoRefusal::Used);
        }
        if self.max_uses.flatten().is_some_and(|most| most < code.uses) {
            return Some(PromoRefusal::UsedMoreOften(code.uses));
        }
        let seconds = |at: Option<Timestamp>| at.map(|at| Time::at(at.seconds()));
        let (was_from, was_until) = (code.starts_at, code.valid_until);
        let (from, until) =
            (self.starts_at.map_or(was_from, seconds), self.valid_until.map_or(was_until, seconds));
        let is_backwards = from.zip(until).is_some_and(|(from, until)| until <= from);
        ((from, until) != (was_from, was_until) && is_backwards).then_some(PromoRefusal::EndsBeforeItStarts)
    }
}

/// Why a code was not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromoRefusal {
    /// What it gives was promised to somebody.
    Used,
    /// It was used this often, which is more.
    UsedMoreOften(u32),
    /// It would end before it can first be used.
    EndsBeforeItStarts,
}

/// A code beside what it would say after the patch in `?2`.
macro_rules! proposed {
    () => {
        "(select *,
           coalesce(?2 ->> 'discountPercent', discount_percent) as new_discount_percent,
           coalesce(?2 ->> 'lifetime', lifetime) as new_lifetime,
           coalesce(?2 ->> 'active', active) as new_active,
           iif(json_type(?2, '$.plan') is null, plan, ?2 ->> 'plan') as new_plan,
           iif(json_type(?2, '$.maxUses') is null, max_uses, ?2 ->> 'maxUses') as new_max_uses,
           iif(json_type(?2, '$.startsAt') is null, starts_at, ?2 ->> 'startsAt') as new_starts_at,
           iif(json_type(?2, '$.validUntil') is null, valid_until, ?2 ->> 'validUntil') as new_valid_until,
           iif(json_type(?2, '$.tenantSlugs') is null, tenant_slugs, nullif(?2 -> 'tenantSlugs', 'null')) as new_tenant_slugs,
           iif(json_type(?2, '$.notes') is null, notes, ?2 ->> 'notes') as new_notes
         from promo_codes where code = ?1) as p"
    };
}

/// Whether there is something to change, and nothing against it: what a code gives, and to how many, was promised to those who used
/// it.
macro_rules! allowed {
    () => {
        "(p.discount_percent, p.lifetime, p.active, p.plan, p.max_uses, p.starts_at, p.valid_until, p.tenant_slugs, p.notes)
           is not (new_discount_percent, new_lifetime, new_active, new_plan, new_max_uses, new_starts_at, new_valid_until,
             new_tenant_slugs, new_notes)
           and (p.uses = 0 or (p.discount_percent, p.lifetime, p.plan) is (new_discount_percent, new_lifetime, new_plan))
           and (new_max_uses is null or new_max_uses >= p.uses)
           and ((p.starts_at, p.valid_until) is (new_starts_at, new_valid_until)
             or new_valid_until is null or new_starts_at is null or new_valid_until > new_starts_at)"
    };
}

/// Changes a code, and writes down what it said before and says now: all of it or nothing, by [`PromoChange::refusal`]. The second
/// answer says which.
pub fn change(code: &PromoCode, change: &PromoChange, audit_context: &AuditContext<'_>) -> [Statement; 2] {
    let [id, actor, reason, request, now] = audit_context.params();
    let (code, patch) = (|| code.as_str().into(), change.patch());
    [
        Statement::new(
            concat!(
                "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
                 select ?3, ?4, ?5, ?6, ?7, 'promo.update', 'promo:' || code, json_object(
                   'before', json_object('discountPercent', discount_percent, 'plan', plan,
                     'lifetime', json(iif(lifetime, 'true', 'false')), 'active', json(iif(active, 'true', 'false')),
                     'startsAt', starts_at, 'validUntil', valid_until, 'maxUses', max_uses,
                     'tenantSlugs', json(tenant_slugs), 'notes', notes),
                   'after', json_object('discountPercent', new_discount_percent, 'plan', new_plan,
                     'lifetime', json(iif(new_lifetime, 'true', 'false')), 'active', json(iif(new_active, 'true', 'false')),
                     'startsAt', new_starts_at, 'validUntil', new_valid_until, 'maxUses', new_max_uses,
                     'tenantSlugs', json(new_tenant_slugs), 'notes', new_notes),
                   'uses', uses) from ",
                proposed!(),
                " where ",
                allowed!()
            ),
            [code(), patch.as_str().into(), id, actor, reason, request, now],
        ),
        Statement::new(
            concat!(
                "update promo_codes set discount_percent = new_discount_percent, lifetime = new_lifetime, active = new_active,
                   plan = new_plan, max_uses = new_max_uses, starts_at = new_starts_at, valid_until = new_valid_until,
                   tenant_slugs = new_tenant_slugs, notes = new_notes from ",
                proposed!(),
                " where promo_codes.code = p.code and ",
                allowed!()
            ),
            [code(), patch.into()],
        ),
    ]
}

/// One code.
pub fn named(code: &PromoCode) -> Query<Option<Promo>> {
    Query::optional(Statement::new(promo!("where code = ?1"), [code.as_str().into()]))
}

/// Lists codes by their name, from behind `after`.
pub fn list(after: Option<&PromoCode>, limit: u32) -> Query<Vec<Promo>> {
    Query::rows(Statement::new(
        promo!("where code > ?1 order by code limit ?2"),
        [after.map_or("", PromoCode::as_str).into(), limit.into()],
    ))
}
