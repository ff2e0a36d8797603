//! Resend: whether it knows the key, and whether the sender's domain may send.

use serde_json::Value;

use crate::{
    domain::config::EmailProvider,
    ports::{OutboundResponse, Ports},
};

use super::{CheckCode, Checker, Verdict};

/// How many pages of domains are looked at.
const PAGES: usize = 3;

pub(super) async fn check<P: Ports>(checker: Checker<'_, P>) -> Verdict {
    let config = checker.app.config();
    if config.email_provider != EmailProvider::Resend {
        return Verdict::new(CheckCode::NotUsed, "Mails are written to the log (EMAIL_PROVIDER).");
    }
    let Some(key) = &config.resend_api_key else { return Verdict::not_configured("RESEND_API_KEY") };
    let Some(domain) = domain_of(&config.resend_from_email) else {
        return Verdict::not_configured("RESEND_FROM_EMAIL to an address at a domain of yours");
    };
    Verdict::of(look(&checker, key.expose(), &domain).await)
}

async fn look<P: Ports>(checker: &Checker<'_, P>, key: &str, domain: &str) -> Result<Verdict, Verdict> {
    let mut after = String::new();
    for _ in 0..PAGES {
        let url = format!("https://api.resend.com/domains?limit=100{after}");
        let response = checker.ask(checker.get(url, key)).await?;
        let page = read(checker, &response)?;
        let Some(domains) = page.get("data").and_then(Value::as_array) else {
            return Err(checker.malformed(&response));
        };
        let is_it = |one: &&Value| text(one, "name").eq_ignore_ascii_case(domain);
        if let Some(found) = domains.iter().find(is_it) {
            return Ok(judge(found, domain));
        }
        let has_more = page.get("has_more") == Some(&Value::Bool(true));
        let last = domains.last().map(|last| text(last, "id")).filter(|id| has_more && !id.is_empty());
        let Some(last) = last else {
            let message = format!(
                "{domain} is no domain of the Resend account: add it there, or correct RESEND_FROM_EMAIL."
            );
            return Ok(Verdict::new(CheckCode::DomainMissing, message));
        };
        let id: String = form_urlencoded::byte_serialize(last.as_bytes()).collect();
        after = format!("&after={id}");
    }
    let message = format!("The key is known, and {domain} is not among the account's first domains.");
    Ok(Verdict::new(CheckCode::PartlyChecked, message))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The domain of a sender, as `Name <address>` or the address alone.
fn domain_of(sender: &str) -> Option<String> {
    let (_, domain) = sender.trim().trim_end_matches('>').rsplit_once('@')?;
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
    Some(domain.to_ascii_lowercase()).filter(|domain| domain.contains('.') && is_name(domain))
}

fn read<P: Ports>(checker: &Checker<'_, P>, response: &OutboundResponse) -> Result<Value, Verdict> {
    let answer: Value = serde_json::from_str(&response.body).unwrap_or_default();
    match (response.status, text(&answer, "name")) {
        (200, _) => Ok(answer),
        // What stands in front of it answers with these statuses too, and without such a name.
        (400..500, "restricted_api_key") => {
            let message = "The key may send and nothing else, so whether the sender's domain is verified can't be looked at.";
            Err(Verdict::new(CheckCode::PartlyChecked, message))
        }
        (401 | 403, name) if !name.is_empty() => Err(wrong_key()),
        (400..500, "invalid_api_key" | "missing_api_key") => Err(wrong_key()),
        (status @ 400..500, name) if !name.is_empty() => {
            Err(checker.refused(status, "look at the log of its API."))
        }
        _ => Err(checker.malformed(response)),
    }
}

fn wrong_key() -> Verdict {
    let message = "Resend does not know RESEND_API_KEY: set it to a key of the account.";
    Verdict::new(CheckCode::WrongSecret, message)
}

fn judge(found: &Value, domain: &str) -> Verdict {
    let may_send = found.pointer("/capabilities/sending").and_then(Value::as_str) != Some("disabled");
    match text(found, "status") {
        "verified" if may_send => {
            Verdict::new(CheckCode::Ok, format!("The key is known, and {domain} is verified."))
        }
        "verified" => Verdict::new(
            CheckCode::DomainUnverified,
            format!("{domain} is verified and may not send: switch sending on for it at Resend."),
        ),
        _ => Verdict::new(
            CheckCode::DomainUnverified,
            format!(
                "{domain} is not verified: make the DNS records that Resend shows for it, then verify it there."
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::domain_of;

    #[test]
    fn the_domain_is_that_of_the_address() {
        for (sender, domain) in [
            ("Tenantry <welcome@Clubs.example>", Some("clubs.example")),
            ("welcome@clubs.example", Some("clubs.example")),
            ("\"a@b.example\" <welcome@clubs.example> ", Some("clubs.example")),
            ("welcome", None),
            ("welcome@localhost", None),
            ("welcome@a b.example", None),
            ("", None),
        ] {
            assert_eq!(domain_of(sender).as_deref(), domain, "{sender}");
        }
    }
}
