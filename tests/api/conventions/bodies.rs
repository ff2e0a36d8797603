//! Bodies: of another type, too large, or no JSON at all.

use axum::body::Body as HttpBody;
use futures_util::stream;
use tenantry::http::router::{ROUTES, Route};

use crate::support::{
    AdmissionRequest, Body, Example, TestApp, TestTenant, example, good_tokens, tenant_for,
};

/// Every route that takes JSON, with a world of its own; its example without a body, on behalf of one who may.
async fn takers_of_json() -> Vec<(&'static Route, TestTenant, Example)> {
    let mut all = Vec::new();
    for route in ROUTES.iter().filter(|route| route.method != "GET") {
        let app = TestApp::new();
        let tenant = tenant_for(&app, route).await;
        let example = example(route, &tenant);
        if matches!(example.body, Body::Json(_) | Body::OptionalJson(_) | Body::Optional) {
            all.push((route, tenant, example));
        }
    }
    assert!(all.len() > 10);
    all
}

fn ask(route: &Route, tenant: &TestTenant, example: &Example) -> AdmissionRequest {
    let token = good_tokens(route, tenant).into_iter().next().map(|(_, token)| token.sign());
    example.bare().maybe_token(token.as_deref())
}

#[tokio::test]
async fn another_type_than_json_is_refused() {
    for (route, tenant, example) in takers_of_json().await {
        let before = tenant.db().contents();
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "text/json",
            "application/json, text/plain",
            "text/plain, application/json",
            ",",
            "",
        ] {
            let answer = ask(route, &tenant, &example).header("content-type", kind).body("{}").send().await;
            assert_eq!(answer.status, 415, "{} {kind}: {}", route.path, answer.text);
            answer.fails(415, "UNSUPPORTED_MEDIA_TYPE");
        }
        tenant.db().is_still(&before);
    }
}

const JSON: [&str; 4] = [
    "Application/JSON; charset=utf-8",
    // A client whose layers each set it.
    "application/json, application/json",
    "application/json;charset=UTF-8 ,Application/JSON; q=1",
    "application/json,",
];

#[tokio::test]
async fn json_is_json_whatever_its_parameters_and_however_often_it_is_said() {
    for kind in JSON {
        for (route, tenant, example) in takers_of_json().await {
            let (Body::Json(value) | Body::OptionalJson(value)) = &example.body else { continue };
            let ask = ask(route, &tenant, &example).header("content-type", kind);
            let answer = ask.body(value.to_string()).send().await;
            assert_eq!(answer.status, example.status, "{} {kind}: {}", route.path, answer.text);
        }
    }
}

#[tokio::test]
async fn a_body_may_be_left_out_only_where_it_is_not_needed() {
    for (route, tenant, example) in takers_of_json().await {
        for kind in [None, Some("application/json"), Some("text/plain;charset=UTF-8"), Some("")] {
            let mut ask = ask(route, &tenant, &example);
            if let Some(kind) = kind {
                ask = ask.header("content-type", kind);
            }
            let answer = ask.send().await;
            match example.body {
                // Nothing has no type: what is missing is told instead.
                Body::Json(_) => assert!(!answer.complains_about().is_empty(), "{} {kind:?}", route.path),
                _ => assert!(![400, 415].contains(&answer.status.as_u16()), "{} {kind:?}", route.path),
            }
        }
    }
}

#[tokio::test]
async fn what_announces_to_be_too_large_is_not_even_read() {
    for (route, tenant, example) in takers_of_json().await {
        let ask = ask(route, &tenant, &example)
            .header("content-type", "application/json")
            .header("content-length", "16385");
        let never = HttpBody::from_stream(stream::pending::<Result<&'static str, std::io::Error>>());
        let answer = ask.body(never).send().await;
        assert_eq!(answer.status, 413, "{}", route.path);
        answer.fails(413, "PAYLOAD_TOO_LARGE");
    }
}

#[tokio::test]
async fn what_turns_out_to_be_too_large_is_read_to_the_bound() {
    for (route, tenant, example) in takers_of_json().await {
        for announced in [None, Some("10"), Some("nonsense")] {
            let mut ask = ask(route, &tenant, &example).header("content-type", "application/json");
            if let Some(length) = announced {
                ask = ask.header("content-length", length);
            }
            let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(" ".repeat(1024)));
            let answer = ask.body(HttpBody::from_stream(endless)).send().await;
            assert_eq!(answer.status, 413, "{} {announced:?}", route.path);
            answer.fails(413, "PAYLOAD_TOO_LARGE");
        }
    }
}

#[tokio::test]
async fn sixteen_kibibytes_are_not_too_large() {
    for (route, tenant, example) in takers_of_json().await {
        let (Body::Json(value) | Body::OptionalJson(value)) = &example.body else { continue };
        let text = value.to_string();
        let padded = format!("{text}{}", " ".repeat(16 * 1024 - text.len()));
        let ask = ask(route, &tenant, &example).header("content-type", "application/json");
        let answer = ask.header("content-length", "16384").body(padded).send().await;
        assert_eq!(answer.status, example.status, "{}: {}", route.path, answer.text);
    }
}

#[tokio::test]
async fn what_is_no_json_object_is_bad_input() {
    for (route, tenant, example) in takers_of_json().await {
        let before = tenant.db().contents();
        for text in [
            "{",
            "nonsense",
            "[]",
            "7",
            "null",
            "\"text\"",
            "{\"a\":1}}",
            "{'a':1}",
            "\u{feff}{",
            "\u{feff}\u{feff}{}",
            "{\"a\":\"\\ud800\"}",
        ] {
            let answer = ask(route, &tenant, &example)
                .header("content-type", "application/json")
                .body(text)
                .send()
                .await;
            assert_eq!(answer.status, 400, "{} {text}: {}", route.path, answer.text);
            let error = answer.fails(400, "VALIDATION");
            assert_eq!(error.get("issues"), None, "it is not about a field");
        }
        let broken =
            ask(route, &tenant, &example).header("content-type", "application/json").body(vec![0xff, 0xfe]);
        broken.send().await.fails(400, "VALIDATION");
        tenant.db().is_still(&before);
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_bad_input() {
    for (route, tenant, example) in takers_of_json().await {
        let parts = [Ok("{\"a\":"), Err(std::io::Error::other("reset"))];
        let ask = ask(route, &tenant, &example).header("content-type", "application/json");
        let answer = ask.body(HttpBody::from_stream(stream::iter(parts))).send().await;
        answer.fails(400, "VALIDATION");
    }
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    for (route, tenant, example) in takers_of_json().await {
        let (Body::Json(value) | Body::OptionalJson(value)) = &example.body else { continue };
        let mut value = value.clone();
        value["somethingElse"] = serde_json::json!({ "deep": [1, 2, 3] });
        let answer = ask(route, &tenant, &example).json(&value).send().await;
        assert_eq!(answer.status, example.status, "{}: {}", route.path, answer.text);
    }
}

/// SQL ends at a NUL: a backup that holds one can't be restored.
#[tokio::test]
async fn a_text_with_a_nul_is_refused_wherever_it_stands() {
    for (route, tenant, example) in takers_of_json().await {
        let (Body::Json(value) | Body::OptionalJson(value)) = &example.body else { continue };
        let before = tenant.db().contents();
        for (name, field) in value.as_object().into_iter().flatten() {
            let with_nul = match field {
                serde_json::Value::String(text) => format!("{text}\0{text}").into(),
                serde_json::Value::Array(_) => serde_json::json!(["a\0b"]),
                _ => continue,
            };
            let mut value = value.clone();
            value[name] = with_nul;
            let answer = ask(route, &tenant, &example).json(&value).send().await;
            assert!(answer.status.is_client_error(), "{} {name}: {}", route.path, answer.text);
            tenant.db().is_still(&before);
        }
    }
}
