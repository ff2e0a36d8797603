//! The document once more, in OpenAPI 3.0: for tools that read nothing newer.

use serde_json::{Map, Value, json};

/// The same document in 3.0.
pub fn of(document: &Value) -> Value {
    let mut twin = document.clone();
    twin["openapi"] = "3.0.4".into();
    let parts = twin.as_object_mut().unwrap();
    // What 3.0 has no place for stands where extensions do.
    if let Some(mut webhooks) = parts.remove("webhooks") {
        schemas_within(&mut webhooks);
        parts.insert("x-webhooks".to_owned(), webhooks);
    }
    let info = parts["info"].as_object_mut().unwrap();
    info.remove("summary");
    info["license"] =
        json!({ "name": info["license"]["name"], "url": "https://www.apache.org/licenses/LICENSE-2.0" });
    schemas_within(&mut twin["paths"]);
    let components = twin["components"].as_object_mut().unwrap();
    for named in components["schemas"].as_object_mut().unwrap().values_mut() {
        older(named);
    }
    for part in ["parameters", "headers", "responses"] {
        schemas_within(&mut components[part]);
    }
    twin
}

/// Every schema under `value`, which is none itself.
fn schemas_within(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match name.as_str() {
                    "schema" => older(field),
                    "example" | "examples" => {}
                    _ => schemas_within(field),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(schemas_within),
        _ => {}
    }
}

/// Writes a schema of JSON Schema 2020-12 as one of 3.0.
fn older(schema: &mut Value) {
    let Some(fields) = schema.as_object_mut() else { return };
    for name in ["items", "additionalProperties", "not"] {
        fields.get_mut(name).into_iter().for_each(older);
    }
    for name in ["allOf", "anyOf", "oneOf"] {
        fields.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten().for_each(older);
    }
    for property in fields.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        older(property.1);
    }
    // A type or null.
    if let Some(types) = fields.get("type").and_then(Value::as_array).cloned() {
        let (null, others): (Vec<Value>, Vec<Value>) = types.into_iter().partition(|one| one == "null");
        let [one] = others.as_slice() else { panic!("3.0 has one type only: {others:?}") };
        fields.insert("type".to_owned(), one.clone());
        if !null.is_empty() {
            fields.insert("nullable".to_owned(), true.into());
        }
    }
    // One value.
    if let Some(constant) = fields.remove("const") {
        fields.insert("enum".to_owned(), json!([constant]));
    }
    // One example.
    if let Some(Value::Array(examples)) = fields.remove("examples") {
        fields.extend(examples.into_iter().next().map(|one| ("example".to_owned(), one)));
    }
    // A bound that is not reached.
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(limit) = fields.get(exclusive).filter(|limit| limit.is_number()).cloned() {
            fields.insert(bound.to_owned(), limit);
            fields.insert(exclusive.to_owned(), true.into());
        }
    }
    // Names are texts anyway.
    if fields.get("propertyNames") == Some(&json!({ "type": "string" })) {
        fields.remove("propertyNames");
    }
    // Nothing stands beside a reference.
    if fields.len() > 1
        && let Some(reference) = fields.remove("$ref")
    {
        fields.insert("allOf".to_owned(), json!([{ "$ref": reference }]));
    }
    assert!(newer(fields).is_empty(), "3.0 knows no {:?}", newer(fields));
}

/// Words of JSON Schema that 3.0 doesn't have.
fn newer(fields: &Map<String, Value>) -> Vec<&String> {
    const NEWER: &[&str] = &[
        "$defs",
        "$id",
        "$schema",
        "const",
        "contains",
        "contentEncoding",
        "contentMediaType",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "examples",
        "if",
        "patternProperties",
        "prefixItems",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    ];
    fields.keys().filter(|name| NEWER.contains(&name.as_str())).collect()
}

#[test]
fn what_three_one_says_three_zero_says_in_its_own_words() {
    let mut schema = json!({
        "type": "object",
        "properties": {
            "at": { "type": ["string", "null"], "examples": ["now", "then"] },
            "done": { "type": "boolean", "const": true },
            "plan": { "$ref": "#/components/schemas/Plan", "description": "Its plan." },
            "type": { "$ref": "#/components/schemas/Plan" },
            "list": { "type": "array", "items": { "type": ["integer", "null"], "exclusiveMinimum": 0 } },
        },
    });
    older(&mut schema);
    assert_eq!(
        schema["properties"],
        json!({
            "at": { "type": "string", "nullable": true, "example": "now" },
            "done": { "type": "boolean", "enum": [true] },
            "plan": { "allOf": [{ "$ref": "#/components/schemas/Plan" }], "description": "Its plan." },
            "type": { "$ref": "#/components/schemas/Plan" },
            "list": { "type": "array", "items": { "type": "integer", "nullable": true, "minimum": 0, "exclusiveMinimum": true } },
        })
    );
}

#[test]
#[should_panic = "3.0 knows no"]
fn what_three_zero_has_no_words_for_is_not_passed_over() {
    older(&mut json!({ "type": "object", "patternProperties": {} }));
}
