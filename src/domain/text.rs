//! Text that people type or paste: one reading of it, for every door.
//!
//! What looks the same is the same text: composed, and without what nobody sees at its ends. What is stored was read once and is not
//! read again by these rules.

use super::{
    field_errors::InvalidValue,
    standard::{is_accent, is_assigned, is_joiner, is_mark, nfc, nfkd},
};

/// The text as it is meant: in normalisation form C, without blanks and invisible characters at its ends; empty where nothing of it can
/// be seen.
pub fn read(text: &str) -> Result<String, InvalidValue> {
    let composed = nfc(text);
    let text = trimmed(&composed);
    match text.chars().find_map(|c| unwanted(c).map(|name| (c, name))) {
        Some((c, name)) => {
            let message = format!("This can't contain {name} (U+{:04X}).", u32::from(c));
            Err(InvalidValue::new("invalid_characters", message))
        }
        None if text.chars().all(|c| is_blank(c) || is_mark(c)) => Ok(String::new()),
        None => Ok(text.to_owned()),
    }
}

/// The text as it is meant, of up to `longest` characters.
pub fn line(text: &str, longest: usize) -> Result<String, InvalidValue> {
    let text = read(text)?;
    match text.chars().count() {
        0 => Err(InvalidValue::required()),
        length if length > longest => {
            Err(InvalidValue::new("too_long", format!("Use at most {longest} characters.")))
        }
        _ => Ok(text),
    }
}

/// The text without case, accents and invisible characters: what is searched, and what is searched for.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let small: String = nfkd(text).chars().filter(|c| !is_accent(*c)).flat_map(char::to_lowercase).collect();
    // Some letters come apart only once they are small.
    for letter in nfkd(&small).chars().filter(|c| !is_accent(*c)) {
        match letter {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'đ' | 'ð' => folded.push('d'),
            'ħ' => folded.push('h'),
            'ı' => folded.push('i'),
            'ł' => folded.push('l'),
            'ŋ' => folded.push('n'),
            'ŧ' => folded.push('t'),
            'ς' => folded.push('σ'),
            c if c.is_whitespace() => {
                if !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            c if is_blank(c) => {}
            c => folded.push(c),
        }
    }
    folded.trim().to_owned()
}

/// The text without what nobody sees at its ends.
fn trimmed(text: &str) -> &str {
    let text = text.trim_start_matches(is_blank);
    let seen = text.trim_end_matches(is_blank);
    let behind = text.strip_prefix(seen).unwrap_or_default();
    let kept: usize = belonging(seen.chars().next_back(), behind).map(char::len_utf8).sum();
    text.split_at_checked(seen.len() + kept).map_or(seen, |(kept, _)| kept)
}

/// What of `behind` belongs to the last character that is seen: which form of it is meant, or whose flag it is.
fn belonging(last: Option<char>, behind: &str) -> impl Iterator<Item = char> {
    let is_flag = last == Some('\u{1f3f4}');
    let joins = last.is_some_and(is_joiner);
    behind.chars().enumerate().map_while(move |(index, c)| {
        let belongs = match c {
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => index == 0 && last.is_some(),
            '\u{200c}' | '\u{200d}' => index == 0 && joins,
            '\u{e0020}'..='\u{e007f}' => is_flag,
            _ => false,
        };
        belongs.then_some(c)
    })
}

/// Whether nobody sees it: a blank, or a character that has no width or no shape of its own.
pub fn is_blank(c: char) -> bool {
    c.is_whitespace()
        || matches!(c,
            // Soft hyphen, joiners and fillers.
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}' | '\u{16fe4}'
            // Marks of direction.
            | '\u{61c}' | '\u{200e}' | '\u{200f}'
            // Zero width, and what formats without a shape.
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}' | '\u{fff0}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Variation selectors, and tags.
            | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}'
            // Shapes without ink.
            | '\u{2800}' | '\u{1d159}')
}

/// What no text may contain, by name.
fn unwanted(c: char) -> Option<&'static str> {
    match c {
        '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' => Some("a line break"),
        '\u{2028}' => Some("a line separator"),
        '\u{2029}' => Some("a paragraph separator"),
        '\0' => Some("the character NUL"),
        '\t' => Some("a tab"),
        _ if c.is_control() => Some("a control character"),
        // What follows is shown in another order than it stands there: a name could show as another one.
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some("a character that turns the direction of the text")
        }
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}' => None,
        _ if !is_assigned(c) => Some("a character that does not exist"),
        _ => None,
    }
}

/// What a machine elsewhere said, short enough and safe to show: no address, no key, nothing that moves the cursor or the text.
pub fn quoted(text: &str) -> Option<String> {
    const LONGEST: usize = 160;
    let plain: String =
        nfc(text).chars().map(|c| if unwanted(c).is_some() || is_blank(c) { ' ' } else { c }).collect();
    let words: Vec<&str> =
        plain.split_whitespace().map(|word| if may_be_told(word) { word } else { "…" }).collect();
    let said = words.join(" ");
    let mut short: String = said.chars().take(LONGEST).collect();
    if short.len() < said.len() {
        short.push('…');
    }
    let says_something = short.chars().any(char::is_alphanumeric);
    says_something.then_some(short)
}

/// Whether a word is none that leads somewhere or opens something.
fn may_be_told(word: &str) -> bool {
    const LONGEST_WORD: usize = 24;
    let leads = word.contains("://") || word.contains('@') || word.contains("//") || word.contains("www.");
    let is_given = word.contains('=') || word.starts_with("whsec_") || word.starts_with("eyJ");
    let opaque = word.split(|c: char| !(c.is_ascii_alphanumeric() || "-_+/.~".contains(c)));
    !leads
        && !is_given
        && opaque.into_iter().all(|run| {
            run.len() < LONGEST_WORD && !(run.len() >= 16 && run.bytes().any(|b| b.is_ascii_digit()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Case {
        text: String,
        read: Option<String>,
        length: Option<usize>,
    }

    /// The page reads by the same cases: tests/browser/text.test.mjs.
    #[test]
    fn text_is_read_as_the_page_reads_it() {
        let cases: Vec<Case> = serde_json::from_str(include_str!("../../tests/browser/texts.json")).unwrap();
        assert!(cases.len() > 40);
        for Case { text, read: expected, length } in cases {
            let read = read(&text).ok();
            assert_eq!(read, expected, "{}", text.escape_unicode());
            assert_eq!(read.map(|text| text.chars().count()), length, "{}", text.escape_unicode());
        }
    }

    #[test]
    fn what_is_refused_is_refused_by_name() {
        for (text, name) in [
            ("a\nb", "a line break (U+000A)"),
            ("a\u{2028}b", "a line separator (U+2028)"),
            ("a\u{2029}b", "a paragraph separator (U+2029)"),
            ("a\tb", "a tab (U+0009)"),
            ("\0", "the character NUL (U+0000)"),
            ("a\u{1b}[2J", "a control character (U+001B)"),
            ("a\u{9b}b", "a control character (U+009B)"),
            ("\u{202e}droN", "a character that turns the direction of the text (U+202E)"),
            ("a\u{2066}b", "a character that turns the direction of the text (U+2066)"),
            ("a\u{378}b", "a character that does not exist (U+0378)"),
            ("a\u{ffff}", "a character that does not exist (U+FFFF)"),
        ] {
            let problem = read(text).unwrap_err();
            assert_eq!(problem.code, "invalid_characters");
            assert_eq!(problem.message, format!("This can't contain {name}."), "{text:?}");
        }
    }

    #[test]
    fn reading_twice_changes_nothing() {
        for text in [
            " e\u{301} ",
            "\u{feff}a\u{200b}",
            "\u{1f3f4}\u{e0067}\u{e007f} ",
            "❤\u{fe0f}\u{fe0f}",
            "क\u{94d}\u{200d}",
        ] {
            let once = read(text).unwrap();
            assert_eq!(read(&once).unwrap(), once, "{text:?}");
        }
    }

    #[test]
    fn a_search_knows_no_case_and_no_accents_of_any_script() {
        for (text, other) in [
            ("Älteste HERREN", "alteste herren"),
            ("A\u{308}lteste  Herren", "ÄLTESTE HERREN"),
            ("Straße", "STRASSE"),
            ("ΠΑΟΚ Θεσσαλονίκης", "παοκ θεσσαλονικησ"),
            ("ЙОГА Ёлка", "иога елка"),
            ("Łódź", "lodz"),
            ("Ødegård", "odegard"),
            ("İSTANBUL", "istanbul"),
            ("Dıyarbakır", "diyarbakir"),
            ("ＦＣ　東京", "fc 東京"),
            ("ﬁnale", "FINALE"),
            ("Việt Nam", "viet nam"),
            ("فُوتبول", "فوتبول"),
            ("מַכַּבִּי", "מכבי"),
            ("ガンバ", "カンハ"),
            ("Kelvin\u{200b} FC\u{ad}", "kelvin fc"),
        ] {
            assert_eq!(folded(text), folded(other), "{text}");
            assert_eq!(folded(&folded(text)), folded(text), "{text}");
        }
        assert_ne!(folded("मि"), folded("मा"), "a vowel is no accent");
    }

    #[test]
    fn what_others_say_is_short_and_shows_neither_address_nor_key() {
        assert_eq!(
            quoted("Service invoked too many times for one day: create."),
            Some("Service invoked too many times for one day: create.".to_owned())
        );
        assert_eq!(quoted("a\u{1b}[31m\r\nb\u{202e}c\u{200b}\u{9b}d").unwrap(), "a [31m b c d");
        assert_eq!(
            quoted("See https://script.google.com/a/b?c=d or ann@example.org now").unwrap(),
            "See … or … now"
        );
        assert_eq!(
            quoted("key=abc token 3f786850e387550fdab836ed7e6dc881 refused").unwrap(),
            "… token … refused"
        );
        assert_eq!(quoted(&"word ".repeat(100)).unwrap().chars().count(), 161);
        for nothing in ["", " \u{200b} ", "\u{1b}", "https://x.example/"] {
            assert_eq!(quoted(nothing), None, "{nothing:?}");
        }
    }
}
