//! Cloudflare's DNS records: a tenant's own address, where no wildcard covers it.
//!
//! There are no idempotency keys here. What takes their place is a marker in the record's comment, with the tenant in it:
//! we look before we make, and a record that bears it was made by an earlier attempt of ours. Any other record is somebody
//! else's, and is never touched.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    app::App,
    domain::{Config, Secret, Step, Timestamp, Upstream, config::SubdomainMode},
    ports::{OutboundRequest, OutboundResponse, Ports},
    workflow::{
        Artifact, FailureCode, Outcome, PermanentError, Product, Subject, TransientError, TransientErrorCode,
        policy::policy,
    },
};

use super::{malformed, said, unknown_status};

const TYPE: &str = "CNAME";
/// No such record.
const GONE: u32 = 81044;
/// Another record stands in the way, or the very one that was wanted.
const TAKEN: [u32; 4] = [81053, 81054, 81057, 81058];
/// It is asked too often, whatever the status.
const TOO_OFTEN: u32 = 971;
/// How many calls an attempt makes one after the other: look, do, look again.
pub const CALLS: u32 = 3;

/// A record as Cloudflare shows it.
#[derive(Debug, Clone, Deserialize)]
struct Record {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    content: String,
    comment: Option<String>,
}

/// The record that a tenant is to have.
struct Wanted {
    name: String,
    content: String,
    marker: String,
}

impl Wanted {
    fn by(config: &Config, subject: &Subject) -> Self {
        Self {
            name: config.tenant_address(subject.slug.as_str()).to_ascii_lowercase(),
            content: config.base_domain.to_ascii_lowercase(),
            marker: format!("tenantry:{}:{}", config.environment, subject.tenant),
        }
    }

    /// Whether we made it, for this tenant.
    fn is_marked(&self, record: &Record) -> bool {
        record.comment.as_deref() == Some(&self.marker)
    }

    /// Whether it is this very record.
    fn is(&self, record: &Record) -> bool {
        self.is_marked(record)
            && record.kind == TYPE
            && record.name.eq_ignore_ascii_case(&self.name)
            && record.content.eq_ignore_ascii_case(&self.content)
    }
}

/// Why Cloudflare gave no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ApiFailure {
    /// It refuses.
    Rejected { status: u16, code: u32, said: Option<String> },
    /// Nothing that says what was done.
    Unknown(TransientError),
}

impl ApiFailure {
    /// The outcome, where a refusal can only mean that the service is set up wrongly.
    fn or_misconfigured(self) -> Outcome {
        self.or(|_| misconfigured())
    }

    /// The outcome, where `failure` says what a refusal means. A caller who is not let in is set up wrongly whatever it wanted.
    fn or(self, failure: impl FnOnce(u32) -> PermanentError) -> Outcome {
        match self {
            Self::Rejected { status: status @ (401 | 403), said, .. } => {
                Outcome::Failed(misconfigured().with_said(said)).answered(status)
            }
            Self::Rejected { status, code, said } => {
                Outcome::Failed(failure(code).with_said(said)).answered(status)
            }
            Self::Unknown(fault) => Outcome::Unknown(fault),
        }
    }
}

/// Gives the tenant its record, or finds the one that an earlier attempt made.
pub async fn create<P: Ports>(app: &App<P>, subject: &Subject) -> Outcome {
    let wanted = Wanted::by(app.config(), subject);
    let made = async {
        let zone = Zone::of(app, None)?;
        let (record, created) = zone.make(&wanted).await?;
        let zone = zone.id.to_owned();
        Ok(Artifact::DnsRecord { id: record.id, zone, name: wanted.name.clone(), created })
    };
    made.await.map_or_else(|outcome| outcome, |artifact| Outcome::Done(Some(Product::Created(artifact))))
}

/// Removes the tenant's record: the one that [`create`] told of, or, when its answer was lost, what is found under the
/// tenant's name. What doesn't bear the tenant's marker stays as it is, and is refused if it is the one that was told of.
/// Done means that it was looked for and is not there.
pub async fn remove<P: Ports>(app: &App<P>, subject: &Subject, made: Option<&Artifact>) -> Outcome {
    let wanted = Wanted::by(app.config(), subject);
    let removed = async {
        let known = match made {
            Some(Artifact::DnsRecord { id, zone, .. }) => Some((id, zone.as_str())),
            // Where no zone was ever named, no record was ever made.
            _ if never_makes_records(app.config()) => return Ok(()),
            _ => None,
        };
        let zone = Zone::of(app, known.map(|(_, zone)| zone))?;
        let found = match known {
            Some((id, _)) => zone.by_id(id).await?.into_iter().collect(),
            None => zone.by_name(&wanted.name).await?,
        };
        // What we made is there, and nothing says any more that it is ours: neither removed nor gone.
        if known.is_some() && found.iter().any(|record| !wanted.is_marked(record)) {
            return Err(unmarked());
        }
        for record in found.iter().filter(|record| wanted.is_marked(record)) {
            zone.delete(&record.id).await?;
        }
        Ok(())
    };
    removed.await.map_or_else(|outcome| outcome, |()| Outcome::Done(None))
}

fn never_makes_records(config: &Config) -> bool {
    config.subdomain_mode != SubdomainMode::Record && config.cloudflare_zone_id.is_empty()
}

fn misconfigured() -> PermanentError {
    PermanentError::new(
        FailureCode::Misconfigured,
        "Our access to Cloudflare is not set up correctly. We have been told and look into it.",
    )
}

fn conflict() -> Outcome {
    Outcome::Failed(PermanentError::new(
        FailureCode::SubdomainConflict,
        "The club's address is already in use for something else. We have been told and look into it.",
    ))
}

fn unmarked() -> Outcome {
    let message = "The club's DNS record is there, but its comment does not say any more that it is ours. Remove it at \
                   Cloudflare, or put its comment back, and try again; or leave it.";
    Outcome::Failed(PermanentError::new(FailureCode::CompensationRefused, message))
}

/// It says one thing, and shows another.
fn contradiction() -> Outcome {
    Outcome::Unknown(TransientError::new(TransientErrorCode::Contradiction))
}

/// A zone of Cloudflare's, and our way into it.
struct Zone<'a, P> {
    app: &'a App<P>,
    id: &'a str,
    token: &'a Secret,
}

impl<'a, P: Ports> Zone<'a, P> {
    /// The zone with this id, or else the one that is configured: a record is removed from where it was made.
    fn of(app: &'a App<P>, id: Option<&'a str>) -> Result<Self, Outcome> {
        let config = app.config();
        match (id.unwrap_or(&config.cloudflare_zone_id), &config.cloudflare_api_token) {
            ("", _) | (_, None) => Err(Outcome::Failed(misconfigured())),
            (id, Some(token)) => Ok(Self { app, id, token }),
        }
    }

    /// The record that is wanted, and whether it was made now.
    async fn make(&self, wanted: &Wanted) -> Result<(Record, bool), Outcome> {
        if let Some(record) = self.find(wanted).await? {
            return Ok((record, false));
        }
        let body = json!({
            "type": TYPE,
            "name": wanted.name,
            "content": wanted.content,
            "proxied": true,
            "ttl": 1,
            "comment": wanted.marker,
        });
        match self.ask::<Record>("POST", "", Some(body.to_string())).await {
            Ok(record) if wanted.is(&record) => Ok((record, true)),
            Ok(_) => Err(contradiction()),
            // Somebody was quicker: an attempt of our own whose answer was lost, or another.
            Err(ApiFailure::Rejected { code, .. }) if TAKEN.contains(&code) => {
                self.find(wanted).await?.map(|record| (record, false)).ok_or_else(contradiction)
            }
            Err(no) => Err(no.or(|code| {
                let message = format!(
                    "Cloudflare refused the club's address (error {code}). We have been told and look into it."
                );
                PermanentError::new(FailureCode::SubdomainRejected, message)
            })),
        }
    }

    /// The record that is wanted, if it is there already. Any other one under its name is in the way.
    async fn find(&self, wanted: &Wanted) -> Result<Option<Record>, Outcome> {
        let found = self.by_name(&wanted.name).await?;
        let taken = !found.is_empty();
        match found.into_iter().find(|record| wanted.is(record)) {
            None if taken => Err(conflict()),
            found => Ok(found),
        }
    }

    async fn by_name(&self, name: &str) -> Result<Vec<Record>, Outcome> {
        let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let found: Vec<Record> = self
            .ask("GET", &format!("?name.exact={encoded}"), None)
            .await
            .map_err(ApiFailure::or_misconfigured)?;
        // Records are removed by this answer: that the filter was heeded is not taken on trust.
        Ok(found.into_iter().filter(|record| record.name.eq_ignore_ascii_case(name)).collect())
    }

    async fn by_id(&self, id: &str) -> Result<Option<Record>, Outcome> {
        match self.ask("GET", &path(id), None).await {
            Ok(record) => Ok(Some(record)),
            Err(ApiFailure::Rejected { code: GONE, .. }) => Ok(None),
            Err(no) => Err(no.or_misconfigured()),
        }
    }

    /// Removes a record, and looks whether it is gone.
    async fn delete(&self, id: &str) -> Result<(), Outcome> {
        match self.ask::<Value>("DELETE", &path(id), None).await {
            Ok(_) | Err(ApiFailure::Rejected { code: GONE, .. }) => {}
            Err(no) => {
                return Err(no.or(|code| {
                    let message = format!("Cloudflare refused to remove the club's address (error {code}).");
                    PermanentError::new(FailureCode::CompensationRefused, message)
                }));
            }
        }
        match self.by_id(id).await? {
            Some(_) => Err(contradiction()),
            None => Ok(()),
        }
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        rest: &str,
        body: Option<String>,
    ) -> Result<T, ApiFailure> {
        let call = OutboundRequest {
            upstream: Upstream::Cloudflare.as_str(),
            method,
            url: format!("https://api.cloudflare.com/client/v4/zones/{}/dns_records{rest}", plain(self.id)),
            headers: vec![
                ("authorization", format!("Bearer {}", self.token.expose())),
                ("content-type", "application/json".to_owned()),
            ],
            body,
            time_limit: policy(Step::ConfigureRouting).time_limit / CALLS,
            follow: &[],
            traceparent: None,
        };
        let response = self.app.call(call).await.map_err(|error| ApiFailure::Unknown(error.into()))?;
        read(&response, self.app.ports.now())
    }
}

fn path(id: &str) -> String {
    format!("/{}", plain(id))
}

/// An id that is none must not become a path of its own.
pub(super) fn plain(id: &str) -> String {
    id.replace(|c: char| !c.is_ascii_alphanumeric(), "")
}

/// Reads the envelope around every answer. A refusal counts when Cloudflare itself says so: what stands in front of it
/// answers with these statuses too.
pub(super) fn read<T: DeserializeOwned>(
    response: &OutboundResponse,
    now: Timestamp,
) -> Result<T, ApiFailure> {
    #[derive(Deserialize)]
    struct Envelope {
        success: bool,
        #[serde(default)]
        errors: Vec<ErrorBody>,
        result: Option<Value>,
    }
    #[derive(Deserialize)]
    struct ErrorBody {
        code: u32,
    }
    if let Some(fault) = unknown_status(response, now) {
        return Err(ApiFailure::Unknown(fault));
    }
    let unreadable = || ApiFailure::Unknown(malformed(response));
    let envelope: Envelope = serde_json::from_str(&response.body).map_err(|_| unreadable())?;
    match (response.status, envelope) {
        (200..300, Envelope { success: true, result: Some(result), .. }) => {
            serde_json::from_value(result).map_err(|_| unreadable())
        }
        (status @ 400..500, Envelope { success: false, errors, .. }) => match errors.first() {
            Some(ErrorBody { code: TOO_OFTEN }) => {
                let fault = TransientError::new(TransientErrorCode::RateLimited);
                Err(ApiFailure::Unknown(TransientError { status: Some(status), ..fault }))
            }
            Some(problem) => Err(ApiFailure::Rejected { status, code: problem.code, said: said(response) }),
            None => Err(unreadable()),
        },
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(0);

    fn reads(status: u16, body: &str) -> Result<Value, ApiFailure> {
        read(&OutboundResponse { status, retry_after: None, body: body.to_owned(), ms: 1 }, NOW)
    }

    #[test]
    fn a_result_is_one_that_the_envelope_calls_a_success() {
        assert_eq!(reads(200, r#"{"success":true,"errors":[],"result":[]}"#), Ok(json!([])));
        for body in [
            r#"{"success":false,"errors":[],"result":[]}"#,
            r#"{"success":true,"errors":[],"result":null}"#,
            "<html>",
            "{}",
            "[]",
            "",
        ] {
            let read = reads(200, body);
            assert!(
                matches!(
                    read,
                    Err(ApiFailure::Unknown(TransientError { code: TransientErrorCode::Malformed, .. }))
                ),
                "{body}: {read:?}"
            );
        }
    }

    #[test]
    fn a_refusal_is_one_that_cloudflare_itself_gives_a_reason_for() {
        let refused = r#"{"success":false,"errors":[{"code":81058,"message":"…"}],"result":null}"#;
        assert_eq!(reads(400, refused), Err(ApiFailure::Rejected { status: 400, code: 81058, said: None }));
        for (status, body) in [
            (403, "<html>Sorry, you have been blocked</html>"),
            (404, ""),
            (400, "{}"),
            (400, r#"{"success":false,"errors":[]}"#),
            (429, refused),
            (500, refused),
            (302, refused),
            (423, refused),
            (400, r#"{"success":false,"errors":[{"code":971}]}"#),
        ] {
            assert!(matches!(reads(status, body), Err(ApiFailure::Unknown(_))), "{status} {body}");
        }
    }

    /// One row a status, where Cloudflare itself says no.
    #[test]
    fn every_status_has_its_meaning() {
        let refused = r#"{"success":false,"errors":[{"code":1004}],"result":null}"#;
        for status in 200..600 {
            let is_refused = matches!(reads(status, refused), Err(ApiFailure::Rejected { .. }));
            let expected = (400..500).contains(&status) && !matches!(status, 408 | 421 | 423 | 425 | 429);
            assert_eq!(is_refused, expected, "{status}");
        }
    }

    #[test]
    fn who_is_not_let_in_is_set_up_wrongly() {
        let other = |_| PermanentError::new(FailureCode::SubdomainRejected, "");
        for (status, code) in [
            (401, FailureCode::Misconfigured),
            (403, FailureCode::Misconfigured),
            (400, FailureCode::SubdomainRejected),
        ] {
            let outcome = ApiFailure::Rejected { status, code: 10000, said: None }.or(other);
            assert!(matches!(outcome, Outcome::Failed(failure) if failure.code == code), "{status}");
        }
    }

    #[test]
    fn a_record_is_ours_by_marker_type_name_and_content() {
        let wanted = Wanted {
            name: "fc-nord.clubs.example".to_owned(),
            content: "clubs.example".to_owned(),
            marker: "tenantry:production:tenant_1".to_owned(),
        };
        let ours = Record {
            id: "r1".to_owned(),
            kind: "CNAME".to_owned(),
            name: "FC-Nord.clubs.example".to_owned(),
            content: "clubs.example".to_owned(),
            comment: Some("tenantry:production:tenant_1".to_owned()),
        };
        assert!(wanted.is(&ours));
        let text = |text: &str| text.to_owned();
        for other in [
            Record { comment: None, ..ours.clone() },
            Record { comment: Some(text("tenantry:preview:tenant_1")), ..ours.clone() },
            Record { comment: Some(text("tenantry:production:tenant_12")), ..ours.clone() },
            Record { kind: text("A"), ..ours.clone() },
            Record { name: text("fc-sued.clubs.example"), ..ours.clone() },
            Record { content: text("evil.example"), ..ours.clone() },
        ] {
            assert!(!wanted.is(&other), "{other:?}");
        }
    }

    #[test]
    fn an_id_is_no_path() {
        assert_eq!(path("../zones/0123?x=1"), "/zones0123x1");
    }
}
