//! By crates.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::{
    UnicodeNormalization,
    char::{canonical_combining_class, is_combining_mark, is_public_assigned},
};
use url::Url;

use super::Address;

/// The canonical combining class of signs that join letters, as in Devanagari: no accents.
const VIRAMA: u8 = 9;

pub fn nfc(text: &str) -> String {
    text.nfc().collect()
}

pub fn nfkd(text: &str) -> String {
    text.nfkd().collect()
}

/// Whether it is a character, and none for private use.
pub fn is_assigned(c: char) -> bool {
    is_public_assigned(c)
}

/// Whether it changes the character before it.
pub fn is_mark(c: char) -> bool {
    is_combining_mark(c)
}

/// Points and strokes on a letter; not the vowel signs of scripts that write vowels so.
pub fn is_accent(c: char) -> bool {
    !matches!(canonical_combining_class(c), 0 | VIRAMA)
}

/// Whether it joins letters.
pub fn is_joiner(c: char) -> bool {
    canonical_combining_class(c) == VIRAMA
}

pub fn to_ascii(domain: &str) -> Option<String> {
    let read = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::CheckFirstLast,
        DnsLength::Verify,
    );
    Some(read.ok()?.into_owned())
}

pub fn address(text: &str, base: Option<&str>) -> Option<Address> {
    let base = base.map(Url::parse).transpose().ok()?;
    let mut url = Url::options().base_url(base.as_ref()).parse(text).ok()?;
    url.set_fragment(None);
    // The standard escapes it since 2024, and so does the runtime; the crate does not yet.
    if url.path().contains('^') {
        let path = url.path().replace('^', "%5E");
        url.set_path(&path);
    }
    Some(Address {
        scheme: url.scheme().to_owned(),
        host: url.host_str().unwrap_or_default().to_owned(),
        path: url.path().to_owned(),
        names_port: url.port().is_some(),
        has_credentials: !url.username().is_empty()
            || url.password().is_some_and(|password| !password.is_empty()),
        text: url.into(),
    })
}
