//! Mails about what was set up, or was not.

use crate::{
    domain::{Language, Step, TenantName, Timestamp},
    workflow::FailureCode,
};

use super::{
    access::{life_of_link, link_lives},
    dates,
    layout::{Block, Fact, Letter},
};

/// Greets a tenant that is ready.
#[derive(Debug, Clone, Copy)]
pub struct Welcome<'a> {
    /// The tenant.
    pub name: &'a TenantName,
    /// Its host on the web, if it has one.
    pub address: Option<&'a str>,
    /// Where its spreadsheet opens, if it has one.
    pub spreadsheet: Option<&'a str>,
    /// When its trial ends, if it has to pay ever.
    pub trial_ends_at: Option<Timestamp>,
    /// The link that signs in.
    pub link: &'a str,
    /// Where another link is asked for, if that is known.
    pub page: Option<&'a str>,
}

impl<'a> Welcome<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        let mut facts = Vec::new();
        if let Some(address) = self.address {
            let url = format!("https://{address}");
            facts.push(Fact { name: t("Web address", "Webadresse"), value: url.clone(), url: Some(url) });
        }
        if let Some(spreadsheet) = self.spreadsheet {
            facts.push(Fact {
                name: t("Spreadsheet", "Tabelle"),
                value: t("Open in Google Sheets", "In Google Tabellen öffnen").to_owned(),
                url: Some(spreadsheet.to_owned()),
            });
        }
        if let Some(end) = self.trial_ends_at {
            facts.push(Fact {
                name: t("Free until", "Kostenlos bis"),
                value: dates::day(language, end),
                url: None,
            });
        }
        Letter {
            name: Some(self.name),
            headline: t("Welcome, {}", "Willkommen, {}"),
            blocks: vec![
                Block::Paragraph(t(
                    "{} is set up and ready to use.",
                    "{} ist eingerichtet und kann loslegen.",
                )),
                Block::Facts(facts),
                Block::Link(t("Sign in", "Anmelden"), self.link),
                link_lives(language),
                Block::pointer(
                    t(
                        "To sign in later, enter your e-mail address here, and we send you a new one:",
                        "Um sich später anzumelden, geben Sie hier Ihre E-Mail-Adresse ein, und wir schicken Ihnen einen neuen:",
                    ),
                    self.page,
                ),
            ],
            note: t(
                "If you did not sign a club up, you can ignore this mail.",
                "Wenn Sie keinen Verein angemeldet haben, können Sie diese Mail einfach liegen lassen.",
            ),
        }
    }
}

/// Why provisioning failed, as far as its owner can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupFailure {
    /// Their webhook refused our test.
    WebhookRejected,
    /// They have named no webhook.
    WebhookMissing,
    /// Their webhook did not answer.
    WebhookSilent,
    /// It is not theirs to mend.
    Ours,
    /// We have stopped it.
    Stopped,
}

impl SetupFailure {
    /// Each of them.
    pub const ALL: [Self; 5] =
        [Self::WebhookRejected, Self::WebhookMissing, Self::WebhookSilent, Self::Ours, Self::Stopped];

    /// Whether its owner can mend it.
    const fn is_theirs(self) -> bool {
        matches!(self, Self::WebhookRejected | Self::WebhookMissing | Self::WebhookSilent)
    }

    /// Of a run that failed with this code, at this step.
    pub fn of(code: Option<FailureCode>, step: Option<Step>) -> Self {
        match code {
            Some(FailureCode::WebhookRejected) => Self::WebhookRejected,
            Some(FailureCode::WebhookMissing) => Self::WebhookMissing,
            Some(FailureCode::UpstreamUnavailable | FailureCode::DeadlineExceeded)
                if step == Some(Step::ValidateWebhook) =>
            {
                Self::WebhookSilent
            }
            Some(FailureCode::Cancelled) => Self::Stopped,
            _ => Self::Ours,
        }
    }

    /// What happened, in a sentence.
    const fn what(self, language: Language) -> &'static str {
        match self {
            Self::WebhookRejected => language.pick(
                "Your webhook in Make refused the test that we sent there.",
                "Ihr Webhook in Make hat den Test abgelehnt, den wir dorthin geschickt haben.",
            ),
            Self::WebhookMissing => language.pick(
                "We do not know the address of your webhook in Make yet.",
                "Wir kennen die Adresse Ihres Webhooks in Make noch nicht.",
            ),
            Self::WebhookSilent => language.pick(
                "Your webhook in Make did not answer the test that we sent there.",
                "Ihr Webhook in Make hat auf den Test nicht geantwortet, den wir dorthin geschickt haben.",
            ),
            Self::Ours => language.pick(
                "Something on our side went wrong. We have been told and look into it. There is nothing for you to do.",
                "Auf unserer Seite ist etwas schiefgegangen. Wir wissen davon und kümmern uns darum. Sie müssen nichts tun.",
            ),
            Self::Stopped => language.pick(
                "We have stopped it, and look into it. There is nothing for you to do.",
                "Wir haben sie angehalten und kümmern uns darum. Sie müssen nichts tun.",
            ),
        }
    }

    /// What mends it.
    const fn steps(self, language: Language) -> &'static [&'static str] {
        match self {
            Self::WebhookRejected | Self::WebhookSilent => language.pick(
                &[
                    "Open your scenario in Make, and switch it on.",
                    "Copy the address of its webhook, and compare it with the one that you gave us.",
                    "Press the button below, and try the set-up again.",
                ],
                &[
                    "Öffnen Sie Ihr Szenario in Make und schalten Sie es ein.",
                    "Kopieren Sie die Adresse seines Webhooks und vergleichen Sie sie mit der, die Sie uns genannt haben.",
                    "Drücken Sie den Knopf unten und versuchen Sie die Einrichtung noch einmal.",
                ],
            ),
            Self::WebhookMissing => language.pick(
                &[
                    "Copy the address of the webhook from your scenario in Make.",
                    "Press the button below, and paste it there.",
                ],
                &[
                    "Kopieren Sie die Adresse des Webhooks aus Ihrem Szenario in Make.",
                    "Drücken Sie den Knopf unten und fügen Sie sie dort ein.",
                ],
            ),
            Self::Ours | Self::Stopped => &[],
        }
    }
}

/// Tells an owner that provisioning failed, and how it goes on.
#[derive(Debug, Clone, Copy)]
pub struct SetupFailed<'a> {
    /// The tenant.
    pub name: &'a TenantName,
    /// Why.
    pub why: SetupFailure,
    /// The link that leads to where it goes on.
    pub link: &'a str,
    /// Where another link is asked for, if that is known.
    pub page: Option<&'a str>,
}

impl<'a> SetupFailed<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        let mut blocks = vec![
            Block::Paragraph(t(
                "{} is not ready yet: the set-up stopped.",
                "{} ist noch nicht bereit: Die Einrichtung ist stehen geblieben.",
            )),
            Block::Paragraph(self.why.what(language)),
        ];
        let (headline, label) = if self.why.is_theirs() {
            blocks.push(Block::Paragraph(t("This is what helps:", "Das hilft:")));
            blocks.push(Block::Steps(self.why.steps(language)));
            (
                t("Setting up {} needs your help", "Die Einrichtung von {} braucht Ihre Hilfe"),
                t("Go on there", "Dort weitermachen"),
            )
        } else {
            (
                t("Setting up {} takes longer", "Die Einrichtung von {} dauert länger"),
                t("See how it stands", "Stand ansehen"),
            )
        };
        blocks.push(Block::Link(label, self.link));
        blocks.extend(life_of_link(language, self.page));
        Letter {
            name: Some(self.name),
            headline,
            blocks,
            note: t(
                "What was set up already stays, and nothing you entered is lost.",
                "Was schon eingerichtet ist, bleibt, und nichts von Ihren Eingaben ist verloren.",
            ),
        }
    }
}

/// Tells an owner that nothing is sent to their webhook any more.
#[derive(Debug, Clone, Copy)]
pub struct WebhookDisabled<'a> {
    /// The tenant.
    pub name: &'a TenantName,
    /// The webhook's host.
    pub host: &'a str,
    /// The day from which on it took nothing, as `2026-11-28`; none if it says that nothing is there any more.
    pub since: Option<&'a str>,
    /// Where one signs in, if that is known.
    pub page: Option<&'a str>,
}

impl<'a> WebhookDisabled<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        let mut facts =
            vec![Fact { name: t("Webhook on", "Webhook auf"), value: self.host.to_owned(), url: None }];
        if let Some(day) = self.since {
            facts.push(Fact {
                name: t("Has taken nothing since", "Nimmt nichts mehr an seit"),
                value: dates::stored_day(language, day),
                url: None,
            });
        }
        let why = if self.since.is_some() {
            t(
                "We tell your webhook what happens to {}. For days it has taken nothing.",
                "Wir melden Ihrem Webhook, was mit {} geschieht. Seit Tagen nimmt er nichts mehr an.",
            )
        } else {
            t(
                "We tell your webhook what happens to {}. It answers that nothing is there any more.",
                "Wir melden Ihrem Webhook, was mit {} geschieht. Er antwortet, dass dort nichts mehr ist.",
            )
        };
        Letter {
            name: Some(self.name),
            headline: t("The webhook of {} is switched off", "Der Webhook von {} ist abgeschaltet"),
            blocks: vec![
                Block::Paragraph(why),
                Block::Facts(facts),
                Block::Paragraph(t(
                    "We have switched it off: nothing is sent there any more. Your club itself works as before.",
                    "Wir haben ihn abgeschaltet: Es geht nichts mehr dorthin. Ihr Verein selbst läuft weiter wie bisher.",
                )),
                Block::Paragraph(t("To switch it on again:", "So schalten Sie ihn wieder ein:")),
                Block::Steps(language.pick(
                    &[
                        "Repair the scenario in Make.",
                        "Sign in and send a test to it, or store a new address.",
                    ],
                    &[
                        "Bringen Sie das Szenario in Make in Ordnung.",
                        "Melden Sie sich an und schicken Sie einen Test dorthin, oder speichern Sie eine neue Adresse.",
                    ],
                )),
                Block::page(t("Sign in", "Anmelden"), self.page),
                Block::Paragraph(t(
                    "What was not delivered is listed there, and can be sent again.",
                    "Was nicht angekommen ist, steht dort und kann noch einmal geschickt werden.",
                )),
            ],
            note: t(
                "If you have stopped using the webhook, there is nothing to do.",
                "Wenn Sie den Webhook nicht mehr benutzen, müssen Sie nichts tun.",
            ),
        }
    }
}
