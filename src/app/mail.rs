//! What our mails say.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::domain::{Email, ProofCode, TenantName};

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// To whom.
    pub to: Email,
    /// The subject.
    pub subject: String,
    /// The body for people who see it.
    pub html: String,
    /// The same for people who read it.
    pub text: String,
}

impl Mail {
    /// The mail that greets a new tenant.
    pub fn welcome(name: &TenantName, to: &Email, address: &str, link: &str) -> Self {
        let name = isolated(name);
        Self::compose(
            to,
            &format!("Welcome, {name}"),
            &[
                &format!("{name} is ready. Your club's address is {address}."),
                "Use this link to sign in. It works once, and for 24 hours.",
            ],
            Some((link, "Sign in")),
            "If you did not sign a club up, you can ignore this mail.",
        )
    }

    /// The mail that asks whoever reads an address to show it. Somebody may have typed another's: nothing that they wrote is in it.
    pub fn confirm_address(to: &Email, code: &ProofCode, link: &str) -> Self {
        Self::compose(
            to,
            "Confirm your e-mail address",
            &[
                "Somebody, hopefully you, gave this address to set up a club.",
                &format!(
                    "Your code is {}. It counts for 30 minutes, on the page that asks for it.",
                    code.as_str()
                ),
                "Or use this link. It works once, and for 24 hours.",
            ],
            Some((link, "Confirm")),
            "If it was not you, you can ignore this mail: nothing is set up without the code or the link.",
        )
    }

    /// The mail that signs an owner in.
    pub fn sign_in(name: &TenantName, to: &Email, link: &str) -> Self {
        let name = isolated(name);
        Self::compose(
            to,
            &format!("Sign in to {name}"),
            &[
                &format!("Somebody, hopefully you, asked to sign in to {name}."),
                "Use this link to sign in. It works once, and for 24 hours.",
            ],
            Some((link, "Sign in")),
            "If it was not you, you can ignore this mail: nobody gets in without the link.",
        )
    }

    /// The mail that tells an owner that a tenant was made for them, and signs them in.
    pub fn created(name: &TenantName, to: &Email, link: &str) -> Self {
        let name = isolated(name);
        Self::compose(
            to,
            &format!("{name} is waiting for you"),
            &[
                &format!("We have created {name} for you. A few steps are left until it is ready."),
                "Use this link to sign in and go on. It works once, and for 24 hours. Later, the same page mails you another.",
            ],
            Some((link, "Sign in")),
            "If you did not expect this, you can ignore this mail.",
        )
    }

    /// The mail that tells an owner that nothing is sent to their webhook any more. `why` is a sentence of ours.
    pub fn webhook_disabled(name: &TenantName, to: &Email, host: &str, why: &str) -> Self {
        let name = isolated(name);
        Self::compose(
            to,
            &format!("The webhook of {name} is switched off"),
            &[
                &format!("We tell your webhook on {host} what happens to {name}. {why}"),
                "We have switched it off: nothing is sent there any more. Your club itself works as before.",
                "To switch it on again, repair the scenario in Make and send a test to it, or store a new address. What \
                 was not delivered is listed, and can be sent again.",
            ],
            None,
            "If you have stopped using the webhook, there is nothing to do.",
        )
    }

    fn compose(
        to: &Email,
        subject: &str,
        paragraphs: &[&str],
        link: Option<(&str, &str)>,
        footer: &str,
    ) -> Self {
        // A line break in a subject is a header of its own to careless mailers; a tenant's name has none by its parse.
        let parts: Vec<&str> =
            paragraphs.iter().copied().chain(link.map(|(link, _)| link)).chain([footer]).collect();
        let text = plain(&format!("{}\n", parts.join("\n\n")));
        let subject = plain(subject);
        let html = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    title { (subject) }
                }
                body style="font-family:system-ui,sans-serif;max-width:36rem;margin:2rem auto;padding:0 1rem;line-height:1.5" {
                    @for paragraph in paragraphs {
                        p { (marked(paragraph)) }
                    }
                    @if let Some((link, label)) = link {
                        p { a href=(link) style=(BUTTON) { (label) } }
                    }
                    p style="color:#555" { (footer) }
                }
            }
        };
        let html = html.into_string();
        Self { to: to.clone(), subject, html, text }
    }
}

/// How the link looks that signs in.
const BUTTON: &str = "display:inline-block;padding:.75rem 1.25rem;background:#1f4e79;color:#fff;\
    text-decoration:none;border-radius:.5rem";
/// Around what a tenant typed, in Unicode: what is written there turns nothing but itself.
const ISOLATES: [char; 2] = ['\u{2068}', '\u{2069}'];

/// A tenant's name within a sentence of ours.
fn isolated(name: &TenantName) -> String {
    let [before, behind] = ISOLATES;
    format!("{before}{}{behind}", name.as_str().replace(ISOLATES, ""))
}

/// The same as HTML says it.
fn marked(text: &str) -> Markup {
    let [before, behind] = ISOLATES;
    let html = html! { (text) }.into_string();
    PreEscaped(html.replace(before, "<bdi dir=\"auto\">").replace(behind, "</bdi>"))
}

/// The same as plain text: with nothing around a name that is written in the direction of ours.
fn plain(text: &str) -> String {
    let is_right_to_left = |c: char| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    if text.chars().any(is_right_to_left) { text.to_owned() } else { text.replace(ISOLATES, "") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_tenant_typed_never_becomes_markup() {
        let name = TenantName::try_from("<b>\"FC\" & 'Co'</b>".to_owned()).unwrap();
        let to = Email::try_from("ann@example.org".to_owned()).unwrap();
        let mail = Mail::welcome(&name, &to, "fc.clubs.example", "https://x.example/magic/#token=a.b.c&d=\"");
        assert!(
            mail.html
                .contains("<p><bdi dir=\"auto\">&lt;b&gt;&quot;FC&quot; &amp; 'Co'&lt;/b&gt;</bdi> is ready"),
            "{}",
            mail.html
        );
        assert!(!mail.html.contains("<b>"));
        assert!(mail.html.contains("href=\"https://x.example/magic/#token=a.b.c&amp;d=&quot;\""));
        assert!(mail.text.contains("https://x.example/magic/#token=a.b.c&d=\""));
    }

    #[test]
    fn a_name_turns_no_more_than_itself() {
        let to = Email::try_from("ann@example.org".to_owned()).unwrap();
        let mail = |name: &str| Mail::sign_in(&TenantName::try_from(name.to_owned()).unwrap(), &to, "l");
        let (ours, theirs) = (mail("FC"), mail("مكابي"));
        assert_eq!(ours.subject, "Sign in to FC");
        assert!(ours.text.contains("asked to sign in to FC."), "{}", ours.text);
        assert_eq!(theirs.subject, "Sign in to \u{2068}مكابي\u{2069}");
        assert!(theirs.text.contains("sign in to \u{2068}مكابي\u{2069}."), "{}", theirs.text);
        for (mail, name) in [(ours, "FC"), (theirs, "مكابي")] {
            assert!(
                mail.html.contains(&format!("sign in to <bdi dir=\"auto\">{name}</bdi>.")),
                "{}",
                mail.html
            );
        }
    }

    #[test]
    fn the_same_mail_is_the_same_to_the_byte() {
        let name = TenantName::try_from("FC".to_owned()).unwrap();
        let to = Email::try_from("ann@example.org".to_owned()).unwrap();
        assert_eq!(Mail::sign_in(&name, &to, "l"), Mail::sign_in(&name, &to, "l"));
    }
}
