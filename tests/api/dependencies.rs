//! The crates that the service depends on: their licences, where they come from, each once, and none in vain.
//!
//! cargo-deny and cargo-shear check the same. No package registry has them ready to run, and a check of a second is not worth
//! minutes of compiling. Security advisories are not asked for: their database is elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
    sync::LazyLock,
};

use serde_json::Value;
use spdx::{Expression, ParseMode};

/// Licences that ask for no more than to be named.
const LICENCES: &[&str] = &["Apache-2.0", "BSD-3-Clause", "MIT", "MIT-0", "Unicode-3.0", "Zlib"];

/// In the Worker in two versions: `worker` has a router of its own beside axum's.
const TWICE: &[&str] = &["matchit"];

/// Not named in the sources, and needed nevertheless; Cargo.toml says what for.
const UNNAMED: &[&str] = &["idna_adapter", "worker_macros"];

static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let asked = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version=1", "--filter-platform=wasm32-unknown-unknown"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    serde_json::from_slice(&asked.stdout).unwrap()
});

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// All that the lock file names for the Worker, its build and its tests.
fn packages() -> BTreeMap<&'static str, &'static Value> {
    let packages: BTreeMap<_, _> = list(&METADATA, "packages")
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package))
        .collect();
    assert!(packages.len() > 50, "cargo names {} packages", packages.len());
    packages
}

fn root() -> &'static str {
    METADATA["resolve"]["root"].as_str().unwrap()
}

fn is_accepted(licence: &str) -> bool {
    Expression::parse_mode(licence, ParseMode::LAX).is_ok_and(|expression| {
        expression.evaluate(|asked| asked.license.id().is_some_and(|id| LICENCES.contains(&id.name)))
    })
}

/// What is linked into the Worker: neither what only compiles it nor what only tests it.
fn linked() -> BTreeSet<&'static str> {
    let packages = packages();
    let nodes: BTreeMap<_, _> =
        list(&METADATA["resolve"], "nodes").iter().map(|node| (node["id"].as_str().unwrap(), node)).collect();
    let compiles = |id: &str| {
        let targets = list(packages[id], "targets");
        targets.iter().any(|target| list(target, "kind").iter().any(|kind| kind == "proc-macro"))
    };
    let mut linked = BTreeSet::new();
    let mut left = vec![root()];
    while let Some(id) = left.pop() {
        if compiles(id) || !linked.insert(id) {
            continue;
        }
        left.extend(
            list(nodes[id], "deps")
                .iter()
                .filter(|dependency| list(dependency, "dep_kinds").iter().any(|kind| kind["kind"].is_null()))
                .map(|dependency| dependency["pkg"].as_str().unwrap()),
        );
    }
    linked
}

#[test]
fn every_licence_is_one_that_is_accepted() {
    for (id, package) in packages() {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_accepted(licence), "{id}: `{licence}`");
    }
}

#[test]
fn a_licence_that_asks_for_more_is_not_accepted() {
    for licence in [
        "",
        "GPL-3.0-only",
        "MIT AND AGPL-3.0-only",
        "LicenseRef-own",
        "nonsense",
        "(GPL-2.0-only OR MPL-2.0) AND MIT",
    ] {
        assert!(!is_accepted(licence), "{licence}");
    }
    for licence in ["MIT/Apache-2.0", "GPL-2.0-only OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
        assert!(is_accepted(licence), "{licence}");
    }
}

#[test]
fn every_crate_comes_from_the_one_registry() {
    for (id, package) in packages() {
        let expected = if id == root() {
            Value::Null
        } else {
            "registry+https://github.com/rust-lang/crates.io-index".into()
        };
        assert_eq!(package["source"], expected, "{id}");
    }
}

#[test]
fn no_crate_is_in_the_worker_twice() {
    let packages = packages();
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for id in linked() {
        let package = packages[id];
        versions
            .entry(package["name"].as_str().unwrap())
            .or_default()
            .push(package["version"].as_str().unwrap());
    }
    assert!(versions.contains_key("worker") && !versions.contains_key("rusqlite"), "{versions:?}");
    versions.retain(|_, versions| versions.len() > 1);
    let twice: Vec<&str> = versions.keys().copied().collect();
    assert_eq!(twice, TWICE, "{versions:?}");
}

#[test]
fn no_dependency_is_in_vain() {
    let (sources, tests) = (text_of("src"), text_of("tests/api"));
    let names: Vec<(String, bool)> = list(packages()[root()], "dependencies")
        .iter()
        .map(|dependency| {
            let name = dependency["rename"].as_str().or(dependency["name"].as_str()).unwrap();
            (name.replace('-', "_"), dependency["kind"] == "dev")
        })
        .collect();
    assert!(names.len() > 20, "{names:?}");
    let mut unused: Vec<&str> = names
        .iter()
        .filter(|(name, for_tests)| !(is_named(name, &sources) || *for_tests && is_named(name, &tests)))
        .map(|(name, _)| name.as_str())
        .collect();
    unused.sort_unstable();
    assert_eq!(unused, UNNAMED);
}

#[test]
fn a_crate_is_named_by_a_path_and_not_by_a_comment() {
    for named in [
        "use url::Url;",
        "use url;",
        "fn a() -> url::Url",
        "use {url::Url, x::Y};",
        "#[url::send]",
        "(::url::Host)",
    ] {
        assert!(is_named("url", named), "{named}");
    }
    for not in [
        "// use url::Url;",
        "    /// [`url::Url`]",
        "use curl::Url;",
        "use x::url::Url;",
        "let url = 1;",
        "url: Url",
    ] {
        assert!(!is_named("url", not), "{not}");
    }
}

#[test]
fn what_is_pinned_is_updated_together_with_its_build_tool() {
    let renovate: Value = serde_json::from_str(&text_of_file("renovate.json")).unwrap();
    let rules: Vec<Vec<&str>> = list(&renovate, "packageRules")
        .iter()
        .map(|rule| list(rule, "matchPackageNames").iter().map(|name| name.as_str().unwrap()).collect())
        .collect();
    let together = |name: &str| rules.iter().find(|names| names.contains(&name)).cloned().unwrap_or_default();
    let pinned: Vec<(&str, &str)> = list(packages()[root()], "dependencies")
        .iter()
        .filter_map(|dependency| {
            Some((
                dependency["name"].as_str().unwrap(),
                dependency["req"].as_str().unwrap().strip_prefix('=')?,
            ))
        })
        .collect();
    assert!(pinned.len() > 5, "{pinned:?}");
    for (name, _) in &pinned {
        assert!(!together(name).is_empty(), "renovate.json says nothing of {name}, which is pinned");
    }
    let (_, version) = pinned.iter().find(|(name, _)| *name == "wasm-bindgen").unwrap();
    let tool = "wasm-bindgen-cli-support";
    let manifest = text_of_file("scripts/bindgen/Cargo.toml");
    assert!(manifest.contains(&format!("{tool} = \"={version}\"")), "{tool} is not {version}");
    assert!(together("wasm-bindgen").contains(&tool), "{tool} is updated without wasm-bindgen");
}

/// Whether a line of code names a crate at the beginning of a path.
fn is_named(name: &str, text: &str) -> bool {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.into_iter().any(|line| {
        line.match_indices(name).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + name.len()..]);
            let begins = match before.strip_suffix("::") {
                Some(root) => !root.ends_with(|sign: char| sign.is_alphanumeric() || sign == '_'),
                None => !before.ends_with(|sign: char| sign.is_alphanumeric() || sign == '_'),
            };
            begins
                && (after.starts_with("::")
                    || before.trim_end().ends_with("use") && after.starts_with([';', ' ']))
        })
    })
}

fn text_of_file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn text_of(folder: &str) -> String {
    fn walk(folder: &Path, text: &mut String) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut text = String::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut text);
    text
}
