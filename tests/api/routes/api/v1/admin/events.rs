//! `GET /api/v1/admin/events`

use serde_json::{Value, json};

use super::get;
use crate::support::{Breaks, TestApp, Token, keys, signup};

fn query(after: &str, limit: u32) -> String {
    format!("/events?limit={limit}&after={after}")
}

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

fn cursor(page: &Value) -> String {
    page["nextCursor"].as_str().unwrap().to_owned()
}

/// What the database stored, in the order of its writing.
fn stored(app: &TestApp) -> Vec<String> {
    let rows = app.db().rows("select event_id from event_feed order by seq");
    rows.iter().map(|row| row["event_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn it_tells_what_happened_to_all_tenants_oldest_first() {
    let app = TestApp::new();
    let (first, second) = (app.provisioned("fc-nord").await, app.provisioned("fc-sued").await);
    let page = get(&app, "/events").await.is(200);
    assert_eq!(keys(&page), ["data", "hasMore", "nextCursor", "success"]);
    assert_eq!(page["hasMore"], false);
    let told: Vec<String> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| format!("{} {}", event["tenantId"], event["type"]).replace('"', ""))
        .collect();
    let expected: Vec<String> = [&first, &second]
        .iter()
        .flat_map(|tenant| {
            ["tenant.signed_up", "tenant.provisioned"].map(|kind| format!("{} {kind}", tenant.id))
        })
        .collect();
    assert_eq!(told, expected);
    let event = &page["data"][1];
    assert_eq!(keys(event), ["data", "id", "occurredAt", "tenantId", "type"]);
    let run = app.outside().objects().run(&first.id).unwrap().id;
    assert_eq!(event["data"]["runId"], run.as_str());
    assert_eq!(ids(&page), stored(&app));
}

#[tokio::test]
async fn a_service_reads_it_too() {
    let app = TestApp::new();
    app.provisioned("fc-nord").await;
    let service = Token::service(app.now()).sign();
    let page = app.get("/api/v1/admin/events").token(&service).send().await.is(200);
    assert_eq!(page, get(&app, "/events").await.is(200));
}

/// Several in the same second, and some behind others' backs: a reader that keeps its cursor sees each once, in one order.
#[tokio::test]
async fn a_reader_that_keeps_its_cursor_sees_every_event_once() {
    for limit in [1, 2, 3, 100] {
        let app = TestApp::new();
        let (mut seen, mut after) = (Vec::new(), String::new());
        for round in 0..6 {
            if round % 2 == 0 {
                for n in 0..3 {
                    app.signed_up(&format!("fc-{round}-{n}")).await;
                }
            }
            loop {
                let page = get(&app, &query(&after, limit)).await.is(200);
                seen.extend(ids(&page));
                after = cursor(&page);
                if page["hasMore"] == false {
                    break;
                }
                assert_eq!(ids(&page).len(), usize::try_from(limit).unwrap());
            }
        }
        assert_eq!(seen.len(), 9);
        assert_eq!(seen, stored(&app), "{limit}");
    }
}

/// A clock that goes back puts no event before what was read.
#[tokio::test]
async fn an_event_of_an_earlier_moment_still_comes_after() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let after = cursor(&get(&app, "/events").await.is(200));
    app.db().execute("insert into domain_events values (?1, 1, 'evt_0', 'test', '{}')", [&tenant.id]);
    assert_eq!(ids(&get(&app, &query(&after, 100)).await.is(200)), ["evt_0"]);
}

#[tokio::test]
async fn there_is_always_a_cursor_to_keep() {
    let app = TestApp::new();
    let empty = get(&app, "/events").await.is(200);
    assert_eq!(empty["data"], json!([]));
    assert_eq!(get(&app, &query(&cursor(&empty), 1)).await.is(200), empty, "nothing new: the same again");
    app.signed_up("fc-nord").await;
    let page = get(&app, &query(&cursor(&empty), 1)).await.is(200);
    assert_eq!(ids(&page).len(), 1);
    let nothing = get(&app, &query(&cursor(&page), 1)).await.is(200);
    assert_eq!((&nothing["data"], &nothing["nextCursor"]), (&json!([]), &page["nextCursor"]));
}

/// A tenant that is gone stays in the feed: whoever reads late learns of both ends.
#[tokio::test]
async fn a_removed_tenant_is_still_told_of() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let token = Token::operator(app.now()).sign();
    let remove = app.ask(http::Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id));
    remove.token(&token).json(&json!({ "reason": "test" })).send().await;
    tenant.waits().await;
    for _ in 0..40 {
        app.passes(24 * 3600);
        tenantry::app::sweep::run(&app.app).await;
    }
    let page = get(&app, "/events").await.is(200);
    let kinds: Vec<&Value> = page["data"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["tenant.signed_up", "tenant.provisioned", "tenant.deprovisioned"]);
}

/// By hand only: what has no event any more is passed over, and the cursor behind it still counts.
#[tokio::test]
async fn an_event_that_somebody_deleted_ends_no_cursor() {
    let app = TestApp::new();
    app.signed_up("fc-nord").await;
    let after = cursor(&get(&app, "/events").await.is(200));
    app.signed_up("fc-sued").await;
    app.db().execute("delete from domain_events where (occurred_at, id) in (select occurred_at, event_id from event_feed where seq = 1)", ());
    assert_eq!(ids(&get(&app, &query(&after, 1)).await.is(200)).len(), 1);
}

/// The database is put back to an earlier moment, and other things happen: a cursor of what was lost is told, even where the same event
/// is written again in the same place.
#[tokio::test]
async fn a_cursor_of_a_lost_future_is_told() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let kept = cursor(&get(&app, "/events").await.is(200));
    app.db().execute("insert into domain_events values (?1, 2, 'evt_2', 'test', '{}')", [&tenant.id]);
    let lost = cursor(&get(&app, "/events").await.is(200));
    let put_back = || {
        app.db().execute("delete from domain_events where id = 'evt_2'", ());
        app.db().execute("delete from event_feed where seq = 2", ());
    };
    put_back();
    get(&app, &query(&lost, 1)).await.fails(410, "CURSOR_OUTDATED");
    for id in ["evt_2", "evt_3"] {
        app.db().execute("insert into domain_events values (?1, 2, ?2, 'test', '{}')", (&tenant.id, id));
        get(&app, &query(&lost, 1)).await.fails(410, "CURSOR_OUTDATED");
        assert_eq!(ids(&get(&app, &query(&kept, 1)).await.is(200)), [id]);
        put_back();
    }
}

#[tokio::test]
async fn what_was_rolled_back_was_never_told() {
    let app = TestApp::new();
    app.db().breaks(0, Breaks::Within(3));
    app.signs_up(&signup("fc-nord")).await.is(503);
    let page = get(&app, "/events").await.is(200);
    assert_eq!(page["data"], json!([]));
    app.signed_up("fc-nord").await;
    assert_eq!(ids(&get(&app, &query(&cursor(&page), 9)).await.is(200)).len(), 1);
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    let app = TestApp::new();
    for query in ["limit=0", "limit=101", "limit=x", "after=%00", "after=!!", "after=eHg", "after=LTEgYQ"] {
        let complaints = get(&app, &format!("/events?{query}")).await.complains_about();
        let field = query.split('=').next().unwrap();
        assert_eq!(complaints, [(field.to_owned(), "invalid_value".to_owned())], "{query}");
    }
    for query in ["cursor=MCA", "offset=1", "page=2", "skip=1"] {
        let complaints = get(&app, &format!("/events?{query}")).await.complains_about();
        let field = query.split('=').next().unwrap();
        assert_eq!(complaints, [(field.to_owned(), "unknown_parameter".to_owned())], "{query}");
    }
    get(&app, "/events?after=OTk5OTk5IGE").await.fails(410, "CURSOR_OUTDATED");
}
