//! What the documents for engineers name is there: files, folders, npm's scripts.

use std::{fs, path::Path};

use serde_json::Value;

const DOCUMENTS: [&str; 5] = ["ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "README.md", "RUNBOOK.md"];

/// Where paths in backticks begin.
const FOLDERS: [&str; 5] = ["migrations/", "public/", "scripts/", "src/", "tests/"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// What stands between each pair of these.
fn between<'a>(text: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    text.split(open).skip(1).filter_map(|rest| Some(rest.split_once(close)?.0)).collect()
}

/// A path without an argument after it, a placeholder or a number to be filled in.
fn paths(text: &str) -> Vec<&str> {
    let words = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    words
        .filter_map(|code| code.split_whitespace().next())
        .filter(|path| FOLDERS.iter().any(|folder| path.starts_with(folder)))
        .filter(|path| !path.contains(['<', '…', '*', '{']) && !path.contains("NN"))
        .collect()
}

#[test]
fn every_path_in_them_exists() {
    for document in DOCUMENTS {
        let text = read(document);
        for path in paths(&text) {
            assert!(root().join(path).exists(), "{document}: {path}");
        }
        for link in between(&text, "](", ")").into_iter().filter(|link| !link.contains("://")) {
            let path = link.split('#').next().unwrap();
            assert!(root().join(path).exists(), "{document}: {link}");
        }
    }
    assert!(paths(&read("CONTRIBUTING.md")).len() > 30);
}

#[test]
fn every_npm_script_in_them_exists() {
    let package: Value = serde_json::from_str(&read("package.json")).unwrap();
    for document in DOCUMENTS {
        for name in between(&read(document), "npm run ", "\n").into_iter().chain(between(
            &read(document),
            "npm run ",
            "`",
        )) {
            let name: String =
                name.chars().take_while(|sign| sign.is_alphanumeric() || ":-".contains(*sign)).collect();
            assert!(package["scripts"][&name].is_string() || name.is_empty(), "{document}: npm run {name}");
        }
    }
}

#[test]
fn a_path_is_read_as_it_stands() {
    let text = "`src/a.rs` and `scripts/x.sh --all`, `src/<name>.rs`, `migrations/00NN_a.sql`, `http/b.rs`, src/c.rs";
    assert_eq!(paths(text), ["src/a.rs", "scripts/x.sh"]);
    assert_eq!(between("[a](b) [c](d#e)", "](", ")"), ["b", "d#e"]);
}
