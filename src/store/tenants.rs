//! Tenants after their signup.

use serde_json::json;

use crate::{
    db::{Lossy, Query, Statement, columns},
    domain::{
        Email, HexColor, Plan, RunId, RunStatus, Slug, TenantId, TenantName, TenantStatus, Timestamp,
        UndoStatus, UserId,
    },
    workflow::Subject,
};

/// What queueing a tenant's provisioning needs to know.
#[derive(Debug, Clone)]
pub struct Tenant {
    id: TenantId,
    slug: Option<Slug>,
    name: TenantName,
    email: Option<Email>,
    /// Its plan.
    pub plan: Plan,
    /// Where it stands: one that is stopped is not set up.
    pub status: TenantStatus,
    owner_user_id: UserId,
    provision_state: RunStatus,
    provisioned_at: Option<i64>,
    provision_run_id: Option<RunId>,
    provision_updated_at: Option<i64>,
    /// Where removing it stands, once that was asked for.
    pub undo_state: Option<UndoStatus>,
    undo_updated_at: Option<i64>,
    /// Which version of its run is listed.
    run_version: Option<u64>,
    /// When its run was last listed: also of an attempt that changed nothing else.
    run_updated_at: Option<i64>,
}

columns! {
    Tenant: id, slug, name, email, plan, status, owner_user_id, provision_state, provisioned_at, provision_run_id,
        provision_updated_at, undo_state, undo_updated_at, run_version, run_updated_at
}

impl Tenant {
    /// Whom its run provisions; none once its name and address were released.
    pub fn subject(&self) -> Option<Subject> {
        Some(Subject {
            tenant: self.id.clone(),
            slug: self.slug.clone()?,
            name: self.name.clone(),
            email: self.email.clone()?,
            owner: self.owner_user_id.clone(),
        })
    }

    /// Whether nobody has proven its address yet: its name is there, and its address is not.
    pub const fn is_unproven(&self) -> bool {
        self.slug.is_some() && self.email.is_none()
    }

    /// Its latest run, once D1 shows it.
    pub const fn run(&self) -> Option<&RunId> {
        self.provision_run_id.as_ref()
    }

    /// Its id.
    pub const fn id(&self) -> &TenantId {
        &self.id
    }

    /// When its provisioning, or removing it, last moved, as far as D1 shows.
    pub fn last_progress_at(&self) -> Timestamp {
        let state = self.undo_updated_at.or(self.provision_updated_at);
        Timestamp::from_seconds(state.max(self.run_updated_at).unwrap_or(0))
    }

    /// Which version of its run is listed; 0 if none is.
    pub fn projected_version(&self) -> u64 {
        self.run_version.unwrap_or(0)
    }

    /// Where its provisioning stands: an operator's own `provisioned_at` counts as much as a run's.
    pub const fn provisioning(&self) -> RunStatus {
        if self.provisioned_at.is_some() { RunStatus::Completed } else { self.provision_state }
    }
}

/// One tenant.
pub fn by_id(tenant: &TenantId) -> Query<Option<Tenant>> {
    Query::optional(Statement::new(
        "select id, slug, name, email, plan, status, owner_user_id, provision_state, provisioned_at,
           provision_run_id, provision_updated_at, undo_state, undo_updated_at,
           (select r.version from provision_runs r where r.id = provision_run_id) as run_version, null as run_updated_at
         from tenants where id = ?1",
        [tenant.as_str().into()],
    ))
}

/// Which of these names other tenants have, spelled as asked.
pub fn taken_slugs(slug: &Slug, others: &[Slug]) -> Query<Vec<String>> {
    let names: Vec<&str> = std::iter::once(slug).chain(others).map(Slug::as_str).collect();
    Query::scalars(Statement::new(
        "select wanted.value as slug from json_each(?1) as wanted cross join tenants t on t.slug = wanted.value",
        [json!(names).to_string().into()],
    ))
}

/// Sets a tenant's colours.
pub fn set_brand(tenant: &TenantId, primary: &HexColor, secondary: &HexColor, now: Timestamp) -> Statement {
    Statement::new(
        "insert into tenant_brand (tenant_id, primary_color, secondary_color, updated_at)
         select id, ?2, ?3, ?4 from tenants where id = ?1
         on conflict (tenant_id) do update set primary_color = excluded.primary_color,
           secondary_color = excluded.secondary_color, updated_at = excluded.updated_at",
        [tenant.as_str().into(), primary.as_str().into(), secondary.as_str().into(), now.seconds().into()],
    )
}

/// A tenant's colours.
#[derive(Debug, Clone)]
pub struct Colors {
    /// Of headings.
    pub primary_color: String,
    /// Of what stands out.
    pub secondary_color: String,
}

columns! { Colors: primary_color, secondary_color }

/// A tenant's colours.
pub fn colors(tenant: &TenantId) -> Query<Option<Colors>> {
    Query::optional(Statement::new(
        "select primary_color, secondary_color from tenant_brand where tenant_id = ?1",
        [tenant.as_str().into()],
    ))
}

/// Notes that a tenant, if it has this plan and is not stopped, wants to be provisioned, unless it already is or is being.
/// Stored before the object is told, so that the request can't be lost in between. The first request also decides where
/// mailed links lead. Of a tenant whose address is not proven the wish is remembered: see [`super::proof`].
pub fn mark_queued(tenant: &TenantId, plan: Option<Plan>, origin: &str, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set provision_state = iif(unproven_email is null, 'processing', 'pending'), provision_reason = null,
           provision_wanted_at = iif(unproven_email is null, provision_wanted_at, ?2),
           provision_updated_at = ?2, swept_at = ?2 + 60, link_origin = coalesce(link_origin, ?4)
         where id = ?1 and provision_state in ('pending', 'failed') and provisioned_at is null and undo_state is null
           and status in ('trial', 'active') and (unproven_email is null or provision_wanted_at is null)
           and (?3 is null or plan = ?3)",
        [tenant.as_str().into(), now.seconds().into(), plan.map(Plan::as_str).into(), origin.into()],
    )
}

/// Notes that a tenant wants its failed provisioning tried again.
pub fn request_retry(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set provision_state = 'processing', provision_reason = null, provision_updated_at = ?2,
           swept_at = ?2 + 60
         where id = ?1 and provision_state = 'failed' and provisioned_at is null and undo_state is null
           and status in ('trial', 'active')",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// Notes that a tenant wants its provisioning tried again, if it is the webhook that it failed on.
pub fn request_retry_after_webhook_fix(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set provision_state = 'processing', provision_reason = null, provision_updated_at = ?2,
           swept_at = ?2 + 60
         where id = ?1 and provision_state = 'failed' and provisioned_at is null and status in ('trial', 'active')
           and provision_reason in ('WEBHOOK_MISSING', 'WEBHOOK_REJECTED', 'UPSTREAM_UNAVAILABLE', 'DEADLINE_EXCEEDED',
             'CANCELLED')
           and exists (select 1 from make_connections where tenant_id = ?1)
           and exists (select 1 from provision_runs where id = provision_run_id and step = 'validate_webhook')",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// Claims tenants whose provisioning, or whose removal, has not moved since `before`: of each, those first that were not looked
/// at for longest, so that none hides behind others that can't be helped. Whoever is wanted is not looked at for a minute, so
/// that a crowd that has just come is not read through. While provisioning is paused nobody is.
pub fn claim_stalled(before: Timestamp, limit: u32, now: Timestamp) -> Query<Lossy<Tenant>> {
    Query::lossy(Statement::new(
        "update tenants set swept_at = ?3
         where not exists (select 1 from feature_flags where name = 'provisioning_enabled' and enabled = 0) and id in (
           select id from (select id from tenants
             where provision_state = 'processing' and swept_at < ?3 and provision_updated_at < ?1 and undo_state is null
               and unproven_email is null
             order by swept_at limit ?2)
           union all
           select id from (select id from tenants
             where undo_state = 'undoing' and swept_at < ?3 and undo_updated_at < ?1 order by swept_at limit ?2))
         returning id, slug, name, email, plan, status, owner_user_id, provision_state, provisioned_at, provision_run_id,
           provision_updated_at, undo_state, undo_updated_at,
           (select r.version from provision_runs r where r.id = provision_run_id) as run_version,
           (select r.updated_at from provision_runs r where r.id = provision_run_id) as run_updated_at",
        [before.seconds().into(), limit.into(), now.seconds().into()],
    ))
}

/// Claims tenants whose run failed for an outage and may go on: its time has come, or the breaker of the upstream that it failed at
/// closed since; and that breaker is not open. `breakers` says so for each step, as JSON: `{"<step>":{"open":0,"closedAt":1}}`.
pub fn claim_resumable(breakers: &str, limit: u32, now: Timestamp) -> Query<Lossy<Tenant>> {
    Query::lossy(Statement::new(
        "update tenants set provision_state = 'processing', provision_reason = null, provision_updated_at = ?2,
           swept_at = ?2 + 60, resume_at = null
         where provision_state = 'failed' and provisioned_at is null and undo_state is null
           and status in ('trial', 'active') and id in (
           select t.id from tenants t left join provision_runs r on r.id = t.provision_run_id
           where t.resume_at > 0 and coalesce(json_extract(?1, '$.' || r.step || '.open'), 0) = 0
             and (t.resume_at <= ?2 or json_extract(?1, '$.' || r.step || '.closedAt') >= t.provision_updated_at)
           order by t.resume_at limit ?3)
         returning id, slug, name, email, plan, status, owner_user_id, provision_state, provisioned_at, provision_run_id,
           provision_updated_at, undo_state, undo_updated_at,
           (select r.version from provision_runs r where r.id = provision_run_id) as run_version, null as run_updated_at",
        [breakers.into(), now.seconds().into(), limit.into()],
    ))
}

/// Makes the tenant reachable at its address.
pub fn set_route_ready(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set route_ready = 1, updated_at = ?2 where id = ?1 and route_ready = 0",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// Default brand and welcome content, under fixed ids: done twice, it is done once.
pub fn seed(tenant: &TenantId, name: &TenantName, now: Timestamp) -> Vec<Statement> {
    vec![
        Statement::new(
            "insert into tenant_brand (tenant_id, primary_color, secondary_color, updated_at)
             select id, '#1f4e79', '#f4b942', ?2 from tenants where id = ?1 on conflict do nothing",
            [tenant.as_str().into(), now.seconds().into()],
        ),
        Statement::new(
            "insert into feed_posts (id, tenant_id, title, body, created_at)
             select 'post_welcome_' || id, id, 'Welcome to ' || ?2, 'This is where your club''s news will appear.', ?3
             from tenants where id = ?1 on conflict do nothing",
            [tenant.as_str().into(), name.as_str().into(), now.seconds().into()],
        ),
    ]
}

/// Makes the person who signed up the owner.
pub fn insert_owner(subject: &Subject, now: Timestamp) -> Statement {
    Statement::new(
        "insert into auth_users (id, tenant_id, email, roles, created_at)
         select ?1, id, ?3, '[\"tenant_admin\",\"owner\"]', ?4 from tenants where id = ?2 on conflict do nothing",
        [
            subject.owner.as_str().into(),
            subject.tenant.as_str().into(),
            subject.email.as_str().into(),
            now.seconds().into(),
        ],
    )
}

/// Notes that the welcome mail was taken.
pub fn set_welcome_sent(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set owner_email_sent_at = ?2 where id = ?1 and owner_email_sent_at is null",
        [tenant.as_str().into(), now.seconds().into()],
    )
}

/// Takes the tenant live. A suspended or cancelled one stays so.
pub fn activate(tenant: &TenantId, now: Timestamp) -> Statement {
    Statement::new(
        "update tenants set status = case status when 'trial' then 'active' else status end,
           provisioned_at = coalesce(provisioned_at, ?2), updated_at = ?2
         where id = ?1",
        [tenant.as_str().into(), now.seconds().into()],
    )
}
