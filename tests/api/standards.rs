//! What hard texts, domains and URLs are read as. The Worker asks the runtime where the host asks crates: `tests/e2e/standards.test.mjs`
//! reads the same cases there.

use serde::{Deserialize, Serialize};
use tenantry::domain::{
    Email, WebhookUrl, text,
    webhook::{AllowedHosts, MAKES_HOSTS},
};

#[derive(Deserialize, Serialize)]
struct Cases {
    domains: Vec<Case>,
    webhooks: Vec<Case>,
    folded: Vec<Case>,
}

#[derive(Deserialize, Serialize)]
struct Case {
    text: String,
    read: Option<String>,
}

fn domain(text: &str) -> Option<String> {
    let email = Email::try_from(format!("ann@{text}")).ok()?;
    email.as_str().strip_prefix("ann@").map(str::to_owned)
}

fn webhook(text: &str) -> Option<String> {
    WebhookUrl::parse(text, &AllowedHosts::parse(MAKES_HOSTS)).ok().map(|url| url.as_str().to_owned())
}

type Read = fn(&str) -> Option<String>;

#[test]
fn hard_cases_are_read_as_the_file_says() {
    let cases: Cases = serde_json::from_str(include_str!("../standards.json")).unwrap();
    let kinds: [(Vec<Case>, usize, Read); 3] = [
        (cases.domains, 60, domain),
        (cases.webhooks, 60, webhook),
        (cases.folded, 20, |folded| Some(text::folded(folded))),
    ];
    for (cases, least, read) in kinds {
        assert!(cases.len() >= least, "{}", cases.len());
        for case in cases {
            assert_eq!(read(&case.text), case.read, "{:?}", case.text);
        }
    }
}
