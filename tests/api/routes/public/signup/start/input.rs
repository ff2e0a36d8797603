//! What the form may hold.

use serde_json::{Value, json};

use crate::support::{TestApp, signup};

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

/// A club's name must never shadow a route, should routes ever be told apart by their first part.
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
async fn a_club_has_a_name_of_up_to_100_characters() {
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
