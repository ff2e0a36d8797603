//! The register of tenants as operators see and change it.

use serde::Serialize;

use crate::{
    db::{Batch, DbError, FromRow, Lossy, Query, Row, Statement, Value, columns},
    domain::{Plan, RunId, RunStatus, TenantId, TenantStatus, Time, Timestamp, webhook::host_of},
};

use super::audit::AuditContext;

/// Which tenants to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this status.
    pub status: Option<TenantStatus>,
    /// Of this plan.
    pub plan: Option<Plan>,
    /// With their provisioning in this state.
    pub provision: Option<RunStatus>,
    /// Who are called so, or have this id.
    pub search: Option<Search>,
    /// Older than this one.
    pub before: Option<Before>,
    /// At most this many.
    pub limit: u32,
}

/// What tenants are searched for.
#[derive(Debug, Clone)]
pub struct Search {
    /// As it was typed: an id.
    pub typed: String,
    /// As names are stored for searching.
    pub name: String,
    /// As addresses are stored.
    pub address: String,
}

/// Where a page begins.
#[derive(Debug, Clone)]
pub enum Before {
    /// Behind this tenant, of those that an index finds or that are listed by age.
    ByAge(TenantId),
    /// Behind this tenant, if there is one, of those that are looked at after them.
    Looked(Option<TenantId>),
}

impl Before {
    fn id(&self) -> Option<&str> {
        match self {
            Self::ByAge(id) => Some(id.as_str()),
            Self::Looked(id) => id.as_ref().map(TenantId::as_str),
        }
    }
}

/// What every account of a tenant says.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantFacts {
    /// Its id.
    pub id: TenantId,
    /// Its name in addresses; `null` once released.
    pub slug: Option<String>,
    /// Its name.
    pub name: String,
    /// Its owner's address; `null` once released.
    pub email: Option<String>,
    /// Whether somebody has shown that they read its mail, or nobody asked for that.
    pub email_proven: bool,
    /// Its plan.
    pub plan: Plan,
    /// Where it stands.
    pub status: TenantStatus,
    /// Whether it pays nothing.
    pub comped: bool,
    /// When its trial ends, Unix seconds.
    pub trial_ends_at: i64,
    /// When it signed up.
    pub created_at: Time,
}

columns! {
    TenantFacts: id, slug, name, email, email_proven, plan, status, comped, trial_ends_at, created_at
}

/// A tenant.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// What every account of a tenant says.
    #[serde(flatten)]
    pub facts: TenantFacts,
    /// How its provisioning went.
    pub provisioning: Provisioning,
}

columns! { Tenant: [facts, provisioning] }

/// How a tenant's provisioning went.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Provisioning {
    /// Where it stands.
    pub status: RunStatus,
    /// Why it failed: the code.
    pub reason: Option<String>,
    /// The latest run.
    pub run_id: Option<RunId>,
    /// When the tenant went live.
    pub provisioned_at: Option<Time>,
}

columns! {
    Provisioning: status = "provision", reason = "provision_reason", run_id = "provision_run_id", provisioned_at
}

/// Selects a [`Tenant`] from `tenants t`, and what follows.
macro_rules! tenant {
    ($rest:literal) => {
        concat!(
            "select t.id, t.slug, t.name, coalesce(t.email, t.unproven_email) as email, t.unproven_email is null as email_proven, t.plan, t.status, t.comped, t.trial_ends_at, t.created_at,
               iif(t.provisioned_at is null, t.provision_state, 'completed') as provision, t.provision_reason,
               t.provision_run_id, t.provisioned_at, ",
            $rest
        )
    };
}
pub(super) use tenant;

/// A tenant that was looked for.
#[derive(Debug, Clone)]
pub struct Found {
    /// The tenant.
    pub tenant: Tenant,
    /// Whether a name of its begins as it was searched.
    pub begins_so: bool,
}

columns! { Found: [tenant] begins_so }

/// How many tenants one page looks at: filters without an index of their own cost no more than this, however many
/// tenants there are.
const WINDOW: u32 = 500;
/// The same for a search: within names there is nothing but to look at each.
const SEARCHED: u32 = 1000;

/// The columns of a [`Found`], from the tenants in `$from`, that pass the filters and `$search`.
macro_rules! page {
    ($from:literal, $search:literal) => {
        concat!(
            "select id, slug, name, email, email_proven, plan, status, comped, trial_ends_at, created_at, provision, provision_reason,
               provision_run_id, provisioned_at,
               coalesce(slug >= ?6 and slug < ?7, 0) or coalesce(email >= ?9 and email < ?10, 0)
                 or coalesce(name_folded >= ?6 and name_folded < ?7, 0) as begins_so
             from (select id, slug, name, name_folded, coalesce(email, unproven_email) as email,
                 unproven_email is null as email_proven, plan, status, comped, trial_ends_at, created_at, provision_reason,
                 provision_run_id, provisioned_at, iif(provisioned_at is null, provision_state, 'completed') as provision
               from tenants where ",
            $from,
            ")
             where (?3 is null or status = ?3) and (?4 is null or plan = ?4) and (?5 is null or provision = ?5) and ",
            $search,
            " order by id desc limit ?8"
        )
    };
}

/// The tenants that are looked at, and are called so anywhere in their names.
const BY_AGE: &str = page!(
    "id < ?1 order by id desc limit ?2",
    "(?6 is null or instr(lower(slug), ?6) or instr(lower(email), ?9) or instr(name_folded, ?6)
       or instr(lower(name), ?6))
       and (?12 = 0 or begins_so = 0)"
);

/// The tenants that indexes find: by the beginning of a name, if the index finds at most one window of them. Or by an id: the
/// tenant's, or that of something that happened to it.
const BY_INDEX: &str = page!(
    "id < ?1 and id in (
       select id from (select id from tenants where slug >= ?6 and slug < ?7 limit ?2) union
       select id from (
         select id from (select id from tenants where email >= ?9 and email < ?10 limit ?2) union all
         select id from (select id from tenants where unproven_email >= ?9 and unproven_email < ?10 limit ?2)) union
       select id from (select id from tenants where name_folded >= ?6 and name_folded < ?7 limit ?2) union
       select id from (
         select ?11 as id union
         select id from tenants where owner_user_id = ?11 union
         select tenant_id from provision_runs where id = ?11 union
         select tenant_id from domain_events where id = ?11 union
         select tenant_id from mails where id = ?11) union
       select id from (
         select subject as id from audit_log where id = ?11 union
         select subject from audit_log where request_id = ?11 union
         select tenant_id from provision_runs where id in (
           select subject from audit_log where id = ?11 union
           select subject from audit_log where request_id = ?11 union
           select run_id from provision_history where request_id = ?11 and (step = 'seed_defaults' or attempt > 1))))",
    "?12 is not null"
);

/// The largest number of tenants that one of the indexes finds, as far as a window.
const MOST: &str = "select max(found) as most from (
  select count(*) as found from (select 1 from tenants where slug >= ?1 and slug < ?2 limit ?5) union all
  select (select count(*) from (select 1 from tenants where email >= ?3 and email < ?4 limit ?5))
    + (select count(*) from (select 1 from tenants where unproven_email >= ?3 and unproven_email < ?4 limit ?5)) union all
  select count(*) from (select 1 from tenants where name_folded >= ?1 and name_folded < ?2 limit ?5))";

/// Lists tenants, newest first: what there is to find by an index before what is found by looking. Read with
/// [`Read::of`].
pub fn list(filter: &Filter) -> ProjectionResult {
    let search = filter.search.as_ref();
    let (name, address) = (search.map(|s| s.name.as_str()), search.map(|s| s.address.as_str()));
    // Sorts behind everything that begins so.
    let behind = |text: Option<&str>| text.map(|text| format!("{text}\u{10ffff}"));
    // After every id there is.
    let before = || Value::from(filter.before.as_ref().and_then(Before::id).unwrap_or("tenant_~"));
    let page = |sql: &'static str, window: u32| {
        Query::lossy(Statement::new(
            sql,
            [
                before(),
                window.into(),
                filter.status.map(TenantStatus::as_str).into(),
                filter.plan.map(Plan::as_str).into(),
                filter.provision.map(RunStatus::as_str).into(),
                name.into(),
                behind(name).into(),
                filter.limit.into(),
                address.into(),
                behind(address).into(),
                search.map(|s| s.typed.as_str()).into(),
                matches!(filter.before, Some(Before::Looked(_))).into(),
            ],
        ))
    };
    let window = if search.is_some() { SEARCHED } else { WINDOW };
    let end = Query::scalar(Statement::new(
        "select id from tenants where id < ?1 order by id desc limit 1 offset ?2",
        [before(), (window - 1).into()],
    ));
    let indexed = search.map(|_| {
        let most = Query::scalar(Statement::new(
            MOST,
            [name.into(), behind(name).into(), address.into(), behind(address).into(), WINDOW.into()],
        ));
        (page(BY_INDEX, WINDOW), most)
    });
    (page(BY_AGE, window), end, indexed)
}

/// What a page is asked for by: the tenants that are looked at, where that ends, and, in a search, those that an index finds,
/// and how many at most.
pub type ProjectionResult =
    (Query<Lossy<Found>>, Query<Option<TenantId>>, Option<(Query<Lossy<Found>>, Query<Option<u32>>)>);

/// What a page was read from.
#[derive(Debug, Default)]
pub struct Read {
    /// The tenants that an index found.
    pub by_index: Lossy<Found>,
    /// The tenants that were looked at.
    pub by_age: Lossy<Found>,
    /// Whether those that begin as they were searched are all among those that an index found.
    pub is_indexed: bool,
    /// The last one that was looked at, if there may be more behind it.
    pub end: Option<TenantId>,
}

impl Read {
    /// What [`list`] was answered.
    pub fn of((by_age, end, indexed): <ProjectionResult as Batch>::Answer) -> Self {
        let (by_index, most) = indexed.unwrap_or_default();
        Self { by_index, by_age, is_indexed: most.is_some_and(|most| most < WINDOW), end }
    }
}

/// A tenant and all that was made for it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TenantDetails {
    /// What every account of a tenant says.
    #[serde(flatten)]
    pub facts: TenantFacts,
    /// How its provisioning went.
    pub provisioning: ProvisioningDetails,
    /// When it was last changed.
    pub updated_at: Time,
    /// The promo code it signed up with.
    pub promo_code: Option<String>,
    /// Whether it can be reached at its address.
    pub route_ready: bool,
    /// Its colours.
    pub brand: Brand,
    /// Its webhook.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub webhook: Option<WebhookFacts>,
    /// Its spreadsheet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(not(target_arch = "wasm32"), schema(nullable = false))]
    pub spreadsheet: Option<Spreadsheet>,
    /// How much there is of what other routes list.
    pub counts: RelatedCounts,
}

columns! {
    TenantDetails: [facts, provisioning, brand, webhook, spreadsheet, counts] updated_at, promo_code = "promo_code_used",
        route_ready
}

/// How a tenant's provisioning went, and where it is.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProvisioningDetails {
    /// How it went.
    #[serde(flatten)]
    pub provisioning: Provisioning,
    /// The step it is at.
    pub step: Option<String>,
    /// Why it failed: the message.
    pub error: Option<String>,
    /// When it was queued.
    pub started_at: Option<Time>,
    /// When it had ended.
    pub ended_at: Option<Time>,
}

columns! { ProvisioningDetails: [provisioning] step, error, started_at, ended_at }

/// A tenant's colours, where it chose some.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Brand {
    /// The first.
    pub primary_color: Option<String>,
    /// The second.
    pub secondary_color: Option<String>,
}

columns! { Brand: primary_color, secondary_color }

/// What may be shown of a tenant's webhook.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct WebhookFacts {
    /// Its host.
    pub host: Option<String>,
    /// When it last took a test.
    pub validated_at: Option<Time>,
}

impl FromRow for Option<WebhookFacts> {
    fn from_row(row: &mut Row<'_>) -> Result<Self, DbError> {
        let (url, validated_at) = (row.get::<Option<String>>("webhook_url")?, row.get("validated_at")?);
        Ok(url.map(|url| WebhookFacts { host: host_of(&url), validated_at }))
    }
}

/// A tenant's spreadsheet.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Spreadsheet {
    /// Where it is.
    pub url: String,
    /// When it was read back.
    pub verified_at: Option<Time>,
}

columns! { Option<Spreadsheet>: url = "spreadsheet_url", verified_at }

/// How much there is of what other routes list.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RelatedCounts {
    /// Runs; no further than to 100.
    pub runs: u32,
    /// Attempts of the latest run.
    pub attempts: u32,
    /// Events; no further than to 100.
    pub events: u32,
    /// What operators did to it; no further than to 100.
    pub audited: u32,
}

columns! { RelatedCounts: runs, attempts, events, audited }

/// Selects [`TenantDetails`] of the tenant whose id is `$id`.
macro_rules! details {
    ($id:literal) => {
        concat!(
            tenant!(
                "r.step, r.error, r.started_at, r.completed_at as ended_at,
           iif(t.undo_state is null, coalesce(b.primary_color, '#1f4e79'), b.primary_color) as primary_color,
           iif(t.undo_state is null, coalesce(b.secondary_color, '#f4b942'), b.secondary_color) as secondary_color,
           m.webhook_url, m.validated_at, p.spreadsheet_url, p.verified_at,
           (select count(*) from (select 1 from provision_runs where tenant_id = t.id limit 100)) as runs,
           (select count(*) from provision_history where run_id = t.provision_run_id) as attempts,
           (select count(*) from (select 1 from domain_events where tenant_id = t.id limit 100)) as events,
           (select count(*) from (select 1 from audit_log where subject = t.id limit 100)) as audited,
           t.updated_at, t.promo_code_used, t.route_ready
         from tenants t
           left join tenant_brand b on b.tenant_id = t.id
           left join make_connections m on m.tenant_id = t.id
           left join pro_automation p on p.tenant_id = t.id
           left join provision_runs r on r.id = t.provision_run_id
         where t.id = "
            ),
            $id
        )
    };
}

/// One tenant.
pub fn by_id(tenant: &TenantId) -> Query<Option<TenantDetails>> {
    Query::optional(Statement::new(details!("?1"), [tenant.as_str().into()]))
}

/// The tenant that the same request made before under this key, else this one.
pub fn made_by(
    key: Option<&str>,
    fingerprint: &str,
    tenant: &TenantId,
    now: Timestamp,
) -> Query<Option<TenantDetails>> {
    Query::optional(Statement::new(
        details!(
            "coalesce((select tenant_id from idempotency_keys where id = ?1 and fingerprint = ?2 and expires_at > ?4), ?3)"
        ),
        [key.into(), fingerprint.into(), tenant.as_str().into(), now.seconds().into()],
    ))
}

/// What an operator changes about a tenant; what is none stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// Where it stands.
    pub status: Option<TenantStatus>,
    /// Its plan.
    pub plan: Option<Plan>,
    /// Whether it pays nothing.
    pub comped: Option<bool>,
}

/// Changes a tenant, and writes down what was before and after. Nothing is changed or audited where the values are the same,
/// or the tenant is cancelled. The plan is fixed once provisioning has begun: the steps of the run depend on it.
pub fn change(tenant: &TenantId, change: Change, audit_context: &AuditContext<'_>) -> [Statement; 2] {
    let [id, actor, reason, request, now] = audit_context.params();
    let status = || change.status.map(TenantStatus::as_str).into();
    let plan = || change.plan.map(Plan::as_str).into();
    let comped = || change.comped.into();
    [
        Statement::new(
            "insert into audit_log (id, actor, reason, request_id, occurred_at, action, subject, data)
             select ?1, ?2, ?3, ?4, ?5, 'tenant.update', id, json_object(
               'before', json_object('status', status, 'plan', plan, 'comped', json(iif(comped, 'true', 'false'))),
               'after', json_object('status', coalesce(?7, status), 'plan', coalesce(?8, plan),
                 'comped', json(iif(coalesce(?9, comped), 'true', 'false'))))
             from tenants
             where id = ?6 and status <> 'cancelled'
               and (?8 is null or plan = ?8 or (provision_state = 'pending' and provisioned_at is null))
               and (status, plan, comped) <> (coalesce(?7, status), coalesce(?8, plan), coalesce(?9, comped))",
            [id, actor, reason, request, now.clone(), tenant.as_str().into(), status(), plan(), comped()],
        ),
        Statement::new(
            "update tenants set status = coalesce(?2, status), plan = coalesce(?3, plan), comped = coalesce(?4, comped),
               updated_at = ?5
             where id = ?1 and status <> 'cancelled'
               and (?3 is null or plan = ?3 or (provision_state = 'pending' and provisioned_at is null))
               and (status, plan, comped) <> (coalesce(?2, status), coalesce(?3, plan), coalesce(?4, comped))",
            [tenant.as_str().into(), status(), plan(), comped(), now],
        ),
    ]
}
