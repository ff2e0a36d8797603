//! The layers of `src` and their direction: which of them each may use.
//!
//! Paths are read from the sources, not from what the compiler resolves: in macros too, and in the layer that only the
//! Worker compiles.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each layer, and what it may use beside itself. ARCHITECTURE.md says why.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("workflow", &["domain"]),
    ("db", &[]),
    ("ports", &["db", "domain", "workflow"]),
    ("store", &["db", "domain", "workflow"]),
    ("app", &["db", "domain", "ports", "store", "workflow"]),
    ("http", &["app", "db", "domain", "ports", "store", "workflow"]),
    ("edge", &["app", "db", "domain", "http", "ports", "store", "workflow"]),
];

#[test]
fn every_layer_uses_only_the_layers_that_it_may() {
    let files = sources();
    assert!(files.len() > 100, "{} sources were found", files.len());
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| {
            violations(&module_of(path), text).into_iter().map(move |v| format!("{path}: {v}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_of_the_crate_is_a_layer_of_the_table() {
    let found: BTreeSet<String> =
        sources().iter().filter_map(|(path, _)| module_of(path).first().cloned()).collect();
    let named: BTreeSet<String> = LAYERS.iter().map(|(layer, _)| (*layer).to_owned()).collect();
    assert_eq!(found, named);
}

#[test]
fn the_table_has_no_circle() {
    for (layer, uses) in LAYERS {
        for used in *uses {
            assert!(!allowed(used).contains(layer), "{layer} and {used} use each other");
        }
    }
}

#[test]
fn a_path_to_a_layer_above_is_found_however_it_is_written() {
    let at = ["store".to_owned(), "mails".to_owned(), "welcome".to_owned()];
    for planted in [
        "use crate::http::error::ApiError;",
        "use crate::{db::Db, app};",
        "use crate::{\n    db::{Db, Statement},\n    http::{self, page::Cursor},\n};",
        "pub(crate) use crate::edge as platform;",
        "fn a() { let x = crate::app::mail::Mail::sign_in(); }",
        "fn a<'a>(x: &'a str, y: char) -> crate::http::Page<'a> { let q = '\"'; }",
        "macro_rules! m { () => { $crate::app::gate::Gate::Open } }",
        "use super::super::super::app::App;",
        "use super::super::{super::app::App, names};",
        "mod tests { use super::super::super::super::app::App; }",
        "use crate::*;",
        "use super::super::super::*;",
        "use crate :: /* aside */ http :: page;",
        "const A: &str = r#\"a \" b\"#; use crate::ports::Ports;",
    ] {
        assert!(!violations(&at, planted).is_empty(), "{planted}");
    }
}

#[test]
fn a_path_that_is_allowed_or_is_none_is_not_found() {
    let at = ["store".to_owned(), "mails".to_owned(), "welcome".to_owned()];
    for fine in [
        "use crate::{db::Db, domain::{self, Slug}, workflow::Run};",
        "use crate::store::tenants;",
        "use super::super::tenants; use super::*;",
        "mod tests { use super::*; mod more { use super::super::super::super::names; } }",
        "// use crate::http::Page;\n/* crate::http /* nested */ crate::app */",
        "/// As [`crate::http::page`] has it.\nfn a() {}",
        "const A: &str = \"crate::http::\\\"page\"; const B: &str = r##\"crate::app \"# \"##;",
        "fn a() { other::crate_::http(); }",
        "pub(crate) fn http() {} pub(in crate::store) fn app() {}",
    ] {
        assert!(violations(&at, fine).is_empty(), "{fine}: {:?}", violations(&at, fine));
    }
}

fn allowed(layer: &str) -> &'static [&'static str] {
    LAYERS.iter().find(|(name, _)| *name == layer).map_or(&[], |(_, uses)| uses)
}

/// Every source of the crate but its root, as its path within `src` and its text.
pub fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files
        .iter()
        .map(|path| {
            (path.strip_prefix(&root).unwrap().display().to_string(), fs::read_to_string(path).unwrap())
        })
        .filter(|(path, _)| path != "lib.rs")
        .collect()
}

/// `store/mails/mod.rs` is the module `store::mails`.
fn module_of(path: &str) -> Vec<String> {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// The paths in the text of `module` that lead to a layer that it may not use.
fn violations(module: &[String], text: &str) -> Vec<String> {
    let own = module.first().unwrap();
    let tokens = tokens(text);
    let mut found = Vec::new();
    // The modules that the file opens itself, each with the depth of the braces around it.
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let follows =
            at.checked_sub(1).and_then(|before| tokens.get(before)).is_some_and(|before| before == "::");
        match token.as_str() {
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inline.retain(|(_, within)| *within <= depth);
            }
            "mod" if tokens.get(at + 2).is_some_and(|next| next == "{") => {
                inline.push((tokens[at + 1].clone(), depth + 1));
            }
            "crate" | "super" | "self" if !follows && tokens.get(at + 1).is_some_and(|next| next == "::") => {
                let mut paths = Vec::new();
                at = read_paths(&tokens, at, &[], &mut paths);
                let here: Vec<String> =
                    module.iter().cloned().chain(inline.iter().map(|(name, _)| name.clone())).collect();
                found.extend(paths.into_iter().filter(|path| {
                    let layer = absolute(&here, path).into_iter().next().unwrap_or_default();
                    layer != *own && !allowed(own).contains(&layer.as_str())
                }));
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found.iter().map(|path| format!("{own} must not use {}", path.join("::"))).collect()
}

/// Where a path leads, from the root of the crate.
fn absolute(here: &[String], path: &[String]) -> Vec<String> {
    let mut module = here.to_vec();
    for segment in path {
        match segment.as_str() {
            "crate" => module.clear(),
            "super" => drop(module.pop()),
            "self" => {}
            name => module.push(name.to_owned()),
        }
    }
    module
}

/// Adds every path that begins at `at`, with its braces unfolded, and says where they end.
fn read_paths(tokens: &[String], mut at: usize, before: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(at) {
        if token == "{" {
            at += 1;
            while tokens.get(at).is_some_and(|token| token != "}") {
                at = if tokens[at] == "," { at + 1 } else { read_paths(tokens, at, &path, paths) };
            }
            return at + 1;
        }
        path.push(token.clone());
        at += 1;
        if tokens.get(at).is_none_or(|next| next != "::") {
            break;
        }
        at += 1;
    }
    // A new name that follows.
    if tokens.get(at).is_some_and(|token| token == "as") {
        at += 2;
    }
    paths.push(path);
    at
}

/// Names, `::` and single signs; no comments, texts, characters or lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let signs: Vec<char> = text.chars().collect();
    let is = |at: usize, sign: char| signs.get(at) == Some(&sign);
    let is_name = |at: usize| signs.get(at).is_some_and(|sign| sign.is_alphanumeric() || *sign == '_');
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&sign) = signs.get(at) {
        if sign == '/' && is(at + 1, '/') {
            while at < signs.len() && !is(at, '\n') {
                at += 1;
            }
        } else if sign == '/' && is(at + 1, '*') {
            let mut nested = 0;
            while at < signs.len() {
                if is(at, '/') && is(at + 1, '*') {
                    nested += 1;
                    at += 2;
                } else if is(at, '*') && is(at + 1, '/') {
                    nested -= 1;
                    at += 2;
                } else {
                    at += 1;
                }
                if nested == 0 {
                    break;
                }
            }
        } else if sign == '"' {
            at += 1;
            while at < signs.len() && !is(at, '"') {
                at += if is(at, '\\') { 2 } else { 1 };
            }
            at += 1;
        } else if sign == '\'' {
            if is(at + 1, '\\') {
                at += 3;
                while at < signs.len() && !is(at, '\'') {
                    at += 1;
                }
                at += 1;
            } else {
                // A character, or a lifetime, whose name is left out.
                at += if is(at + 2, '\'') { 3 } else { 2 };
                while !is(at - 1, '\'') && is_name(at) {
                    at += 1;
                }
            }
        } else if is_name(at) {
            let start = at;
            while is_name(at) {
                at += 1;
            }
            let name: String = signs[start..at].iter().collect();
            let hashes = (at..).take_while(|hash| is(*hash, '#')).count();
            if matches!(name.as_str(), "r" | "br" | "cr") && is(at + hashes, '"') {
                at += hashes + 1;
                while at < signs.len() && !(is(at, '"') && (1..=hashes).all(|hash| is(at + hash, '#'))) {
                    at += 1;
                }
                at += hashes + 1;
            } else {
                tokens.push(name);
            }
        } else if sign == ':' && is(at + 1, ':') {
            tokens.push("::".to_owned());
            at += 2;
        } else {
            if !sign.is_whitespace() {
                tokens.push(sign.to_string());
            }
            at += 1;
        }
    }
    tokens
}
