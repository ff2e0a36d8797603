//! The document, put together by walking the route table.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use tenantry::http::router::{ROUTES, Route};

use super::{
    events,
    operation::{Operation, Tag, in_path, parameters, reference, security, security_schemes},
    operations::{common, describe},
    vocabulary,
};
use crate::{
    support::{Answer, Body},
    words::every_error,
};

/// A failure as it was really answered: its status and its body.
pub type Failures = BTreeMap<&'static str, (u16, Value)>;

/// The request id of every failure that is shown.
const REQUEST_ID: &str = "req_01a3185c80397978a1c17e7efb610b25";

const ABOUT: &str = "Tenant signup and provisioning. JSON in, JSON out: a success is `{\"success\":true, …}`, a failure \
    `{\"success\":false,\"error\":{\"code\",\"message\",\"requestId\",\"reason\"?,\"triesLeft\"?,\"issues\"?}}`, whatever went wrong.\n\n\
    Bodies are at most 16 KiB, and unknown fields are ignored. Spaces around a text don't count, and what may be left \
    out may be `null` or empty. All fields that are wrong are told at once. Times are RFC 3339 \
    in UTC, but for `trialEndsAt` and what a token says, which are Unix seconds. Every answer carries an `X-Request-Id`, under \
    which operators find what happened. What is at no address of these answers 404 `NOT_FOUND`; another method at one of them \
    answers 405 `METHOD_NOT_ALLOWED` with `Allow`.";

/// The whole document.
pub async fn document() -> Value {
    let failures = failures().await;
    let mut paths: Map<String, Value> = Map::new();
    let mut answers = BTreeMap::new();
    let mut bodies = BTreeMap::new();
    for route in ROUTES {
        let operation = describe(route);
        let shown = shown(route).await;
        let json = operation_json(route, &operation, &failures, &shown);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_lowercase()] = json;
        answers.extend(operation.schemas.answers);
        bodies.extend(operation.schemas.bodies);
    }
    answers.extend(common().schemas.answers);
    let mut schemas: Map<String, Value> = Map::new();
    for (name, schema) in bodies.iter().chain(&answers) {
        let mut schema = serde_json::to_value(schema).unwrap();
        if answers.contains_key(name) {
            finish(&mut schema);
        }
        schemas.insert(name.clone(), schema);
    }
    vocabulary::refer(&mut schemas);
    schemas.extend(vocabulary::schemas(&failures));
    let (events, webhooks) = (events::schemas(), events::webhooks());
    schemas.extend(events);
    let responses = responses(&failures);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tenantry",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": ABOUT,
            "license": { "name": "Apache License 2.0", "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/", "description": "Where this document is." }],
        "tags": Tag::ALL.map(|tag| json!({ "name": tag.words().0, "description": tag.words().1 })),
        "paths": paths,
        "webhooks": webhooks,
        "components": {
            "schemas": schemas,
            "parameters": parameters(),
            "headers": headers(),
            "securitySchemes": security_schemes(),
            "examples": examples(&failures, &responses),
            "responses": responses,
        },
    });
    let mut schemas = document["components"]["schemas"].as_object_mut().map(std::mem::take).unwrap();
    let named = schemas.clone();
    for (name, schema) in &mut schemas {
        null_in_place(schema, &named, answers.contains_key(name));
    }
    null_in_place(&mut document, &named, true);
    only_what_is_used(&mut schemas, &document);
    document["components"]["schemas"] = schemas.into();
    document
}

/// Every failure that is promised, as it is answered.
async fn failures() -> Failures {
    let all = every_error().await.into_iter();
    all.map(|(answer, status, code)| {
        let mut body = answer.json();
        body["error"]["requestId"] = REQUEST_ID.into();
        (code, (status, body))
    })
    .collect()
}

/// What really went to and fro for the example of a route.
struct Shown {
    sent: Option<Value>,
    status: u16,
    answered: Option<Value>,
}

async fn shown(route: &Route) -> Shown {
    let (tenant, example) = crate::every_route::stage(route).await;
    let answer: Answer = example.succeeds(route, &tenant).await;
    let sent = match &example.body {
        Body::Json(value) | Body::OptionalJson(value) => Some(presentable(value.clone())),
        Body::Form(text) => {
            let pairs = form_urlencoded::parse(text.as_bytes()).into_owned();
            Some(pairs.map(|(name, value)| (name, Value::from(value))).collect())
        }
        Body::None | Body::Optional => None,
    };
    let answered = (answer.header("content-type") == "application/json").then(|| presentable(answer.json()));
    Shown { sent, status: answer.status.as_u16(), answered }
}

/// Without what only looks like a secret, and without the length of long lists.
fn presentable(mut value: Value) -> Value {
    match &mut value {
        Value::String(text) if text.starts_with("eyJ") => *text = "eyJhbGciOiJIUzI1NiIs…".to_owned(),
        Value::String(text) if text.starts_with("whsec_") => {
            *text = "whsec_bXktc2lnbmluZy1zZWNyZXQ=".to_owned()
        }
        Value::Array(list) => {
            list.truncate(8);
            list.iter_mut().for_each(|one| *one = presentable(one.take()));
        }
        Value::Object(fields) => fields.values_mut().for_each(|one| *one = presentable(one.take())),
        _ => {}
    }
    value
}

fn operation_json(route: &Route, operation: &Operation, failures: &Failures, shown: &Shown) -> Value {
    let mut json = json!({
        "operationId": operation.id,
        "tags": [operation.tag.words().0],
        "summary": operation.summary,
        "security": security(route.permission, operation.more_for),
        "responses": answers_json(route, operation, failures, shown),
    });
    if let Some(description) = operation.description {
        json["description"] = description.into();
    }
    let parameters: Vec<Value> =
        in_path(route.path).into_iter().chain(operation.parameters.iter().cloned()).collect();
    if !parameters.is_empty() {
        json["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.body {
        let mut content = json!({ "schema": body.schema });
        if let Some(sent) = &shown.sent {
            content["example"] = sent.clone();
        }
        json["requestBody"] = json!({ "required": body.required, "content": { body.media: content } });
    }
    json
}

fn answers_json(route: &Route, operation: &Operation, failures: &Failures, shown: &Shown) -> Value {
    let mut answers: BTreeMap<String, Value> = BTreeMap::new();
    for (status, meaning, content) in &operation.answers {
        let names = ["X-Request-Id"].iter().chain(operation.headers);
        let mut answer = json!({ "description": meaning, "headers": headers_named(names) });
        if let Some((media, schema)) = content {
            let mut content = json!({ "schema": schema });
            if let (true, Some(example)) = (*status == shown.status, &shown.answered) {
                content["example"] = example.clone();
            }
            answer["content"] = json!({ *media: content });
        }
        answers.insert(status.to_string(), answer);
    }
    for (status, codes) in by_status(operation, route, failures) {
        let answer = if operation.is_page() {
            json!({
                "description": format!("The form again: {}.", codes.join(", ")),
                "headers": headers_named(["X-Request-Id"].iter()),
                "content": { "text/html": { "schema": { "type": "string" } } },
            })
        } else {
            json!({ "$ref": format!("#/components/responses/{}", name_of(&codes)) })
        };
        answers.insert(status.to_string(), answer);
    }
    json!(answers)
}

fn by_status(operation: &Operation, route: &Route, failures: &Failures) -> BTreeMap<u16, Vec<&'static str>> {
    let mut all: BTreeMap<u16, Vec<&'static str>> = BTreeMap::new();
    for code in operation.codes(route) {
        let (usual, _) =
            failures.get(code).unwrap_or_else(|| panic!("tests/api/words.rs promises no {code}"));
        let here = operation.statuses.iter().find(|(other, _)| *other == code);
        all.entry(here.map_or(*usual, |(_, status)| *status)).or_default().push(code);
    }
    all
}

/// The name of an answer that all operations share that fail with these codes.
fn name_of(codes: &[&str]) -> String {
    codes.join(".")
}

fn failure(status: u16, codes: &[&'static str]) -> Value {
    let example = |code: &&'static str| {
        ((*code).to_owned(), json!({ "$ref": format!("#/components/examples/{code}") }))
    };
    let examples: Map<String, Value> = codes.iter().map(example).collect();
    let names: &[&str] = match status {
        401 => &["X-Request-Id", "WWW-Authenticate"],
        429 | 503 => &["X-Request-Id", "Retry-After"],
        _ => &["X-Request-Id"],
    };
    json!({
        "description": codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(" or "),
        "headers": headers_named(names.iter()),
        "content": { "application/json": { "schema": reference("ErrorResponse"), "examples": examples } },
    })
}

/// The failures of all operations that answer JSON.
fn responses(failures: &Failures) -> Map<String, Value> {
    ROUTES
        .iter()
        .map(describe_with_route)
        .filter(|(_, operation)| !operation.is_page())
        .flat_map(|(route, operation)| by_status(&operation, route, failures))
        .map(|(status, codes)| (name_of(&codes), failure(status, &codes)))
        .collect()
}

fn describe_with_route(route: &'static Route) -> (&'static Route, Operation) {
    (route, describe(route))
}

/// The failures that an answer shows.
fn examples(failures: &Failures, responses: &Map<String, Value>) -> Map<String, Value> {
    let shown: BTreeSet<&str> = responses.keys().flat_map(|name| name.split('.')).collect();
    let wanted = failures.iter().filter(|(code, _)| shown.contains(*code));
    wanted
        .map(|(code, (_, body))| {
            ((*code).to_owned(), json!({ "summary": body["error"]["message"], "value": body }))
        })
        .collect()
}

fn headers_named<'a>(names: impl Iterator<Item = &'a &'static str>) -> Value {
    let reference =
        |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    Value::Object(names.map(reference).collect())
}

fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "X-Request-Id": text("The request: operators find what happened under it."),
        "Set-Cookie": text("The sign-in of a page, where one was asked for, or where it is renewed."),
        "ETag": text("What is known by it need not be answered again: see `If-None-Match`."),
        "WWW-Authenticate": text("What is missing, as RFC 6750 has it."),
        "Retry-After": {
            "description": "In how many seconds to try again.",
            "schema": { "type": "integer", "minimum": 0 },
        },
    })
}

/// Makes of a type's schema what an answer of this type is.
pub fn finish(schema: &mut Value) {
    stand_where_they_are_used(schema);
    nothing_is_left_out(schema);
}

/// `true` and `false` need no names.
fn stand_where_they_are_used(schema: &mut Value) {
    let constant = match schema.get("$ref").and_then(Value::as_str) {
        Some("#/components/schemas/True") => Some(true),
        Some("#/components/schemas/False") => Some(false),
        _ => None,
    };
    match schema {
        Value::Object(fields) => {
            if let Some(constant) = constant {
                fields.remove("$ref");
                fields.extend([("type".to_owned(), "boolean".into()), ("const".to_owned(), constant.into())]);
            }
            fields.values_mut().for_each(stand_where_they_are_used);
        }
        Value::Array(list) => list.iter_mut().for_each(stand_where_they_are_used),
        _ => {}
    }
}

/// An answer has every field that may be `null`; only those that say that they never are may be left out.
fn nothing_is_left_out(schema: &mut Value) {
    for part in schema.get_mut("allOf").and_then(Value::as_array_mut).into_iter().flatten() {
        nothing_is_left_out(part);
    }
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else { return };
    let nullable = |field: &Value| {
        let is_null = |one: &Value| one == "null" || one["type"] == "null";
        ["type", "oneOf"].iter().any(|key| field[*key].as_array().is_some_and(|all| all.iter().any(is_null)))
    };
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let names: Vec<Value> = fields
        .iter()
        .filter(|(name, field)| required(name) || nullable(field))
        .map(|(name, _)| name.clone().into())
        .collect();
    if !names.is_empty() {
        schema["required"] = names.into();
    }
}

/// `null` is said of a type where it stands, not of a reference: some generators leave such a member out. Only what an older
/// client may count on is `null`; an object that is not there is left out, see `an_object_that_is_not_there_is_left_out`.
///
/// What is answered can be a word that a later version adds, so that its field tells the list by name; what is sent can't.
fn null_in_place(value: &mut Value, named: &Map<String, Value>, is_answered: bool) {
    let nullable = value["oneOf"].as_array().and_then(|all| match all.as_slice() {
        [one, other] if other == &json!({ "type": "null" }) => Some(one.clone()),
        _ => None,
    });
    match value {
        Value::Object(fields) => {
            if let Some(one) = nullable {
                let name = one["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
                let mut meant = named[name].as_object().unwrap().clone();
                let of = meant.get("type").and_then(Value::as_str);
                let of =
                    of.unwrap_or_else(|| panic!("leave a {name} out that is not there: it can't be null"));
                meant["type"] = json!([of, "null"]);
                meant.extend(one.get("description").map(|text| ("description".to_owned(), text.clone())));
                match meant.get_mut("enum").and_then(Value::as_array_mut) {
                    Some(_) if is_answered => {
                        meant.remove("enum");
                        let text = meant["description"].as_str().unwrap();
                        meant["description"] = format!("{text} One of `{name}`.").into();
                    }
                    Some(words) => words.push(Value::Null),
                    None => {}
                }
                fields.remove("oneOf");
                fields.extend(meant);
            }
            fields.values_mut().for_each(|field| null_in_place(field, named, is_answered));
        }
        Value::Array(list) => list.iter_mut().for_each(|one| null_in_place(one, named, is_answered)),
        _ => {}
    }
}

/// The schemas of envelopes stand where they are used; their names would name nothing.
fn only_what_is_used(schemas: &mut Map<String, Value>, users: &Value) {
    loop {
        let text = serde_json::to_string(&(&schemas, users)).unwrap();
        let before = schemas.len();
        schemas.retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if schemas.len() == before {
            return;
        }
    }
}
