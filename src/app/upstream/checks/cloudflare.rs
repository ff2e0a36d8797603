//! Cloudflare: whether the token is good, whether it may change the zone's records, and whether the zone is the right one.

use serde_json::Value;

use crate::{
    app::upstream::cloudflare::{self, ApiFailure},
    domain::config::SubdomainMode,
    ports::{OutboundRequest, Ports},
};

use super::{CheckCode, Checker, Verdict};

/// No record has this id. Who may change records is told so, and who may not is refused.
const NO_RECORD: &str = "00000000000000000000000000000000";

/// What an answer says.
enum Told {
    This(Value),
    /// It does not let us in.
    NotLetIn,
    /// It lets us in, and refuses.
    Refused,
    /// Nothing about what is configured.
    Unknown(Verdict),
}

pub(super) async fn check<P: Ports>(checker: Checker<'_, P>) -> Verdict {
    let config = checker.app.config();
    let makes_records = config.subdomain_mode == SubdomainMode::Record;
    match (config.cloudflare_zone_id.as_str(), &config.cloudflare_api_token) {
        ("", _) if makes_records => Verdict::not_configured("CLOUDFLARE_ZONE_ID"),
        (_, None) if makes_records => Verdict::not_configured("CLOUDFLARE_API_TOKEN"),
        ("", _) | (_, None) => Verdict::new(
            CheckCode::NotUsed,
            "No record is made for a club (SUBDOMAIN_MODE), so no token is needed.",
        ),
        (zone, Some(token)) => Verdict::of(look(&checker, &cloudflare::plain(zone), token.expose()).await),
    }
}

async fn look<P: Ports>(checker: &Checker<'_, P>, zone: &str, token: &str) -> Result<Verdict, Verdict> {
    let get = |path: String| checker.get(format!("https://api.cloudflare.com/client/v4/{path}"), token);
    let mut change = OutboundRequest {
        method: "PATCH",
        body: Some("{}".to_owned()),
        ..get(format!("zones/{zone}/dns_records/{NO_RECORD}"))
    };
    change.headers.push(("content-type", "application/json".to_owned()));
    let (state, zone, records, change) = futures_util::join!(
        tell(checker, get("user/tokens/verify".to_owned())),
        tell(checker, get(format!("zones/{zone}"))),
        tell(checker, get(format!("zones/{zone}/dns_records?per_page=5"))),
        tell(checker, change),
    );
    match records {
        Told::This(records) if records.is_array() => {}
        Told::This(_) => return Err(checker.unreadable()),
        Told::NotLetIn => return Err(not_let_in(state)),
        Told::Refused => {
            let message =
                "Cloudflare has no zone with CLOUDFLARE_ZONE_ID: copy the id from the overview of the zone.";
            return Err(Verdict::new(CheckCode::NotFound, message));
        }
        Told::Unknown(verdict) => return Err(verdict),
    }
    let seen = match zone {
        Told::This(zone) => {
            judge_zone(&zone, &checker.app.config().base_domain)?;
            true
        }
        // DNS Write on the zone is all that the service needs.
        Told::NotLetIn | Told::Refused => false,
        Told::Unknown(verdict) => return Err(verdict),
    };
    match change {
        Told::Refused if seen => {
            Ok(Verdict::new(CheckCode::Ok, "The token may change the records of the clubs' zone."))
        }
        Told::Refused => Ok(Verdict::new(
            CheckCode::PartlyChecked,
            "The token may change the zone's records; whether it is the zone of BASE_DOMAIN can't be looked at.",
        )),
        Told::NotLetIn => {
            let message =
                "The token may read the zone's records and not change them: give it DNS Write on that zone.";
            Err(Verdict::new(CheckCode::MissingScope, message))
        }
        Told::Unknown(verdict) => Err(verdict),
        Told::This(_) => Err(checker.refused(200, "it says that it changed a record that can't be there.")),
    }
}

async fn tell<P: Ports>(checker: &Checker<'_, P>, call: OutboundRequest) -> Told {
    let response = match checker.ask(call).await {
        Ok(response) => response,
        Err(verdict) => return Told::Unknown(verdict),
    };
    match cloudflare::read(&response, checker.app.ports.now()) {
        Ok(result) => Told::This(result),
        Err(ApiFailure::Rejected { status, code, .. })
            if matches!(status, 401 | 403) || code == MALFORMED_HEADER =>
        {
            Told::NotLetIn
        }
        Err(ApiFailure::Rejected { .. }) => Told::Refused,
        Err(ApiFailure::Unknown(fault)) => Told::Unknown(checker.unknown(&fault)),
    }
}

/// The header with the token is none that it reads.
const MALFORMED_HEADER: u32 = 6003;

/// A token of an account, and not of a person, is unknown to whoever is asked for its state: it is a wrong one only if nothing lets it in.
fn not_let_in(state: Told) -> Verdict {
    match state {
        Told::This(token) if token.get("status").and_then(Value::as_str) == Some("active") => Verdict::new(
            CheckCode::MissingScope,
            "The token is valid and not for this zone: give it DNS Write on it, or correct CLOUDFLARE_ZONE_ID.",
        ),
        Told::This(_) => Verdict::new(
            CheckCode::WrongSecret,
            "The token is disabled or has expired: set CLOUDFLARE_API_TOKEN to a new one with DNS Write on the zone.",
        ),
        Told::NotLetIn | Told::Refused => Verdict::new(
            CheckCode::WrongSecret,
            "Cloudflare does not let the token in: set CLOUDFLARE_API_TOKEN to one with DNS Write on the zone.",
        ),
        Told::Unknown(verdict) => verdict,
    }
}

fn judge_zone(zone: &Value, base_domain: &str) -> Result<(), Verdict> {
    let text = |name: &str| zone.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, domain) = (text("name").to_ascii_lowercase(), base_domain.to_ascii_lowercase());
    if domain != name && !domain.ends_with(&format!(".{name}")) {
        let message = format!(
            "CLOUDFLARE_ZONE_ID is not the zone of {domain}: copy that zone's id, or correct BASE_DOMAIN."
        );
        return Err(Verdict::new(CheckCode::WrongZone, message));
    }
    if text("status") != "active" || zone.get("paused") == Some(&Value::Bool(true)) {
        let message = format!(
            "The zone of {domain} is not active: set its name servers at the registrar, or resume it."
        );
        return Err(Verdict::new(CheckCode::ZoneInactive, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_zone_is_that_of_a_domain_within_it() {
        let judged = |name: &str, status: &str, paused| {
            let zone = json!({ "name": name, "status": status, "paused": paused });
            judge_zone(&zone, "Clubs.example").map_err(|Verdict(code, _)| code)
        };
        for (name, status, paused, expected) in [
            ("clubs.example", "active", false, Ok(())),
            ("EXAMPLE", "active", false, Ok(())),
            ("ubs.example", "active", false, Err(CheckCode::WrongZone)),
            ("other.example", "active", false, Err(CheckCode::WrongZone)),
            ("", "active", false, Err(CheckCode::WrongZone)),
            ("clubs.example", "pending", false, Err(CheckCode::ZoneInactive)),
            ("clubs.example", "active", true, Err(CheckCode::ZoneInactive)),
        ] {
            assert_eq!(judged(name, status, paused), expected, "{name} {status}");
        }
    }
}
