//! What the documents for engineers name is there: files, folders, npm's scripts. Their sentences are short.

use std::{fs, path::Path};

use serde_json::Value;

const DOCUMENTS: [&str; 8] = [
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "FIRST-DAY.md",
    "SECURITY.md",
    "README.md",
    "RUNBOOK.md",
    "integrations/apps-script/README.md",
    "MIGRATING.md",
];

/// The most words of a sentence. A piece of code counts as one.
const MAX_WORDS: usize = 25;

/// Where paths in backticks begin.
const FOLDERS: [&str; 6] = ["integrations/", "migrations/", "public/", "scripts/", "src/", "tests/"];

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

/// Paragraphs and list items, each with the number of its first line: no fenced blocks, tables or headings.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut fenced, mut goes_on) = (false, false);
    for (number, line) in (1..).zip(text.lines().map(str::trim)) {
        fenced ^= line.starts_with("```");
        if fenced || line.is_empty() || ["```", "|", "#"].iter().any(|mark| line.starts_with(mark)) {
            goes_on = false;
            continue;
        }
        let item = list_item(line);
        match found.last_mut().filter(|_| goes_on && item.is_none()) {
            Some((_, paragraph)) => *paragraph = format!("{paragraph} {line}"),
            None => found.push((number, item.unwrap_or(line).to_owned())),
        }
        goes_on = true;
    }
    found
}

/// What stands behind a bullet or a number.
fn list_item(line: &str) -> Option<&str> {
    let (mark, rest) = line.split_once(' ')?;
    let numbered = mark.strip_suffix('.').is_some_and(|digits| digits.parse::<u16>().is_ok());
    (mark == "-" || mark == "*" || numbered).then_some(rest)
}

/// A sentence ends where a word ends in a full stop, a question mark or an exclamation mark, perhaps inside brackets, quotes or bold.
fn sentences(paragraph: &str) -> Vec<Vec<String>> {
    let pieces = paragraph.split('`').enumerate();
    let plain: String = pieces.map(|(index, piece)| if index % 2 == 0 { piece } else { "code" }).collect();
    let mut found = vec![Vec::new()];
    for word in plain.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)) {
        found.last_mut().unwrap().push(word.to_owned());
        if word.trim_end_matches([')', ']', '*', '"', '\'']).ends_with(['.', '!', '?']) {
            found.push(Vec::new());
        }
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

#[test]
fn no_sentence_in_them_is_long() {
    let mut long = Vec::new();
    for document in DOCUMENTS.into_iter().chain(["CHANGELOG.md"]) {
        let text = read(document);
        let all: Vec<_> = paragraphs(&text);
        assert!(all.len() > 10, "{document} has no paragraphs");
        for (line, paragraph) in all {
            let too_long = sentences(&paragraph).into_iter().filter(|words| words.len() > MAX_WORDS);
            long.extend(
                too_long
                    .map(|words| format!("{document}:{line}: {} words: {}", words.len(), words.join(" "))),
            );
        }
    }
    assert!(long.is_empty(), "at most {MAX_WORDS} words a sentence:\n{}", long.join("\n"));
}

#[test]
fn sentences_are_found_where_people_read_them() {
    let text = "# No. Heading\n\nOne `a. b c` two\nthree. (Four five.) **Six.** 7.5 [eight](a.md) — nine?\n\
        - ten\n  eleven\n1. twelve\n\n| a. | b |\n```sh\nnot. this\n```\n`code` is thirteen";
    let read: Vec<_> = paragraphs(text);
    let lines: Vec<_> = read.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [3, 5, 7, 13]);
    let counts: Vec<Vec<usize>> =
        read.iter().map(|(_, paragraph)| sentences(paragraph).iter().map(Vec::len).collect()).collect();
    assert_eq!(counts, [vec![4, 2, 1, 3], vec![2], vec![1], vec![3]]);
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
fn what_they_show_of_a_receiver_is_the_receiver() {
    let receiver = read("integrations/receivers/receiver.mjs");
    let shown = between(&receiver, "// README begins\n", "// README ends");
    assert_eq!(shown.len(), 1);
    assert!(shown[0].contains("export function verify("));
    assert!(read("README.md").contains(shown[0]));
}

#[test]
fn the_scenario_that_the_page_serves_is_the_one_in_integrations() {
    let served = read("public/help/make/tenantry.blueprint.json");
    assert_eq!(served, read("integrations/make/tenantry.blueprint.json"));
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
