//! What proving addresses is for, each from its beginning to its end.

use serde_json::{Value, json};

use super::{mailed, opens};
use crate::support::{TestApp, Token, signup};

/// The form for this address.
fn form(slug: &str, email: &str) -> Value {
    let mut form = signup(slug);
    form["email"] = email.into();
    form
}

/// A stranger types somebody's address, and waits for its owner to come.
#[tokio::test]
async fn a_stranger_who_typed_an_address_before_its_owner_gets_nothing_of_it() {
    let app = TestApp::new();
    let stranger = app.signed_up_unproven(&form("fc-squat", "ann@example.org")).await;
    let (_, strangers_link) = mailed(&app).await;
    // The address keeps nobody out: its owner signs up as if nobody had.
    let owner = app.signed_up_unproven(&form("fc-nord", "ann@example.org")).await;
    let (code, _) = mailed(&app).await;
    let proven = owner.shows(&code).await.is(200);
    // What the stranger holds opens nothing, and its name is free.
    stranger.sees_status().await.refuses(403, "FORBIDDEN", "token_revoked");
    opens(&app, &strangers_link).await.fails(409, "EMAIL_EXISTS");
    app.signed_up_unproven(&form("fc-squat", "bob@example.org")).await;
    // And the club is the owner's alone.
    let owner = owner.with_token_of(&proven);
    assert_eq!(owner.gets("/api/v1/tenants/me").send().await.is(200)["data"]["email"], "ann@example.org");
}

/// The owner does not sign up, but signs in, or presses the link of the mail that the stranger caused: the stranger's token dies.
#[tokio::test]
async fn whoever_signs_in_to_what_a_stranger_signed_up_is_alone_in_it() {
    let app = TestApp::new();
    let stranger = app.signed_up_unproven(&form("fc-squat", "ann@example.org")).await;
    mailed(&app).await;
    stranger.connects_make().await.is(200);
    app.passes(300);
    app.post("/auth/magic/start").json(&json!({ "email": "ann@example.org" })).send().await.is(202);
    let (_, link) = mailed(&app).await;
    let proven = opens(&app, &link).await.is(200);
    let owner = stranger.with_token_of(&proven);
    for path in ["/api/v1/tenants/me", "/whoami"] {
        stranger.gets(path).send().await.refuses(403, "FORBIDDEN", "token_revoked");
        owner.gets(path).send().await.is(200);
    }
    stranger.connects("https://hook.eu2.make.com/strangers").await.refuses(403, "FORBIDDEN", "token_revoked");
    // Whoever sends the form again gets no token, either.
    app.signs_up(&form("fc-squat", "ann@example.org")).await.fails(409, "ALREADY_SIGNED_UP");
}

/// A typing mistake gave the club to somebody else; it is mended in place.
#[tokio::test]
async fn a_typing_mistake_is_corrected_in_place() {
    let app = TestApp::new();
    let tenant = app.signed_up_unproven(&form("fc-nord", "ann@exmaple.org")).await;
    let (code, link) = mailed(&app).await;
    let corrected = tenant.corrects_address("Ann@Example.org").await.is(200);
    assert_eq!(corrected["data"], json!({ "email": "ann@example.org", "emailProven": false }));
    let (another, _) = mailed(&app).await;
    // What went to the other address proves nothing any more.
    if code != another {
        tenant.shows(&code).await.refuses(400, "INVALID_CODE", "wrong_code");
    }
    opens(&app, &link).await.fails(401, "INVALID_TOKEN");
    let proven = tenant.shows(&another).await.is(200);
    assert_eq!(proven["tenant"]["email"], "ann@example.org");
}

#[tokio::test]
async fn an_address_is_corrected_a_few_times_and_never_to_a_proven_one() {
    let app = TestApp::new();
    app.signed_up_with(&form("fc-known", "known@example.org")).await;
    let tenant = app.signed_up_unproven(&form("fc-nord", "ann@example.org")).await;
    tenant.corrects_address("known@example.org").await.fails(409, "EMAIL_EXISTS");
    tenant.corrects_address("ann@example.org").await.is(200);
    for number in 1..5 {
        tenant.corrects_address(&format!("ann{number}@example.org")).await.is(200);
    }
    for email in ["known@example.org", "free@example.org"] {
        let error = tenant.corrects_address(email).await;
        error.fails(429, "RATE_LIMITED");
    }
    assert_eq!(tenant.row()["unproven_email"], "ann4@example.org");
}

/// Only proven addresses are unique, and asking about one costs a signup.
#[tokio::test]
async fn an_address_exists_once_it_is_proven_and_that_is_told_behind_the_promo() {
    let app = TestApp::new();
    let first = app.signed_up_unproven(&form("fc-nord", "ann@example.org")).await;
    let (code, _) = mailed(&app).await;
    app.signed_up_unproven(&form("fc-sued", "ann@example.org")).await;
    first.shows(&code).await.is(200);
    let mut third = form("fc-ost", "ann@example.org");
    app.signs_up(&third).await.fails(409, "EMAIL_EXISTS");
    third["promoCode"] = "NOTHING".into();
    app.signs_up(&third).await.refuses(400, "INVALID_PROMO", "unknown");
}

#[tokio::test]
async fn where_nobody_asks_for_proof_all_is_as_it_was() {
    let app = TestApp::with(&[("EMAIL_PROOF", "off")]);
    let answer = app.signs_up(&signup("fc-nord")).await.is(200);
    assert_eq!(answer["emailProven"], true);
    let token = Token::read(answer["jwt"].as_str().unwrap());
    assert_eq!((token.get("unproven"), &token["exp"]), (None, &json!(app.now() + 365 * 24 * 3600)));
    app.signs_up(&form("fc-sued", "owner@fc-nord.example")).await.fails(409, "EMAIL_EXISTS");
    app.outside().finishes_deferred_work().await;
    assert!(app.outside().upstreams().sent().is_empty());
}
