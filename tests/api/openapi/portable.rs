//! Tools of any language read the document, not those of one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::published;

/// Every part of the document, with its place.
fn parts() -> Vec<(String, &'static Value)> {
    fn walk(place: String, value: &'static Value, all: &mut Vec<(String, &'static Value)>) {
        all.push((place.clone(), value));
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    walk(format!("{place}/{name}"), field, all);
                }
            }
            Value::Array(list) => {
                for (index, one) in list.iter().enumerate() {
                    walk(format!("{place}/{index}"), one, all);
                }
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    walk(String::new(), published(), &mut all);
    all
}

/// The failures of every operation, by their places.
fn failures() -> Vec<(String, &'static Value)> {
    let answers = published()["components"]["responses"].as_object().unwrap();
    answers
        .iter()
        .map(|(name, answer)| (name.clone(), &answer["content"]["application/json"]["schema"]))
        .collect()
}

#[test]
fn every_failure_is_one_type() {
    let all = failures();
    assert!(all.len() > 20, "{}", all.len());
    for (name, schema) in all {
        assert_eq!(schema, &json!({ "$ref": "#/components/schemas/ErrorResponse" }), "{name}");
    }
    let listed: Vec<String> = parts()
        .into_iter()
        .filter(|(_, part)| part["enum"].as_array().is_some_and(|words| words.contains(&json!("VALIDATION"))))
        .map(|(place, _)| place)
        .collect();
    assert_eq!(listed, ["/components/schemas/ErrorCode"]);
}

#[test]
fn every_word_of_a_failure_is_listed_with_what_it_means() {
    for (of, field) in [
        ("ErrorDetails", "code"),
        ("ErrorDetails", "reason"),
        ("FieldError", "code"),
        ("ErrorSummary", "code"),
    ] {
        let list = published()["components"]["schemas"][of]["properties"][field]["$ref"].as_str().unwrap();
        let list = published().pointer(list.trim_start_matches('#')).unwrap();
        let meanings = list["description"].as_str().unwrap();
        for word in list["enum"].as_array().unwrap() {
            let told = format!("- `{}`: ", word.as_str().unwrap());
            let line = meanings.lines().find_map(|line| line.strip_prefix(&told));
            assert!(line.is_some_and(|meaning| meaning.len() > 3), "{of}.{field} {word}");
        }
    }
}

/// Words of programs stand in the source where they are made.
#[test]
fn every_word_for_a_field_that_is_wrong_is_listed() {
    fn sources(folder: &std::path::Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, all);
            } else {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut source = String::new();
    sources(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut source);
    let made = |text: &str| -> Option<String> {
        let word = text.trim_start().strip_prefix('"')?.split('"').next()?;
        Some(word.to_owned())
    };
    let used: BTreeSet<String> = source.split("InvalidValue::new(").skip(1).filter_map(made).collect();
    assert!(used.len() > 20, "{used:?}");
    let listed: BTreeSet<String> =
        super::vocabulary::ISSUES.iter().map(|(word, _)| (*word).to_owned()).collect();
    let missing: Vec<&String> = used.difference(&listed).collect();
    assert_eq!(missing, Vec::<&String>::new(), "list them in tests/api/openapi/vocabulary.rs");
}

/// A pattern of characters, classes, groups, alternatives, counts and anchors: what every engine reads alike.
#[test]
fn every_pattern_is_read_by_every_language() {
    let patterns: Vec<(String, &str)> = parts()
        .into_iter()
        .filter(|(place, _)| place.ends_with("/pattern"))
        .map(|(place, pattern)| (place, pattern.as_str().unwrap()))
        .collect();
    assert!(patterns.len() > 10, "{}", patterns.len());
    for (place, pattern) in patterns {
        assert!(pattern.is_ascii() && !pattern.contains("(?"), "{place}: {pattern}");
        let mut rest = pattern.chars();
        while let Some(c) = rest.next() {
            if c == '\\' {
                let escaped = rest.next().unwrap();
                assert!(matches!(escaped, 's' | 'x' | '.' | '\\'), "{place}: \\{escaped} in {pattern}");
            }
        }
    }
}

/// Swift's generators drop a member that is a reference or null.
#[test]
fn no_reference_is_nullable() {
    for (place, part) in parts() {
        for all in ["oneOf", "anyOf"] {
            let null = json!({ "type": "null" });
            assert!(part[all].as_array().is_none_or(|all| !all.contains(&null)), "{place}");
        }
        assert!(part.get("$ref").is_none() || part.get("type").is_none(), "{place}");
    }
}

/// But for the trouble of a step, which clients of before know as `null`.
#[test]
fn an_object_that_is_not_there_is_left_out() {
    let nullable: Vec<String> = parts()
        .into_iter()
        .filter(|(_, part)| part["type"].as_array().is_some_and(|types| types.contains(&json!("object"))))
        .map(|(place, _)| place.replace("/components/schemas/", ""))
        .collect();
    assert_eq!(nullable, ["Checkpoint/properties/error", "ProvisionStep/properties/error"]);
}

#[test]
fn every_operation_says_what_it_does() {
    for part in ["paths", "webhooks"] {
        for (place, item) in published()[part].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let text = operation["description"].as_str().unwrap_or_default();
                assert!(text.len() > 20 && text.ends_with('.'), "{method} {place}: {text:?}");
                assert_ne!(operation["summary"].as_str(), Some(text), "{method} {place}");
            }
        }
    }
}
