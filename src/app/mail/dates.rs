//! Days and moments as people write them.

use chrono::{DateTime, Datelike, NaiveDate, Timelike};

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
    DateTime::from_timestamp(at.seconds(), 0)
        .map_or_else(String::new, |at| written(language, at.date_naive()))
}

/// A day that is stored as `2026-11-28`.
pub(super) fn stored_day(language: Language, day: &str) -> String {
    day.parse().map_or_else(|_| day.to_owned(), |day| written(language, day))
}

/// A moment, to the minute.
pub(super) fn moment(language: Language, at: Timestamp) -> String {
    let Some(time) = DateTime::from_timestamp(at.seconds(), 0) else { return String::new() };
    let (day, hour, minute) = (written(language, time.date_naive()), time.hour(), time.minute());
    match language {
        Language::En => format!("{day}, {hour:02}:{minute:02} UTC"),
        Language::De => format!("{day}, {hour:02}:{minute:02} Uhr (UTC)"),
    }
}

fn written(language: Language, date: NaiveDate) -> String {
    let month = usize::try_from(date.month0()).ok().and_then(|month| MONTHS.get(month));
    let (day, year) = (date.day(), date.year());
    match (language, month.copied().unwrap_or_default()) {
        (Language::En, (month, _)) => format!("{day} {month} {year}"),
        (Language::De, (_, month)) => format!("{day}. {month} {year}"),
    }
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
