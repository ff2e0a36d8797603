//! What the document says, held against what is really sent and answered: by every request of every test.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};

use http::Method;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::{is_being_written, published};
use crate::support::Answer;

/// Asserts that an answer is one that the document has for its route, and that what was accepted is what it asks for.
#[track_caller]
pub fn keeps(method: &Method, route: &str, sent: Option<&Value>, answer: &Answer) {
    if is_being_written() {
        return;
    }
    let asked = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let at = format!("/paths/{}/{asked}", route.replace('/', "~1"));
    let status = answer.status.as_u16();
    let Some(operation) = published().pointer(&at) else {
        if !answer.status.is_success() && !answer.text.is_empty() && !answer.is_page() {
            is_valid("/components/schemas/ErrorResponse", &answer.json());
        }
        return;
    };
    if let (true, Some(sent), Some(_)) =
        (answer.status.is_success(), sent, operation.pointer("/requestBody/content/application~1json"))
    {
        is_valid(&format!("{at}/requestBody/content/application~1json/schema"), &tidy(sent));
    }
    let known = operation["responses"].get(status.to_string());
    let known = known.unwrap_or_else(|| panic!("{method} {route} answers {status}: {}", answer.text));
    let place = match known["$ref"].as_str() {
        Some(reference) => reference.trim_start_matches('#').to_owned(),
        None => format!("{at}/responses/{status}"),
    };
    let content = published().pointer(&format!("{place}/content"));
    let media = answer.header("content-type").split(';').next().unwrap_or_default();
    if answer.text.is_empty() {
        return;
    }
    assert!(content.is_some_and(|all| all.get(media).is_some()), "{method} {route} {status} answers {media}");
    if media == "application/json" {
        let body = answer.json();
        is_valid(&format!("{place}/content/application~1json/schema"), &body);
        if let Some(shown) = content.and_then(|all| all[media]["examples"].as_object()) {
            let code = body["error"]["code"].as_str().unwrap_or_default();
            assert!(shown.contains_key(code), "{method} {route} {status} answers {code}");
        }
    }
}

/// As it is read: spaces around a text don't count, and empty is as good as absent.
fn tidy(sent: &Value) -> Value {
    let fields = sent.as_object().into_iter().flatten();
    let read = fields
        .map(|(name, value)| (name.clone(), value.as_str().map_or(value.clone(), |text| text.trim().into())));
    read.filter(|(_, value)| value != "").collect()
}

/// Asserts that the schema at this place of the document allows this.
#[track_caller]
pub fn is_valid(place: &str, value: &Value) {
    let errors: Vec<String> = validator(place)
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{place}: {errors:#?}\n{value:#}");
}

/// The validators that were asked for, by their place in the document.
fn validator(place: &str) -> Arc<Validator> {
    static KNOWN: OnceLock<Mutex<HashMap<String, Arc<Validator>>>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(|broken| broken.into_inner());
    let make = || {
        let schema = published().pointer(place).unwrap_or_else(|| panic!("there is no {place}"));
        let whole = json!({ "components": published()["components"], "allOf": [schema] });
        let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        Arc::new(options.build(&whole).unwrap())
    };
    Arc::clone(known.entry(place.to_owned()).or_insert_with(make))
}
