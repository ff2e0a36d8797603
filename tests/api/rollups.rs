//! The roll-ups say what the tables say: after any history, after the sweep, and from the day on that they were made.

use rusqlite::Connection;
use serde_json::{Value, json};
use tenantry::{
    db::Db,
    store::rollups::{self, TenantCounts},
};

use crate::support::{Database, TestApp, signup, splitmix};

/// The migration that made them.
const MIGRATION: &str = "0007_admin.sql";

/// What the roll-ups say that can be counted again at any time.
const ROLLED_UP: [&str; 6] = [
    "select plan, trial, active, suspended, cancelled from tenant_counts
     where trial + active + suspended + cancelled > 0 order by plan",
    "select plan, sum(processing) as processing, sum(completed) as completed, sum(failed) as failed from run_counts
     group by plan having sum(processing) + sum(completed) + sum(failed) > 0 order by plan",
    "select step, outcome, attempts from step_troubles order by step, outcome",
    "select type, events from event_counts order by type",
    "select undoing, undone, compensation_failed from undo_counts where undoing + undone + compensation_failed > 0",
    "select pending from delivery_counts where pending > 0",
];

/// The same, counted.
const COUNTED: [&str; 6] = [
    "select plan, count(*) filter (where status = 'trial') as trial, count(*) filter (where status = 'active') as active,
       count(*) filter (where status = 'suspended') as suspended, count(*) filter (where status = 'cancelled') as cancelled
     from tenants group by plan order by plan",
    "select plan, count(*) filter (where status = 'processing') as processing,
       count(*) filter (where status = 'completed') as completed, count(*) filter (where status = 'failed') as failed
     from provision_runs group by plan order by plan",
    "select step, outcome, count(*) as attempts from provision_history where outcome <> 'done'
     group by step, outcome order by step, outcome",
    "select type, count(*) as events from domain_events
     where type not in ('tenant.signed_up', 'tenant.provisioned') group by type order by type",
    "select count(*) filter (where undo_state = 'undoing') as undoing, count(*) filter (where undo_state = 'undone') as undone,
       count(*) filter (where undo_state = 'compensation_failed') as compensation_failed
     from tenants where undo_state is not null group by true",
    "select count(*) as pending from webhook_deliveries where status = 'pending' group by status",
];

#[track_caller]
fn agrees(rows: impl Fn(&str) -> Vec<Value>, what: &str) {
    for (rolled_up, counted) in ROLLED_UP.into_iter().zip(COUNTED) {
        assert_eq!(rows(rolled_up), rows(counted), "{what}");
    }
}

/// Whatever somebody types, or the service does.
fn something_happens(db: &Database, dice: u64, n: u64) {
    let any =
        |table: &str| format!("(select id from {table} order by id limit 1 offset {})", (dice >> 16) % 7);
    let pick = |words: &[&str]| words[usize::try_from(dice >> 32).unwrap() % words.len()].to_owned();
    let (plan, day) = (pick(&["starter", "pro"]), (dice >> 40) % 60);
    // Signups are left to the sweep; what is done by hand, or by an older version, is not.
    let counted = (dice >> 50) % 2;
    let status = pick(&["trial", "active", "suspended", "cancelled"]);
    let state = pick(&["processing", "completed", "failed"]);
    let undo = pick(&["null", "'undoing'", "'undone'", "'compensation_failed'"]);
    let delivery = pick(&["delivered", "failed", "cancelled"]);
    let sql = match dice % 17 {
        0 | 1 => format!(
            "insert into tenants (id, slug, name, email, plan, status, trial_ends_at, owner_user_id, signup_fingerprint,
               created_at, updated_at, counted)
             values ('tenant_{n}', 'fc-{n}', 'FC', '{n}@example.org', '{plan}', '{status}', 0, '', '', {day} * 86400, 0, {counted})"
        ),
        2 => format!("update tenants set status = '{status}' where id = {}", any("tenants")),
        3 => format!("update tenants set plan = '{plan}', status = '{status}' where id = {}", any("tenants")),
        4 => format!("update tenants set plan = '{plan}' where status = '{status}'"),
        5 | 6 => format!(
            "insert or ignore into provision_runs (id, tenant_id, plan, status, version, started_at, deadline_at,
               completed_at, updated_at)
             select 'run_{n}', id, '{plan}', '{state}', 1, {day} * 86400, 0, {day} * 86400 + {n}, 0 from tenants
             where id = {}",
            any("tenants")
        ),
        7 => format!(
            "update or ignore provision_runs set status = '{state}', completed_at = started_at + {n} where id = {}",
            any("provision_runs")
        ),
        8 => format!("delete from provision_runs where id = {} and id not in (select run_id from provision_history)",
            any("provision_runs")
        ),
        9 | 10 => format!("update tenants set undo_state = {undo} where id = {}", any("tenants")),
        11 => format!(
            "insert or ignore into webhook_deliveries (tenant_id, created_at, id, type, body, next_at)
             select id, {day}, 'evt_{n}', 'test', '{{}}', {n} from tenants where id = {}",
            any("tenants")
        ),
        12 => format!(
            "update webhook_deliveries set status = '{delivery}', next_at = null, settled_at = {n} where tenant_id = {}",
            any("tenants")
        ),
        13 => format!(
            "update webhook_deliveries set status = 'pending', next_at = {n}, settled_at = null where tenant_id = {}",
            any("tenants")
        ),
        14 => format!("delete from webhook_deliveries where created_at > {day} and status = 'pending'"),
        15 => format!(
            "delete from tenants where id = {} and id not in (select tenant_id from provision_runs)
               and id not in (select tenant_id from webhook_deliveries)",
            any("tenants")
        ),
        _ => format!(
            "insert or ignore into provision_history (run_id, step, attempt, outcome, ms, started_at)
             select id, 'activate', {n}, '{}', 0, 0 from provision_runs where id = {}",
            pick(&["done", "refused", "unknown"]),
            any("provision_runs")
        ),
    };
    db.execute(&sql, ());
}

/// What is told of the tenants, the sweep or no sweep.
async fn tenants_told(app: &TestApp) -> Vec<Value> {
    let mut tenants = app.db().ask(rollups::tenants()).await.unwrap();
    tenants.sort_by_key(|tenants| tenants.plan.as_str());
    let tenants = tenants.into_iter().filter(|c| c.trial + c.active + c.suspended + c.cancelled > 0);
    let row = |c: TenantCounts| {
        json!({
            "plan": c.plan.as_str(), "trial": c.trial, "active": c.active, "suspended": c.suspended,
            "cancelled": c.cancelled
        })
    };
    tenants.map(row).collect()
}

#[tokio::test]
async fn no_history_makes_them_drift() {
    for seed in 0..40 {
        let app = TestApp::new();
        let mut state = seed;
        for n in 0..150 {
            let dice = splitmix(&mut state);
            something_happens(app.db(), dice, n);
            if dice.is_multiple_of(50) {
                tenantry::app::sweep::run(&app.app).await;
            }
        }
        assert_eq!(
            tenants_told(&app).await,
            app.db().rows(COUNTED[0]),
            "seed {seed}, told before they are swept"
        );
        tenantry::app::sweep::run(&app.app).await;
        agrees(|sql| app.db().rows(sql), &format!("seed {seed}, swept"));
    }
}

#[tokio::test]
async fn everything_that_happens_is_in_them() {
    let app = TestApp::new();
    crate::plans::everything_happens(&app).await;
    tenantry::app::sweep::run(&app.app).await;
    agrees(|sql| app.db().rows(sql), "everything");
    let signups = app.db().number("select sum(signups) from signup_counts");
    // Of the hours that are not forgotten yet; whoever lapsed came earlier.
    let kept =
        "select count(*) from tenants where created_at / 3600 >= (select min(hour) from signup_counts)";
    assert_eq!(signups, app.db().number(kept));
    assert!(signups > 1);
    let took = "select sum(took_1 + took_2 + took_5 + took_10 + took_20 + took_30 + took_60 + took_120 + took_300 + took_600
                  + took_1800 + took_longer) from run_counts";
    let completed = app.db().number("select count(*) from provision_runs where status = 'completed'");
    assert!(completed > 1);
    assert_eq!(app.db().number(took), completed);
}

/// What D1 charges for: rows, and their entries in indexes.
#[tokio::test]
async fn a_signup_writes_fifteen_rows() {
    let app = TestApp::new();
    app.signed_up("fc-first").await;
    app.passes(60);
    tenantry::app::sweep::run(&app.app).await;
    app.db().records();
    app.signs_up(&signup("fc-nord")).await.is(200);
    let rows: u64 = app.db().records().iter().map(|call| call.rows).sum();
    assert_eq!(
        rows, 5,
        "the tenant, its event, that in the feed, the mail that asks for a proof, and the count of mails"
    );
    let entries = app.db().number(
        "select count(*) from (values ('tenants'), ('domain_events'), ('event_feed'), ('mails')), pragma_index_list(column1)
         where origin <> 'pk' and partial = 0",
    );
    // The indexes that have only some rows: by an unproven address, by when it lapses, and of mails that are due.
    assert_eq!(rows + u64::try_from(entries).unwrap() + 3, 15);
}

/// Older versions mark no tenant as one to be counted later, and nobody sweeps for them as this one does.
#[tokio::test]
async fn what_an_older_version_writes_is_counted_at_once() {
    let app = TestApp::new();
    let counts = || app.db().rows("select trial, active from tenant_counts");
    let signups = || app.db().number("select coalesce(sum(signups), 0) from signup_counts");
    let insert = |id: &str| {
        app.db().execute(
            "insert into tenants (id, name, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at, updated_at)
             values (?1, 'FC', 'pro', 0, '', '', ?2, 0)",
            (id, app.now()),
        )
    };
    let ours = app.signed_up("fc-ours").await;
    assert_eq!((counts(), signups()), (vec![], 0), "not before the sweep");
    insert("tenant_a");
    insert("tenant_z");
    app.db().execute("update tenants set status = 'active' where id in ('tenant_a', ?1)", [&ours.id]);
    assert_eq!((counts(), signups()), (vec![json!({ "trial": 1, "active": 1 })], 2));
    tenantry::app::sweep::run(&app.app).await;
    tenantry::app::sweep::run(&app.app).await;
    let sum = app.db().row("select sum(trial) as trial, sum(active) as active from tenant_counts");
    assert_eq!((sum, signups()), (json!({ "trial": 1, "active": 2 }), 3), "ours is counted once");
}

/// Ids grow with time, but not every signup is written in the order of its id.
#[tokio::test]
async fn a_signup_behind_those_that_were_counted_is_counted_at_once() {
    let app = TestApp::new();
    app.db().execute("insert into signups_counted values (1, 'tenant_zzz')", ());
    app.signed_up("fc-late").await;
    assert_eq!(app.db().number("select trial from tenant_counts where plan = 'starter'"), 1);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.db().number("select trial from tenant_counts where plan = 'starter'"), 1);
}

/// Each bucket's last second is its own, and the next is the next one's.
#[test]
fn a_run_is_in_the_bucket_of_its_seconds() {
    let db = Database::migrated();
    db.execute(
        "insert into tenants (id, name, plan, trial_ends_at, owner_user_id, signup_fingerprint, created_at, updated_at)
         values ('tenant_1', 'FC', 'pro', 0, '', '', 0, 0)",
        (),
    );
    for (seconds, column) in [
        (0, "took_1"),
        (1, "took_1"),
        (2, "took_2"),
        (3, "took_5"),
        (10, "took_10"),
        (11, "took_20"),
        (20, "took_20"),
        (30, "took_30"),
        (60, "took_60"),
        (61, "took_120"),
        (300, "took_300"),
        (600, "took_600"),
        (601, "took_1800"),
        (1800, "took_1800"),
        (1801, "took_longer"),
        (-5, "took_1"),
    ] {
        let count = || db.number(&format!("select coalesce(sum({column}), 0) from run_counts"));
        let before = (count(), db.number("select coalesce(sum(took_sum), 0) from run_counts"));
        db.execute(
            "insert into provision_runs (id, tenant_id, plan, status, version, started_at, deadline_at, updated_at)
             values ('run_' || ?1, 'tenant_1', 'pro', 'processing', 1, 1000, 0, 0)",
            [seconds],
        );
        assert_eq!(count(), before.0, "{seconds}: not before it completed");
        db.execute(
            "update provision_runs set status = 'completed', completed_at = 1000 + ?1 where id = 'run_' || ?1",
            [seconds],
        );
        let after = (count(), db.number("select sum(took_sum) from run_counts"));
        assert_eq!(after, (before.0 + 1, before.1 + seconds.max(0)), "{seconds}");
    }
}

/// A database that was at work before they were made.
#[test]
fn what_was_there_before_them_is_in_them() {
    let connection = Connection::open_in_memory().unwrap();
    let sources = migrations();
    for (_, text) in sources.iter().filter(|(name, _)| name.as_str() < MIGRATION) {
        connection.execute_batch(text).unwrap();
    }
    connection
        .execute_batch(
            "insert into tenants (id, slug, name, email, plan, status, trial_ends_at, owner_user_id, signup_fingerprint,
               created_at, updated_at)
             with recursive n(i) as (select 1 union all select i + 1 from n where i < 20)
             select 'tenant_' || i, 'fc-' || i, 'FC', i || '@example.org', iif(i % 3, 'starter', 'pro'),
               iif(i % 4, 'trial', 'active'), 0, '', '', unixepoch() - i * 2 * 86400, 0 from n;
             insert into provision_runs (id, tenant_id, plan, status, version, started_at, deadline_at, completed_at, updated_at)
             select 'run_' || id, id, plan, iif(status = 'active', 'completed', iif(slug > 'fc-5', 'failed', 'processing')),
               1, created_at, 0, iif(status = 'active', created_at + 3, null), 0 from tenants;
             insert into provision_history (run_id, step, attempt, outcome, ms, started_at)
             select id, 'activate', 1, iif(status = 'failed', 'refused', 'done'), 0, 0 from provision_runs;
             insert into domain_events (tenant_id, occurred_at, id, type, data)
             select tenant_id, 0, id, 'tenant.' || status, '{}' from provision_runs;
             update tenants set undo_state = iif(slug < 'fc-2', 'undone', 'undoing') where status = 'active';
             insert into webhook_deliveries (tenant_id, created_at, id, type, body, status, next_at, settled_at)
             select id, 0, 'evt_1', 'test', '{}', iif(plan = 'pro', 'failed', 'pending'), iif(plan = 'pro', null, 1),
               iif(plan = 'pro', 1, null) from tenants;",
        )
        .unwrap();
    for (_, text) in sources.iter().filter(|(name, _)| name.as_str() >= MIGRATION) {
        connection.execute_batch(text).unwrap();
    }
    let rows = |sql: &str| -> Vec<Value> {
        let mut statement =
            connection.prepare(&format!("select json_array({}) from ({sql})", columns(sql))).unwrap();
        let texts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        texts.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
    };
    agrees(rows, "backfill");
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(number("select sum(took_5) from run_counts"), 5);
    assert_eq!(number("select sum(took_sum) from run_counts"), 15);
    assert_eq!(number("select failed from delivery_counts"), 6);
    assert_eq!(number("select sum(signups) from signup_counts"), 15, "of the last month alone");
}

/// The names of what a statement above selects, in its order.
fn columns(sql: &str) -> &'static str {
    match sql {
        sql if sql.contains("undoing") => "undoing, undone, compensation_failed",
        sql if sql.contains("pending") => "pending",
        sql if sql.contains("suspended") => "plan, trial, active, suspended, cancelled",
        sql if sql.contains("processing") => "plan, processing, completed, failed",
        sql if sql.contains("events") => "type, events",
        _ => "step, outcome, attempts",
    }
}

/// Every migration's name and text, in order.
fn migrations() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

/// A database without a tenant has no rows at all: whoever restores a backup asks for that.
#[test]
fn a_fresh_database_is_empty() {
    let db = Database::migrated();
    for (table, rows) in db.contents() {
        assert!(rows.is_empty() || table == "d1_migrations", "{table}: {rows:?}");
    }
}

/// D1's own service cuts a migration into statements: it knows a trigger's body by an upper-case `BEGIN` at the end of a line,
/// and believes it over at any `END`.
#[test]
fn a_trigger_is_written_so_that_d1_finds_its_end() {
    for (name, text) in migrations() {
        assert!(!text.contains('\r'), "{name}");
        let sql: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        let triggers = sql.iter().filter(|line| line.starts_with("create trigger ")).count();
        let whole_lines = |word: &str| sql.iter().filter(|line| **line == word).count();
        assert_eq!((whole_lines("BEGIN"), whole_lines("END;")), (triggers, triggers), "{name}");
        let words = sql.iter().flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric()));
        let ends =
            words.filter(|word| ["end", "begin"].contains(&word.to_ascii_lowercase().as_str())).count();
        assert_eq!(ends, 2 * triggers, "{name}: nothing else begins or ends");
    }
}
