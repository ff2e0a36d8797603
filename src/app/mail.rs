//! What our mails say.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::{
    domain::{Email, TenantName, Timestamp},
    store::notices::Notice,
};

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
            Some(link),
            "If you did not sign a club up, you can ignore this mail.",
        )
    }

    /// The mail that signs an owner in.
    pub fn sign_in(name: &TenantName, to: &Email, link: &str, code: &str) -> Self {
        let name = isolated(name);
        Self::compose(
            to,
            &format!("Sign in to {name}"),
            &[
                &format!("Somebody, hopefully you, asked to sign in to {name}."),
                &format!("Type this code where you asked for it: {code}"),
                "Or use this link to sign in. Either works once, and for 24 hours.",
            ],
            Some(link),
            "If it was not you, you can ignore this mail: nobody gets in without the code or the link. Tell neither to anybody.",
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
            Some(link),
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

    /// The mail that tells an owner of something that only they, or their people, should have done.
    pub fn security_notice(name: &TenantName, to: &Email, notice: &Notice, at: Timestamp) -> Self {
        let name = isolated(name);
        let when = at.rfc3339();
        let when = when.get(..16).unwrap_or_default().replace('T', " at ");
        let (subject, what) = match notice {
            Notice::SignedIn { browser, platform } => {
                let device = [spoken(browser), spoken(platform)].map(|word| word.unwrap_or("an unknown one"));
                let what =
                    format!("Somebody signed in to {name}, with the browser {} on {}.", device[0], device[1]);
                (format!("New sign-in to {name}"), what)
            }
            Notice::SessionEnded => (
                format!("A sign-in to {name} was ended"),
                format!("One of the sign-ins to {name} was ended."),
            ),
            Notice::AllEnded => (
                format!("Signed out of {name} everywhere"),
                format!("Every sign-in to {name} was ended. Whoever goes on has to sign in again."),
            ),
            Notice::WebhookChanged { host } => (
                format!("The webhook of {name} was changed"),
                format!("What happens to {name} is told to a webhook on {host} from now on."),
            ),
        };
        Self::compose(
            to,
            &subject,
            &[&what, &format!("That was on {when} (UTC).")],
            None,
            "If that was you, there is nothing to do. If not, sign in, sign out everywhere, and tell our support.",
        )
    }

    fn compose(to: &Email, subject: &str, paragraphs: &[&str], link: Option<&str>, footer: &str) -> Self {
        // A line break in a subject is a header of its own to careless mailers; a tenant's name has none by its parse.
        let parts: Vec<&str> = paragraphs.iter().copied().chain(link).chain([footer]).collect();
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
                    @if let Some(link) = link {
                        p { a href=(link) style=(BUTTON) { "Sign in" } }
                    }
                    p style="color:#555" { (footer) }
                }
            }
        };
        let html = html.into_string();
        Self { to: to.clone(), subject, html, text }
    }
}

/// A browser, or what it runs on, as people call it.
fn spoken(word: &str) -> Option<&'static str> {
    Some(match word {
        "edge" => "Edge",
        "opera" => "Opera",
        "samsung" => "Samsung Internet",
        "firefox" => "Firefox",
        "chrome" => "Chrome",
        "safari" => "Safari",
        "android" => "Android",
        "ios" => "iOS",
        "windows" => "Windows",
        "chromeos" => "ChromeOS",
        "mac" => "a Mac",
        "linux" => "Linux",
        _ => return None,
    })
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
        let mail =
            |name: &str| Mail::sign_in(&TenantName::try_from(name.to_owned()).unwrap(), &to, "l", "123456");
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
        let mail = || Mail::sign_in(&name, &to, "l", "123456");
        assert_eq!(mail(), mail());
    }
}
