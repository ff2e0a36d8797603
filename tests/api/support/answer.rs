//! An answer, and what must hold for every one of them.

use http::{HeaderMap, Method, StatusCode, response::Parts};
use serde_json::{Map, Value};
use tenantry::ports::LogLine;

/// An answer as its reader has it.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as it came.
    pub text: String,
}

impl Answer {
    pub(super) async fn read(response: axum::response::Response) -> Self {
        let (Parts { status, headers, .. }, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Self { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// Whether it is a page and no JSON.
    pub fn is_page(&self) -> bool {
        self.header("content-type") == "text/html; charset=utf-8"
    }

    /// Whether it is text at a well-known address, or leads elsewhere.
    pub fn is_well_known(&self) -> bool {
        self.header("content-type") == "text/plain; charset=utf-8" || self.status == 302
    }

    /// Whether it is what Prometheus reads and no JSON.
    pub fn is_metrics(&self) -> bool {
        self.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    }

    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {:?}", self.text))
    }

    /// The body, if the status is this.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The body's `error`, if it failed with this status and code.
    #[track_caller]
    pub fn fails(&self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status.as_u16(), self.json()["error"]["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        self.json()["error"].clone()
    }

    /// The body's `error`, if it failed with this status, code and reason.
    #[track_caller]
    pub fn refuses(&self, status: u16, code: &str, reason: &str) -> Value {
        let error = self.fails(status, code);
        assert_eq!(error["reason"], reason);
        error
    }

    /// Each failing field with its word, if the input was refused for them.
    #[track_caller]
    pub fn complains_about(&self) -> Vec<(String, String)> {
        let error = self.fails(400, "VALIDATION");
        let issues = error["issues"].as_array().cloned().unwrap_or_default();
        issues
            .iter()
            .map(|issue| {
                assert_eq!(keys(issue), ["code", "message", "path"]);
                assert!(!issue["message"].as_str().unwrap().is_empty());
                let path: Vec<_> =
                    issue["path"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
                (path.join("."), issue["code"].as_str().unwrap().to_owned())
            })
            .collect()
    }

    /// Asserts what holds for every answer, and for the log of every request.
    #[track_caller]
    pub(super) fn keeps_the_conventions(&self, method: &Method, log: &[LogLine]) {
        self.carries_the_headers_of_all();
        let id = self.header("x-request-id");
        let is_empty = [204, 304].contains(&self.status.as_u16()) || *method == Method::HEAD;
        if is_empty {
            assert_eq!(self.text, "", "{method} {}", self.status);
        } else if !self.is_page() && !self.is_metrics() && !self.is_well_known() {
            assert_eq!(self.header("content-type"), "application/json");
            self.has_the_shape_of_all(id);
        }
        assert!(
            log.iter().all(|line| line.fields.contains_key("requestId")),
            "a line without its request: {log:?}"
        );
        let own: Vec<_> =
            log.iter().filter(|line| line.fields.get("requestId") == Some(&id.into())).collect();
        let summaries: Vec<_> = own.iter().filter(|line| line.fields["msg"] == "request").collect();
        assert_eq!(summaries.len(), 1, "one summary line a request");
        assert_eq!(summaries[0].fields["status"], self.status.as_u16());
        assert_eq!(summaries[0].fields["method"], method.as_str());
        assert!(summaries[0].fields["ms"].is_u64() && summaries[0].fields["route"].is_string());
        let last = own.last().map(|line| line.fields["msg"].clone());
        assert_eq!(last, Some("request".into()), "the summary is the last line");
    }

    #[track_caller]
    fn carries_the_headers_of_all(&self) {
        for (name, value) in [
            ("strict-transport-security", "max-age=63072000; includeSubDomains"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("vary", "Origin"),
            ("x-served-by", "tenantry"),
        ] {
            assert_eq!(self.header(name), value, "{name}");
        }
        assert!(["no-store", "private, no-cache"].contains(&self.header("cache-control")));
        let policy = self.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.ends_with("frame-ancestors 'none'"),
            "{policy}"
        );
        let id = self.header("x-request-id");
        assert!(id.starts_with("req_") && id.len() == 36, "{id:?}");
        assert_ne!(self.header("access-control-allow-origin"), "*");
    }

    #[track_caller]
    fn has_the_shape_of_all(&self, id: &str) {
        let body = self.json();
        if body.get("ok").is_some() {
            return assert_eq!(body["ok"], self.status.is_success());
        }
        assert_eq!(body["success"], self.status.is_success(), "{body}");
        if self.status.is_success() {
            return;
        }
        assert_eq!(keys(&body), ["error", "success"]);
        let known = ["code", "issues", "message", "reason", "requestId", "triesLeft"];
        assert!(keys(&body["error"]).iter().all(|key| known.contains(&key.as_str())), "{body}");
        assert_eq!(body["error"]["requestId"], id);
        assert_ne!(body["error"]["message"].as_str().unwrap(), "");
        let is_about_the_token = self.status == 401 || is_forbidden(&body["error"]);
        assert_eq!(is_about_the_token, self.headers.contains_key("www-authenticate"));
        if self.status == 403 && is_about_the_token {
            let challenge = self.header("www-authenticate");
            assert_eq!(challenge, "Bearer realm=\"tenantry\", error=\"insufficient_scope\"");
        }
        assert!(![429, 503].contains(&self.status.as_u16()) || self.headers.contains_key("retry-after"));
    }
}

/// Whether a token was refused that is valid, but may not do this.
fn is_forbidden(error: &Value) -> bool {
    error["code"] == "FORBIDDEN" && error["reason"] != "cross_site"
}

/// The names in an object, in order.
pub fn keys(object: &Value) -> Vec<String> {
    let fields: &Map<String, Value> = object.as_object().unwrap_or_else(|| panic!("no object: {object}"));
    let mut names: Vec<String> = fields.keys().cloned().collect();
    names.sort();
    names
}
