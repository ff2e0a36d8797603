//! The application of one test, and asking it something.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http::{HeaderValue, Method, Request};
use serde_json::Value;
use tenantry::{
    app::{App, Settings},
    db::Db,
    domain::{Config, RequestCounter, Timestamp},
    http::{router, serve},
    ports::{Clock, Database as _, LogLine},
    store::request_metrics,
};

use crate::openapi::contract;

use super::{answer::Answer, breakers, database::Database, objects, ports::Outside};

/// When every test begins: neither a whole second nor a whole day.
pub const START: Timestamp = Timestamp::from_millis(1_800_000_012_345);
/// What tokens are signed with.
pub const SECRET: &str = "a-jwt-secret-of-more-than-32-bytes";
/// What calls to Apps Script are signed with.
pub const GAS_SECRET: &str = "the-gas-secret";
/// What opens Resend.
pub const RESEND_KEY: &str = "re_the_resend_key";
/// What opens Cloudflare.
pub const CLOUDFLARE_TOKEN: &str = "the-cloudflare-token";
/// The zone of the tenants' domain.
pub const ZONE: &str = "0123456789abcdef0123456789abcdef";
/// What makes a DNS record for each tenant.
pub const RECORDS: [(&str, &str); 3] =
    [("SUBDOMAIN_MODE", "record"), ("CLOUDFLARE_ZONE_ID", ZONE), ("CLOUDFLARE_API_TOKEN", CLOUDFLARE_TOKEN)];
/// The secret that tenants of these tests give their webhooks.
pub const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The secret of the platform's own webhook.
pub const PLATFORM_SECRET: &str = "whsec_cGxhdGZvcm0tc2VjcmV0LW9mLXRoZS10ZXN0cw==";
/// What gives the platform a webhook of its own.
pub const PLATFORM_WEBHOOK: [(&str, &str); 2] = [
    ("PLATFORM_WEBHOOK_URL", "https://hooks.example.com/tenantry"),
    ("PLATFORM_WEBHOOK_SECRET", PLATFORM_SECRET),
];
/// What monitoring holds, where a test gives it anything.
pub const METRICS_TOKEN: &str = "the-token-of-monitoring";
/// What must never be seen.
pub const SECRETS: [&str; 9] = [
    SECRET,
    GAS_SECRET,
    RESEND_KEY,
    CLOUDFLARE_TOKEN,
    WEBHOOK_SECRET,
    "a private key",
    "the-turnstile-secret",
    METRICS_TOKEN,
    PLATFORM_SECRET,
];

/// The application of one test.
#[derive(Clone)]
pub struct TestApp {
    /// The application.
    pub app: App<Outside>,
    router: Router,
}

impl TestApp {
    /// As development has it.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// With these variables changed; an empty one is not there.
    pub fn with(changes: &[(&str, &str)]) -> Self {
        let mut values = BTreeMap::from([
            ("ENVIRONMENT", "development"),
            ("APP_VERSION", "1.2.3"),
            ("JWT_SECRET", SECRET),
            ("CORS_ALLOWED", "https://app.example.com,https://*.clubs.example"),
            ("GAS_WEBAPP_URL", "https://script.google.com/macros/s/test/exec"),
            ("GAS_HMAC_SECRET", GAS_SECRET),
            ("RESEND_API_KEY", RESEND_KEY),
            ("RESEND_FROM_EMAIL", "Tenantry <welcome@clubs.example>"),
            ("DATA_KEY", "0123456789abcdef0123456789abcdef"),
            ("BASE_DOMAIN", "clubs.example"),
        ]);
        values.extend(changes.iter().copied());
        let config = Config::read(|name| values.get(name).map(|value| (*value).to_owned()), true);
        let outside = Outside::healthy(START);
        outside.breakers().have(config.budgets);
        Self { app: App::new(outside, Arc::new(Settings::new(config))), router: router::<Outside>() }
    }

    /// Writes down which requests were answered, as an isolate does now and then.
    pub async fn writes_requests_down(&self) {
        let mut tally = RequestCounter::new();
        for served in self.outside().take_counted() {
            let _ = tally.add(served, self.outside().now());
        }
        self.db().query(request_metrics::add(&tally.take(self.outside().now()))).await.unwrap();
    }

    /// The same world, seen by a deployment with these variables.
    pub fn redeployed_with(&self, changes: &[(&str, &str)]) -> Self {
        let app = App::new(self.app.ports.clone(), Self::with(changes).app.settings);
        Self { app, router: self.router.clone() }
    }

    /// Everything outside.
    pub fn outside(&self) -> &Outside {
        &self.app.ports
    }

    /// The database.
    pub fn db(&self) -> &Database {
        self.app.ports.db()
    }

    /// Now, in seconds.
    pub fn now(&self) -> i64 {
        self.app.ports.now().seconds()
    }

    /// Time passes.
    pub fn passes(&self, seconds: u64) {
        self.app.ports.passes(Duration::from_secs(seconds));
    }

    /// Asks for something.
    pub fn get(&self, path: &str) -> AdmissionRequest {
        self.ask(Method::GET, path)
    }

    /// Posts something.
    pub fn post(&self, path: &str) -> AdmissionRequest {
        self.ask(Method::POST, path)
    }

    /// Asks by any method.
    pub fn ask(&self, method: Method, path: &str) -> AdmissionRequest {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://api.example.com{path}"))
            .header("cf-connecting-ip", "192.0.2.1")
            .body(Body::empty())
            .unwrap();
        AdmissionRequest { app: self.clone(), request, sent: None }
    }

    /// The log so far, as the words of its lines.
    pub fn log_words(&self) -> Vec<String> {
        self.outside()
            .log_lines()
            .iter()
            .map(|line| line.fields["msg"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The lines of the log with this word.
    pub fn log_of(&self, word: &str) -> Vec<LogLine> {
        self.outside().log_lines().into_iter().filter(|line| line.fields["msg"] == word).collect()
    }

    /// The sweep sends mails, each when it is due, until none waits any more.
    pub async fn mails_leave(&self) {
        let due = "select coalesce(min(next_at), 0) from mails where status = 'pending'";
        for _ in 0..200 {
            match self.db().number(due) {
                0 => return,
                due => self.outside().is_at(Timestamp::from_seconds(due)),
            }
            // A sweep that the database does not answer is followed by another.
            let _ = tenantry::app::mails::send_due(&self.app).await;
        }
        panic!("the mails never leave");
    }

    /// The sweep comes by once a minute for so many seconds.
    pub async fn mails_leave_for(&self, seconds: u64) {
        for _ in 0..seconds / 60 {
            self.passes(60);
            let _ = tenantry::app::mails::send_due(&self.app).await;
        }
    }

    /// A tenant's alarm rings, if it has one.
    pub async fn alarm_rings(&self, tenant: &str) -> bool {
        objects::alarm(&self.app, tenant).await
    }

    /// The next alarm of a breaker rings, if there is one before this moment.
    pub async fn breaker_rings_before(&self, moment: Timestamp) -> bool {
        match self.outside().breakers().alarm() {
            Some((at, upstream)) if at < moment => {
                breakers::alarm(&self.app, upstream).await;
                true
            }
            _ => false,
        }
    }

    /// A tenant's alarms ring, each when it is due, until there is none any more.
    pub async fn alarms_ring_to_the_end(&self, tenant: &str) {
        for _ in 0..1000 {
            if !self.alarm_rings(tenant).await {
                return;
            }
        }
        panic!("the alarms of {tenant} never end");
    }
}

/// A request that is about to be sent.
pub struct AdmissionRequest {
    app: TestApp,
    request: Request<Body>,
    sent: Option<Value>,
}

impl AdmissionRequest {
    /// By another method.
    pub fn method(mut self, method: Method) -> Self {
        *self.request.method_mut() = method;
        self
    }

    /// To another path.
    pub fn to(mut self, path: &str) -> Self {
        *self.request.uri_mut() = format!("https://api.example.com{path}").parse().unwrap();
        self
    }

    /// At another address of the service.
    pub fn at(mut self, host: &str) -> Self {
        let path = self.request.uri().path_and_query().unwrap().as_str().to_owned();
        *self.request.uri_mut() = format!("https://{host}{path}").parse().unwrap();
        self
    }

    /// With this header.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    /// On behalf of this token's holder.
    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// On behalf of this token's holder, if there is one.
    pub fn maybe_token(self, token: Option<&str>) -> Self {
        match token {
            Some(token) => self.token(token),
            None => self,
        }
    }

    /// With a cookie of ours, beside one of somebody else's.
    pub fn cookie(self, value: &str) -> Self {
        self.header("cookie", &format!("theme=dark; __Host-tenantry={value}"))
    }

    /// As a browser sends it from our own page.
    pub fn by_our_page(self) -> Self {
        self.header("sec-fetch-site", "same-origin")
    }

    /// With this JSON.
    pub fn json(self, value: &Value) -> Self {
        let text = value.to_string();
        Self { sent: Some(value.clone()), ..self.header("content-type", "application/json").body(text) }
    }

    /// With this body, as it is.
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    /// Sends it; whatever comes back must keep the conventions, and be what the document says.
    pub async fn send(self) -> Answer {
        let (method, sent, app) = (self.request.method().clone(), self.sent.clone(), self.app.clone());
        let before = app.outside().log_length();
        let answer = self.send_whatever_the_words().await;
        let log = app.outside().log_from(before);
        let route = log.last().and_then(|line| line.fields["route"].as_str()).unwrap_or_default();
        contract::keeps(&method, route, sent.as_ref(), &answer);
        answer
    }

    /// Sends it; what comes back may hold words that the document doesn't know: those of a later version.
    pub async fn send_whatever_the_words(self) -> Answer {
        let method = self.request.method().clone();
        let before = self.app.outside().log_length();
        let answer =
            Answer::read(serve(self.app.app.clone(), self.app.router.clone(), self.request).await).await;
        answer.keeps_the_conventions(&method, &self.app.outside().log_from(before));
        answer
    }
}
