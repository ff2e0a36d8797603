//! Mails that let their reader in: by a link, or by a code.

use crate::domain::{Language, TenantName};

use super::{
    layout::{Block, Letter},
    names::{isolated, subject},
};

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

impl ConfirmAddress<'_> {
    pub(super) fn letter(&self, language: Language) -> Letter {
        let t = |english, german| language.pick(english, german);
        let title = t("Confirm your e-mail address", "Bestätigen Sie Ihre E-Mail-Adresse");
        Letter {
            subject: title.to_owned(),
            title: title.to_owned(),
            blocks: vec![
                Block::paragraph(t(
                    "Somebody, hopefully you, has set up a club with this address. Enter this code on the page where you did:",
                    "Jemand, hoffentlich Sie, hat mit dieser Adresse einen Verein angelegt. Geben Sie diesen Code auf der Seite \
                     ein, auf der das war:",
                )),
                Block::Code(self.code.to_owned()),
                Block::paragraph(t(
                    "Or press the button. That works on any device.",
                    "Oder drücken Sie den Knopf. Das geht auf jedem Gerät.",
                )),
                Block::link(t("Confirm address", "Adresse bestätigen"), self.link),
                Block::pointer(
                    t(
                        "The code is good for 30 minutes. The link works once, and for 24 hours. If they are too old, have new \
                         ones sent to you:",
                        "Der Code gilt 30 Minuten. Der Link gilt einmal und 24 Stunden lang. Wenn beide zu alt sind, lassen Sie \
                         sich neue schicken:",
                    ),
                    self.page,
                ),
            ],
            note: t(
                "If it was not you, ignore this mail. Without the code and the link nothing happens, and the sign-up lapses by \
                 itself.",
                "Wenn Sie das nicht waren, lassen Sie diese Mail einfach liegen. Ohne Code und Link geschieht nichts, und die \
                 Anmeldung verfällt von selbst.",
            )
            .to_owned(),
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

impl SignIn<'_> {
    pub(super) fn letter(&self, language: Language) -> Letter {
        let t = |english, german| language.pick(english, german);
        let name = isolated(self.name);
        let mut blocks = vec![
            Block::Paragraph(match language {
                Language::En => {
                    format!("Somebody, hopefully you, asked to sign in to {name}. This button does it:")
                }
                Language::De => format!(
                    "Jemand, hoffentlich Sie, möchte sich bei {name} anmelden. Mit diesem Knopf geht es:"
                ),
            }),
            Block::link(t("Sign in", "Anmelden"), self.link),
        ];
        if let Some(code) = self.code {
            blocks.push(Block::paragraph(t(
                "Or enter this code on the page where you asked for it:",
                "Oder geben Sie diesen Code auf der Seite ein, auf der Sie ihn angefordert haben:",
            )));
            blocks.push(Block::Code(code.to_owned()));
        }
        blocks.push(life_of_link(language, self.page));
        Letter {
            subject: subject(self.name, |name| match language {
                Language::En => format!("Sign in to {name}"),
                Language::De => format!("Anmelden bei {name}"),
            }),
            title: match language {
                Language::En => format!("Sign in to {name}"),
                Language::De => format!("Anmelden bei {name}"),
            },
            blocks,
            note: t(
                "If it was not you, you can ignore this mail: nobody gets in without it.",
                "Wenn Sie das nicht waren, können Sie diese Mail einfach liegen lassen: Ohne sie kommt niemand hinein.",
            )
            .to_owned(),
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

impl Created<'_> {
    pub(super) fn letter(&self, language: Language) -> Letter {
        let t = |english, german| language.pick(english, german);
        let name = isolated(self.name);
        let mut blocks = vec![
            Block::Paragraph(match language {
                Language::En => {
                    format!("We have created {name} for you. A few steps are left until it is ready.")
                }
                Language::De => {
                    format!(
                        "Wir haben {name} für Sie angelegt. Bis alles bereit ist, fehlen noch wenige Schritte."
                    )
                }
            }),
            Block::link(t("Sign in and go on", "Anmelden und weitermachen"), self.link),
        ];
        blocks.push(life_of_link(language, self.page));
        Letter {
            subject: subject(self.name, |name| match language {
                Language::En => format!("{name} is waiting for you"),
                Language::De => format!("{name} wartet auf Sie"),
            }),
            title: match language {
                Language::En => format!("{name} is waiting for you"),
                Language::De => format!("{name} wartet auf Sie"),
            },
            blocks,
            note: t(
                "If you did not expect this, you can ignore this mail.",
                "Wenn Sie das nicht erwartet haben, können Sie diese Mail einfach liegen lassen.",
            )
            .to_owned(),
        }
    }
}

/// What becomes of a link that signs in, and of whoever comes too late for it.
pub(super) fn life_of_link(language: Language, page: Option<&str>) -> Block {
    let text = language.pick(
        "The link works once, and for 24 hours. If it is too old, have a new one sent to you:",
        "Der Link gilt einmal und 24 Stunden lang. Wenn er zu alt ist, lassen Sie sich einen neuen schicken:",
    );
    let alone =
        language.pick("The link works once, and for 24 hours.", "Der Link gilt einmal und 24 Stunden lang.");
    page.map_or_else(|| Block::paragraph(alone), |page| Block::pointer(text, Some(page)))
}
