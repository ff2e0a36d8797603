//! What a form on another site can make a browser send: no header of ours, one of three types of body, and nothing comes of it.

use tenantry::http::router::ROUTES;

use super::stage;
use crate::support::Body;

/// What a form may be sent as, and what a script may send without asking first.
const TYPES: [Option<&str>; 4] = [
    Some("application/x-www-form-urlencoded"),
    Some("multipart/form-data; boundary=x"),
    Some("text/plain"),
    None,
];

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    for route in ROUTES.iter().filter(|route| route.method != "GET") {
        for kind in TYPES {
            let (tenant, example) = stage(route).await;
            tenant.outside().finishes_deferred_work().await;
            let text = match &example.body {
                Body::None | Body::Optional => String::new(),
                Body::Json(value) | Body::OptionalJson(value) => value.to_string(),
                Body::Form(text) => (*text).to_owned(),
            };
            let before = tenant.db().contents();
            let (told, sent) = (tenant.outside().objects().told(), tenant.outside().upstreams().sent().len());
            let ask = example.bare().body(text).header("origin", "https://evil.example");
            let ask = ask.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
            let ask = match kind {
                Some(kind) => ask.header("content-type", kind),
                None => ask,
            };
            let answer = ask.send().await;
            assert!(answer.status.is_client_error(), "{route:?} {kind:?}: {}", answer.text);
            tenant.outside().finishes_deferred_work().await;
            tenant.db().is_still(&before);
            assert_eq!(tenant.outside().objects().told(), told, "{route:?} {kind:?}");
            assert_eq!(tenant.outside().upstreams().sent().len(), sent, "{route:?} {kind:?}");
        }
    }
}
