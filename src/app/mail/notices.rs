//! Mails that tell an owner what was done in their name, so that whoever did not do it can end it.

use crate::domain::{Language, TenantName, Timestamp};

use super::{
    dates,
    layout::{Block, Fact, Letter},
    names::{isolated, subject},
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

impl SecurityNotice<'_> {
    pub(super) fn letter(&self, language: Language) -> Letter {
        let t = |english, german| language.pick(english, german);
        let name = isolated(self.name);
        let mut facts =
            vec![Fact { name: t("When", "Wann"), value: dates::moment(language, self.at), url: None }];
        let mut fact = |name, value: &str| facts.push(Fact { name, value: value.to_owned(), url: None });
        match self.event {
            SecurityEvent::SignedIn { method, browser } => {
                if let Some(browser) = browser {
                    fact(t("Browser", "Browser"), browser);
                }
                match method {
                    Some(SignInMethod::Link) => {
                        fact(t("With", "Womit"), t("a mailed link", "Link aus einer Mail"))
                    }
                    Some(SignInMethod::Code) => {
                        fact(t("With", "Womit"), t("a mailed code", "Code aus einer Mail"))
                    }
                    None => {}
                }
            }
            SecurityEvent::SessionEnded { browser } => {
                if let Some(browser) = browser {
                    fact(t("Browser", "Browser"), browser);
                }
            }
            SecurityEvent::SignedOutEverywhere => {}
            SecurityEvent::WebhookChanged { host } => fact(t("New webhook on", "Neuer Webhook auf"), host),
            SecurityEvent::AddressChanged { to } => fact(t("New address", "Neue Adresse"), to),
        }
        Letter {
            subject: subject(self.name, |name| self.headline(language, name)),
            title: self.headline(language, &name),
            blocks: vec![
                Block::Paragraph(self.what(language, &name)),
                Block::Facts(facts),
                Block::paragraph(t(
                    "If it was you, there is nothing to do.",
                    "Wenn Sie das waren, müssen Sie nichts tun.",
                )),
                Block::paragraph(self.otherwise(language)),
                self.way_in(language),
            ],
            note: t(
                "We send this mail to the owner whenever something changes about who gets in.",
                "Diese Mail geht an den Inhaber, sobald sich ändert, wer hineinkommt.",
            )
            .to_owned(),
        }
    }

    fn headline(&self, language: Language, name: &str) -> String {
        match (self.event, language) {
            (SecurityEvent::SignedIn { .. }, Language::En) => format!("New sign-in to {name}"),
            (SecurityEvent::SignedIn { .. }, Language::De) => format!("Neue Anmeldung bei {name}"),
            (SecurityEvent::SessionEnded { .. }, Language::En) => format!("A session of {name} was ended"),
            (SecurityEvent::SessionEnded { .. }, Language::De) => {
                format!("Eine Sitzung bei {name} wurde beendet")
            }
            (SecurityEvent::SignedOutEverywhere, Language::En) => format!("{name}: signed out everywhere"),
            (SecurityEvent::SignedOutEverywhere, Language::De) => format!("{name}: überall abgemeldet"),
            (SecurityEvent::WebhookChanged { .. }, Language::En) => {
                format!("The webhook of {name} was changed")
            }
            (SecurityEvent::WebhookChanged { .. }, Language::De) => {
                format!("Der Webhook von {name} wurde geändert")
            }
            (SecurityEvent::AddressChanged { .. }, Language::En) => {
                format!("The e-mail address of {name} was changed")
            }
            (SecurityEvent::AddressChanged { .. }, Language::De) => {
                format!("Die E-Mail-Adresse von {name} wurde geändert")
            }
        }
    }

    fn what(&self, language: Language, name: &str) -> String {
        match (self.event, language) {
            (SecurityEvent::SignedIn { .. }, Language::En) => format!("Somebody has signed in to {name}."),
            (SecurityEvent::SignedIn { .. }, Language::De) => {
                format!("Jemand hat sich bei {name} angemeldet.")
            }
            (SecurityEvent::SessionEnded { .. }, Language::En) => {
                format!("A browser that was signed in to {name} was signed out.")
            }
            (SecurityEvent::SessionEnded { .. }, Language::De) => {
                format!("Ein Browser, der bei {name} angemeldet war, wurde abgemeldet.")
            }
            (SecurityEvent::SignedOutEverywhere, Language::En) => {
                format!(
                    "All browsers and apps were signed out of {name}. Links of earlier mails open nothing any more."
                )
            }
            (SecurityEvent::SignedOutEverywhere, Language::De) => {
                format!(
                    "Alle Browser und Apps wurden bei {name} abgemeldet. Links aus früheren Mails gelten nicht mehr."
                )
            }
            (SecurityEvent::WebhookChanged { .. }, Language::En) => {
                format!("What happens to {name} is sent to another webhook from now on.")
            }
            (SecurityEvent::WebhookChanged { .. }, Language::De) => {
                format!("Was mit {name} geschieht, geht von jetzt an an einen anderen Webhook.")
            }
            (SecurityEvent::AddressChanged { .. }, Language::En) => {
                format!("Mails about {name}, and links to sign in, go to another address from now on.")
            }
            (SecurityEvent::AddressChanged { .. }, Language::De) => {
                format!("Mails über {name} und Links zum Anmelden gehen von jetzt an an eine andere Adresse.")
            }
        }
    }

    /// Where one signs in, but for an address that does not any more.
    fn way_in(&self, language: Language) -> Block {
        let page = self.page.filter(|_| !matches!(self.event, SecurityEvent::AddressChanged { .. }));
        Block::page(language.pick("Sign in", "Anmelden"), page)
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
