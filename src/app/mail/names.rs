//! How text that people typed stands within ours: as text, in its own direction, and leading nowhere.

use maud::{Markup, PreEscaped, html};

use crate::domain::TenantName;

/// Around what a tenant typed, in Unicode: what is written there turns nothing but itself.
const ISOLATES: [char; 2] = ['\u{2068}', '\u{2069}'];
/// Mail programs make links of what looks like an address, unless this stands in it. Nobody sees it.
const NO_LINK: char = '\u{200c}';
/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 78;

/// A tenant's name within a sentence of ours. Names of before today's rules may have anything in them.
pub(super) fn isolated(name: &TenantName) -> String {
    enclosed(&plain_name(name))
}

fn enclosed(name: &str) -> String {
    let [before, behind] = ISOLATES;
    format!("{before}{name}{behind}")
}

fn plain_name(name: &TenantName) -> String {
    let mut plain = String::with_capacity(name.as_str().len());
    let mut after_sign = false;
    for c in name.as_str().chars().map(|c| if c.is_control() || breaks_lines(c) { ' ' } else { c }) {
        if turns_text(c) {
            continue;
        }
        if after_sign && !c.is_whitespace() {
            plain.push(NO_LINK);
        }
        plain.push(c);
        after_sign = matches!(c, '.' | ':' | '@' | '。' | '．' | '｡');
    }
    plain
}

const fn breaks_lines(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}')
}

/// What changes the direction of what follows, isolates among it.
const fn turns_text(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

/// A subject with a name in it, of which it shows as much as fits.
pub(super) fn subject(headline: &str, name: Option<&TenantName>) -> String {
    let name = name.map(plain_name).unwrap_or_default();
    let room = (LONGEST_SUBJECT + "{}".len()).saturating_sub(headline.chars().count() + ISOLATES.len());
    let name = if name.chars().count() <= room { name } else { cut(&name, room) };
    // A line break in a subject is a header of its own to careless mailers.
    plain(&headline.replace("{}", &enclosed(&name))).replace(char::is_control, " ")
}

/// As much of a name as fits: not in the middle of a letter that has several parts, and better between two words.
fn cut(name: &str, room: usize) -> String {
    let mut short: String = name.chars().take(room.saturating_sub(1)).collect();
    while name.strip_prefix(short.as_str()).and_then(|rest| rest.chars().next()).is_some_and(continues)
        || short.ends_with('\u{200d}')
    {
        short.pop();
    }
    let at_a_word = short.rfind(' ').filter(|at| *at > short.len() / 2);
    let kept = at_a_word.and_then(|at| short.get(..at)).unwrap_or(&short);
    format!("{}…", kept.trim_end())
}

const fn continues(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// The same as HTML says it.
pub(super) fn marked(text: &str) -> Markup {
    let [before, behind] = ISOLATES;
    let html = html! { (text) }.into_string();
    PreEscaped(html.replace(before, "<bdi dir=\"auto\">").replace(behind, "</bdi>"))
}

/// The same as plain text: with nothing around a name that is written in the direction of ours.
pub(super) fn plain(text: &str) -> String {
    let is_right_to_left = |c: char| {
        matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
            | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
    };
    if text.chars().any(is_right_to_left) { text.to_owned() } else { text.replace(ISOLATES, "") }
}
