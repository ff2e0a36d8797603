//! What monitoring asks of the database: one batch that reads the same few rows however many tenants there are.
//!
//! See `migrations/0007_admin.sql`, `0008_metrics.sql`, `0009_requests.sql`, `0010_mails.sql` and `0021_event_feed.sql` for what each row says.

use crate::{
    db::{Batch, Query, Statement, columns},
    domain::Timestamp,
};

use super::{
    request_metrics::{self, RequestCount},
    rollups::{self, Runs, StepFailureCount, TenantCounts},
};

/// How often something happened.
#[derive(Debug, Clone)]
pub struct Events {
    /// What.
    pub r#type: String,
    /// How often.
    pub events: i64,
}

columns! { Events: r#type, events }

/// How many tenants are removed, or were wanted to be.
#[derive(Debug, Clone, Default)]
pub struct Removals {
    /// At work.
    pub undoing: i64,
    /// Done.
    pub undone: i64,
    /// Given up: somebody must look.
    pub compensation_failed: i64,
}

columns! { Removals: undoing, undone, compensation_failed }

/// How many deliveries wait, and how often one was settled.
#[derive(Debug, Clone, Default)]
pub struct Deliveries {
    /// Waiting.
    pub pending: i64,
    /// Taken by the webhook.
    pub delivered: i64,
    /// Failed.
    pub failed: i64,
    /// Without anybody to send them to any more.
    pub cancelled: i64,
}

columns! { Deliveries: pending, delivered, failed, cancelled }

/// How many mails wait, and how often one was settled.
#[derive(Debug, Clone, Default)]
pub struct Mails {
    /// Waiting.
    pub pending: i64,
    /// Waiting for long.
    pub late: i64,
    /// Taken by the mail service.
    pub sent: i64,
    /// Failed.
    pub failed: i64,
    /// Without anybody who wants them any more.
    pub cancelled: i64,
}

columns! { Mails: pending, late, sent, failed, cancelled }

/// Moments, in Unix seconds, and what else there is one of.
#[derive(Debug, Clone, Default)]
pub struct Moments {
    /// When the provisioning last moved that has not moved for longest; none when none is at work.
    pub provisioning_since: Option<i64>,
    /// The same of the removals.
    pub removing_since: Option<i64>,
    /// When the delivery is due that is due first; none when none waits.
    pub due_at: Option<i64>,
    /// The same of the mails.
    pub mail_due_at: Option<i64>,
    /// When what the platform's webhook is sent is due that is due first.
    pub platform_due_at: Option<i64>,
    /// Since when the platform's webhook has taken nothing.
    pub platform_failing_since: Option<i64>,
    /// When the sweep last did all of its work; none before it first did.
    pub swept_at: Option<i64>,
    /// How many tenants somebody deleted by hand.
    pub deleted: i64,
    /// 1 while provisioning is paused whole, else 0.
    pub paused: i64,
    /// The newest migration that was applied.
    pub migration: Option<String>,
}

columns! {
    Moments: provisioning_since, removing_since, due_at, mail_due_at, platform_due_at, platform_failing_since, swept_at, deleted, paused, migration
}

/// Everything that monitoring asks of the database.
#[derive(Debug, Clone)]
pub struct Measures {
    /// The tenants.
    pub tenants: Vec<TenantCounts>,
    /// The days on which runs were queued.
    pub runs: Vec<Runs>,
    /// The attempts that were not done.
    pub troubles: Vec<StepFailureCount>,
    /// What happened, but for what happens to every tenant.
    pub events: Vec<Events>,
    /// The tenants that are removed.
    pub removals: Removals,
    /// The webhooks' deliveries.
    pub deliveries: Deliveries,
    /// The mails.
    pub mails: Mails,
    /// The requests.
    pub requests: Vec<RequestCount>,
    /// The rest.
    pub moments: Moments,
}

/// What asks for everything, by what is told of it: provisioning, what follows from it, the service itself.
type Measuring = (
    (Query<Vec<TenantCounts>>, Query<Vec<Runs>>, Query<Vec<StepFailureCount>>),
    (Query<Vec<Events>>, Query<Option<Removals>>, Query<Option<Deliveries>>, Query<Option<Mails>>),
    (Query<Vec<RequestCount>>, Query<Moments>),
);

impl Measures {
    /// What [`select`] was answered.
    pub fn of(answer: <Measuring as Batch>::Answer) -> Self {
        let ((tenants, runs, troubles), (events, removals, deliveries, mails), (requests, moments)) = answer;
        Self {
            tenants,
            runs,
            troubles,
            events,
            removals: removals.unwrap_or_default(),
            deliveries: deliveries.unwrap_or_default(),
            mails: mails.unwrap_or_default(),
            requests,
            moments,
        }
    }
}

/// Everything that monitoring asks: read by [`Measures::of`].
pub fn select() -> Measuring {
    let events = Statement::new("select type, events from event_counts where type > '' order by type", []);
    let removals =
        Statement::new("select undoing, undone, compensation_failed from undo_counts where id = 1", []);
    let deliveries =
        Statement::new("select pending, delivered, failed, cancelled from delivery_counts where id = 1", []);
    let mails =
        Statement::new("select pending, late, sent, failed, cancelled from mail_counts where id = 1", []);
    let moments = Statement::new(
        "select
           (select min(provision_updated_at) from tenants
            where provision_state = 'processing' and undo_state is null and provisioned_at is null) as provisioning_since,
           (select min(undo_updated_at) from tenants where undo_state = 'undoing') as removing_since,
           (select min(next_at) from webhook_deliveries where status = 'pending') as due_at,
           (select min(next_at) from mails where status = 'pending') as mail_due_at,
           (select min(next_at) from platform_deliveries where status = 'pending') as platform_due_at,
           (select failing_since from platform_webhook where id = 1) as platform_failing_since,
           (select value from measures where name = 'sweep_ended_at') as swept_at,
           coalesce((select value from measures where name = 'tenants_deleted'), 0) as deleted,
           exists (select 1 from feature_flags where name = 'provisioning_enabled' and enabled = 0) as paused,
           (select max(name) from d1_migrations) as migration",
        [],
    );
    (
        (rollups::tenants(), rollups::runs(), rollups::troubles()),
        (Query::rows(events), Query::optional(removals), Query::optional(deliveries), Query::optional(mails)),
        (request_metrics::select(), Query::one(moments)),
    )
}

/// Notes that the sweep did all of its work, if the mark is still the one that it saw when it began: a database that was restored
/// meanwhile keeps its own, or nobody would notice. It never goes back: two machines' clocks may differ.
pub fn swept(seen: Option<i64>, now: Timestamp) -> Statement {
    Statement::new(
        "insert into measures (name, value) values ('sweep_ended_at', ?1)
         on conflict (name) do update set value = max(measures.value, excluded.value) where measures.value is ?2",
        [now.seconds().into(), seen.into()],
    )
}
