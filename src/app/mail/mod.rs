//! What our mails say: each as a type, and one function that writes it in a language, for people who see it and as plain text.

mod access;
mod colors;
mod dates;
mod layout;
mod names;
mod notices;
mod provisioning;

use crate::domain::{Email, HexColor, Language};

pub use access::{ConfirmAddress, Created, SignIn};
pub use notices::{SecurityEvent, SecurityNotice, SignInMethod};
pub use provisioning::{SetupFailed, SetupFailure, WebhookDisabled, Welcome};

/// A mail, as what it has to say.
#[derive(Debug, Clone)]
pub enum Mail<'a> {
    /// It asks whether an address is its reader's.
    ConfirmAddress(ConfirmAddress<'a>),
    /// It greets a tenant that is ready.
    Welcome(Welcome<'a>),
    /// It signs an owner in.
    SignIn(SignIn<'a>),
    /// It tells an owner that a tenant was made for them, and signs them in.
    Created(Created<'a>),
    /// It tells an owner that provisioning failed.
    SetupFailed(SetupFailed<'a>),
    /// It tells an owner that nothing is sent to their webhook any more.
    WebhookDisabled(WebhookDisabled<'a>),
    /// It tells an owner what somebody did who was signed in as them.
    Security(SecurityNotice<'a>),
}

/// What stands below every mail, where it is configured.
#[derive(Debug, Clone, Copy, Default)]
pub struct Footer<'a> {
    /// Who answers.
    pub support: Option<&'a str>,
    /// `TERMS_URL`
    pub terms: Option<&'a str>,
    /// `PRIVACY_URL`
    pub privacy: Option<&'a str>,
    /// `IMPRINT_URL`
    pub imprint: Option<&'a str>,
}

/// How a mail is written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style<'a> {
    /// In which language.
    pub language: Language,
    /// The tenant's first colour. A mail to an address that nobody has proven ignores it.
    pub color: Option<&'a HexColor>,
    /// What stands below it.
    pub footer: Footer<'a>,
}

/// A mail as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The subject: one line.
    pub subject: String,
    /// The same as the HTML says, for people who read plain text.
    pub text: String,
    /// The body for people who see it.
    pub html: String,
}

/// A mail on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressed {
    /// To whom.
    pub to: Email,
    /// Who gets the answers, where that is not the sender.
    pub reply_to: Option<Email>,
    /// What it says.
    pub message: Message,
}

/// Writes a mail: the same mail is the same to the byte.
pub fn render(mail: &Mail<'_>, style: &Style<'_>) -> Message {
    let language = style.language;
    let (letter, color) = match mail {
        Mail::ConfirmAddress(mail) => (mail.letter(language), None),
        Mail::Welcome(mail) => (mail.letter(language), style.color),
        Mail::SignIn(mail) => (mail.letter(language), style.color),
        Mail::Created(mail) => (mail.letter(language), style.color),
        Mail::SetupFailed(mail) => (mail.letter(language), style.color),
        Mail::WebhookDisabled(mail) => (mail.letter(language), style.color),
        Mail::Security(mail) => (mail.letter(language), style.color),
    };
    letter.compose(language, &colors::Accent::of(color), &style.footer)
}

#[cfg(test)]
mod tests;
