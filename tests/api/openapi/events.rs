//! What webhooks are sent: one message for each kind of event. A tenant's webhook is sent some kinds, the platform's all of them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    contract::is_valid,
    operation::{Tag, reference},
    published,
};
use crate::{
    plans::everything_happens,
    support::{PLATFORM_WEBHOOK, Reaction, TestApp},
};

/// An event: its kind, its type in clients, whose webhooks are sent it, what it means, and what `data` has besides `tenantId`: a name, its type, what it
/// means, and whether it is always there.
struct Event {
    kind: &'static str,
    name: &'static str,
    receivers: &'static [Receiver],
    meaning: &'static str,
    data: &'static [(&'static str, &'static str, &'static str, bool)],
}

/// Whose webhook it is.
#[derive(Clone, Copy, PartialEq)]
enum Receiver {
    Tenant,
    Platform,
}

const BOTH: &[Receiver] = &[Receiver::Tenant, Receiver::Platform];
const PLATFORM: &[Receiver] = &[Receiver::Platform];

const RUN: (&str, &str, &str, bool) = ("runId", "RunId", "The run.", true);
const PLAN: (&str, &str, &str, bool) = ("plan", "Plan", "The plan that it provisions.", true);
const STEP: (&str, &str, &str, bool) = ("step", "Step", "The step that it was at.", false);

const EVENTS: &[Event] = &[
    Event {
        kind: "webhook.ping",
        name: "WebhookPing",
        receivers: &[Receiver::Tenant],
        meaning: "A test: nothing happened.",
        data: &[],
    },
    Event {
        kind: "tenant.signed_up",
        name: "TenantSignedUp",
        receivers: PLATFORM,
        meaning: "A tenant signed up, or an operator made it.",
        data: &[
            ("plan", "Plan", "Its plan.", true),
            ("slug", "string", "Its name in addresses.", true),
            ("by", "string", "`operator`, if one made it.", false),
        ],
    },
    Event {
        kind: "tenant.provisioned",
        name: "TenantProvisioned",
        receivers: BOTH,
        meaning: "The tenant is set up. It is said once.",
        data: &[RUN, PLAN, STEP],
    },
    Event {
        kind: "tenant.failed",
        name: "TenantFailed",
        receivers: BOTH,
        meaning: "Setting the tenant up failed. A tenant's webhook is told once an hour at most, however often it is tried; the platform's each time.",
        data: &[
            ("runId", "RunId", "The run; left out where it was lost.", false),
            PLAN,
            ("reason", "FailureCode", "Why.", true),
            STEP,
        ],
    },
    Event {
        kind: "tenant.deprovisioned",
        name: "TenantDeprovisioned",
        receivers: BOTH,
        meaning: "The tenant is gone, and what was made for it.",
        data: &[RUN, PLAN],
    },
    Event {
        kind: "mail.failed",
        name: "MailFailed",
        receivers: PLATFORM,
        meaning: "A mail to the tenant's owner could not be sent.",
        data: &[
            ("kind", "string", "Which mail, like `welcome`.", true),
            ("reason", "string", "Why: the code.", true),
        ],
    },
    Event {
        kind: "webhook.disabled",
        name: "WebhookDisabled",
        receivers: PLATFORM,
        meaning: "The tenant's own webhook was switched off.",
        data: &[("reason", "string", "Why: `gone` or `failing`.", true)],
    },
    Event {
        kind: "webhook.changed",
        name: "WebhookChanged",
        receivers: PLATFORM,
        meaning: "Another webhook was stored for the tenant.",
        data: &[("host", "string", "Its host.", true)],
    },
    Event {
        kind: "session.started",
        name: "SessionStarted",
        receivers: PLATFORM,
        meaning: "Somebody signed in to the tenant.",
        data: &[
            ("session", "string", "The sign-in.", true),
            ("how", "string", "By what: `link`, `code` or `proof`.", true),
            ("browser", "string", "The family of browsers, in a word.", true),
            ("platform", "string", "What that runs on, in a word.", true),
        ],
    },
    Event {
        kind: "session.ended",
        name: "SessionEnded",
        receivers: PLATFORM,
        meaning: "A sign-in to the tenant was ended.",
        data: &[
            ("session", "string", "The sign-in.", true),
            ("how", "string", "By what it began: `link`, `code` or `proof`.", true),
            ("browser", "string", "The family of browsers, in a word.", true),
            ("platform", "string", "What that runs on, in a word.", true),
        ],
    },
    Event {
        kind: "session.all_ended",
        name: "AllSessionsEnded",
        receivers: PLATFORM,
        meaning: "Every sign-in to the tenant was ended.",
        data: &[],
    },
];

/// The types of what is sent.
pub fn schemas() -> Map<String, Value> {
    let failure = serde_json::to_value(<tenantry::workflow::FailureCode as utoipa::PartialSchema>::schema());
    let all = EVENTS.iter().map(|event| (event.name.to_owned(), schema(event)));
    all.chain([("FailureCode".to_owned(), failure.unwrap())]).collect()
}

fn schema(event: &Event) -> Value {
    let tenant = ("tenantId", "TenantId", "The tenant.", true);
    let fields = || [tenant].into_iter().chain(event.data.iter().copied());
    let properties: Map<String, Value> = fields()
        .map(|(name, of, meaning, _)| {
            let mut field = if of == "string" { json!({ "type": "string" }) } else { reference(of) };
            field["description"] = meaning.into();
            (name.to_owned(), field)
        })
        .collect();
    let required: Vec<&str> = fields().filter(|field| field.3).map(|field| field.0).collect();
    json!({
        "type": "object",
        "description": event.meaning,
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": { "type": "string", "const": event.kind, "description": "What happened." },
            "timestamp": { "$ref": "#/components/schemas/Time", "description": "When it happened." },
            "data": {
                "type": "object",
                "description": "To whom. More fields may come.",
                "required": required,
                "properties": properties,
            },
        },
    })
}

/// The operations of the receiver's.
pub fn webhooks() -> Map<String, Value> {
    EVENTS.iter().map(|event| (event.kind.to_owned(), json!({ "post": operation(event) }))).collect()
}

fn operation(event: &Event) -> Value {
    let header = |name: &str, description: &str, schema: Value| json!({ "name": name, "in": "header", "required": true, "description": description, "schema": schema });
    let text = || json!({ "type": "string" });
    let is_tenants = event.receivers.contains(&Receiver::Tenant);
    let tag = if is_tenants { Tag::Webhooks } else { Tag::Platform };
    let mut data = json!({ "tenantId": "tenant_01a3185c80397978a1c17e7efb610b25" });
    for (name, of, _, always) in event.data {
        if *always {
            data[*name] = match *of {
                "RunId" => "run_01a3185c80397978a1c17e7efb610b25",
                "Plan" => "starter",
                "FailureCode" => "WEBHOOK_REJECTED",
                _ => match *name {
                    "slug" => "fc-example",
                    "kind" => "welcome",
                    _ if event.kind == "webhook.disabled" => "gone",
                    _ => "EMAIL_REJECTED",
                },
            }
            .into();
        }
    }
    json!({
        "operationId": format!("on{}", event.name),
        "tags": [tag.words().0],
        "summary": event.kind,
        "description": format!(
            "{} Sent to {}. Signed as Standard Webhooks has it. It comes again, under the same `webhook-id`, until the webhook answers by 2xx.",
            event.meaning,
            match event.receivers {
                [Receiver::Tenant] => "a tenant's webhook",
                [Receiver::Platform] => "the platform's webhook only, never to a tenant's",
                _ => "a tenant's webhook and to the platform's",
            }
        ),
        "security": [],
        "parameters": [
            header("webhook-id", "The same for every attempt: whoever has seen it need do nothing.", text()),
            header("webhook-timestamp", "When this attempt was made, Unix seconds.", text()),
            header("webhook-signature", "`v1,` and the HMAC-SHA256 of `id.timestamp.body`, base64.", text()),
        ],
        "requestBody": { "required": true, "content": { "application/json": {
            "schema": reference(event.name),
            "example": { "type": event.kind, "timestamp": "2027-01-15T08:00:12.345Z", "data": data },
        } } },
        "responses": {
            "2XX": { "description": "The webhook has it." },
            "410": { "description": "The webhook wants no more: a tenant's is switched off, the platform's never." },
            "default": { "description": "It comes again later." },
        },
    })
}

#[tokio::test]
async fn every_event_is_in_the_document_as_it_is_sent() {
    let app = TestApp::with(&PLATFORM_WEBHOOK);
    everything_happens(&app).await;
    app.outside().upstreams().always("platform", Reaction::Healthy);
    for _ in 0..10 {
        app.passes(24 * 3600);
        tenantry::app::deliveries::send_due(&app.app).await.unwrap();
    }
    let sent = |upstream: &str| app.outside().upstreams().sent_to(upstream);
    for (receiver, upstream, table) in [
        (Receiver::Tenant, "make", "webhook_deliveries"),
        (Receiver::Platform, "platform", "platform_deliveries"),
    ] {
        let queued = app.db().rows(&format!("select body from {table}"));
        let queued = queued.iter().map(|row| serde_json::from_str(row["body"].as_str().unwrap()).unwrap());
        let all: Vec<Value> = sent(upstream).iter().map(|sent| sent.json()).chain(queued).collect();
        let mut seen = BTreeSet::new();
        for body in all {
            let kind = body["type"].as_str().unwrap().to_owned();
            let at = format!("/webhooks/{kind}/post/requestBody/content/application~1json/schema");
            is_valid(&at, &body);
            seen.insert(kind);
        }
        let described = EVENTS.iter().filter(|event| event.receivers.contains(&receiver));
        let described: BTreeSet<String> = described.map(|event| event.kind.to_owned()).collect();
        assert_eq!(seen, described, "{upstream}");
    }
    let published: BTreeSet<String> = published()["webhooks"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(published, EVENTS.iter().map(|event| event.kind.to_owned()).collect());
}
