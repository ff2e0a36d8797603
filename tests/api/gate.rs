//! Whether a tenant's run may go on, as it is asked before anything is done outside.

use tenantry::app::gate::Gate;

use crate::support::{Club, TestApp};

async fn gate_of(club: &Club) -> Gate {
    club.app.gate(&club.id.parse().unwrap()).await.unwrap()
}

fn switches(app: &TestApp, enabled: u32) {
    app.db().execute(
        "insert into feature_flags values ('provisioning_enabled', ?1, null, 0)
         on conflict (name) do update set enabled = excluded.enabled",
        [enabled],
    );
}

#[tokio::test]
async fn the_gate_stands_as_the_tenant_does() {
    let app = TestApp::new();
    let club = app.signed_up("fc-nord").await;
    for (status, gate) in [
        ("trial", Gate::Open),
        ("active", Gate::Open),
        ("suspended", Gate::Suspended),
        ("cancelled", Gate::Removed),
    ] {
        club.becomes("status", status);
        assert_eq!(gate_of(&club).await, gate, "{status}");
    }
    assert_eq!(gate_of(&club.never()).await, Gate::Unknown);
}

#[tokio::test]
async fn while_provisioning_is_paused_the_gate_is_closed_for_everybody() {
    let app = TestApp::new();
    let club = app.signed_up("fc-nord").await;
    switches(&app, 0);
    for status in ["trial", "suspended", "cancelled"] {
        club.becomes("status", status);
        assert_eq!(gate_of(&club).await, Gate::Paused, "{status}");
    }
    assert_eq!(gate_of(&club.never()).await, Gate::Paused);
    club.becomes("status", "active");
    switches(&app, 1);
    assert_eq!(gate_of(&club).await, Gate::Open);
}

#[tokio::test]
async fn the_gate_is_one_query_and_is_not_guessed_without_the_database() {
    let app = TestApp::new();
    let club = app.signed_up("fc-nord").await;
    let before = app.db().batches();
    assert_eq!(gate_of(&club).await, Gate::Open);
    assert_eq!(app.db().batches() - before, 1);
    app.db().goes_down();
    assert!(app.app.gate(&club.id.parse().unwrap()).await.is_err());
}
