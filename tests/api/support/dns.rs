//! Cloudflare's DNS records of one zone: a name has one CNAME or none, and nobody recognises a repeat.

use serde_json::{Value, json};
use tenantry::ports::OutboundResponse;

use super::{
    app::{CLOUDFLARE_TOKEN, ZONE},
    checks,
    upstreams::{RecordedCall, called},
};

/// The zone's records.
#[derive(Default)]
pub struct Dns {
    records: Vec<Value>,
    /// How many were made through the API.
    pub made: usize,
    ids: usize,
}

impl Dns {
    /// Every record there is.
    pub fn records(&self) -> Vec<Value> {
        self.records.clone()
    }

    /// Somebody makes a record by hand.
    pub fn plant(&mut self, mut record: Value) -> Value {
        record["id"] = format!("{:032x}", self.ids).into();
        self.ids += 1;
        self.records.push(record.clone());
        record
    }

    /// Somebody changes or removes records by hand.
    pub fn edit(&mut self, edit: impl FnOnce(&mut Vec<Value>)) {
        edit(&mut self.records);
    }

    /// Takes a call.
    pub fn play(&mut self, sent: &RecordedCall) -> OutboundResponse {
        if sent.header("authorization") != format!("Bearer {CLOUDFLARE_TOKEN}") {
            return refuses(403, 10000);
        }
        if let Some(answer) = checks::cloudflare(sent, &self.records) {
            return answer;
        }
        let zone = format!("https://api.cloudflare.com/client/v4/zones/{ZONE}/dns_records");
        let Some(rest) = sent.call.url.strip_prefix(&zone) else { return refuses(404, 7003) };
        match (sent.call.method, rest.strip_prefix('/')) {
            ("GET", None) => self.list(rest.strip_prefix("?name.exact=").unwrap()),
            ("POST", None) => self.make(sent.json()),
            ("GET", Some(id)) => match self.records.iter().find(|record| record["id"] == id) {
                Some(record) => answers(record),
                None => refuses(404, 81044),
            },
            ("DELETE", Some(id)) => {
                let before = self.records.len();
                self.records.retain(|record| record["id"] != id);
                if self.records.len() < before { answers(&json!({ "id": id })) } else { refuses(404, 81044) }
            }
            other => panic!("no such call: {other:?}"),
        }
    }

    fn list(&self, name: &str) -> OutboundResponse {
        let found: Vec<&Value> = self.records.iter().filter(|record| record["name"] == name).collect();
        answers(&json!(found))
    }

    fn make(&mut self, record: Value) -> OutboundResponse {
        assert!(record["comment"].as_str().unwrap().len() <= 100, "what Cloudflare takes");
        let same = |field: &str, other: &Value| other[field] == record[field];
        let rivals: Vec<&Value> = self.records.iter().filter(|other| same("name", other)).collect();
        if rivals.iter().any(|other| same("type", other) && same("content", other)) {
            return refuses(400, 81058);
        }
        if rivals.iter().any(|other| ["A", "AAAA", "CNAME"].contains(&other["type"].as_str().unwrap())) {
            return refuses(400, 81053);
        }
        self.made += 1;
        let made = self.plant(record);
        answers(&made)
    }
}

pub fn answers(result: &Value) -> OutboundResponse {
    called(200, &json!({ "success": true, "errors": [], "messages": [], "result": result }).to_string())
}

pub fn refuses(status: u16, code: u32) -> OutboundResponse {
    let errors = json!([{ "code": code, "message": "…" }]);
    called(status, &json!({ "success": false, "errors": errors, "messages": [], "result": null }).to_string())
}
