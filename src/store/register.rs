//! The register of clubs as operators see and change it.

use serde::Deserialize;

use crate::{
    db::{Answer, DbError, Statement, Value},
    domain::{Plan, RunId, RunStatus, TenantId, TenantStatus},
};

use super::{audit::Act, flag};

/// Which clubs to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this status.
    pub status: Option<TenantStatus>,
    /// Of this plan.
    pub plan: Option<Plan>,
    /// With their provisioning in this state.
    pub provision: Option<RunStatus>,
    /// Whose slug, address or name begins so, in whatever case.
    pub prefix: Option<String>,
    /// Older than this one.
    pub before: Option<TenantId>,
    /// At most this many.
    pub limit: u32,
}

/// A club as the list shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Club {
    /// Its id.
    pub id: TenantId,
    /// Its name in addresses; none once released.
    pub slug: Option<String>,
    /// Its name.
    pub name: String,
    /// Its owner's address; none once released.
    pub email: Option<String>,
    /// Its plan.
    pub plan: Plan,
    /// Where it stands.
    pub status: TenantStatus,
    /// Whether it pays nothing.
    #[serde(deserialize_with = "flag")]
    pub comped: bool,
    /// When its trial ends, Unix seconds.
    pub trial_ends_at: i64,
    /// When it signed up, Unix seconds.
    pub created_at: i64,
    /// Where its provisioning stands.
    pub provision: RunStatus,
    /// Why it failed: the word.
    pub provision_reason: Option<String>,
    /// Its latest run.
    pub provision_run_id: Option<RunId>,
    /// When it went live, Unix seconds.
    pub provisioned_at: Option<i64>,
    /// Its colours, where they were asked for.
    pub primary_color: Option<String>,
    /// Its colours, where they were asked for.
    pub secondary_color: Option<String>,
}

/// How many clubs one page looks at: filters without an index of their own cost no more than this, however many clubs
/// there are.
const WINDOW: u32 = 500;

/// The columns of a [`Club`], from the clubs in `$from`, that pass the filters.
macro_rules! page {
    ($from:literal) => {
        concat!(
            "select id, slug, name, email, plan, status, comped, trial_ends_at, created_at, provision, provision_reason,
               provision_run_id, provisioned_at
             from (select *, iif(provisioned_at is null, provision_state, 'completed') as provision from tenants where ",
            $from,
            ")
             where (?3 is null or status = ?3) and (?4 is null or plan = ?4) and (?5 is null or provision = ?5)
               and (?6 is null or (slug >= ?6 collate nocase and slug < ?7 collate nocase)
                 or (email >= ?6 collate nocase and email < ?7 collate nocase)
                 or (name >= ?6 collate nocase and name < ?7 collate nocase))
             order by id desc limit ?8"
        )
    };
}

/// The clubs that are looked at whatever they are called.
const BY_AGE: &str = page!("id < ?1 order by id desc limit ?2");

/// The clubs that three indexes find by how they are called: those, and no others, if no index finds more than a window
/// of them.
const BY_NAME: &str = page!(
    "id < ?1 and id in (
       select id from (select id from tenants where slug >= ?6 and slug < ?7 limit ?2) union
       select id from (select id from tenants where email >= ?6 and email < ?7 limit ?2) union
       select id from (select id from tenants where name >= ?6 collate nocase and name < ?7 collate nocase limit ?2))"
);

/// Lists clubs, newest first: by name where there is a prefix to look for, by age, and where the window of the latter
/// ends. Read with [`read_page`].
#[must_use]
pub fn list(filter: &Filter) -> Vec<Statement> {
    let prefix = filter.prefix.as_deref();
    // Sorts behind everything that begins with the prefix.
    let behind = prefix.map(|prefix| format!("{prefix}\u{10ffff}"));
    // After every id there is.
    let before = || Value::from(filter.before.as_ref().map_or("tenant_~", TenantId::as_str));
    let page = |sql: &'static str| {
        Statement::new(
            sql,
            [
                before(),
                WINDOW.into(),
                filter.status.map(TenantStatus::as_str).into(),
                filter.plan.map(Plan::as_str).into(),
                filter.provision.map(RunStatus::as_str).into(),
                prefix.into(),
                behind.as_deref().into(),
                filter.limit.into(),
            ],
        )
    };
    let end = Statement::new(
        "select id from tenants where id < ?1 order by id desc limit 1 offset ?2",
        [before(), (WINDOW - 1).into()],
    );
    let mut statements = vec![page(BY_AGE), end];
    if prefix.is_some() {
        let most = Statement::new(
            "select max(found) as most from (
               select count(*) as found from (select 1 from tenants where slug >= ?1 and slug < ?2 limit ?3) union all
               select count(*) from (select 1 from tenants where email >= ?1 and email < ?2 limit ?3) union all
               select count(*) from (select 1 from tenants
                 where name >= ?1 collate nocase and name < ?2 collate nocase limit ?3))",
            [prefix.into(), behind.as_deref().into(), WINDOW.into()],
        );
        statements.extend([page(BY_NAME), most]);
    }
    statements
}

/// Reads the answers to [`list`]: the clubs, to be read with [`Answer::rows_lossy`], as [`Club`], and the last one that was
/// looked at if there may be more behind it.
///
/// # Errors
///
/// When a row is not what the schema promises.
pub fn read_page(answers: Vec<Answer>) -> Result<(Answer, Option<TenantId>), DbError> {
    #[derive(Deserialize)]
    struct End {
        id: TenantId,
    }
    #[derive(Deserialize)]
    struct Most {
        most: u32,
    }
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    let (by_age, end, by_name, most) = (next(), next(), next(), next());
    match most.first::<Most>()? {
        // Nobody else is called so: nothing is left behind this page but what did not fit it.
        Some(Most { most }) if most < WINDOW => Ok((by_name, None)),
        _ => Ok((by_age, end.first::<End>()?.map(|end| end.id))),
    }
}

/// A club as its own page shows it: what the list shows of it, and more.
#[derive(Debug, Clone)]
pub struct Details {
    /// What the list shows of it.
    pub club: Club,
    /// What it doesn't.
    pub more: More,
}

/// What the list doesn't show of a club.
#[derive(Debug, Clone, Deserialize)]
pub struct More {
    /// When it was last changed, Unix seconds.
    pub updated_at: i64,
    /// The code it signed up with.
    pub promo_code_used: Option<String>,
    /// Whether it can be reached at its address.
    #[serde(deserialize_with = "flag")]
    pub route_ready: bool,
    /// Its webhook. Only its host may be shown.
    pub webhook_url: Option<String>,
    /// When its webhook last took a ping, Unix seconds.
    pub validated_at: Option<i64>,
    /// Its spreadsheet.
    pub spreadsheet_url: Option<String>,
    /// When its spreadsheet was read back, Unix seconds.
    pub verified_at: Option<i64>,
    /// The step its run is at.
    pub step: Option<String>,
    /// Why its run was given up: the sentence.
    pub error: Option<String>,
    /// When its run was queued, Unix seconds.
    pub started_at: Option<i64>,
    /// When its run ended, Unix seconds.
    pub ended_at: Option<i64>,
    /// How many runs there were.
    pub runs: u32,
    /// How many attempts its latest run made.
    pub attempts: u32,
    /// How much happened to it: no further than to a hundred.
    pub events: u32,
    /// How often an operator did something to it: no further than to a hundred.
    pub audited: u32,
}

/// Selects one club, for [`read`].
#[must_use]
pub fn select(tenant: &TenantId) -> Statement {
    Statement::new(
        "select t.id, t.slug, t.name, t.email, t.plan, t.status, t.comped, t.trial_ends_at, t.created_at, t.updated_at,
           iif(t.provisioned_at is null, t.provision_state, 'completed') as provision, t.provision_reason,
           t.provision_run_id, t.provisioned_at, b.primary_color, b.secondary_color, t.promo_code_used, t.route_ready,
           m.webhook_url, m.validated_at, p.spreadsheet_url, p.verified_at,
           r.step, r.error, r.started_at, r.completed_at as ended_at,
           (select count(*) from (select 1 from provision_runs where tenant_id = t.id limit 100)) as runs,
           (select count(*) from provision_history where run_id = t.provision_run_id) as attempts,
           (select count(*) from (select 1 from domain_events where tenant_id = t.id limit 100)) as events,
           (select count(*) from (select 1 from audit_log where subject = t.id limit 100)) as audited
         from tenants t
           left join tenant_brand b on b.tenant_id = t.id
           left join make_connections m on m.tenant_id = t.id
           left join pro_automation p on p.tenant_id = t.id
           left join provision_runs r on r.id = t.provision_run_id
         where t.id = ?1",
        [tenant.as_str().into()],
    )
}

/// Reads the answer to [`select`].
///
/// # Errors
///
/// When the row is not what the schema promises.
pub fn read(answer: Answer) -> Result<Option<Details>, DbError> {
    // Twice the same row: read at once, it would go through a copy of itself.
    let club = answer.clone().first()?;
    Ok(club.zip(answer.first()?).map(|(club, more)| Details { club, more }))
}

/// What an operator changes about a club; what is none stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    /// Where it stands.
    pub status: Option<TenantStatus>,
    /// Its plan.
    pub plan: Option<Plan>,
    /// Whether it pays nothing.
    pub comped: Option<bool>,
}

/// Changes a club, and writes down what was before and after. Nothing is done, nor written down, where nothing changes;
/// nor to a cancelled club; nor to the plan once provisioning has begun, as the steps of its run depend on it.
#[must_use]
pub fn change(tenant: &TenantId, change: Change, act: &Act<'_>) -> [Statement; 2] {
    let [id, actor, reason, request, now] = act.params();
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
