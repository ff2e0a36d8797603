//! `public/openapi.json` is what the types and the route table say, and what the service answers.
//!
//! After a change, this writes it anew: `npm run openapi`.

mod bodies;
pub mod contract;
mod document;
mod events;
mod operation;
mod operations;
mod portable;
mod twin;
mod vocabulary;

use std::{collections::BTreeSet, sync::OnceLock};

use serde_json::Value;
use tenantry::http::router::ROUTES;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public/openapi.json");

/// The same for tools that read OpenAPI 3.0 only.
const TWIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public/openapi-3.0.json");

/// Whether the document is being written: nothing is held against the one that is there.
pub fn is_being_written() -> bool {
    std::env::var_os("WRITE_OPENAPI").is_some()
}

/// The document as it is published.
pub fn published() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::from_str(&std::fs::read_to_string(PATH).unwrap()).unwrap())
}

#[tokio::test]
async fn the_document_is_what_the_types_and_the_routes_say() {
    let document = document::document().await;
    for (path, document) in [(TWIN, twin::of(&document)), (PATH, document)] {
        let text = format!("{document:#}\n");
        if is_being_written() {
            std::fs::write(path, text).unwrap();
            continue;
        }
        let known = std::fs::read_to_string(path).unwrap_or_default();
        let first = text.lines().zip(known.lines()).position(|(new, old)| new != old);
        assert!(text == known, "run `npm run openapi`: {path} {} differs", first.unwrap_or_default() + 1);
    }
}

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let table: BTreeSet<(String, String)> =
        ROUTES.iter().map(|route| (route.path.to_owned(), route.method.to_lowercase())).collect();
    let described: BTreeSet<(String, String)> = published()["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone()))
        })
        .collect();
    assert_eq!(described, table);
}

#[test]
fn every_promised_error_is_in_the_document_with_an_example() {
    let promised: BTreeSet<&str> = published()["components"]["schemas"]["ErrorCode"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|code| code.as_str().unwrap())
        .collect();
    let shown: BTreeSet<&str> =
        published()["components"]["examples"].as_object().unwrap().keys().map(String::as_str).collect();
    // What no route has at all can stand at none of them.
    let nowhere = BTreeSet::from(["METHOD_NOT_ALLOWED"]);
    assert_eq!(promised.difference(&shown).copied().collect::<BTreeSet<_>>(), nowhere);
    assert!(shown.is_subset(&promised));
}

#[test]
fn no_list_of_words_has_a_word_twice() {
    fn walk(place: &str, value: &Value) {
        if let Some(words) = value.get("enum").and_then(Value::as_array) {
            let different: BTreeSet<String> = words.iter().map(Value::to_string).collect();
            assert_eq!(different.len(), words.len(), "{place}: {words:?}");
        }
        let fields = value.as_object().into_iter().flatten().map(|(name, field)| (name.clone(), field));
        let items =
            value.as_array().into_iter().flatten().enumerate().map(|(at, item)| (at.to_string(), item));
        for (name, inside) in fields.chain(items) {
            walk(&format!("{place}/{name}"), inside);
        }
    }
    walk("", published());
}

/// Every place where the document shows an example, with the place of the schema beside it.
fn examples() -> Vec<(String, Value)> {
    fn walk(place: &str, value: &Value, found: &mut Vec<(String, Value)>) {
        if let Some(schema) = value.get("schema").map(|_| format!("{place}/schema")) {
            found.extend(value.get("example").map(|example| (schema.clone(), example.clone())));
            for example in
                value.get("examples").and_then(Value::as_object).into_iter().flat_map(|all| all.values())
            {
                let shown =
                    published().pointer(example["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap();
                found.push((schema.clone(), shown["value"].clone()));
            }
        }
        if let Some(fields) = value.as_object() {
            for (name, field) in fields {
                walk(&format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), field, found);
            }
        }
    }
    let mut found = Vec::new();
    walk("", published(), &mut found);
    found
}

#[test]
fn every_example_is_valid() {
    let examples = examples();
    assert!(examples.len() > 2 * ROUTES.len(), "{}", examples.len());
    for (place, example) in examples {
        contract::is_valid(&place, &example);
    }
}
