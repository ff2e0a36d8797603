//! Mails that let their reader in: by a link, or by a code.

use crate::domain::{Language, TenantName};

use super::layout::{Block, Letter};

/// Asks whether an address is its reader's. It says nothing that whoever typed the address chose.
#[derive(Debug, Clone, Copy)]
pub struct ConfirmAddress<'a> {
    /// Six digits.
    pub code: &'a str,
    /// Where the address is confirmed with one press.
    pub link: &'a str,
    /// Where a new code and link are asked for, if that is known.
    pub page: Option<&'a str>,
}

impl<'a> ConfirmAddress<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        Letter {
            name: None,
            headline: t("Confirm your e-mail address", "Bestätigen Sie Ihre E-Mail-Adresse"),
            blocks: vec![
                Block::Paragraph(t(
                    "Somebody, hopefully you, has set up a club with this address. Enter this code on the page where you did:",
                    "Jemand, hoffentlich Sie, hat mit dieser Adresse einen Verein angelegt. Geben Sie diesen Code auf der Seite \
                     ein, auf der das war:",
                )),
                Block::Code(self.code),
                Block::Paragraph(t(
                    "Or press the button. That works on any device.",
                    "Oder drücken Sie den Knopf. Das geht auf jedem Gerät.",
                )),
                Block::Link(t("Confirm address", "Adresse bestätigen"), self.link),
                Block::Paragraph(t(
                    "The code is good for 30 minutes. The link works once, and for 24 hours.",
                    "Der Code gilt 30 Minuten. Der Link gilt einmal und 24 Stunden lang.",
                )),
                Block::pointer(
                    t(
                        "If they are too old, have new ones sent to you:",
                        "Wenn beide zu alt sind, lassen Sie sich neue schicken:",
                    ),
                    self.page,
                ),
            ],
            note: t(
                "If it was not you, ignore this mail. Without the code and the link nothing happens, and the sign-up lapses by \
                 itself.",
                "Wenn Sie das nicht waren, lassen Sie diese Mail einfach liegen. Ohne Code und Link geschieht nichts, und die \
                 Anmeldung verfällt von selbst.",
            ),
        }
    }
}

/// Signs an owner in.
#[derive(Debug, Clone, Copy)]
pub struct SignIn<'a> {
    /// To whose tenant.
    pub name: &'a TenantName,
    /// The link.
    pub link: &'a str,
    /// Six digits, for whoever asked on another device.
    pub code: Option<&'a str>,
    /// Where another link is asked for, if that is known.
    pub page: Option<&'a str>,
}

impl<'a> SignIn<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        let mut blocks = vec![
            Block::Paragraph(t(
                "Somebody, hopefully you, asked to sign in to {}. This button does it:",
                "Jemand, hoffentlich Sie, möchte sich bei {} anmelden. Mit diesem Knopf geht es:",
            )),
            Block::Link(t("Sign in", "Anmelden"), self.link),
        ];
        if let Some(code) = self.code {
            blocks.push(Block::Paragraph(t(
                "Or enter this code on the page where you asked for it:",
                "Oder geben Sie diesen Code auf der Seite ein, auf der Sie ihn angefordert haben:",
            )));
            blocks.push(Block::Code(code));
        }
        blocks.extend(life_of_link(language, self.page));
        Letter {
            name: Some(self.name),
            headline: t("Sign in to {}", "Anmelden bei {}"),
            blocks,
            note: t(
                "If it was not you, you can ignore this mail: nobody gets in without it.",
                "Wenn Sie das nicht waren, können Sie diese Mail einfach liegen lassen: Ohne sie kommt niemand hinein.",
            ),
        }
    }
}

/// Tells an owner that a tenant was made for them, and signs them in.
#[derive(Debug, Clone, Copy)]
pub struct Created<'a> {
    /// The tenant.
    pub name: &'a TenantName,
    /// The link.
    pub link: &'a str,
    /// Where another link is asked for, if that is known.
    pub page: Option<&'a str>,
}

impl<'a> Created<'a> {
    pub(super) fn letter(&self, language: Language) -> Letter<'a> {
        let t = |english, german| language.pick(english, german);
        let mut blocks = vec![
            Block::Paragraph(t(
                "We have created {} for you. A few steps are left until it is ready.",
                "Wir haben {} für Sie angelegt. Bis alles bereit ist, fehlen noch wenige Schritte.",
            )),
            Block::Link(t("Sign in and go on", "Anmelden und weitermachen"), self.link),
        ];
        blocks.extend(life_of_link(language, self.page));
        Letter {
            name: Some(self.name),
            headline: t("{} is waiting for you", "{} wartet auf Sie"),
            blocks,
            note: t(
                "If you did not expect this, you can ignore this mail.",
                "Wenn Sie das nicht erwartet haben, können Sie diese Mail einfach liegen lassen.",
            ),
        }
    }
}

/// How long a link that signs in lives.
pub(super) const fn link_lives<'a>(language: Language) -> Block<'a> {
    Block::Paragraph(
        language.pick("The link works once, and for 24 hours.", "Der Link gilt einmal und 24 Stunden lang."),
    )
}

/// What becomes of a link that signs in, and of whoever comes too late for it.
pub(super) fn life_of_link(language: Language, page: Option<&str>) -> [Block<'_>; 2] {
    let text = language.pick(
        "If it is too old, have a new one sent to you:",
        "Wenn er zu alt ist, lassen Sie sich einen neuen schicken:",
    );
    [link_lives(language), Block::pointer(text, page)]
}
