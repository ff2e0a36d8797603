//! By the JavaScript runtime.

use js_sys::{JsString, RegExp};
use web_sys::Url;

use super::Address;

thread_local! {
    static UNASSIGNED: RegExp = RegExp::new(r"[\p{Cn}\p{Co}\p{Cs}]", "u");
    static MARK: RegExp = RegExp::new(r"\p{M}", "u");
}

/// The sign that joins letters in Devanagari, of the canonical combining class 9.
const VIRAMA: char = '\u{94d}';
/// The only sign of the highest class there is.
const LAST: char = '\u{345}';

pub fn nfc(text: &str) -> String {
    normalized(text, "NFC")
}

pub fn nfkd(text: &str) -> String {
    normalized(text, "NFKD")
}

fn normalized(text: &str, form: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { JsString::from(text).normalize(form).into() }
}

/// Whether it is a character, and none for private use.
pub fn is_assigned(c: char) -> bool {
    c.is_ascii() || !UNASSIGNED.with(|pattern| tests(pattern, c))
}

/// Whether it changes the character before it.
pub fn is_mark(c: char) -> bool {
    !c.is_ascii() && MARK.with(|pattern| tests(pattern, c))
}

fn tests(pattern: &RegExp, c: char) -> bool {
    pattern.test(c.encode_utf8(&mut [0; 4]))
}

/// Points and strokes on a letter; not the vowel signs of scripts that write vowels so.
pub fn is_accent(c: char) -> bool {
    !c.is_ascii() && (is_ordered(VIRAMA, c) || is_ordered(c, VIRAMA))
}

/// Whether it joins letters.
pub fn is_joiner(c: char) -> bool {
    !c.is_ascii() && is_ordered(LAST, c) && !is_accent(c)
}

/// Whether `second` goes before `first`. JavaScript does not tell combining classes, but the normal forms order by them: a sign of a
/// lower class moves before one of a higher, and one of class 0 never moves.
fn is_ordered(first: char, second: char) -> bool {
    let both: String = [first, second].iter().collect();
    first != second && normalized(&both, "NFD").starts_with(second)
}

pub fn to_ascii(domain: &str) -> Option<String> {
    // A name in plain letters means itself, and need not cross.
    if domain.is_ascii() && !domain.to_ascii_lowercase().contains("xn--") {
        return Some(domain.to_ascii_lowercase());
    }
    let ascii = hostname(domain)?;
    ascii.split('.').all(is_what_it_stands_for).then_some(ascii)
}

/// The runtime takes A-labels as they are, also those that stand for what no name may have.
fn is_what_it_stands_for(label: &str) -> bool {
    let Some(code) = label.strip_prefix("xn--") else { return true };
    idna::punycode::decode_to_string(code).and_then(|meant| hostname(&meant)).as_deref() == Some(label)
}

fn hostname(domain: &str) -> Option<String> {
    Url::new(&format!("https://{domain}")).ok().map(|url| url.hostname())
}

pub fn address(text: &str, base: Option<&str>) -> Option<Address> {
    let url = match base {
        Some(base) => Url::new_with_base(text, base),
        None => Url::new(text),
    };
    let url = url.ok()?;
    url.set_hash("");
    let host = url.hostname();
    host.split('.').all(is_what_it_stands_for).then(|| Address {
        text: url.href(),
        scheme: url.protocol().trim_end_matches(':').to_owned(),
        host,
        path: url.pathname(),
        names_port: !url.port().is_empty(),
        has_credentials: !url.username().is_empty() || !url.password().is_empty(),
    })
}
