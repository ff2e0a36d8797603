//! An address proves itself: by a code or a link that was mailed there, once, and nothing costs before it did.

mod lapse;
mod mails;
mod routes;
mod sign_in;
mod stories;
mod vouching;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenantry::{
    app::proof::issue,
    domain::{Email, Timestamp},
};

use crate::support::{Answer, TestApp, TestTenant, Token, signup};

/// Somebody who has just signed up, and the code and the link that were mailed to the address they gave.
async fn newcomer(app: &TestApp, slug: &str) -> (TestTenant, String, String) {
    let tenant = app.signed_up_unproven(&signup(slug)).await;
    let (code, link) = mailed(app).await;
    (tenant, code, link)
}

/// The code and the link's secret in the mail that was deferred last.
async fn mailed(app: &TestApp) -> (String, String) {
    let mail = app.proof_of_last_mail().await;
    let link = mail.link();
    (mail.code().unwrap(), link.split_once("#token=").unwrap().1.to_owned())
}

/// Another code than this one.
fn other_than(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

impl TestTenant {
    async fn shows(&self, code: &str) -> Answer {
        self.posts("/auth/proof", &json!({ "code": code })).await
    }

    async fn corrects_address(&self, email: &str) -> Answer {
        let ask = self.ask(http::Method::PATCH, "/public/signup/email").token(&self.jwt);
        ask.json(&json!({ "email": email })).send().await
    }

    async fn wants_another_mail(&self) -> Answer {
        self.post("/auth/proof/send").token(&self.jwt).send().await
    }
}

async fn opens(app: &TestApp, link: &str) -> Answer {
    app.post("/auth/proof").json(&json!({ "token": link })).send().await
}

#[tokio::test]
async fn a_signup_gets_a_token_for_a_day_and_a_proof_one_for_a_year() {
    let app = TestApp::new();
    let answer = app.signs_up(&signup("fc-nord")).await.is(200);
    assert_eq!(answer["emailProven"], false);
    let wizard = Token::read(answer["jwt"].as_str().unwrap());
    assert_eq!(
        (&wizard["aud"], &wizard["roles"]),
        (&json!("syston-mobile"), &json!(["tenant_admin", "owner"]))
    );
    assert_eq!((&wizard["unproven"], &wizard["exp"]), (&json!(true), &json!(app.now() + 24 * 3600)));

    let (code, _) = mailed(&app).await;
    let ask = app.post("/auth/proof").token(answer["jwt"].as_str().unwrap());
    let proven = ask.json(&json!({ "code": code })).send().await.is(200);
    assert_eq!(proven["emailProven"], true);
    assert_eq!((&proven["tenantId"], &proven["tenant"]), (&answer["tenantId"], &answer["tenant"]));
    let token = Token::read(proven["jwt"].as_str().unwrap());
    assert_eq!((token.get("unproven"), &token["exp"]), (None, &json!(app.now() + 365 * 24 * 3600)));
    assert_eq!(token["sub"], wizard["sub"], "it is the same person");
}

#[tokio::test]
async fn an_unproven_address_stands_in_a_column_of_its_own() {
    let app = TestApp::new();
    let (tenant, code, _) = newcomer(&app, "fc-nord").await;
    let row = tenant.row();
    assert_eq!((&row["email"], &row["unproven_email"]), (&Value::Null, &json!("owner@fc-nord.example")));
    assert_eq!(row["lapses_at"], app.now() + 72 * 3600);
    tenant.shows(&code).await.is(200);
    let row = tenant.row();
    assert_eq!((&row["email"], &row["unproven_email"]), (&json!("owner@fc-nord.example"), &Value::Null));
    assert_eq!((&row["email_proven_at"], &row["lapses_at"]), (&json!(app.now()), &Value::Null));
}

#[tokio::test]
async fn the_first_mail_has_a_code_and_a_link_and_nothing_that_the_sender_wrote() {
    let app = TestApp::new();
    let mut form = signup("fc-nord");
    form["clubName"] = "Win a prize at evil".into();
    app.signed_up_unproven(&form).await;
    let mail = app.proof_of_last_mail().await.json();
    let whole = mail.to_string();
    assert_eq!(mail["to"], json!(["owner@fc-nord.example"]));
    assert!(!whole.contains("Win a prize"), "{whole}");
    assert!(!whole.replace("owner@fc-nord.example", "").contains("fc-nord"), "{whole}");
    assert!(whole.contains("https://api.example.com/proof/#token=tenant_"), "{whole}");
}

#[tokio::test]
async fn a_link_proves_without_a_token_and_once() {
    let app = TestApp::new();
    let (tenant, code, link) = newcomer(&app, "fc-nord").await;
    for wrong in ["x", "tenant_1.x", &format!("{}.x", tenant.id), &link[..link.len() - 1]] {
        opens(&app, wrong).await.fails(401, "INVALID_TOKEN");
    }
    let proven = opens(&app, &link).await.is(200);
    assert_eq!(proven["tenantId"], tenant.id.as_str());
    opens(&app, &link).await.fails(401, "INVALID_TOKEN");
    tenant.shows(&code).await.refuses(403, "FORBIDDEN", "token_revoked");
    let again = tenant.with_token_of(&proven);
    again.shows(&code).await.fails(409, "EMAIL_PROVEN");
}

#[tokio::test]
async fn a_link_lives_a_day_and_a_code_half_an_hour() {
    let app = TestApp::new();
    let (tenant, code, link) = newcomer(&app, "fc-nord").await;
    app.passes(30 * 60);
    tenant.shows(&code).await.refuses(400, "INVALID_CODE", "expired_code");
    app.passes(24 * 3600 - 30 * 60 - 1);
    opens(&app, &link).await.is(200);
    let (_, _, link) = newcomer(&app, "fc-sued").await;
    app.passes(24 * 3600);
    opens(&app, &link).await.fails(401, "INVALID_TOKEN");
}

#[tokio::test]
async fn the_fifth_wrong_code_burns_the_right_one_and_another_mail_has_another() {
    let app = TestApp::new();
    let (tenant, code, _) = newcomer(&app, "fc-nord").await;
    let wrong = other_than(&code);
    for left in (1..5).rev() {
        let error = tenant.shows(&wrong).await.refuses(400, "INVALID_CODE", "wrong_code");
        assert!(error["message"].as_str().unwrap().contains(&left.to_string()) || left == 1, "{error}");
        assert_eq!(error["triesLeft"], left);
    }
    let burnt = tenant.shows(&wrong).await.refuses(400, "INVALID_CODE", "burnt_code");
    assert_eq!(burnt.get("triesLeft"), None);
    tenant.shows(&code).await.refuses(400, "INVALID_CODE", "burnt_code");
    app.passes(30);
    tenant.wants_another_mail().await.is(202);
    let (another, _) = mailed(&app).await;
    tenant.shows(&another).await.is(200);
}

#[tokio::test]
async fn what_has_no_six_digits_costs_no_try() {
    let app = TestApp::new();
    let (tenant, code, _) = newcomer(&app, "fc-nord").await;
    for _ in 0..6 {
        for text in ["12345", "1234567", "abcdef", ""] {
            tenant.shows(text).await.fails(400, "VALIDATION");
        }
    }
    tenant.shows(&format!(" {}-{} ", &code[..3], &code[3..])).await.is(200);
}

#[tokio::test]
async fn of_a_hundred_proofs_at_once_one_wins() {
    let app = TestApp::new();
    let (tenant, code, link) = newcomer(&app, "fc-nord").await;
    let by_code = join_all((0..50).map(|_| tenant.shows(&code)));
    let by_link = join_all((0..50).map(|_| opens(&app, &link)));
    let (codes, links) = tokio::join!(by_code, by_link);
    let won = codes.iter().chain(&links).filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
    for answer in codes.iter().filter(|answer| answer.status != 200) {
        answer.refuses(403, "FORBIDDEN", "token_revoked");
    }
    for answer in links.iter().filter(|answer| answer.status != 200) {
        answer.fails(401, "INVALID_TOKEN");
    }
}

#[tokio::test]
async fn wrong_codes_are_counted_exactly_under_a_race() {
    let app = TestApp::new();
    let (tenant, code, _) = newcomer(&app, "fc-nord").await;
    let wrong = other_than(&code);
    let answers = join_all((0..100).map(|_| tenant.shows(&wrong))).await;
    let told = |reason: &str| answers.iter().filter(|a| a.json()["error"]["reason"] == reason).count();
    assert_eq!((told("wrong_code"), told("burnt_code")), (4, 96));
    tenant.shows(&code).await.refuses(400, "INVALID_CODE", "burnt_code");
}

#[tokio::test]
async fn of_a_hundred_clubs_with_one_address_the_first_proof_wins_and_the_others_lapse() {
    let app = TestApp::new();
    let mut all = Vec::new();
    for number in 0..100 {
        let mut form = signup(&format!("fc-{number}"));
        form["email"] = "ann@example.org".into();
        let tenant = app.signed_up_unproven(&form).await;
        // A mailbox gets ten of them.
        if number < 10 {
            let (code, _) = mailed(&app).await;
            all.push((tenant, code));
        }
    }
    let answers = join_all(all.iter().map(|(tenant, code)| tenant.shows(code))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refuses(403, "FORBIDDEN", "token_revoked");
    }
    let free = "select count(*) from tenants where slug is not null";
    assert_eq!(app.db().number(free), 1, "the others' names are free at once");
    app.signs_up(&signup("fc-99")).await.is(200);
}

#[tokio::test]
async fn the_wish_to_be_set_up_is_remembered_and_started_by_the_proof() {
    for plan in ["starter", "pro"] {
        let app = TestApp::new();
        let mut form = signup("fc-nord");
        form["plan"] = plan.into();
        let tenant = app.signed_up_unproven(&form).await;
        let (code, _) = mailed(&app).await;
        let wish = async || match plan {
            "starter" => tenant.connects_make().await,
            _ => tenant.confirms_pro().await,
        };
        for changed in [true, false] {
            let queued = wish().await.is(200);
            let data = &queued["data"];
            assert_eq!((&data["status"], &data["changed"]), (&json!("pending"), &json!(changed)), "{queued}");
        }
        let status = tenant.sees_status().await.is(200);
        assert_eq!(
            (&status["status"], &status["data"]["reason"]),
            (&json!("pending"), &json!("EMAIL_UNPROVEN"))
        );
        assert_eq!(app.outside().objects().told(), 0);
        tenant.waits().await;
        assert!(app.outside().upstreams().sent().is_empty(), "nothing reaches outside");

        let proven = tenant.shows(&code).await.is(200);
        tenant.waits().await;
        assert_eq!(tenant.ended().await, "completed", "the signup's own token watches it");
        let proven = tenant.with_token_of(&proven);
        assert_eq!(proven.ended().await, "completed");
    }
}

#[tokio::test]
async fn a_wish_whose_object_does_not_answer_is_not_lost() {
    let app = TestApp::new();
    let tenant = app.signed_up_unproven(&signup("fc-nord")).await;
    let (code, _) = mailed(&app).await;
    tenant.connects_make().await.is(200);
    app.outside().objects().become_(crate::support::Manner::Gone);
    tenant.shows(&code).await.is(200);
    app.outside().objects().become_(crate::support::Manner::Obedient);
    app.passes(130);
    tenantry::app::sweep::run(&app.app).await;
    tenant.waits().await;
    assert_eq!(tenant.ended().await, "completed");
}

#[tokio::test]
async fn a_machine_does_not_vouch() {
    let app = TestApp::new();
    let (tenant, ..) = newcomer(&app, "fc-nord").await;
    let queued = app.machine_queues(&tenant.id).await.is(200);
    assert_eq!(queued["data"]["status"], "pending");
    assert_eq!(app.outside().objects().told(), 0);
    assert_eq!(tenant.row()["email"], Value::Null);
}

/// What is mailed by one version is shown to another. Pinned: this one makes it, and reads what is stored, as literals.
#[tokio::test]
async fn codes_links_and_what_is_stored_of_them_are_made_so() {
    let app = TestApp::new();
    let tenant = "tenant_01a3185c80397e14befe7e9037c475e6".parse().unwrap();
    let mail = "mail_01a3185c80397978a1c17e7efb610b25".parse().unwrap();
    let address = Email::try_from("Ann+Club@example.org".to_owned()).unwrap();
    let at = Timestamp::from_seconds(1_800_000_012);
    let issued = issue(&app.app, &tenant, &mail, &address, at, "https://console.example").unwrap();
    assert_eq!(issued.code.as_str(), "525019");
    assert_eq!(
        issued.link,
        "https://console.example/proof/#token=tenant_01a3185c80397e14befe7e9037c475e6.jsCBw40T9Twuhzj6WIRod8XqzuTZvVLGHB6ewUXoWTI"
    );
    assert_eq!(issued.hashes.code, "YKwC31P3Iu55QoRym9ExMXx3Mlb872s0V8nz02Kk0mo");
    assert_eq!(issued.hashes.link, "4CoqBQmw9_3RP3QKis9QgdhS3_81UBkYy4u5Sqlg7g8");
    assert_eq!(issued.hashes.mailbox, "AXtPv5GJXybdLepqzuRpDhpoizTMnQDAnLobYC5YrIw");
    // What an earlier deployment mailed and stored proves the address today.
    let newcomer = app.signed_up_unproven(&signup("fc-nord")).await;
    app.db().execute(
        "insert into email_proofs (tenant_id, link, code, issued_at) values (?1, 'l', ?2, ?3)",
        (
            &newcomer.id,
            issue(&app.app, &newcomer.id.parse().unwrap(), &mail, &address, at, "x").unwrap().hashes.code,
            app.now(),
        ),
    );
    newcomer.shows("525019").await.is(200);
}
