//! What the upstreams answer to whoever looks, and changes nothing.

use serde_json::{Value, json};
use tenantry::ports::OutboundResponse;

use super::{
    app::ZONE,
    dns::{answers, refuses},
    upstreams::{RecordedCall, called},
};

/// Resend's domains.
pub fn resend(sent: &RecordedCall) -> Option<OutboundResponse> {
    let query = sent.call.url.strip_prefix("https://api.resend.com/domains?")?;
    assert_eq!((sent.call.method, query, sent.call.body.as_ref()), ("GET", "limit=100", None));
    let domain = json!({ "id": "d1", "name": "clubs.example", "status": "verified", "region": "eu-west-1" });
    Some(called(200, &json!({ "object": "list", "has_more": false, "data": [domain] }).to_string()))
}

/// A token that may do all, of the zone of the tenants' domain.
pub fn cloudflare(sent: &RecordedCall, records: &[Value]) -> Option<OutboundResponse> {
    let path = sent.call.url.strip_prefix("https://api.cloudflare.com/client/v4/")?;
    let zone = format!("zones/{ZONE}");
    match (sent.call.method, path.strip_prefix(&zone)) {
        ("GET", None) if path == "user/tokens/verify" => {
            Some(answers(&json!({ "id": "0".repeat(32), "status": "active" })))
        }
        ("GET", Some("")) => Some(answers(
            &json!({ "id": ZONE, "name": "clubs.example", "status": "active", "paused": false }),
        )),
        ("GET", Some("/dns_records?per_page=5")) => Some(answers(&json!(records))),
        ("PATCH", Some(record)) => {
            assert_eq!(record, format!("/dns_records/{}", "0".repeat(32)));
            Some(refuses(404, 81044))
        }
        _ => None,
    }
}
