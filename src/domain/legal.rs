//! Pages that the law wants linked, as the configuration names them.

use super::standard::Address;

/// Where they are, of those that are configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LegalLinks {
    /// `TERMS_URL`
    pub terms: Option<String>,
    /// `PRIVACY_URL`
    pub privacy: Option<String>,
    /// `IMPRINT_URL`
    pub imprint: Option<String>,
}

impl LegalLinks {
    /// Reads them through `get`. One that people can't open is a problem, and is shown to nobody.
    pub fn read(get: impl Fn(&str) -> Option<String>, problems: &mut Vec<String>) -> Self {
        let mut link = |name: &str| {
            let text = get(name)?;
            let link = page(&text);
            if link.is_none() {
                problems.push(format!("{name} is no address like https://example.org/page"));
            }
            link
        };
        Self { terms: link("TERMS_URL"), privacy: link("PRIVACY_URL"), imprint: link("IMPRINT_URL") }
    }
}

/// The address of a page, as its parser writes it.
fn page(text: &str) -> Option<String> {
    let is_plain = !text.contains('\\') && !text.chars().any(|c| c.is_control() || c.is_whitespace());
    let url = Address::parse(text).filter(|_| is_plain)?;
    (url.scheme == "https" && !url.has_credentials && url.has_name()).then_some(url.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> (LegalLinks, Vec<String>) {
        let mut problems = Vec::new();
        let get = |name: &str| (name == "TERMS_URL").then(|| value.to_owned());
        let links = LegalLinks::read(get, &mut problems);
        (links, problems)
    }

    #[test]
    fn what_people_can_open_is_linked() {
        for page in
            ["https://example.org/terms", "https://example.org/a?b=c", "https://www.example.org:8443/x"]
        {
            let (links, problems) = read(page);
            assert_eq!((links.terms.as_deref(), problems.len()), (Some(page), 0));
            assert_eq!((links.privacy, links.imprint), (None, None));
        }
    }

    #[test]
    fn what_nobody_can_open_is_named_and_not_linked() {
        for page in [
            "http://example.org/terms",
            "javascript:alert(1)",
            "example.org/terms",
            "https://",
            "https://ann:secret@example.org/",
            "https://127.0.0.1/terms",
            "https://example.org/\\x",
            "https://example.org/a b",
            "https://example.org/\r\nBcc: x",
        ] {
            let (links, problems) = read(page);
            assert_eq!(links, LegalLinks::default(), "{page}");
            assert_eq!(problems, ["TERMS_URL is no address like https://example.org/page"], "{page}");
        }
    }
}
