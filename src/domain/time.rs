//! Points in time. The clock is a parameter everywhere: a [`Timestamp`] is made only by `Ports::now`.
//! A [`Time`] is one as answers have it.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::field_errors::InvalidValue;

/// Milliseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds since the Unix epoch: the unit of D1 and of token claims.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This moment plus `duration`.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment less `duration`.
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long from `earlier` to this moment; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with milliseconds, as in every JSON answer and log line.
    pub fn rfc3339(self) -> String {
        chrono::DateTime::from_timestamp_millis(self.0)
            .unwrap_or(chrono::DateTime::UNIX_EPOCH)
            .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
    }
}

/// RFC 3339 with any offset, as somebody sends it.
impl TryFrom<String> for Timestamp {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        chrono::DateTime::parse_from_rfc3339(&text)
            .map(|time| Self(time.timestamp_millis()))
            .map_err(|_| InvalidValue::new("invalid_time", "Enter a time like 2026-12-31T23:59:59Z."))
    }
}

/// A moment as RFC 3339, UTC, to the millisecond. It is read as rows have it: in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(Timestamp);

impl Time {
    /// From Unix seconds, as rows have them.
    pub const fn at(seconds: i64) -> Self {
        Self(Timestamp::from_seconds(seconds))
    }

    /// Unix seconds, as rows have them.
    pub const fn seconds(self) -> i64 {
        self.0.seconds()
    }
}

impl From<Timestamp> for Time {
    fn from(moment: Timestamp) -> Self {
        Self(moment)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self::at)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod schema {
    use std::borrow::Cow;

    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
    };

    use super::Time;

    impl PartialSchema for Time {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
                .description(Some("A moment as RFC 3339, UTC, to the millisecond."))
                .examples(["2027-01-15T08:00:12.345Z"])
                .into()
        }
    }

    impl ToSchema for Time {
        fn name() -> Cow<'static, str> {
            Cow::Borrowed("Time")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_seconds_and_answered_as_a_text() {
        let time: Time = serde_json::from_str("1763683200").unwrap();
        assert_eq!(time.seconds(), 1_763_683_200);
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2025-11-21T00:00:00.000Z\"");
    }

    #[test]
    fn rfc3339_is_utc_with_milliseconds() {
        assert_eq!(Timestamp::from_millis(1_763_683_200_007).rfc3339(), "2025-11-21T00:00:00.007Z");
    }

    #[test]
    fn a_time_is_read_with_its_offset() {
        for (text, millis) in [
            ("2025-11-21T00:00:00.007Z", 1_763_683_200_007),
            ("2025-11-21T01:00:00+01:00", 1_763_683_200_000),
        ] {
            assert_eq!(Timestamp::try_from(text.to_owned()).unwrap().millis(), millis);
        }
        for text in
            ["", "tomorrow", "2025-11-21", "2025-11-21T00:00:00", "1763683200", "2025-13-01T00:00:00Z"]
        {
            assert!(Timestamp::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn seconds_round_down_before_the_epoch_too() {
        assert_eq!(Timestamp::from_millis(-1).seconds(), -1);
        assert_eq!(Timestamp::from_millis(1999).seconds(), 1);
    }

    #[test]
    fn a_duration_never_turns_negative() {
        assert_eq!(Timestamp::from_millis(5).since(Timestamp::from_millis(9)), Duration::ZERO);
    }
}
