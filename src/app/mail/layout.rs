//! What a mail says, once, and the two ways to show it: for people who see it, and as plain text.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::domain::Language;

use super::{
    Footer, Message,
    colors::Accent,
    names::{marked, plain},
};

/// What our pages are called.
const PRODUCT: &str = "Tenantry";

/// What a mail says.
pub(super) struct Letter {
    pub subject: String,
    /// What it is about: also what a list of mails shows of it.
    pub title: String,
    pub blocks: Vec<Block>,
    /// Why somebody got it, and what to do who did not expect it.
    pub note: String,
}

/// A piece of it.
pub(super) enum Block {
    Paragraph(String),
    /// What is typed elsewhere.
    Code(String),
    /// Where it goes on: a button, and the address itself under it.
    Link {
        label: &'static str,
        url: String,
    },
    /// A sentence that ends with the address of a page.
    Pointer {
        text: &'static str,
        url: String,
    },
    /// Nothing, for want of what it would say.
    Nothing,
    /// What is known, by name.
    Facts(Vec<Fact>),
    /// What to do, in this order.
    Steps(Vec<&'static str>),
}

/// A name and what it stands for.
pub(super) struct Fact {
    pub name: &'static str,
    pub value: String,
    pub url: Option<String>,
}

impl Block {
    pub fn paragraph(text: impl Into<String>) -> Self {
        Self::Paragraph(text.into())
    }

    pub fn link(label: &'static str, url: &str) -> Self {
        Self::Link { label, url: url.to_owned() }
    }

    pub fn page(label: &'static str, url: Option<&str>) -> Self {
        url.map_or(Self::Nothing, |url| Self::link(label, url))
    }

    pub fn pointer(text: &'static str, url: Option<&str>) -> Self {
        url.map_or(Self::Nothing, |url| Self::Pointer { text, url: url.to_owned() })
    }
}

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
const AROUND_BUTTON: &str = "margin:24px 0 12px;";
const UNDER_BUTTON: &str = "margin:0 0 20px;font-size:13px;line-height:1.45;color:#56605b;";
const ADDRESS: &str = "color:#0f5c45;overflow-wrap:anywhere;word-break:break-all;";
const LINK: &str = "color:#0f5c45;overflow-wrap:anywhere;";
const FACTS: &str =
    "margin:0 0 16px;padding:12px 16px;background:#f1f0e9;border:1px solid #dddbd1;border-radius:8px;";
const FACT_NAME: &str = "margin:0;font-size:13px;color:#56605b;";
const FACT_VALUE: &str = "margin:0 0 10px;font-weight:600;color:#1b2320;overflow-wrap:anywhere;";
const LAST_FACT_VALUE: &str = "margin:0;font-weight:600;color:#1b2320;overflow-wrap:anywhere;";
const STEPS: &str = "margin:0 0 16px;padding:0 0 0 22px;color:#1b2320;";
const STEP: &str = "margin:0 0 6px;";
const NOTE: &str = "margin:24px 0 0;padding:16px 0 0;border-top:1px solid #dddbd1;font-size:14px;line-height:1.5;color:#56605b;\
    overflow-wrap:anywhere;";
const BELOW: &str = "max-width:536px;margin:0 auto;padding:16px 12px 0;font-size:13px;line-height:1.6;text-align:center;\
    color:#56605b;";
const BELOW_LINE: &str = "margin:0 0 4px;overflow-wrap:anywhere;";

impl Letter {
    /// As it is sent.
    pub fn compose(&self, language: Language, accent: &Accent, footer: &Footer<'_>) -> Message {
        // A line break in a subject is a header of its own to careless mailers.
        let subject = plain(&self.subject).replace(char::is_control, " ");
        let html = self.html(language, accent, footer, &subject).into_string();
        Message { text: self.text(language, footer), subject, html }
    }

    fn text(&self, language: Language, footer: &Footer<'_>) -> String {
        let blocks =
            self.blocks.iter().filter(|block| !matches!(block, Block::Nothing)).map(|block| match block {
                Block::Nothing => String::new(),
                Block::Paragraph(text) | Block::Code(text) => text.clone(),
                Block::Link { label, url } => format!("{label}:\n{url}"),
                Block::Pointer { text, url } => format!("{text}\n{url}"),
                Block::Facts(facts) => {
                    let lines: Vec<String> = facts.iter().map(Fact::line).collect();
                    lines.join("\n")
                }
                Block::Steps(steps) => {
                    let lines: Vec<String> =
                        (1..).zip(steps).map(|(number, step)| format!("{number}. {step}")).collect();
                    lines.join("\n")
                }
            });
        let parts: Vec<String> =
            [self.title.clone()].into_iter().chain(blocks).chain([self.note.clone()]).collect();
        // The line under which mail programs look for what is not the message.
        let mut below = vec![format!("-- \n{PRODUCT}")];
        if let Some(support) = footer.support {
            below.push(format!("{} {support}", language.pick("Questions?", "Fragen?")));
        }
        below.extend(footer.links(language).map(|(name, url)| format!("{name}: {url}")));
        plain(&format!("{}\n\n{}\n", parts.join("\n\n"), below.join("\n")))
    }

    fn html(&self, language: Language, accent: &Accent, footer: &Footer<'_>, subject: &str) -> Markup {
        html! {
            (DOCTYPE)
            html lang=(language.as_str()) dir="ltr" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width,initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="supported-color-schemes" content="light dark";
                    meta name="format-detection" content="telephone=no,date=no,address=no,email=no,url=no";
                    title { (subject) }
                    style { (PreEscaped(STYLE)) }
                }
                body class="page" style=(BODY) {
                    div class="page" role="main" style={ (PAGE) (FONT) } {
                        @if let Some(Block::Paragraph(first)) = self.blocks.first() {
                            div style=(UNSEEN) aria-hidden="true" { (marked(first)) }
                        }
                        div class="sheet" style=(SHEET) {
                            div style={ "height:6px;font-size:0;line-height:0;background:" (accent.fill) ";" } {}
                            div style=(INSIDE) {
                                p class="soft" style=(PRODUCT_NAME) { (PRODUCT) }
                                h1 class="ink" style=(TITLE) { (marked(&self.title)) }
                                @for block in &self.blocks { (block.html(language, accent)) }
                                p class="soft line" style=(NOTE) { (marked(&self.note)) }
                            }
                        }
                        (footer.html(language))
                    }
                }
            }
        }
    }
}

impl Block {
    fn html(&self, language: Language, accent: &Accent) -> Markup {
        html! {
            @match self {
                Self::Nothing => {}
                Self::Pointer { text, url } => p class="ink" style=(TEXT) {
                    (text) br; a class="link" href=(url) style=(LINK) { (url) }
                },
                Self::Paragraph(text) => p class="ink" style=(TEXT) { (marked(text)) },
                Self::Code(code) => p class="ink sunk" style=(CODE) { (code) },
                Self::Link { label, url } => {
                    p style=(AROUND_BUTTON) {
                        a href=(url) style={
                            "display:inline-block;padding:12px 22px;border-radius:8px;font-weight:600;text-decoration:none;"
                            "background:" (accent.fill) ";color:" (accent.text) ";border:1px solid " (accent.edge) ";"
                        } { (label) }
                    }
                    p class="soft" style=(UNDER_BUTTON) {
                        (language.pick("Or copy this address into your browser:", "Oder kopieren Sie diese Adresse in Ihren Browser:"))
                        br;
                        a class="link" href=(url) style=(ADDRESS) { (url) }
                    }
                }
                Self::Facts(facts) => div class="sunk" style=(FACTS) {
                    @for (index, fact) in facts.iter().enumerate() {
                        p class="soft" style=(FACT_NAME) { (fact.name) }
                        p class="ink" style=(if index + 1 == facts.len() { LAST_FACT_VALUE } else { FACT_VALUE }) {
                            @match &fact.url {
                                Some(url) => a class="link" href=(url) style=(LINK) { (fact.value) },
                                None => (marked(&fact.value)),
                            }
                        }
                    }
                },
                Self::Steps(steps) => ol class="ink" style=(STEPS) {
                    @for step in steps { li style=(STEP) { (step) } }
                },
            }
        }
    }
}

impl Fact {
    fn line(&self) -> String {
        match &self.url {
            // What can be pressed there is written out here.
            Some(url) if *url != self.value => {
                format!("{}: {} ({url})", self.name, self.value)
            }
            _ => format!("{}: {}", self.name, self.value),
        }
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

    fn html(&self, language: Language) -> Markup {
        html! {
            div class="soft" style=(BELOW) {
                @if let Some(support) = self.support {
                    p style=(BELOW_LINE) {
                        (language.pick("Questions?", "Fragen?")) " "
                        a class="link" href={ "mailto:" (support) } style=(LINK) { (support) }
                    }
                }
                @if self.links(language).next().is_some() {
                    p style=(BELOW_LINE) {
                        @for (index, (name, url)) in self.links(language).enumerate() {
                            @if index > 0 { " · " }
                            a class="link" href=(url) style=(LINK) { (name) }
                        }
                    }
                }
            }
        }
    }
}
