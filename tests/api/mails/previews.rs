//! What every mail looks like, for the sandbox's page: written by the code that writes the mails.
//!
//! `WRITE_PREVIEWS=1 cargo test --test api mails::previews` writes them anew.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry::{
    app::mail::{
        ConfirmAddress, Created, Footer, Mail, Message, SecurityEvent, SecurityNotice, SetupFailed,
        SetupFailure, SignIn, SignInMethod, Style, WebhookDisabled, Welcome, render,
    },
    domain::{HexColor, Language, TenantName, Timestamp},
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/sandbox/previews.json");
/// It opens nothing.
const LINK: &str = "https://signup.example/magic/#token=eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJtYWdpYy1saW5rIiwianRpIjoicHJldmlldyIsInRlbm\
    FudElkIjoidGVuYW50X3ByZXZpZXcifQ.preview-preview-preview-preview-preview-12";

/// Each mail, by a name that tells its variants apart.
fn samples<'a>(name: &'a TenantName, language: Language) -> Vec<(String, Mail<'a>)> {
    let (link, page) = (LINK, Some("https://signup.example/magic/"));
    let at = Timestamp::from_seconds(1_800_000_000);
    let host = "hook.eu2.make.com";
    let named = |variant: &str, mail: Mail<'a>| {
        let kind = kind(&mail);
        (if variant.is_empty() { kind.to_owned() } else { format!("{kind}-{variant}") }, mail)
    };
    let welcome = Welcome {
        name,
        address: Some("tsv-ruederwald.clubs.example"),
        spreadsheet: None,
        trial_ends_at: Some(at),
        link,
        page,
    };
    let spreadsheet = Some("https://docs.google.com/spreadsheets/d/1preview/edit");
    let setup = |why| Mail::SetupFailed(SetupFailed { name, why, link, page });
    let notice = |event| Mail::Security(SecurityNotice { name, event, at, page });
    let browser = Some(language.pick("Firefox on Windows", "Firefox unter Windows"));
    vec![
        named("", Mail::ConfirmAddress(ConfirmAddress { code: "407312", link, page })),
        named("starter", Mail::Welcome(welcome)),
        named("pro", Mail::Welcome(Welcome { spreadsheet, trial_ends_at: None, ..welcome })),
        named("", Mail::SignIn(SignIn { name, link, code: None, page })),
        named("code", Mail::SignIn(SignIn { name, link, code: Some("407312"), page })),
        named("", Mail::Created(Created { name, link, page })),
        named("webhook_rejected", setup(SetupFailure::WebhookRejected)),
        named("webhook_missing", setup(SetupFailure::WebhookMissing)),
        named("webhook_silent", setup(SetupFailure::WebhookSilent)),
        named("ours", setup(SetupFailure::Ours)),
        named("stopped", setup(SetupFailure::Stopped)),
        named(
            "failing",
            Mail::WebhookDisabled(WebhookDisabled { name, host, since: Some("2027-01-10"), page }),
        ),
        named("gone", Mail::WebhookDisabled(WebhookDisabled { name, host, since: None, page })),
        named(
            "signed_in",
            notice(SecurityEvent::SignedIn {
                method: Some(SignInMethod::Link),
                browser,
                platform: Some("Linux"),
            }),
        ),
        named("session_ended", notice(SecurityEvent::SessionEnded { browser })),
        named("signed_out_everywhere", notice(SecurityEvent::SignedOutEverywhere)),
        named("webhook_changed", notice(SecurityEvent::WebhookChanged { host })),
        named("address_changed", notice(SecurityEvent::AddressChanged { to: "b***@tsv-ruederwald.example" })),
    ]
}

/// A new mail does not compile until it has a name here, and is missed until it has a sample.
const KINDS: [&str; 7] =
    ["confirm_address", "created", "security", "setup_failed", "sign_in", "webhook_disabled", "welcome"];

fn kind(mail: &Mail<'_>) -> &'static str {
    match mail {
        Mail::ConfirmAddress(_) => "confirm_address",
        Mail::Welcome(_) => "welcome",
        Mail::SignIn(_) => "sign_in",
        Mail::Created(_) => "created",
        Mail::SetupFailed(_) => "setup_failed",
        Mail::WebhookDisabled(_) => "webhook_disabled",
        Mail::Security(_) => "security",
    }
}

fn previews() -> Vec<Value> {
    let name = TenantName::try_from("TSV Rüderwald 1897".to_owned()).unwrap();
    let color = HexColor::try_from("#ffcc00".to_owned()).unwrap();
    let footer = Footer {
        support: Some("help@signup.example"),
        terms: Some("https://signup.example/terms"),
        privacy: Some("https://signup.example/privacy"),
        imprint: Some("https://signup.example/imprint"),
    };
    let of = |language: Language| {
        let style = Style { language, color: Some(&color), footer };
        let all = samples(&name, language).into_iter().map(move |(mail, said)| (mail, render(&said, &style)));
        all.map(move |(mail, Message { subject, text, html })| {
            let language = language.as_str();
            json!({ "id": format!("{mail}-{language}"), "mail": mail, "language": language, "subject": subject, "text": text,
                "html": html })
        })
        .collect::<Vec<_>>()
    };
    Language::ALL.into_iter().flat_map(of).collect()
}

#[test]
fn the_sandboxes_previews_are_what_the_mails_are() {
    let written = format!("{}\n", serde_json::to_string_pretty(&previews()).unwrap());
    if std::env::var_os("WRITE_PREVIEWS").is_some() {
        std::fs::write(FILE, &written).unwrap();
    }
    let stored = std::fs::read_to_string(FILE).unwrap();
    assert!(stored == written, "WRITE_PREVIEWS=1 cargo test --test api mails::previews writes them anew");
}

#[test]
fn every_mail_has_a_preview_in_every_language() {
    let name = TenantName::try_from("FC".to_owned()).unwrap();
    for language in Language::ALL {
        let kinds: BTreeSet<&str> = samples(&name, language).iter().map(|(_, mail)| kind(mail)).collect();
        assert!(kinds.iter().eq(KINDS.iter()), "{kinds:?}");
    }
    let ids: BTreeSet<String> = previews().iter().map(|preview| preview["id"].to_string()).collect();
    assert_eq!(ids.len(), previews().len());
}
