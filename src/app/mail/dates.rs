//! Days and moments as people write them.

use crate::domain::{Language, Timestamp};

const MONTHS: [(&str, &str); 12] = [
    ("January", "Januar"),
    ("February", "Februar"),
    ("March", "März"),
    ("April", "April"),
    ("May", "Mai"),
    ("June", "Juni"),
    ("July", "Juli"),
    ("August", "August"),
    ("September", "September"),
    ("October", "Oktober"),
    ("November", "November"),
    ("December", "Dezember"),
];

/// A day: the one that it is in UTC.
pub(super) fn day(language: Language, at: Timestamp) -> String {
    let text = at.rfc3339();
    stored_day(language, text.get(..10).unwrap_or_default())
}

/// A day that is stored as `2026-11-28`.
pub(super) fn stored_day(language: Language, day: &str) -> String {
    let mut numbers = day.split('-').map(|number| number.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten(), numbers.next().flatten(), numbers.next()) {
        (Some(year), Some(month), Some(day), None) => written(language, (year, month, day)),
        _ => day.to_owned(),
    }
}

/// A moment, to the minute.
pub(super) fn moment(language: Language, at: Timestamp) -> String {
    let (day, text) = (day(language, at), at.rfc3339());
    let time = text.get(11..16).unwrap_or_default();
    [day.as_str(), ", ", time, language.pick(" UTC", " Uhr (UTC)")].concat()
}

fn written(language: Language, (year, month, day): (u32, u32, u32)) -> String {
    let month = usize::try_from(month).ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let (english, german) = month.copied().unwrap_or_default();
    format!("{day}{}{} {year}", language.pick(" ", ". "), language.pick(english, german))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_the_reader_writes_it() {
        let at = Timestamp::from_seconds(1_803_340_799);
        assert_eq!(at.rfc3339(), "2027-02-22T23:59:59.000Z");
        assert_eq!(day(Language::En, at), "22 February 2027");
        assert_eq!(day(Language::De, at), "22. Februar 2027");
        assert_eq!(moment(Language::En, at), "22 February 2027, 23:59 UTC");
        assert_eq!(moment(Language::De, at), "22. Februar 2027, 23:59 Uhr (UTC)");
        assert_eq!(stored_day(Language::De, "2027-03-01"), "1. März 2027");
        assert_eq!(stored_day(Language::De, "soon"), "soon");
    }
}
