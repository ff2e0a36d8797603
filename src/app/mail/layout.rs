//! What a mail says, once, and the two ways to show it: for people who see it, and as plain text.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::domain::{Language, TenantName};

use super::{
    Footer, Message,
    colors::Accent,
    names::{isolated, marked, plain, subject},
};

/// What our pages are called.
const PRODUCT: &str = "Tenantry";

/// What a mail says. `{}` stands for the tenant's name.
pub(super) struct Letter<'a> {
    /// The tenant that it is about.
    pub name: Option<&'a TenantName>,
    /// Its subject, and what stands above it.
    pub headline: &'static str,
    pub blocks: Vec<Block<'a>>,
    /// Why somebody got it, or what to do who did not expect it.
    pub note: &'static str,
}

/// A piece of it.
pub(super) enum Block<'a> {
    Paragraph(&'static str),
    /// What is typed elsewhere.
    Code(&'a str),
    /// Where it goes on: a button with this on it, and the address itself under it.
    Link(&'static str, &'a str),
    /// A sentence that ends with the address of a page.
    Pointer(&'static str, &'a str),
    /// What is known, by name.
    Facts(Vec<Fact>),
    /// What to do, in this order.
    Steps(&'static [&'static str]),
    /// Nothing, for want of what it would say.
    Nothing,
}

/// A name and what it stands for.
pub(super) struct Fact {
    pub name: &'static str,
    pub value: String,
    pub url: Option<String>,
}

impl<'a> Block<'a> {
    pub fn page(label: &'static str, url: Option<&'a str>) -> Self {
        url.map_or(Self::Nothing, |url| Self::Link(label, url))
    }

    pub fn pointer(text: &'static str, url: Option<&'a str>) -> Self {
        url.map_or(Self::Nothing, |url| Self::Pointer(text, url))
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Facts(facts) => facts.is_empty(),
            _ => false,
        }
    }
}

/// How it is to be shown; and nothing in it is to become a link by itself.
const HEAD: &str = concat!(
    "<meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">",
    "<meta name=\"color-scheme\" content=\"light dark\">",
    "<meta name=\"supported-color-schemes\" content=\"light dark\">",
    "<meta name=\"format-detection\" content=\"telephone=no,date=no,address=no,email=no,url=no\">",
);
/// For programs that follow the reader's own choice of light or dark; what others show has its colours beside it.
const STYLE: &str = concat!(
    ":root{color-scheme:light dark;supported-color-schemes:light dark}",
    "@media (prefers-color-scheme:dark){",
    ".page{background:#0f1513!important}",
    ".sheet{background:#18201d!important;border-color:#2b3632!important}",
    ".sunk{background:#111815!important;border-color:#2b3632!important}",
    ".ink{color:#e8edea!important}",
    ".soft{color:#a4afaa!important}",
    ".link{color:#7fd6b1!important}",
    ".line{border-color:#2b3632!important}}",
);

const FONT: &str = "font-family:-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Noto Sans','Liberation Sans',Arial,sans-serif;";
const BODY: &str = "margin:0;padding:0;background:#f6f5f0;";
const PAGE: &str = "padding:24px 12px;background:#f6f5f0;font-size:16px;line-height:1.55;";
const UNSEEN: &str = "display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;";
const SHEET: &str = "max-width:536px;margin:0 auto;background:#ffffff;border:1px solid #dddbd1;border-radius:12px;\
    overflow:hidden;";
const INSIDE: &str = "padding:24px 24px 28px;";
const PRODUCT_NAME: &str = "margin:0 0 20px;font-size:15px;font-weight:700;color:#56605b;";
const TITLE: &str =
    "margin:0 0 16px;font-size:24px;line-height:1.25;font-weight:700;color:#1b2320;overflow-wrap:anywhere;";
const TEXT: &str = "margin:0 0 16px;color:#1b2320;overflow-wrap:anywhere;";
const CODE: &str = "margin:0 0 20px;padding:16px 8px;background:#f1f0e9;border:1px solid #dddbd1;border-radius:8px;\
    font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono',monospace;font-size:32px;line-height:1.2;\
    font-weight:700;letter-spacing:6px;text-align:center;-webkit-user-select:all;user-select:all;color:#1b2320;";
const BUTTON: &str =
    "display:inline-block;padding:12px 22px;border-radius:8px;font-weight:600;text-decoration:none;";
const AROUND_BUTTON: &str = "margin:24px 0 12px;";
const UNDER_BUTTON: &str = "margin:0 0 20px;font-size:13px;line-height:1.45;color:#56605b;";
const ADDRESS: &str = "color:#0f5c45;overflow-wrap:anywhere;word-break:break-all;";
const LINK: &str = "color:#0f5c45;overflow-wrap:anywhere;";
const FACTS: &str =
    "margin:0 0 16px;padding:12px 16px;background:#f1f0e9;border:1px solid #dddbd1;border-radius:8px;";
const FACT_NAME: &str = "margin:0;font-size:13px;color:#56605b;";
const FACT_VALUE: &str = "margin:0 0 10px;font-weight:600;color:#1b2320;overflow-wrap:anywhere;";
const STEPS: &str = "margin:0 0 16px;padding:0 0 0 22px;color:#1b2320;";
const STEP: &str = "margin:0 0 6px;";
const NOTE: &str = "margin:24px 0 0;padding:16px 0 0;border-top:1px solid #dddbd1;font-size:14px;line-height:1.5;color:#56605b;\
    overflow-wrap:anywhere;";
const BELOW: &str = "max-width:536px;margin:0 auto;padding:16px 12px 0;font-size:13px;line-height:1.6;text-align:center;\
    color:#56605b;";
const BELOW_LINE: &str = "margin:0 0 4px;overflow-wrap:anywhere;";

impl Letter<'_> {
    /// As it is sent.
    pub fn compose(mut self, language: Language, accent: &Accent, footer: &Footer<'_>) -> Message {
        self.blocks.retain(|block| !block.is_empty());
        let written = Written { name: self.name.map(isolated).unwrap_or_default(), language };
        let subject = subject(self.headline, self.name);
        let text = self.text(&written, footer);
        let html = self.html(&written, accent, footer, &subject).into_string();
        Message { subject, text, html }
    }

    fn text(&self, written: &Written, footer: &Footer<'_>) -> String {
        let mut text = String::new();
        let mut part = |lines: &[&str]| {
            text.extend(lines.iter().copied());
            text.push_str("\n\n");
        };
        part(&[&written.out(self.headline)]);
        for block in &self.blocks {
            match block {
                Block::Nothing => {}
                Block::Paragraph(text) => part(&[&written.out(text)]),
                Block::Code(code) => part(&[code]),
                Block::Link(label, url) => part(&[label, ":\n", url]),
                Block::Pointer(text, url) => part(&[text, "\n", url]),
                Block::Facts(facts) => part(&[&lines(facts.iter().map(Fact::line))]),
                Block::Steps(steps) => {
                    part(&[&lines((1..).zip(*steps).map(|(number, step)| format!("{number}. {step}")))]);
                }
            }
        }
        // Mail programs look for this line above what is not the message.
        part(&[self.note, "\n\n-- \n", PRODUCT]);
        text.truncate(text.trim_end().len());
        if let Some(support) = footer.support {
            text.extend(["\n", written.pick("Questions?", "Fragen?"), " ", support]);
        }
        for (name, url) in footer.links(written.language) {
            text.extend(["\n", name, ": ", url]);
        }
        text.push('\n');
        plain(&text)
    }

    fn html(&self, written: &Written, accent: &Accent, footer: &Footer<'_>, subject: &str) -> Markup {
        let first = self.blocks.iter().find_map(|block| match block {
            Block::Paragraph(text) => Some(*text),
            _ => None,
        });
        html! {
            (DOCTYPE)
            html lang=(written.language.as_str()) dir="ltr" {
                head {
                    (PreEscaped(HEAD))
                    title { (subject) }
                    style { (PreEscaped(STYLE)) }
                }
                body class="page" style=(BODY) {
                    div class="page" role="main" style={ (PAGE) (FONT) } {
                        // What a list of mails shows beside the subject.
                        div style=(UNSEEN) aria-hidden="true" { (marked(&written.out(first.unwrap_or_default()))) }
                        div class="sheet" style=(SHEET) {
                            div style={ "height:6px;font-size:0;line-height:0;background:" (accent.fill) ";" } {}
                            div style=(INSIDE) {
                                p class="soft" style=(PRODUCT_NAME) { (PRODUCT) }
                                h1 class="ink" style=(TITLE) { (marked(&written.out(self.headline))) }
                                @for block in &self.blocks { (block.html(written, accent)) }
                                p class="soft line" style=(NOTE) { (self.note) }
                            }
                        }
                        (footer.html(written))
                    }
                }
            }
        }
    }
}

/// How it is written out.
struct Written {
    /// The tenant's name, within its isolates.
    name: String,
    language: Language,
}

impl Written {
    fn out(&self, text: &str) -> String {
        text.replace("{}", &self.name)
    }

    const fn pick(&self, english: &'static str, german: &'static str) -> &'static str {
        self.language.pick(english, german)
    }
}

fn lines(all: impl Iterator<Item = String>) -> String {
    all.collect::<Vec<_>>().join("\n")
}

impl Block<'_> {
    fn html(&self, written: &Written, accent: &Accent) -> Markup {
        html! {
            @match self {
                Self::Nothing => {}
                Self::Paragraph(text) => p class="ink" style=(TEXT) { (marked(&written.out(text))) },
                Self::Pointer(text, url) => p class="ink" style=(TEXT) {
                    (text) br; a class="link" href=(url) style=(LINK) { (url) }
                },
                Self::Code(code) => p class="ink sunk" style=(CODE) { (code) },
                Self::Link(label, url) => {
                    p style=(AROUND_BUTTON) {
                        a href=(url) style={
                            (BUTTON) "background:" (accent.fill) ";color:" (accent.text) ";border:1px solid " (accent.edge) ";"
                        } { (label) }
                    }
                    p class="soft" style=(UNDER_BUTTON) {
                        (written.pick("Or copy this address into your browser:", "Oder kopieren Sie diese Adresse in Ihren Browser:"))
                        br;
                        a class="link" href=(url) style=(ADDRESS) { (url) }
                    }
                }
                Self::Facts(facts) => div class="sunk" style=(FACTS) {
                    @for fact in facts {
                        p class="soft" style=(FACT_NAME) { (fact.name) }
                        p class="ink" style=(FACT_VALUE) {
                            @match &fact.url {
                                Some(url) => a class="link" href=(url) style=(LINK) { (fact.value) },
                                None => (fact.value),
                            }
                        }
                    }
                },
                Self::Steps(steps) => ol class="ink" style=(STEPS) {
                    @for step in *steps { li style=(STEP) { (step) } }
                },
            }
        }
    }
}

impl Fact {
    fn line(&self) -> String {
        let mut line = [self.name, ": ", &self.value].concat();
        // What can be pressed there is written out here.
        if let Some(url) = self.url.as_ref().filter(|url| **url != self.value) {
            line.extend([" (", url, ")"]);
        }
        line
    }
}

impl Footer<'_> {
    /// What is linked at the end, by name.
    fn links(&self, language: Language) -> impl Iterator<Item = (&'static str, &str)> {
        [
            (language.pick("Terms", "AGB"), self.terms),
            (language.pick("Privacy", "Datenschutz"), self.privacy),
            (language.pick("Imprint", "Impressum"), self.imprint),
        ]
        .into_iter()
        .filter_map(|(name, url)| url.map(|url| (name, url)))
    }

    fn html(&self, written: &Written) -> Markup {
        html! {
            div class="soft" style=(BELOW) {
                @if let Some(support) = self.support {
                    p style=(BELOW_LINE) {
                        (written.pick("Questions?", "Fragen?")) " "
                        a class="link" href={ "mailto:" (support) } style=(LINK) { (support) }
                    }
                }
                @if self.links(written.language).next().is_some() {
                    p style=(BELOW_LINE) {
                        @for (index, (name, url)) in self.links(written.language).enumerate() {
                            @if index > 0 { " · " }
                            a class="link" href=(url) style=(LINK) { (name) }
                        }
                    }
                }
            }
        }
    }
}
