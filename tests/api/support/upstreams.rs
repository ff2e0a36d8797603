//! The upstreams, played as they really behave: Make, Apps Script, Google, Resend, Cloudflare. Healthy unless told
//! otherwise.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Mutex, MutexGuard},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tenantry::{
    domain::Timestamp,
    ports::{OutboundError, OutboundRequest, OutboundResponse},
};

use super::{
    app::{GAS_SECRET, RESEND_KEY},
    checks,
    dns::Dns,
};

/// How an upstream takes a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// As it should.
    Healthy,
    /// With this, and nothing done.
    Answers(u16, &'static str),
    /// With this status and `Retry-After`, and nothing done.
    AsksToWait(u16, &'static str),
    /// Not in time, and nothing done.
    TimesOut,
    /// Likewise, and all the time that it has goes by.
    Hangs,
    /// With it, whoever called dies.
    Kills,
    /// By breaking the connection, and nothing done.
    Breaks,
    /// It does it, and the answer is lost.
    LosesTheAnswer,
}

/// A call that arrived.
#[derive(Debug, Clone)]
pub struct RecordedCall {
    /// What was sent.
    pub call: OutboundRequest,
    /// When.
    pub at: Timestamp,
}

struct Sheet {
    key: String,
    id: String,
    tenant: String,
    is_there: bool,
}

#[derive(Default)]
struct State {
    next: HashMap<&'static str, VecDeque<Reaction>>,
    always: HashMap<&'static str, Reaction>,
    at: Vec<(&'static str, Reaction)>,
    sent: Vec<RecordedCall>,
    effects: BTreeMap<(&'static str, String), usize>,
    sheets: Vec<Sheet>,
    /// Under which nothing is made any more.
    spent_keys: BTreeSet<String>,
    dns: Dns,
    mails: BTreeMap<String, (String, String)>,
    spent: BTreeSet<String>,
    /// How many calls Resend takes in a second; any number if nothing is said.
    takes: Option<usize>,
}

/// The upstreams as they were at one moment.
pub struct Aside(State);

/// The upstreams.
#[derive(Default)]
pub struct Upstreams(Mutex<State>);

impl RecordedCall {
    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.call.headers.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(self.call.body.as_deref().unwrap_or_default()).unwrap()
    }

    /// The key under which a repeat is recognised.
    pub fn key(&self) -> String {
        match self.call.upstream {
            "apps_script" => self.json()["idempotencyKey"].as_str().unwrap().to_owned(),
            _ => self.header("idempotency-key").to_owned(),
        }
    }

    /// How many signatures it bears.
    pub fn signatures(&self) -> usize {
        self.header("webhook-signature").split(' ').count()
    }

    /// Whether a Make scenario that knows `secret` would take it, by the Standard Webhooks specification.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let signed = format!(
            "{}.{}.{}",
            self.header("webhook-id"),
            self.header("webhook-timestamp"),
            self.call.body.as_ref().unwrap()
        );
        let key = secret
            .strip_prefix("whsec_")
            .map_or_else(|| secret.as_bytes().to_vec(), |s| STANDARD.decode(s).unwrap());
        let right = format!("v1,{}", STANDARD.encode(hmac(&key, &signed)));
        self.header("webhook-signature").split(' ').any(|signature| signature == right)
    }

    /// The code in a mail that asks whoever reads an address to show it.
    pub fn code(&self) -> Option<String> {
        let body = self.json();
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit());
        body["text"].as_str()?.lines().find(is_code).map(str::to_owned)
    }

    /// The link in a mail.
    pub fn link(&self) -> String {
        let body = self.json();
        let text = body["text"].as_str().unwrap();
        text.lines().find(|line| line.contains("#token=")).unwrap().to_owned()
    }
}

impl Upstreams {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Until they come back by [`Self::are_again`], healthy ones that nobody has called take their place.
    pub fn are_set_aside(&self) -> Aside {
        Aside(std::mem::take(&mut *self.state()))
    }

    /// They are as they were.
    pub fn are_again(&self, aside: Aside) {
        *self.state() = aside.0;
    }

    /// `upstream` takes the next calls so, then as before.
    pub fn next(&self, upstream: &'static str, reactions: impl IntoIterator<Item = Reaction>) {
        self.state().next.entry(upstream).or_default().extend(reactions);
    }

    /// From now on `upstream` takes every call so.
    pub fn always(&self, upstream: &'static str, reaction: Reaction) {
        self.state().always.insert(upstream, reaction);
    }

    /// From now on Resend takes so many calls in any second, as the real one does.
    pub fn resend_takes(&self, a_second: usize) {
        self.state().takes = Some(a_second);
    }

    /// From now on calls to an address with this in it are taken so.
    pub fn always_at(&self, part: &'static str, reaction: Reaction) {
        self.state().at.push((part, reaction));
    }

    /// Every call so far.
    pub fn sent(&self) -> Vec<RecordedCall> {
        self.state().sent.clone()
    }

    /// Every call to one of them so far.
    pub fn sent_to(&self, upstream: &str) -> Vec<RecordedCall> {
        self.sent().into_iter().filter(|sent| sent.call.upstream == upstream).collect()
    }

    /// How often each upstream did something under each key.
    pub fn effects(&self) -> BTreeMap<(&'static str, String), usize> {
        self.state().effects.clone()
    }

    /// Cloudflare's records.
    pub fn dns<T>(&self, use_: impl FnOnce(&mut Dns) -> T) -> T {
        use_(&mut self.state().dns)
    }

    /// The spreadsheets that are there.
    pub fn sheets(&self) -> Vec<String> {
        self.state().sheets.iter().filter(|sheet| sheet.is_there).map(|sheet| sheet.id.clone()).collect()
    }

    /// Whether an upstream lets all the time go by.
    pub fn hangs(&self, upstream: &str) -> bool {
        self.state().always.get(upstream) == Some(&Reaction::Hangs)
    }

    /// Whether every caller dies.
    pub fn kills(&self, upstream: &str) -> bool {
        self.state().always.get(upstream) == Some(&Reaction::Kills)
    }

    /// Takes a call.
    pub fn take(&self, call: OutboundRequest, now: Timestamp) -> Result<OutboundResponse, OutboundError> {
        let mut state = self.state();
        let sent = RecordedCall { call, at: now };
        let upstream = part(&sent.call);
        let reaction = state
            .next
            .get_mut(upstream)
            .and_then(VecDeque::pop_front)
            .or_else(|| {
                let at = state.at.iter().find(|(part, _)| sent.call.url.contains(part));
                at.map(|(_, reaction)| reaction.clone())
            })
            .or_else(|| state.always.get(upstream).cloned())
            .unwrap_or(Reaction::Healthy);
        state.sent.push(sent.clone());
        match reaction {
            Reaction::Healthy => Ok(state.play(&sent)),
            Reaction::Answers(status, body) => Ok(called(status, body)),
            Reaction::AsksToWait(status, after) => {
                Ok(OutboundResponse { retry_after: Some(after.to_owned()), ..called(status, "") })
            }
            Reaction::TimesOut | Reaction::Hangs | Reaction::Kills => Err(OutboundError::Timeout),
            Reaction::Breaks => Err(OutboundError::Connection),
            Reaction::LosesTheAnswer => {
                state.play(&sent);
                Err(OutboundError::Connection)
            }
        }
    }
}

/// Which part of an upstream a call is for: Google has two.
fn part(call: &OutboundRequest) -> &'static str {
    match call.upstream {
        "google" if call.url.starts_with("https://oauth2.googleapis.com/") => "google_token",
        "google" => "google_sheets",
        other => other,
    }
}

impl State {
    fn play(&mut self, sent: &RecordedCall) -> OutboundResponse {
        match part(&sent.call) {
            "make" => self.make(sent),
            "platform" => {
                self.did(sent);
                called(204, "")
            }
            "apps_script" => self.apps_script(sent),
            "google_token" => google_token(sent),
            "google_sheets" => self.google_sheets(sent),
            "resend" => self.resend(sent),
            "cloudflare" => self.dns.play(sent),
            "turnstile" => self.turnstile(sent),
            other => panic!("nobody plays {other}"),
        }
    }

    fn did(&mut self, sent: &RecordedCall) {
        *self.effects.entry((sent.call.upstream, sent.key())).or_default() += 1;
    }

    /// Recognises no key: every ping counts.
    fn make(&mut self, sent: &RecordedCall) -> OutboundResponse {
        assert!(sent.call.url.starts_with("https://hook.") && sent.call.method == "POST");
        assert_eq!(sent.header("webhook-id"), sent.key());
        if sent.call.url.contains("/gone") {
            return called(410, "There is no scenario listening for this webhook.");
        }
        self.did(sent);
        called(200, "Accepted")
    }

    /// Checks the signature over the raw body; makes one spreadsheet a key; never fails by its status.
    fn apps_script(&mut self, sent: &RecordedCall) -> OutboundResponse {
        let (_, signature) = sent.call.url.rsplit_once("signature=").unwrap();
        let expected = hmac(GAS_SECRET.as_bytes(), sent.call.body.as_deref().unwrap());
        let expected: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sent.call.follow, ["script.googleusercontent.com"]);
        if signature != expected {
            return called(
                200,
                r#"{"ok":false,"error":"The signature does not match.","code":"BAD_SIGNATURE"}"#,
            );
        }
        let body = sent.json();
        let told = match body["action"].as_str().unwrap() {
            "provision" => self.provision(sent, &body),
            "verify" => {
                json!({ "ok": true, "exists": self.has_sheet(body["spreadsheetId"].as_str().unwrap()) })
            }
            "deprovision" => self.deprovision(sent, &body),
            "version" => json!({ "ok": true, "version": "1.0.0", "protocol": 1 }),
            other => panic!("no such action: {other}"),
        };
        called(200, &told.to_string())
    }

    fn has_sheet(&self, id: &str) -> bool {
        self.sheets.iter().any(|sheet| sheet.is_there && sheet.id == id)
    }

    fn provision(&mut self, sent: &RecordedCall, body: &Value) -> Value {
        assert!(body["teamName"].is_string());
        if self.spent_keys.contains(&sent.key()) {
            return json!({ "ok": false, "error": "It was removed.", "code": "DEPROVISIONED" });
        }
        let known = self.sheets.iter().find(|sheet| sheet.key == sent.key()).map(|sheet| sheet.id.clone());
        let id = known.unwrap_or_else(|| {
            self.did(sent);
            let id = format!("sheet_{}", self.sheets.len());
            let tenant = body["tenantId"].as_str().unwrap().to_owned();
            self.sheets.push(Sheet { key: sent.key(), id: id.clone(), tenant, is_there: true });
            id
        });
        let url = format!("https://docs.google.com/spreadsheets/d/{id}/edit");
        json!({ "ok": true, "spreadsheetId": id, "spreadsheetUrl": url })
    }

    /// Removes what was made under the key, or bears the id, and makes nothing under the key from then on.
    fn deprovision(&mut self, sent: &RecordedCall, body: &Value) -> Value {
        let key = body["provisionKey"].as_str().unwrap();
        let about = |sheet: &&mut Sheet| sheet.key == key || body["spreadsheetId"] == sheet.id.as_str();
        let mut removed = false;
        let mut id = None;
        if let Some(sheet) = self.sheets.iter_mut().find(about) {
            if body["tenantId"] != sheet.tenant.as_str() {
                return json!({ "ok": false, "error": "It is another's.", "code": "FOREIGN" });
            }
            removed = std::mem::take(&mut sheet.is_there);
            id = Some(sheet.id.clone());
        }
        if self.spent_keys.insert(key.to_owned()) || removed {
            self.did(sent);
        }
        match id {
            Some(id) => json!({ "ok": true, "removed": removed, "spreadsheetId": id }),
            None => json!({ "ok": true, "removed": removed }),
        }
    }

    fn google_sheets(&self, sent: &RecordedCall) -> OutboundResponse {
        assert_eq!((sent.call.method, sent.header("authorization")), ("GET", "Bearer ya29.test"));
        let path = sent.call.url.strip_prefix("https://sheets.googleapis.com/v4/spreadsheets/").unwrap();
        let (id, fields) = path.split_once('?').unwrap();
        assert_eq!(fields, "fields=spreadsheetId,properties.title");
        if self.has_sheet(id) {
            called(200, &json!({ "spreadsheetId": id, "properties": { "title": "FC" } }).to_string())
        } else {
            called(404, r#"{"error":{"code":404,"status":"NOT_FOUND"}}"#)
        }
    }

    /// Takes every token once, unless it is `bad`.
    fn turnstile(&mut self, sent: &RecordedCall) -> OutboundResponse {
        assert_eq!(sent.call.url, "https://challenges.cloudflare.com/turnstile/v0/siteverify");
        let body = sent.call.body.clone().unwrap();
        assert!(body.contains("secret=") && body.contains("remoteip="));
        if body.contains("response=bad") || !self.spent.insert(body) {
            return called(
                200,
                r#"{"success":false,"error-codes":["invalid-input-response"],"messages":[]}"#,
            );
        }
        let answer = json!({
            "success": true, "challenge_ts": sent.at.rfc3339(), "hostname": "api.example.com", "action": "signup",
            "cdata": "", "error-codes": [], "metadata": { "interactive": false },
        });
        called(200, &answer.to_string())
    }

    /// Recognises a key: the same body is answered the same id, another one is refused.
    fn resend(&mut self, sent: &RecordedCall) -> OutboundResponse {
        if sent.header("authorization") != format!("Bearer {RESEND_KEY}") {
            return called(
                403,
                r#"{"statusCode":403,"name":"invalid_api_key","message":"API key is invalid."}"#,
            );
        }
        if let Some(answer) = checks::resend(sent) {
            return answer;
        }
        assert_eq!(sent.call.url, "https://api.resend.com/emails");
        let now = sent.at.millis();
        let asked = self.sent.iter().rev().take_while(|other| now - other.at.millis() < 1000);
        let asked = asked.filter(|other| other.call.upstream == "resend").count();
        if self.takes.is_some_and(|takes| asked > takes) {
            return OutboundResponse {
                retry_after: Some("1".to_owned()),
                ..called(429, r#"{"statusCode":429,"name":"rate_limit_exceeded","message":"…"}"#)
            };
        }
        let body = sent.call.body.clone().unwrap();
        match self.mails.get(&sent.key()) {
            Some((known, id)) if *known == body => called(200, &json!({ "id": id }).to_string()),
            Some(_) => called(409, r#"{"statusCode":409,"name":"invalid_idempotent_request","message":"…"}"#),
            None => {
                self.did(sent);
                let id = format!("mail_{}", self.mails.len());
                self.mails.insert(sent.key(), (body, id.clone()));
                called(200, &json!({ "id": id }).to_string())
            }
        }
    }
}

fn google_token(sent: &RecordedCall) -> OutboundResponse {
    assert_eq!(sent.call.url, "https://oauth2.googleapis.com/token");
    assert_eq!(sent.header("content-type"), "application/x-www-form-urlencoded");
    let body = sent.call.body.as_deref().unwrap();
    assert!(body.starts_with("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="));
    called(200, r#"{"access_token":"ya29.test","expires_in":3599,"token_type":"Bearer"}"#)
}

pub fn called(status: u16, body: &str) -> OutboundResponse {
    OutboundResponse { status, retry_after: None, body: body.to_owned(), ms: 12 }
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(key).unwrap().chain_update(message).finalize().into_bytes().to_vec()
}
