//! The words in failures that programs go by: each with what it means. A new one is listed here.

use serde_json::{Map, Value, json};

use tenantry::workflow::{FailureCode, TransientErrorCode};
use utoipa::PartialSchema;

use super::document::Failures;

/// What `reason` can be in a failure, by its code. What it is elsewhere, the types say.
pub const REASONS: &[(&str, &[(&str, &str)])] = &[
    (
        "FORBIDDEN",
        &[
            ("cross_site", "Another site's page sent it, or had a browser send our cookie."),
            ("role_mismatch", "The token has none of the roles that this needs."),
            ("tenant_mismatch", "The token is another tenant's."),
            (
                "token_revoked",
                "The token was revoked, its sign-in ended, or its tenant may not sign in any more.",
            ),
            ("unexpected \"aud\" claim value", "The token is for another audience."),
        ],
    ),
    (
        "EMAIL_UNPROVEN",
        &[("email_unproven", "Nobody has shown yet that they read the mail of the tenant's address.")],
    ),
    (
        "INVALID_CODE",
        &[
            ("burnt_code", "Too many wrong codes were tried: another one has to be sent."),
            ("expired_code", "No code is alive: another one has to be sent."),
            ("wrong_code", "It is not the code that was mailed."),
        ],
    ),
    (
        "INVALID_PROMO",
        &[
            ("exhausted", "The code was used as often as it may be."),
            ("expired", "The code can't be used any more."),
            ("inactive", "The code was switched off."),
            ("not_allowed", "The code is for other tenants."),
            ("not_started", "The code can't be used yet."),
            ("unknown", "There is no such code."),
        ],
    ),
];

/// What can be wrong with a field.
pub const ISSUES: &[(&str, &str)] = &[
    ("ambiguous", "Only one of several fields may be there."),
    ("host_not_allowed", "Webhooks may not be on this host."),
    ("invalid_base64", "It is no base64, or not enough of it."),
    ("invalid_code", "It is no code: six digits."),
    ("invalid_characters", "It has characters that are not possible."),
    ("invalid_color", "It is no colour like `#1a2b3c`."),
    ("invalid_email", "It is no e-mail address."),
    ("invalid_hyphen", "It begins or ends with a hyphen."),
    ("invalid_id", "It is no id of the kind that is asked for."),
    ("invalid_jti", "It is no token's id."),
    ("invalid_key", "An `Idempotency-Key` has 1 to 255 printable characters."),
    ("invalid_length", "It is shorter or longer than it may be."),
    ("invalid_language", "There is no such language."),
    ("invalid_plan", "There is no such plan."),
    ("invalid_prefix", "It begins otherwise than it must."),
    ("invalid_promo_code", "It does not look like a promo code."),
    ("invalid_slug", "It is no name that a tenant has in addresses."),
    ("invalid_status", "A tenant can't be put there."),
    ("invalid_time", "It is no time in the form of RFC 3339."),
    ("invalid_type", "It has another JSON type."),
    ("invalid_url", "It is no address that a webhook can have."),
    ("invalid_value", "It is none of the values that are possible."),
    ("nothing_to_change", "Nothing that can be changed was sent."),
    ("out_of_range", "It is less or more than it may be."),
    ("punycode", "A name may not begin with `xn--`."),
    ("required", "It is missing."),
    ("reserved", "The name is reserved."),
    ("surrounding_space", "It has blanks at its ends."),
    ("taken", "Another tenant has it."),
    ("too_early", "The time must be later."),
    ("too_long", "It is longer than it may be."),
    ("too_short", "It is shorter than it may be."),
    ("unknown_parameter", "There is no such parameter, and leaving it out would mean something else."),
    ("use_delete", "This is done by `DELETE`."),
];

/// What can be wrong with a name that is asked for, besides that another tenant has it.
const UNAVAILABLE: &[&str] =
    &["invalid_characters", "invalid_hyphen", "invalid_length", "punycode", "reserved", "taken"];

/// What the message of an example says of one case only.
const MEANINGS: &[(&str, &str)] = &[
    ("INVALID_PROMO", "The promo code gives nothing: see `reason`."),
    ("VALIDATION", "The request can't be read, or fields are wrong: see `issues`."),
];

/// The named lists of words.
pub fn schemas(failures: &Failures) -> Map<String, Value> {
    let meaning = |code: &str, message: &Value| {
        let known =
            MEANINGS.iter().find(|(known, _)| *known == code).map(|(_, meaning)| (*meaning).to_owned());
        known.unwrap_or_else(|| message.as_str().unwrap().to_owned())
    };
    let codes: Vec<(&str, String)> =
        failures.iter().map(|(code, (_, body))| (*code, meaning(code, &body["error"]["message"]))).collect();
    let reasons: Vec<(&str, String)> = REASONS
        .iter()
        .flat_map(|(code, all)| {
            all.iter().map(move |(word, meaning)| (*word, format!("`{code}`: {meaning}")))
        })
        .collect();
    let of_fields = |wanted: &dyn Fn(&str) -> bool| -> Vec<(&str, String)> {
        let all = ISSUES.iter().filter(|(word, _)| wanted(word));
        all.map(|(word, meaning)| (*word, (*meaning).to_owned())).collect()
    };
    let new = "New ones may come: one that is not known is read by the status of the answer.";
    [
        ("ErrorCode", listed(&format!("Why something was not done, in a word for programs. {new}"), &codes)),
        ("ErrorReason", listed("Which of several reasons, where a code has several.", &reasons)),
        (
            "FieldErrorCode",
            listed("What is wrong with a field, in a word for programs.", &of_fields(&|_| true)),
        ),
        (
            "SlugUnavailableReason",
            listed("Why a name is not available.", &of_fields(&|word| UNAVAILABLE.contains(&word))),
        ),
        ("ErrorSummaryCode", trouble()),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

fn listed(description: &str, words: &[(&str, String)]) -> Value {
    let lines: String = words.iter().map(|(word, meaning)| format!("\n- `{word}`: {meaning}")).collect();
    let (names, meanings): (Vec<&str>, Vec<&String>) =
        words.iter().map(|(word, meaning)| (*word, meaning)).unzip();
    json!({
        "type": "string",
        "description": format!("{description}\n{lines}"),
        "enum": names,
        "x-enum-descriptions": meanings,
    })
}

/// Where the lists stand: the type, its field, and the list.
const PLACES: &[(&str, &str, &str)] = &[
    ("SlugAvailability", "reason", "SlugUnavailableReason"),
    ("ErrorDetails", "code", "ErrorCode"),
    ("ErrorDetails", "reason", "ErrorReason"),
    ("FieldError", "code", "FieldErrorCode"),
    ("ErrorSummary", "code", "ErrorSummaryCode"),
];

/// Lets the fields of types refer to the lists.
pub fn refer(schemas: &mut Map<String, Value>) {
    for (of, field, list) in PLACES {
        let place = &mut schemas[*of]["properties"][*field];
        *place =
            json!({ "$ref": format!("#/components/schemas/{list}"), "description": place["description"] });
    }
}

/// Why a step failed, or why nobody knows how an attempt ended: both stand in the same fields.
fn trouble() -> Value {
    let [failures, faults] =
        [FailureCode::schema(), TransientErrorCode::schema()].map(|s| serde_json::to_value(s).unwrap());
    let lines = |schema: &Value| -> Vec<String> {
        let text = schema["description"].as_str().unwrap();
        text.lines().filter(|line| line.starts_with("- ")).map(str::to_owned).collect()
    };
    let both = |read: &dyn Fn(&Value) -> Vec<String>| [read(&failures), read(&faults)].concat();
    let names = |schema: &Value| -> Vec<String> {
        schema["enum"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    json!({
        "type": "string",
        "description": format!("Why a step, an attempt or a run came to nothing.\n\n{}", both(&lines).join("\n")),
        "enum": both(&names),
    })
}
