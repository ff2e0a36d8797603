//! What an HTTP status means, whoever answers by it. What one upstream means differently is in a table of its own, beside its calls.

use std::time::{Duration, UNIX_EPOCH};

use crate::{
    domain::Timestamp,
    ports::OutboundResponse,
    workflow::{TransientError, TransientErrorCode},
};

/// Refusals that are none: the same call may be taken later. From 500 on, all are like that.
const NOT_NOW: [(u16, TransientErrorCode); 5] = [
    (408, TransientErrorCode::Timeout),
    // Meant for another server: the next connection may lead to the right one.
    (421, TransientErrorCode::ServerError),
    // Locked by somebody who is at work on it.
    (423, TransientErrorCode::ServerError),
    (425, TransientErrorCode::Timeout),
    (429, TransientErrorCode::RateLimited),
];
/// What is gone is gone, whatever else the answer says.
const GONE: u16 = 410;

/// What an answer says that no upstream means differently: `None` for those that each must judge.
pub(super) fn unknown_status(response: &OutboundResponse, now: Timestamp) -> Option<TransientError> {
    let retry_after = response.retry_after.as_deref().and_then(|value| retry_after(value, now));
    let known = NOT_NOW.iter().find(|(status, _)| *status == response.status).map(|(_, code)| *code);
    let code = known.or(match response.status {
        500.. => Some(TransientErrorCode::ServerError),
        // Whoever says when to come back does not refuse.
        400..500 if retry_after.is_some() && response.status != GONE => Some(TransientErrorCode::RateLimited),
        _ => None,
    });
    code.map(|code| TransientError { code, status: Some(response.status), retry_after })
}

/// `Retry-After`: seconds, or an HTTP date.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_seconds(0).after(date).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_792_584_000);

    fn code(status: u16, retry_after: Option<&str>) -> Option<TransientErrorCode> {
        let retry_after = retry_after.map(str::to_owned);
        let fault =
            unknown_status(&OutboundResponse { status, retry_after, body: String::new(), ms: 1 }, NOW)?;
        assert_eq!(fault.status, Some(status));
        Some(fault.code)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(retry_after(" 7 ", NOW), Some(Duration::from_secs(7)));
        for date in
            ["Wed, 21 Oct 2026 08:00:30 GMT", "Wednesday, 21-Oct-26 08:00:30 GMT", "Wed Oct 21 08:00:30 2026"]
        {
            let before = Timestamp::from_seconds(1_792_569_600);
            assert_eq!(retry_after(date, before), Some(Duration::from_secs(30)), "{date}");
        }
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", NOW), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", NOW), None);
        assert_eq!(retry_after("-1", NOW), None);
    }

    /// Each status that there is, and some that servers make up.
    #[test]
    fn every_status_has_its_meaning() {
        for status in 100..1000 {
            let expected = match status {
                408 | 425 => Some(TransientErrorCode::Timeout),
                421 | 423 | 500.. => Some(TransientErrorCode::ServerError),
                429 => Some(TransientErrorCode::RateLimited),
                _ => None,
            };
            assert_eq!(code(status, None), expected, "{status}");
        }
    }

    #[test]
    fn whoever_says_when_to_come_back_does_not_refuse() {
        for status in 400..500 {
            let expected = match status {
                408 | 425 => Some(TransientErrorCode::Timeout),
                421 | 423 => Some(TransientErrorCode::ServerError),
                410 => None,
                _ => Some(TransientErrorCode::RateLimited),
            };
            assert_eq!(code(status, Some("30")), expected, "{status}");
        }
        for status in [200, 204, 301, 302, 304] {
            assert_eq!(code(status, Some("30")), None, "{status}");
        }
        assert_eq!(code(400, Some("whenever")), None, "it does not say when");
    }

    /// Apps Script answers by 200, or by nothing that it said itself.
    #[test]
    fn every_status_of_apps_script_has_its_meaning() {
        use crate::workflow::Outcome;
        for status in 200..600 {
            let response = OutboundResponse { status, retry_after: None, body: "{}".to_owned(), ms: 1 };
            let outcome = super::super::apps_script::classify_provision(&response, NOW);
            let is_unknown = matches!(outcome, Outcome::Unknown(_));
            let expected = matches!(status, 200 | 300..400 | 408 | 421 | 423 | 425 | 429 | 500..);
            assert_eq!(is_unknown, expected, "{status}");
        }
    }
}
