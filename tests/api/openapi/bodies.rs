//! The bodies that the document asks for are those that the handlers read: a body is one type.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry::http::router::{ROUTES, Route};

use super::published;
use crate::{
    every_route::stage,
    support::{good_tokens, keys},
};

/// The routes that read a JSON body, each with what the document asks for.
fn routes_with_a_body() -> impl Iterator<Item = (&'static Route, &'static Value)> {
    ROUTES.iter().filter_map(|route| {
        let operation = &published()["paths"][route.path][route.method.to_lowercase()];
        let schema = operation.pointer("/requestBody/content/application~1json/schema/$ref")?.as_str()?;
        Some((route, published().pointer(schema.trim_start_matches('#')).unwrap()))
    })
}

/// The fields that a route complains about when it is sent this.
async fn complaints(route: &Route, body: &Value) -> BTreeSet<String> {
    let (tenant, example) = stage(route).await;
    let token = good_tokens(route, &tenant).into_iter().next().map(|(_, token)| token.sign());
    let answer = example.bare().json(body).maybe_token(token.as_deref()).send().await;
    answer.complains_about().into_iter().map(|(field, _)| field).collect()
}

#[tokio::test]
async fn every_field_that_must_be_there_is_missed() {
    for (route, schema) in routes_with_a_body() {
        let required: BTreeSet<String> = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        if !required.is_empty() {
            let missed = complaints(route, &json!({})).await;
            assert!(missed.is_superset(&required), "{route:?} misses {missed:?}");
        }
    }
}

#[tokio::test]
async fn every_field_that_may_be_there_is_read() {
    for (route, schema) in routes_with_a_body() {
        for name in keys(&schema["properties"]) {
            let told = complaints(route, &json!({ name.as_str(): { "none": "is an object" } })).await;
            assert!(told.contains(&name), "{route:?} does not read {name}: {told:?}");
        }
    }
}

/// Only a body's own type reads its fields: handlers get what it read.
#[test]
fn no_handler_reads_a_field_by_hand() {
    let mut bodies = 0;
    for (path, source) in crate::layers::sources() {
        if !path.starts_with("http/") || path == "http/body.rs" {
            continue;
        }
        bodies += source.matches("\nbody! {").count();
        for call in source.split("fields.").skip(1) {
            let verb = call.split('(').next().unwrap();
            let is_call = !verb.is_empty() && verb.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            assert!(
                !is_call
                    || [
                        "and_then",
                        "clone",
                        "read",
                        "has",
                        "says",
                        "lacks",
                        "refuse",
                        "or_from_query",
                        "names"
                    ]
                    .contains(&verb),
                "{path}: fields.{verb}"
            );
        }
    }
    assert!(bodies > 15, "{bodies}");
}
