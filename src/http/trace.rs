//! W3C Trace Context: a trace that comes in goes on, under a span of our own.
//!
//! Inside the service a trace is one text: `traceparent`, and behind a blank the `tracestate` that came with it. It is kept so beside
//! what waits, and parted again when a call leaves.

use http::HeaderMap;

/// More than what every service has to take is not passed on.
const LONGEST_STATE: usize = 512;
/// So many vendors may have their say.
const MOST_MEMBERS: usize = 32;

/// The `tracestate` of a request, from all headers of this name; empty if there is none, or none that can be read.
pub(super) fn state(headers: &HeaderMap) -> String {
    let mut state = String::new();
    let lines = headers.get_all("tracestate").iter().map(|line| line.to_str().unwrap_or("="));
    let members = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|member| !member.is_empty());
    for (n, member) in members.enumerate() {
        if n >= MOST_MEMBERS || !is_member(member) {
            return String::new();
        }
        // What does not fit any more is left out whole.
        if state.len() + 1 + member.len() <= LONGEST_STATE {
            state.push_str(if state.is_empty() { "" } else { "," });
            state.push_str(member);
        }
    }
    state
}

fn is_member(member: &str) -> bool {
    member.split_once('=').is_some_and(|(key, value)| {
        let is_of_key = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b);
        (1..=256).contains(&key.len())
            && key.bytes().all(is_of_key)
            && (1..=256).contains(&value.len())
            && value.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=')
    })
}

/// The same trace under a span of our own. Of a version that is newer than ours, what ours knows is read: it promises to keep that.
pub(super) fn continued(parent: &str, state: &str, span: [u8; 8]) -> Option<String> {
    let is_hex = |part: &str, len| {
        part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_zero = |part: &str| part.bytes().all(|b| b == b'0');
    let mut parts = parent.trim().splitn(5, '-');
    let (version, trace, parent_span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_known = version == "00";
    let valid = is_hex(version, 2)
        && version != "ff"
        && !(is_known && parts.next().is_some())
        && is_hex(trace, 32)
        && !is_zero(trace)
        && is_hex(parent_span, 16)
        && !is_zero(parent_span)
        && is_hex(flags, 2);
    // Only two bits have a meaning that we could pass on: sampled, and a random trace id.
    let flags = u8::from_str_radix(flags, 16).ok().filter(|_| valid)? & 0b11;
    let span: String = span.iter().map(|byte| format!("{byte:02x}")).collect();
    let behind = if state.is_empty() { String::new() } else { format!(" {state}") };
    Some(format!("00-{trace}-{span}-{flags:02x}{behind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn of(parent: &str) -> Option<String> {
        continued(parent, "", [0xab; 8])
    }

    #[test]
    fn a_trace_goes_on_under_a_span_of_our_own() {
        let ours = |flags: &str| Some(format!("00-{TRACE}-abababababababab-{flags}"));
        for (parent, flags) in [
            (format!("00-{TRACE}-00f067aa0ba902b7-01"), "01"),
            (format!(" 00-{TRACE}-00f067aa0ba902b7-00 "), "00"),
            (format!("00-{TRACE}-00f067aa0ba902b7-03"), "03"),
            (format!("00-{TRACE}-00f067aa0ba902b7-ff"), "03"),
            (format!("01-{TRACE}-00f067aa0ba902b7-01"), "01"),
            (format!("cc-{TRACE}-00f067aa0ba902b7-05-what-the-future-brings"), "01"),
            (format!("cc-{TRACE}-00f067aa0ba902b7-01-"), "01"),
        ] {
            assert_eq!(of(&parent), ours(flags), "{parent:?}");
        }
    }

    #[test]
    fn what_is_no_trace_starts_none() {
        for parent in [
            "".to_owned(),
            "00".to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01".to_owned(),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-00f067aa0ba902b7-01-x\r\n"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("0-{TRACE}-00f067aa0ba902b7-01"),
            format!("0g-{TRACE}-00f067aa0ba902b7-01"),
            format!("01-{TRACE}-00f067aa0ba902b7-01x"),
            format!("01-{TRACE}-00f067aa0ba902b7-1"),
        ] {
            assert_eq!(of(&parent), None, "{parent:?}");
        }
    }

    fn state_of(lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("tracestate", line.parse().unwrap());
        }
        state(&headers)
    }

    #[test]
    fn the_state_of_all_headers_is_one() {
        assert_eq!(state_of(&["a=1, b@c=2 3", ",d=x "]), "a=1,b@c=2 3,d=x");
        assert_eq!(state_of(&[]), "");
        let parent = continued(&format!("00-{TRACE}-00f067aa0ba902b7-01"), "a=1,b=2", [1; 8]);
        assert!(parent.unwrap().ends_with("-01 a=1,b=2"));
    }

    #[test]
    fn what_is_no_state_is_dropped_and_what_is_too_long_is_cut_between_members() {
        for line in ["a", "a=", "=1", "A=1", "a=1=2", "a=1,b", "a b=1"] {
            assert_eq!(state_of(&[line]), "", "{line}");
        }
        let many = vec!["a=1"; 33].join(",");
        assert_eq!(state_of(&[&many]), "");
        let long = format!("a={0},b={0},c={0},d=4", "x".repeat(200));
        assert_eq!(state_of(&[&long]), format!("a={0},b={0},d=4", "x".repeat(200)));
    }
}
