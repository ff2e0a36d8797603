//! Mails that tell an owner what was done in their name, so that whoever did not do it can end it.

use crate::domain::{Language, TenantName, Timestamp};

use super::{
    dates,
    layout::{Block, Fact, Letter},
};

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInMethod {
    /// By a mailed link.
    Link,
    /// By a mailed code.
    Code,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityEvent<'a> {
    /// Somebody signed in.
    SignedIn {
        /// How, if that is known.
        method: Option<SignInMethod>,
        /// With which family of browsers, if that is known: a word of ours.
        browser: Option<&'a str>,
        /// On what that runs, if that is known: a word of ours.
        platform: Option<&'a str>,
    },
    /// One session was ended.
    SessionEnded {
        /// Whose browser it was, if that is known: a word of ours.
        browser: Option<&'a str>,
    },
    /// All sessions and tokens were ended.
    SignedOutEverywhere,
    /// Another webhook was stored.
    WebhookChanged {
        /// The host of the new one.
        host: &'a str,
    },
    /// The tenant's mails go to another address.
    AddressChanged {
        /// The new one, masked.
        to: &'a str,
    },
}

/// Tells an owner what was done in their name.
#[derive(Debug, Clone, Copy)]
pub struct SecurityNotice<'a> {
    /// The tenant.
    pub name: &'a TenantName,
    /// What was done.
    pub event: SecurityEvent<'a>,
    /// When.
    pub at: Timestamp,
    /// Where one signs in, and ends sessions, if that is known.
    pub page: Option<&'a str>,
}

impl<'a> SecurityNotice<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        let mut facts =
            vec![Fact { name: t("When", "Wann"), value: dates::moment(language, self.at), url: None }];
        let mut fact = |name, value: &str| facts.push(Fact { name, value: value.to_owned(), url: None });
        let device = t("Browser", "Browser");
        match self.event {
            SecurityEvent::SignedIn { method, browser, platform } => {
                if let Some(browser) = browser {
                    fact(device, browser);
                }
                if let Some(platform) = platform {
                    fact(t("Device", "Gerät"), platform);
                }
                if let Some(method) = method {
                    let value = match method {
                        SignInMethod::Link => t("a mailed link", "Link aus einer Mail"),
                        SignInMethod::Code => t("a mailed code", "Code aus einer Mail"),
                    };
                    fact(t("With", "Womit"), value);
                }
            }
            SecurityEvent::SessionEnded { browser: Some(browser) } => fact(device, browser),
            SecurityEvent::SessionEnded { browser: None } | SecurityEvent::SignedOutEverywhere => {}
            SecurityEvent::WebhookChanged { host } => fact(t("New webhook on", "Neuer Webhook auf"), host),
            SecurityEvent::AddressChanged { to } => fact(t("New address", "Neue Adresse"), to),
        }
        let (headline, what) = self.what(language);
        // Links to sign in do not come to an address that was given up.
        let page = self.page.filter(|_| !matches!(self.event, SecurityEvent::AddressChanged { .. }));
        Letter {
            name: Some(self.name),
            headline,
            blocks: vec![
                Block::Paragraph(what),
                Block::Facts(facts),
                Block::Paragraph(t(
                    "If it was you, there is nothing to do.",
                    "Wenn Sie das waren, müssen Sie nichts tun.",
                )),
                Block::Paragraph(self.otherwise(language)),
                Block::page(t("Sign in", "Anmelden"), page),
            ],
            note: t(
                "We send this mail to the owner whenever something changes about who gets in.",
                "Diese Mail geht an den Inhaber, sobald sich ändert, wer hineinkommt.",
            ),
        }
    }

    /// What was done: as a headline, and in a sentence.
    const fn what(&self, language: Language) -> (&'static str, &'static str) {
        match self.event {
            SecurityEvent::SignedIn { .. } => language.pick(
                ("New sign-in to {}", "Somebody has signed in to {}."),
                ("Neue Anmeldung bei {}", "Jemand hat sich bei {} angemeldet."),
            ),
            SecurityEvent::SessionEnded { .. } => language.pick(
                ("A session of {} was ended", "A browser that was signed in to {} was signed out."),
                (
                    "Eine Sitzung bei {} wurde beendet",
                    "Ein Browser, der bei {} angemeldet war, wurde abgemeldet.",
                ),
            ),
            SecurityEvent::SignedOutEverywhere => language.pick(
                (
                    "{}: signed out everywhere",
                    "All browsers and apps were signed out of {}. Links of earlier mails open nothing any more.",
                ),
                (
                    "{}: überall abgemeldet",
                    "Alle Browser und Apps wurden bei {} abgemeldet. Links aus früheren Mails gelten nicht mehr.",
                ),
            ),
            SecurityEvent::WebhookChanged { .. } => language.pick(
                (
                    "The webhook of {} was changed",
                    "What happens to {} is sent to another webhook from now on.",
                ),
                (
                    "Der Webhook von {} wurde geändert",
                    "Was mit {} geschieht, geht von jetzt an an einen anderen Webhook.",
                ),
            ),
            SecurityEvent::AddressChanged { .. } => language.pick(
                (
                    "The e-mail address of {} was changed",
                    "Mails about {}, and links to sign in, go to another address from now on.",
                ),
                (
                    "Die E-Mail-Adresse von {} wurde geändert",
                    "Mails über {} und Links zum Anmelden gehen von jetzt an an eine andere Adresse.",
                ),
            ),
        }
    }

    /// What to do if it was somebody else.
    const fn otherwise(&self, language: Language) -> &'static str {
        match self.event {
            SecurityEvent::AddressChanged { .. } => language.pick(
                "If it was not you, answer this mail at once. Links to sign in do not come to this address any more.",
                "Wenn Sie das nicht waren, antworten Sie gleich auf diese Mail. Links zum Anmelden kommen nicht mehr an diese \
                 Adresse.",
            ),
            SecurityEvent::WebhookChanged { .. } => language.pick(
                "If it was not you, sign in, sign out everywhere, and store your own webhook again.",
                "Wenn Sie das nicht waren, melden Sie sich an, melden Sie alle Geräte ab, und speichern Sie Ihren Webhook wieder.",
            ),
            SecurityEvent::SignedIn { .. }
            | SecurityEvent::SessionEnded { .. }
            | SecurityEvent::SignedOutEverywhere => language.pick(
                "If it was not you, sign in and sign out everywhere. Look after your mailbox, too: whoever reads your mails gets in.",
                "Wenn Sie das nicht waren, melden Sie sich an und melden Sie alle Geräte ab. Sichern Sie auch Ihr Postfach: Wer Ihre \
                 Mails liest, kommt hinein.",
            ),
        }
    }
}
