//! What the form may hold.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp, signup};

async fn complaint(field: &str, value: impl Into<Value>) -> Vec<(String, String)> {
    let mut form = signup("fc-nord");
    form[field] = value.into();
    TestApp::new().signs_up(&form).await.complains_about()
}

fn about(field: &str, code: &str) -> Vec<(String, String)> {
    vec![(field.to_owned(), code.to_owned())]
}

#[tokio::test]
async fn all_failing_fields_are_told_at_once() {
    let app = TestApp::new();
    let empty = app.signs_up(&json!({})).await.complains_about();
    assert_eq!(
        empty,
        ["clubName", "clubSlug", "email", "plan"].map(|f| (f.to_owned(), "required".to_owned()))
    );
    let form = json!({ "clubName": "", "clubSlug": "A", "email": "x", "plan": "gold", "promoCode": "!" });
    let wrong = app.signs_up(&form).await.complains_about();
    let expected = [
        ("clubName", "required"),
        ("clubSlug", "invalid_length"),
        ("email", "invalid_email"),
        ("plan", "invalid_plan"),
        ("promoCode", "invalid_promo_code"),
    ];
    assert_eq!(wrong, expected.map(|(field, code)| (field.to_owned(), code.to_owned())));
    assert_eq!(app.db().batches(), 0, "bad input costs no round trip");
}

#[tokio::test]
async fn a_field_of_another_type_is_told() {
    for field in ["clubName", "clubSlug", "email", "plan", "promoCode"] {
        for value in [json!(7), json!(true), json!(["a"]), json!({ "a": 1 })] {
            assert_eq!(complaint(field, value).await, about(field, "invalid_type"));
        }
    }
    for field in ["clubName", "clubSlug", "email", "plan"] {
        assert_eq!(complaint(field, Value::Null).await, about(field, "required"));
    }
}

#[tokio::test]
async fn a_name_in_addresses_is_a_dns_label_and_no_word_of_ours() {
    for (slug, code) in [
        ("ab", "invalid_length"),
        (&"a".repeat(64), "invalid_length"),
        ("FC-Nord", "invalid_characters"),
        ("fc nord", "invalid_characters"),
        ("fc_nord", "invalid_characters"),
        ("fc.nord", "invalid_characters"),
        ("---", "invalid_hyphen"),
        ("-fc-nord", "invalid_hyphen"),
        ("fc-nord-", "invalid_hyphen"),
        ("xn--fuball-cta", "punycode"),
        ("signup", "reserved"),
        ("admin", "reserved"),
        ("api", "reserved"),
        ("www", "reserved"),
    ] {
        assert_eq!(complaint("clubSlug", slug).await, about("clubSlug", code), "{slug}");
    }
}

/// A tenant's name must never shadow a route, should routes ever be told apart by their first part.
#[tokio::test]
async fn no_name_is_the_beginning_of_a_route() {
    for route in tenantry::http::router::ROUTES {
        let first = route.path.split('/').nth(1).unwrap();
        let refused = !complaint("clubSlug", first).await.is_empty();
        assert!(refused, "{first}");
    }
}

#[tokio::test]
async fn the_words_that_the_contract_reserves_are_reserved() {
    let words = "www api admin app mail ftp signup public internal auth assets static status help support docs ops \
                 health metrics";
    for word in words.split_whitespace() {
        assert_eq!(complaint("clubSlug", word).await, about("clubSlug", "reserved"), "{word}");
    }
}

#[tokio::test]
async fn a_tenant_has_a_name_of_up_to_100_characters() {
    assert_eq!(complaint("clubName", "ü".repeat(101)).await, about("clubName", "too_long"));
    assert_eq!(complaint("clubName", "FC\u{0}Nord").await, about("clubName", "invalid_characters"));
    let app = TestApp::new();
    let mut form = signup("fc-nord");
    form["clubName"] = "ü".repeat(100).into();
    assert_eq!(app.signs_up(&form).await.is(200)["tenant"]["name"], "ü".repeat(100));
}

#[tokio::test]
async fn what_was_typed_stays_what_was_typed() {
    let app = TestApp::new();
    let mut form = signup("fc-nord");
    let name = r#"<b>"FC" & 'Nord'</b>'); drop table tenants; -- 🏟"#;
    form["clubName"] = name.into();
    assert_eq!(app.signs_up(&form).await.is(200)["tenant"]["name"], name);
    assert_eq!(app.db().row("select name from tenants")["name"], name);
}

#[tokio::test]
async fn an_address_is_one_a_mail_provider_takes() {
    for email in [
        "ann",
        "ann@localhost",
        "ann@exa mple.org",
        "Ann <ann@example.org>",
        "ann@example.org\r\nBcc: x@y.zz",
    ] {
        assert_eq!(complaint("email", email).await, about("email", "invalid_email"), "{email}");
    }
    assert_eq!(
        complaint("email", format!("{}@example.org", "a".repeat(250))).await,
        about("email", "invalid_email")
    );
}

#[tokio::test]
async fn a_name_of_nothing_but_invisible_characters_is_none() {
    for name in [
        "\u{200b}",
        "\u{200b}\u{200d}\u{feff}",
        "\u{ad}",
        "\u{3164}",
        "\u{2800}",
        "\u{fe0f}",
        "\u{301}",
        "\u{2028}",
    ] {
        assert_eq!(complaint("clubName", name).await, about("clubName", "required"), "{name:?}");
    }
}

#[tokio::test]
async fn what_no_text_may_contain_is_refused_by_name() {
    for (name, named) in [
        ("FC\u{2028}Nord", "line separator (U+2028)"),
        ("FC\u{2029}Nord", "paragraph separator (U+2029)"),
        ("FC\nNord", "line break (U+000A)"),
        ("FC\u{1b}Nord", "control character (U+001B)"),
        ("FC\u{202e}droN", "turns the direction of the text (U+202E)"),
        ("FC\u{378}Nord", "does not exist (U+0378)"),
    ] {
        let mut form = signup("fc-nord");
        form["clubName"] = name.into();
        let answer = TestApp::new().signs_up(&form).await;
        assert!(answer.text.contains(named), "{}", answer.text);
        assert_eq!(answer.complains_about(), about("clubName", "invalid_characters"), "{name:?}");
    }
}

/// Sends what the document describes only as it is stored.
async fn as_typed(app: &TestApp, form: &Value) -> Answer {
    let request = app.post("/public/signup/start").header("idempotency-key", "k");
    request.header("content-type", "application/json").body(form.to_string()).send().await
}

/// Pasted from a chat, a sheet or a web page: nobody sees what else came along.
#[tokio::test]
async fn what_nobody_sees_around_a_text_is_left_out() {
    for (before, behind) in
        [("\u{feff}", "\u{200b}"), ("\u{200e}", "\u{a0}"), (" \t", "\r\n"), ("\u{2060}", "\u{ad}")]
    {
        let app = TestApp::new();
        app.has_promo("SPRING", 20, &[]);
        let mut form = signup("fc-nord");
        for (field, text) in [
            ("clubName", "FC Nord"),
            ("clubSlug", "fc-nord"),
            ("email", "ann@example.org"),
            ("promoCode", "SPRING"),
        ] {
            form[field] = format!("{before}{text}{behind}").into();
        }
        let body = as_typed(&app, &form).await.is(200);
        let tenant = &body["tenant"];
        assert_eq!(
            (&tenant["name"], &tenant["slug"], &tenant["email"], &body["discount"]),
            (&json!("FC Nord"), &json!("fc-nord"), &json!("ann@example.org"), &json!(20))
        );
    }
}

#[tokio::test]
async fn composed_and_decomposed_text_are_one_text() {
    let app = TestApp::new();
    let mut form = signup("fc-nord");
    form["clubName"] = "1. FC Köln".into();
    form["email"] = "ann@müller.example".into();
    let first = as_typed(&app, &form).await.is(200);
    form["clubName"] = "1. FC Ko\u{308}ln".into();
    form["email"] = "ann@mu\u{308}ller.example".into();
    let second = as_typed(&app, &form).await.is(200);
    assert_eq!((&first["tenantId"], &second["jwt"].is_string()), (&second["tenantId"], &true));
    assert_eq!(second["tenant"]["name"], "1. FC Köln");
    assert_eq!(second["tenant"]["email"], "ann@xn--mller-kva.example");
    form["clubName"] = "o\u{308}".repeat(100).into();
    form["clubSlug"] = "fc-other".into();
    form["email"] = "bob@example.org".into();
    let other = TestApp::new();
    assert_eq!(as_typed(&other, &form).await.is(200)["tenant"]["name"], "ö".repeat(100));
}

#[tokio::test]
async fn an_address_that_cannot_exist_is_refused() {
    for email in [
        "ann@example.123",
        "ann@127.0.0.1",
        "ann@example.o",
        "ann@-example.org",
        "ann@exam_ple.org",
        "ann@exam\u{200b}ple.org",
        "ann@xn--a.org",
        "änn@example.org",
        "a..nn@example.org",
    ] {
        assert_eq!(complaint("email", email).await, about("email", "invalid_email"), "{email}");
    }
    for (local, label) in [(65, 10), (10, 64)] {
        let email = format!("{}@{}.org", "a".repeat(local), "b".repeat(label));
        assert_eq!(complaint("email", email).await, about("email", "invalid_email"));
    }
}

#[tokio::test]
async fn a_name_in_addresses_has_no_hyphens_third_and_fourth() {
    assert_eq!(complaint("clubSlug", "ab--cd").await, about("clubSlug", "invalid_hyphen"));
    for slug in [
        "wpad",
        "isatap",
        "autodiscover",
        "autoconfig",
        "postmaster",
        "administrator",
        "syston",
        "tenantry",
        "ns4",
    ] {
        assert_eq!(complaint("clubSlug", slug).await, about("clubSlug", "reserved"), "{slug}");
    }
}
