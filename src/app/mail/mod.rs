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
mod tests {
    use super::{colors::readable, *};
    use crate::domain::{TenantName, Timestamp};

    const LINK: &str = "https://console.example/magic/#token=a.b.c&d=\"";
    const PAGE: &str = "https://console.example/magic/";

    fn name(text: &str) -> TenantName {
        // As it is stored: also what today's rules refuse.
        serde_json::from_value(text.into()).unwrap()
    }

    /// Every mail, of a tenant with this name.
    fn every(name: &TenantName) -> Vec<Mail<'_>> {
        let (link, page, at) = (LINK, Some(PAGE), Timestamp::from_seconds(1_800_000_000));
        let notice = |event| Mail::Security(SecurityNotice { name, event, at, page });
        let mut all = vec![
            Mail::ConfirmAddress(ConfirmAddress { code: "123456", link, page }),
            Mail::Welcome(Welcome {
                name,
                address: Some("fc.clubs.example"),
                spreadsheet: Some("https://docs.google.com/spreadsheets/d/1"),
                trial_ends_at: Some(at),
                link,
                page,
            }),
            Mail::SignIn(SignIn { name, link, code: Some("123456"), page }),
            Mail::Created(Created { name, link, page }),
            Mail::WebhookDisabled(WebhookDisabled {
                name,
                host: "hook.eu2.make.com",
                since: Some("2026-11-28"),
                page,
            }),
            Mail::WebhookDisabled(WebhookDisabled {
                name,
                host: "hook.eu2.make.com",
                since: None,
                page: None,
            }),
            notice(SecurityEvent::SignedIn {
                method: Some(SignInMethod::Code),
                browser: Some("Firefox"),
                platform: Some("Android"),
            }),
            notice(SecurityEvent::SessionEnded { browser: Some("Safari") }),
            notice(SecurityEvent::SignedOutEverywhere),
            notice(SecurityEvent::WebhookChanged { host: "hook.eu2.make.com" }),
            notice(SecurityEvent::AddressChanged { to: "b***@example.org" }),
        ];
        all.extend(SetupFailure::ALL.map(|why| Mail::SetupFailed(SetupFailed { name, why, link, page })));
        all
    }

    fn rendered(name: &TenantName) -> Vec<Message> {
        let style = |language| Style { language, ..Style::default() };
        let both = Language::ALL
            .map(|language| every(name).iter().map(|mail| render(mail, &style(language))).collect());
        both.into_iter().flat_map(|all: Vec<Message>| all).collect()
    }

    /// What the HTML says, without its markup.
    fn said(html: &str) -> String {
        let body = html.split_once("<h1").unwrap().1;
        let mut text = String::new();
        let mut rest = body.split_once('>').unwrap().1;
        while let Some((before, behind)) = rest.split_once('<') {
            text.push_str(before);
            let (tag, behind) = behind.split_once('>').unwrap();
            text.push_str(if tag.contains("bdi") { "" } else { " " });
            rest = behind;
        }
        let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
        entities.into_iter().fold(text, |text, (entity, sign)| text.replace(entity, sign))
    }

    fn words(text: &str) -> Vec<String> {
        let text = text.replace(['\u{2068}', '\u{2069}'], "");
        text.split_whitespace().map(|word| word.trim_end_matches(':').to_owned()).collect()
    }

    const HOSTILE: [&str; 9] = [
        "<b>\"FC\" & 'Co'</b><img src=x onerror=alert(1)>",
        "FC\r\nBcc: everybody@example.org\r\n\r\nHello",
        "\u{202e}moc.evil//:sptth\u{202c} FC",
        "\u{2069}\u{2069}FC\u{2068}",
        "https://evil.example/win www.evil.example ann@evil.example",
        "</title><script>alert(1)</script>",
        "FC\u{2028}second\u{2029}third\u{85}line\u{0}",
        "{name} {0} %s ${x}",
        "\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{1f469}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    ];

    #[test]
    fn what_a_tenant_typed_is_text_in_every_mail() {
        for hostile in HOSTILE {
            for mail in rendered(&name(hostile)) {
                let all = format!("{}{}{}", mail.subject, mail.text, mail.html);
                assert!(
                    !mail.html.contains("<b>")
                        && !mail.html.contains("<img")
                        && !mail.html.contains("<script"),
                    "{}",
                    mail.html
                );
                assert!(!mail.subject.contains(char::is_control), "{:?}", mail.subject);
                assert!(
                    !all.contains(['\u{202a}', '\u{202b}', '\u{202d}', '\u{202e}', '\u{2066}', '\u{2067}']),
                    "{all:?}"
                );
                assert!(!all.contains(['\u{2028}', '\u{2029}', '\u{85}', '\u{0}', '\r']), "{all:?}");
                // Nothing of it is an address to a mail program.
                for address in ["evil.example", "ann@evil", "www.evil", "everybody@example"] {
                    assert!(!all.contains(address), "{address} in {all}");
                }
                let opened = mail.text.matches('\u{2068}').count();
                assert_eq!(opened, mail.text.matches('\u{2069}').count());
                assert_eq!(mail.html.matches("<bdi").count(), mail.html.matches("</bdi>").count());
            }
        }
    }

    #[test]
    fn a_subject_is_one_line_of_at_most_78_characters() {
        let long = [
            "Sport".repeat(20),
            "Ein Verein mit sehr langem Namen ".repeat(3),
            "\u{1f469}\u{200d}\u{1f467}".repeat(33),
            "a\u{308}".repeat(50),
        ];
        for text in long.iter().map(String::as_str).chain(HOSTILE).chain(["FC"]) {
            for mail in rendered(&name(text)) {
                let length = mail.subject.chars().count();
                assert!(
                    (1..=78).contains(&length) && !mail.subject.contains(['\n', '\r']),
                    "{length}: {:?}",
                    mail.subject
                );
            }
        }
        let welcome = &rendered(&name(&long[1]))[1];
        assert_eq!(
            welcome.subject,
            "Welcome, Ein Verein mit sehr langem Namen Ein Verein mit sehr langem Namen…"
        );
    }

    #[test]
    fn the_mail_to_an_address_that_nobody_has_proven_says_nothing_that_its_sender_chose() {
        let color = HexColor::try_from("#ff00ff".to_owned()).unwrap();
        let mail = Mail::ConfirmAddress(ConfirmAddress { code: "123456", link: LINK, page: Some(PAGE) });
        for language in Language::ALL {
            let plain = render(&mail, &Style { language, ..Style::default() });
            assert_eq!(plain, render(&mail, &Style { language, color: Some(&color), ..Style::default() }));
            assert!(!plain.subject.contains("123456"), "what is in the subject is in logs");
            for part in [&plain.text, &plain.html] {
                assert!(part.contains("123456") && part.contains(PAGE), "{part}");
            }
            assert!(plain.text.contains(LINK));
        }
    }

    #[test]
    fn text_and_html_say_the_same() {
        for mail in rendered(&name("FC Nord")) {
            let html = words(&said(&mail.html));
            let (text, _) = mail.text.split_once("\n-- \n").unwrap();
            for word in words(text) {
                // Numbers of steps, and addresses in brackets, are not written out in HTML.
                let is_shown = word.ends_with('.') && word.len() == 2 || word.ends_with(')');
                assert!(is_shown || html.contains(&word), "{word:?} of\n{text}\nnot in\n{html:?}");
            }
        }
    }

    #[test]
    fn links_stand_beneath_their_button_and_nothing_else_is_fetched() {
        for mail in rendered(&name("FC")) {
            assert!(
                !mail.html.contains("<img") && !mail.html.contains("url(") && !mail.html.contains("<table")
            );
            assert!(!mail.html.contains("http://"), "{}", mail.html);
            if mail.text.contains(LINK) {
                let link = "https://console.example/magic/#token=a.b.c&amp;d=&quot;";
                assert_eq!(mail.html.matches(&format!("href=\"{link}\"")).count(), 2);
                assert!(mail.html.contains(&format!(">{link}</a>")));
            }
        }
    }

    /// The colours that follow `property:` there.
    fn colors(css: &str, property: &str) -> Vec<String> {
        let follow = css.split(property).skip(1).filter(|rest| rest.starts_with(":#"));
        follow.map(|rest| rest[1..8].to_owned()).collect()
    }

    /// Whatever stands on whatever: light as it is written at each piece, dark as the style sheet says.
    #[test]
    fn our_words_can_be_read_on_every_ground_of_ours_light_and_dark() {
        for mail in rendered(&name("FC")) {
            let (head, body) = mail.html.split_once("<body").unwrap();
            let (button, ours) = ("color:#ffffff", "background:#0f5c45");
            let body = body.replace(ours, "").replace(button, "");
            for css in [head, &body] {
                let css = css.replace("border-color", "").replace("background", "ground");
                let (inks, grounds) = (colors(&css, "color"), colors(&css, "ground"));
                assert!(inks.len() >= 3 && grounds.len() > 1, "{css}");
                for (ink, ground) in
                    inks.iter().flat_map(|ink| grounds.iter().map(move |ground| (ink, ground)))
                {
                    assert!(readable(ink, ground) >= 4.5, "{ink} on {ground}");
                }
            }
            assert!(readable("#ffffff", "#0f5c45") >= 4.5);
            // What the style sheet turns dark is marked so wherever it stands.
            for piece in
                body.split('<').filter(|piece| piece.contains("color:#") || piece.contains("background:#"))
            {
                let is_button = piece.contains("display:inline-block");
                assert!(is_button || piece.contains("class=\""), "{piece}");
            }
        }
    }

    #[test]
    fn what_is_configured_stands_below_every_mail() {
        let footer = Footer {
            support: Some("help@clubs.example"),
            terms: Some("https://clubs.example/terms?a=1&b=2"),
            privacy: Some("https://clubs.example/privacy"),
            imprint: None,
        };
        let name = name("FC");
        for mail in every(&name) {
            let with = render(&mail, &Style { language: Language::De, footer, color: None });
            assert!(with.text.ends_with(
            "\n-- \nTenantry\nFragen? help@clubs.example\nAGB: https://clubs.example/terms?a=1&b=2\nDatenschutz: \
             https://clubs.example/privacy\n"
        ), "{}", with.text);
            assert!(with.html.contains("href=\"mailto:help@clubs.example\""));
            assert!(with.html.contains("href=\"https://clubs.example/terms?a=1&amp;b=2\""));
            assert!(!with.html.contains("Impressum"));
            let without = render(&mail, &Style::default());
            assert!(without.text.ends_with("\n-- \nTenantry\n") && !without.html.contains("mailto:"));
        }
    }

    #[test]
    fn a_name_turns_no_more_than_itself() {
        let mail = |text: &str| {
            let name = name(text);
            render(
                &Mail::SignIn(SignIn { name: &name, link: "l", code: None, page: None }),
                &Style::default(),
            )
        };
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
    fn only_who_can_mend_it_is_asked_to() {
        let name = name("FC");
        for (why, asks) in [
            (SetupFailure::WebhookRejected, true),
            (SetupFailure::WebhookMissing, true),
            (SetupFailure::WebhookSilent, true),
            (SetupFailure::Ours, false),
            (SetupFailure::Stopped, false),
        ] {
            let mail = Mail::SetupFailed(SetupFailed { name: &name, why, link: LINK, page: None });
            let (en, de) = (
                render(&mail, &Style::default()),
                render(&mail, &Style { language: Language::De, ..Style::default() }),
            );
            assert_eq!(
                (en.text.contains("nothing for you to do"), en.text.contains("1. ")),
                (!asks, asks),
                "{why:?}"
            );
            assert_eq!(
                (de.text.contains("Sie müssen nichts tun"), de.text.contains("1. ")),
                (!asks, asks),
                "{why:?}"
            );
            assert_eq!(en.subject.contains("needs your help"), asks);
        }
    }

    #[test]
    fn the_same_mail_is_the_same_to_the_byte() {
        let name = name("FC");
        assert_eq!(rendered(&name), rendered(&name));
    }
}
