//! What a tenant's way from the form to `completed` calls, recorded from the real code: what drives the model of
//! `tests/scale`. `RECORD_CALLS=1 cargo test --test api scale` writes it anew.

use serde_json::{Value, json};
use tenantry::domain::Plan;

use crate::support::{Recorded, TestApp, signup};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scale/calls.json");

fn calls(recorded: Vec<Recorded>) -> Value {
    recorded
        .into_iter()
        .map(|Recorded { to, rows }| if to == "d1" { format!("d1 {rows}") } else { to.to_owned() })
        .collect()
}

/// Each stage of a tenant's way with its calls in their order: `d1` with the rows that it changed, `object`, `breaker`, or an
/// upstream.
async fn way(plan: Plan) -> Value {
    let app = TestApp::new();
    let mut form = signup("fc-nord");
    form["plan"] = plan.as_str().into();
    app.db().records();
    let tenant = app.signed_up_with(&form).await;
    app.outside().finishes_deferred_work().await;
    let signed_up = app.db().records();
    let colours = json!({ "primaryColor": "#102030", "secondaryColor": "#405060" });
    tenant.posts("/public/signup/brand", &colours).await.is(200);
    let brand = app.db().records();
    match plan {
        Plan::Starter => tenant.connects_make().await.is(200),
        Plan::Pro => tenant.confirms_pro().await.is(200),
    };
    let queued = app.db().records();
    tenant.waits().await;
    let run = app.db().records();
    app.outside().finishes_deferred_work().await;
    let afterwards = app.db().records();
    assert_eq!(tenant.ended().await, "completed");
    json!({
        "signup": calls(signed_up),
        "brand": calls(brand),
        "queue": calls(queued),
        "run": calls(run),
        "afterwards": calls(afterwards),
    })
}

/// Every round trip to D1 is time that a tenant waits for, and a share of what one D1 does in a second.
#[tokio::test]
async fn from_the_form_until_it_is_live_a_tenant_calls_d1_at_most_eleven_times() {
    for plan in [Plan::Starter, Plan::Pro] {
        let way = way(plan).await;
        let stages = ["signup", "brand", "queue", "run"];
        let calls = stages.iter().flat_map(|stage| way[stage].as_array().unwrap());
        let count = calls.filter(|call| call.as_str().unwrap().starts_with("d1 ")).count();
        // Three of them send the code, and nobody waits for those.
        assert!(count <= 11, "{plan:?}: {count} in {way}");
    }
}

#[tokio::test]
async fn the_model_of_scale_is_driven_by_what_the_code_calls() {
    let recorded = json!({ "starter": way(Plan::Starter).await, "pro": way(Plan::Pro).await });
    if std::env::var_os("RECORD_CALLS").is_some() {
        std::fs::write(RECORDED, format!("{}\n", serde_json::to_string_pretty(&recorded).unwrap())).unwrap();
    }
    let known: Value = serde_json::from_str(&std::fs::read_to_string(RECORDED).unwrap()).unwrap();
    assert_eq!(known, recorded, "RECORD_CALLS=1 cargo test --test api scale records it anew");
}
