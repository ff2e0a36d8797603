//! People change their own address, and get it back: whole stories, and what happens at the same moment.

use futures_util::future::join;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Reaction, RecordedCall, TestApp, TestTenant, Token};

const DAY: u64 = 24 * 3600;

/// Whoever holds the tenant's token wants this address.
pub async fn wants(tenant: &TestTenant, email: &str) -> Answer {
    let path = format!("/api/v1/tenants/{}/members/me/email", tenant.id);
    tenant.posts(&path, &json!({ "email": email })).await
}

/// The mails that went to this address, as soon as they have left.
pub async fn mails_to(app: &TestApp, address: &str) -> Vec<RecordedCall> {
    app.outside().finishes_deferred_work().await;
    app.mails_leave().await;
    gone_to(app, address)
}

/// Those that have left already.
fn gone_to(app: &TestApp, address: &str) -> Vec<RecordedCall> {
    let mut sent = app.outside().upstreams().sent_to("resend");
    sent.retain(|mail| mail.json()["to"] == json!([address]));
    sent
}

/// What the link has in the last mail to this address.
pub async fn link_to(app: &TestApp, address: &str, mark: &str) -> String {
    let mail = mails_to(app, address).await.pop().unwrap();
    let link = mail.link();
    let (page, token) = link.split_once(mark).unwrap();
    assert!(page.ends_with("/email/"), "{link}");
    token.to_owned()
}

pub async fn confirms(app: &TestApp, token: &str) -> Answer {
    app.post("/public/email/confirm").json(&json!({ "token": token })).send().await
}

pub async fn undoes(app: &TestApp, token: &str) -> Answer {
    app.post("/public/email/undo").json(&json!({ "token": token })).send().await
}

/// Somebody of the tenant who is not its owner, with a token of theirs.
pub fn member(tenant: &TestTenant, user: &str, email: &str) -> TestTenant {
    tenant.db().execute(
        "insert into auth_users (id, tenant_id, email, roles, created_at) values (?2, ?1, ?3, '[\"tenant_admin\"]', 0)",
        (&tenant.id, user, email),
    );
    let token = Token::tenant(&tenant.id, tenant.now()).with("sub", user).with("jti", user);
    tenant.tenant_with(tenant.id.clone(), &tenant.slug, token.sign())
}

/// The tenant's owner has another address since, and the link that leads back.
pub async fn moved(tenant: &TestTenant, from: &str, to: &str) -> String {
    wants(tenant, to).await.is(202);
    let link = link_to(tenant, to, "#token=").await;
    confirms(tenant, &link).await.is(200);
    link_to(tenant, from, "#undo=").await
}

fn events(app: &TestApp) -> Vec<Value> {
    let rows =
        app.db().rows("select data from domain_events where type = 'email.changed' order by occurred_at, id");
    rows.iter().map(|row| serde_json::from_str(row["data"].as_str().unwrap()).unwrap()).collect()
}

const OLD: &str = "owner@fc-nord.example";

#[tokio::test]
async fn an_owner_moves_to_another_address_and_stays_signed_in() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let user = tenant.row()["owner_user_id"].clone();
    let wanted = wants(&tenant, " New@Example.ORG ").await.is(202);
    assert_eq!(wanted["pending"]["email"], "new@example.org");
    assert_eq!(tenant.row()["email"], OLD, "nothing changes before the link");
    let mail = mails_to(&app, "new@example.org").await.pop().unwrap();
    // What anybody can have sent anywhere says nothing that they chose.
    assert!(!mail.json().to_string().contains("FC fc-nord"), "{}", mail.json());
    assert_eq!(mail.json()["subject"], "Confirm your new e-mail address");
    let before = mails_to(&app, OLD).await.len();
    let link = link_to(&app, "new@example.org", "#token=").await;
    assert_eq!(confirms(&app, &link).await.is(200), json!({ "success": true, "email": "new@example.org" }));
    assert_eq!(tenant.row()["email"], "new@example.org");
    let person = app.db().row("select id, email from auth_users");
    assert_eq!(person, json!({ "id": user, "email": "new@example.org" }));
    tenant.gets("/whoami").send().await.is(200);
    let told = mails_to(&app, OLD).await;
    assert_eq!(told.len(), before + 1);
    let notice = told.last().unwrap().json();
    assert_eq!(notice["subject"], "The e-mail address of FC fc-nord was changed");
    let text = notice["text"].as_str().unwrap();
    assert!(text.contains("New address: n***@example.org") && text.contains("#undo="), "{text}");
    assert_eq!(events(&app), [json!({ "userId": user, "undone": false })]);
}

#[tokio::test]
async fn what_was_mailed_to_the_old_address_opens_nothing_any_more() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    app.outside().finishes_deferred_work().await;
    let welcome = mails_to(&app, OLD).await.pop().unwrap();
    app.post("/auth/magic/start").json(&json!({ "email": OLD })).send().await.is(202);
    let sign_in = mails_to(&app, OLD).await.pop().unwrap();
    let code = sign_in.code().unwrap();
    moved(&tenant, OLD, "new@example.org").await;
    for mail in [welcome, sign_in] {
        let token = mail.link().split_once("#token=").unwrap().1.to_owned();
        app.post("/auth/magic/verify")
            .json(&json!({ "token": token }))
            .send()
            .await
            .fails(401, "INVALID_TOKEN");
    }
    for email in [OLD, "new@example.org"] {
        let typed = json!({ "email": email, "code": code });
        app.post("/auth/magic/verify").json(&typed).send().await.fails(401, "INVALID_TOKEN");
    }
    // And the next one goes to the new address, at once.
    app.post("/auth/magic/start").json(&json!({ "email": "new@example.org" })).send().await.is(202);
    let fresh = mails_to(&app, "new@example.org").await.pop().unwrap();
    let token = fresh.link().split_once("#token=").unwrap().1.to_owned();
    app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.is(200);
}

/// Each of the tenant's people has links of their own: one's are not another's.
#[tokio::test]
async fn the_links_of_whoever_moved_end_and_no_others() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let mate = member(&tenant, "user_mate", "mate@example.org");
    wants(&mate, "mate@example.com").await.is(202);
    let link = link_to(&app, "mate@example.com", "#token=").await;
    let mut signs_in = Vec::new();
    for email in [OLD, "mate@example.org"] {
        app.post("/auth/magic/start").json(&json!({ "email": email })).send().await.is(202);
        signs_in.push(mails_to(&app, email).await.pop().unwrap());
    }
    confirms(&app, &link).await.is(200);
    let verified = |mail: &RecordedCall| {
        let token = mail.link().split_once("#token=").unwrap().1.to_owned();
        app.post("/auth/magic/verify").json(&json!({ "token": token })).send()
    };
    verified(&signs_in[1]).await.fails(401, "INVALID_TOKEN");
    verified(&signs_in[0]).await.is(200);
    // The next one goes to the new address, at once.
    app.post("/auth/magic/start").json(&json!({ "email": "mate@example.com" })).send().await.is(202);
    let fresh = mails_to(&app, "mate@example.com").await.pop().unwrap();
    assert_eq!(verified(&fresh).await.is(200)["user"]["email"], "mate@example.com");
}

/// It had left for the old address when that was given up, and nobody knows whether it arrived.
#[tokio::test]
async fn a_link_that_is_on_its_way_to_the_old_address_opens_nothing() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    wants(&tenant, "new@example.org").await.is(202);
    let link = link_to(&app, "new@example.org", "#token=").await;
    app.outside().upstreams().next("resend", [Reaction::TimesOut]);
    app.post("/auth/magic/start").json(&json!({ "email": OLD })).send().await.is(202);
    app.outside().finishes_deferred_work().await;
    confirms(&app, &link).await.is(200);
    app.mails_leave_for(3600).await;
    let sent = app.outside().upstreams().sent_to("resend");
    let links = sent.iter().filter(|mail| mail.json()["text"].as_str().unwrap().contains("/magic/#token="));
    let links: Vec<(Value, String)> = links
        .map(|mail| (mail.json()["to"][0].clone(), mail.link().split_once("#token=").unwrap().1.to_owned()))
        .collect();
    assert!(links.iter().any(|(to, _)| to == OLD), "{links:?}");
    for (to, token) in links {
        let verified = app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await;
        assert_eq!(verified.status == 200, to == "new@example.org", "{to}");
    }
}

#[tokio::test]
async fn a_thief_is_thrown_out_by_the_way_back() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let cookie = tenant.signs_in_by("").await;
    let back = moved(&tenant, OLD, "thief@example.org").await;
    tenant.whoami_by(&cookie).await.is(200);
    app.post("/auth/magic/start").json(&json!({ "email": "thief@example.org" })).send().await.is(202);
    let theirs = mails_to(&app, "thief@example.org").await.pop().unwrap();
    assert_eq!(undoes(&app, &back).await.is(200), json!({ "success": true, "email": OLD }));
    assert_eq!(tenant.row()["email"], OLD);
    assert_eq!(app.db().row("select email from auth_users")["email"], OLD);
    tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    tenant.whoami_by(&cookie).await.refuses(403, "FORBIDDEN", "token_revoked");
    assert_eq!(app.db().number("select count(*) from sessions where ended_at is null"), 0);
    let token = theirs.link().split_once("#token=").unwrap().1.to_owned();
    app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.fails(401, "INVALID_TOKEN");
    // No repeat of the signup answers a token of before.
    app.post("/auth/magic/start").json(&json!({ "email": OLD })).send().await.is(202);
    let token = mails_to(&app, OLD).await.pop().unwrap().link().split_once("#token=").unwrap().1.to_owned();
    app.post("/auth/magic/verify").json(&json!({ "token": token })).send().await.is(200);
    // Whoever had the other address hears of it: it may have been the owner, and a thief in the old mailbox.
    let told = mails_to(&app, "thief@example.org").await.pop().unwrap().json();
    assert_eq!(told["subject"], "The earlier e-mail address of FC fc-nord is back");
    let text = told["text"].as_str().unwrap();
    assert!(text.contains("Address: o***@fc-nord.example") && !text.contains("http"), "{text}");
    let undone: Vec<Value> = events(&app).iter().map(|event| event["undone"].clone()).collect();
    assert!(undone.contains(&json!(true)), "{undone:?}");
}

/// A thief must not wash the first way back away by changing the address once more.
#[tokio::test]
async fn the_first_way_back_goes_all_the_way_and_ends_the_later_ones() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let first = moved(&tenant, OLD, "b@example.org").await;
    app.passes(DAY);
    let second = moved(&tenant, "b@example.org", "c@example.org").await;
    app.passes(DAY);
    wants(&tenant, "d@example.org").await.is(202);
    let wish = link_to(&app, "d@example.org", "#token=").await;
    undoes(&app, &first).await.is(200);
    assert_eq!(tenant.row()["email"], OLD);
    undoes(&app, &second).await.fails(409, "EMAIL_CHANGE_SUPERSEDED");
    confirms(&app, &wish).await.fails(409, "EMAIL_CHANGE_SUPERSEDED");
    undoes(&app, &first).await.fails(409, "EMAIL_CHANGE_USED");
    assert_eq!(tenant.row()["email"], OLD);
    let told = mails_to(&app, "c@example.org").await.pop().unwrap().json();
    assert_eq!(told["subject"], "The earlier e-mail address of FC fc-nord is back");
}

#[tokio::test]
async fn ways_back_go_back_one_by_one() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let first = moved(&tenant, OLD, "b@example.org").await;
    app.passes(60);
    let second = moved(&tenant, "b@example.org", "c@example.org").await;
    undoes(&app, &second).await.is(200);
    assert_eq!(tenant.row()["email"], "b@example.org");
    undoes(&app, &first).await.is(200);
    assert_eq!(tenant.row()["email"], OLD);
}

#[tokio::test]
async fn a_member_moves_alone() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    let ann = member(&tenant, "user_ann", "ann@example.org");
    let cookie = tenant.signs_in_by("").await;
    let back = moved(&ann, "ann@example.org", "ann@example.net").await;
    let ann_has = || app.db().row("select email from auth_users where id = 'user_ann'")["email"].clone();
    assert_eq!((ann_has(), &tenant.row()["email"]), (json!("ann@example.net"), &json!(OLD)));
    undoes(&app, &back).await.is(200);
    assert_eq!((ann_has(), &tenant.row()["email"]), (json!("ann@example.org"), &json!(OLD)));
    ann.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
    tenant.gets("/whoami").send().await.is(200);
    tenant.whoami_by(&cookie).await.is(200);
}

/// A person may belong to several clubs: only where a club gets its mail is unique.
#[tokio::test]
async fn a_member_may_have_an_address_that_is_another_clubs() {
    let app = TestApp::new();
    let (tenant, other) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
    let ann = member(&tenant, "user_ann", "ann@example.org");
    moved(&ann, "ann@example.org", "owner@fc-sued.example").await;
    assert_eq!(other.row()["email"], "owner@fc-sued.example");
    app.passes(60);
    wants(&ann, OLD).await.is(202);
    let link = link_to(&app, OLD, "#token=").await;
    confirms(&app, &link).await.fails(409, "EMAIL_EXISTS");
}

#[tokio::test]
async fn of_two_clubs_that_want_one_address_one_gets_it() {
    for swap in [false, true] {
        let app = TestApp::new();
        let (nord, sued) = (app.signed_up("fc-nord").await, app.signed_up("fc-sued").await);
        let mut links = Vec::new();
        for tenant in [&nord, &sued] {
            wants(tenant, "one@example.org").await.is(202);
            links.push(link_to(&app, "one@example.org", "#token=").await);
        }
        if swap {
            links.reverse();
        }
        let (one, other) = join(confirms(&app, &links[0]), confirms(&app, &links[1])).await;
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409]);
        assert_eq!(app.db().number("select count(*) from tenants where email = 'one@example.org'"), 1);
        assert_eq!(events(&app).len(), 1);
        let refused = if one.status == 409 { one } else { other };
        refused.fails(409, "EMAIL_EXISTS");
        // It may be had once it is free.
        let loser = if nord.row()["email"] == "one@example.org" { &sued } else { &nord };
        app.db().execute("update tenants set email = 'gone@example.org' where email = 'one@example.org'", ());
        let theirs = links.iter().find(|link| is_of(link, loser)).unwrap();
        confirms(&app, theirs).await.is(200);
        assert_eq!(loser.row()["email"], "one@example.org");
    }
}

fn is_of(link: &str, tenant: &TestTenant) -> bool {
    let id = link.split_once('.').unwrap().0;
    let change = tenant.db().row(&format!("select tenant_id from email_changes where id = '{id}'"));
    change["tenant_id"] == tenant.id.as_str()
}

/// Whichever comes first: the way back wins, and what was at work ends with it.
#[tokio::test]
async fn a_confirmation_at_the_moment_of_a_way_back_changes_nothing() {
    for is_undo_first in [false, true] {
        let app = TestApp::new();
        let tenant = app.signed_up("fc-nord").await;
        let back = moved(&tenant, OLD, "b@example.org").await;
        app.passes(60);
        wants(&tenant, "c@example.org").await.is(202);
        let link = link_to(&app, "c@example.org", "#token=").await;
        let confirmed = if is_undo_first {
            let (undone, confirmed) = join(undoes(&app, &back), confirms(&app, &link)).await;
            undone.is(200);
            confirmed
        } else {
            let (confirmed, undone) = join(confirms(&app, &link), undoes(&app, &back)).await;
            undone.is(200);
            confirmed
        };
        assert_eq!(confirmed.status == 200, !is_undo_first);
        assert_eq!(tenant.row()["email"], OLD);
        tenant.gets("/whoami").send().await.refuses(403, "FORBIDDEN", "token_revoked");
        app.mails_leave_for(3600).await;
        // No way back to an address that was never the owner's for good.
        let to_b = mails_to(&app, "b@example.org").await;
        let links = to_b.iter().filter(|mail| mail.json()["text"].as_str().unwrap().contains("#undo="));
        for mail in links {
            let token = mail.link().split_once("#undo=").unwrap().1.to_owned();
            undoes(&app, &token).await.fails(409, "EMAIL_CHANGE_SUPERSEDED");
        }
    }
}

#[tokio::test]
async fn one_link_works_once_however_often_it_is_pressed() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    wants(&tenant, "new@example.org").await.is(202);
    let link = link_to(&app, "new@example.org", "#token=").await;
    let (one, other) = join(confirms(&app, &link), confirms(&app, &link)).await;
    one.is(200);
    other.fails(409, "EMAIL_CHANGE_USED");
    let back = link_to(&app, OLD, "#undo=").await;
    let (one, other) = join(undoes(&app, &back), undoes(&app, &back)).await;
    one.is(200);
    other.fails(409, "EMAIL_CHANGE_USED");
    confirms(&app, &link).await.fails(409, "EMAIL_CHANGE_USED");
    assert_eq!(events(&app).len(), 2);
    assert_eq!(tenant.row()["email"], OLD);
}

/// Pressed again in the second in which a later change was confirmed: the later one stands.
#[tokio::test]
async fn an_old_link_moves_nothing_in_the_same_second() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    wants(&tenant, "b@example.org").await.is(202);
    let first = link_to(&app, "b@example.org", "#token=").await;
    confirms(&app, &first).await.is(200);
    app.db().execute("update email_changes set created_at = created_at - 60", ());
    wants(&tenant, "c@example.org").await.is(202);
    let second = link_to(&app, "c@example.org", "#token=").await;
    confirms(&app, &second).await.is(200);
    confirms(&app, &first).await.fails(409, "EMAIL_CHANGE_USED");
    assert_eq!(tenant.row()["email"], "c@example.org");
}

#[tokio::test]
async fn a_newer_wish_takes_the_place_of_an_earlier_one() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    wants(&tenant, "typo@example.org").await.is(202);
    let typo = link_to(&app, "typo@example.org", "#token=").await;
    app.passes(60);
    wants(&tenant, "meant@example.org").await.is(202);
    confirms(&app, &typo).await.fails(409, "EMAIL_CHANGE_SUPERSEDED");
    let meant = link_to(&app, "meant@example.org", "#token=").await;
    confirms(&app, &meant).await.is(200);
    assert_eq!(tenant.row()["email"], "meant@example.org");
}

/// A mail that waited for the mail service has its whole day before it, and one that was overtaken does not leave.
#[tokio::test]
async fn a_link_lives_a_day_from_when_it_is_mailed() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    app.outside().upstreams().always("resend", Reaction::TimesOut);
    wants(&tenant, "typo@example.org").await.is(202);
    app.outside().finishes_deferred_work().await;
    app.passes(60);
    wants(&tenant, "new@example.org").await.is(202);
    app.mails_leave_for(20 * 3600).await;
    let before = gone_to(&app, "typo@example.org").len();
    app.outside().upstreams().always("resend", Reaction::Healthy);
    app.mails_leave_for(2 * 3600).await;
    assert_eq!(gone_to(&app, "typo@example.org").len(), before, "nobody wants it any more");
    let link = link_to(&app, "new@example.org", "#token=").await;
    app.passes(20 * 3600);
    confirms(&app, &link).await.is(200);
}

#[tokio::test]
async fn an_operators_word_ends_every_way_back() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    let back = moved(&tenant, OLD, "thief@example.org").await;
    app.passes(60);
    wants(&tenant, "thief@example.net").await.is(202);
    let wish = link_to(&app, "thief@example.net", "#token=").await;
    let said = json!({ "email": "safe@example.org", "emailProven": true, "reason": "the club called" });
    let ask = app.ask(Method::PATCH, &format!("/api/v1/admin/tenants/{}", tenant.id));
    ask.token(&Token::operator(app.now()).sign()).json(&said).send().await.is(200);
    undoes(&app, &back).await.fails(409, "EMAIL_CHANGE_SUPERSEDED");
    confirms(&app, &wish).await.fails(409, "EMAIL_CHANGE_SUPERSEDED");
    assert_eq!(tenant.row()["email"], "safe@example.org");
}

/// The owner is written down when the club is ready: with the address that counts then.
#[tokio::test]
async fn an_address_that_changes_before_the_club_is_ready_is_the_owners() {
    let app = TestApp::new();
    let tenant = app.queued("fc-nord").await;
    moved(&tenant, OLD, "new@example.org").await;
    tenant.waits().await;
    assert_eq!(app.db().row("select email from auth_users")["email"], "new@example.org");
}

/// What is stored opens nothing, and what others are sent says nothing of a person.
#[tokio::test]
async fn no_token_is_stored_logged_or_told() {
    let app = TestApp::new();
    let tenant = app.signed_up("fc-nord").await;
    wants(&tenant, "new@example.org").await.is(202);
    let link = link_to(&app, "new@example.org", "#token=").await;
    confirms(&app, &link).await.is(200);
    let back = link_to(&app, OLD, "#undo=").await;
    undoes(&app, &back).await.is(200);
    let logged = format!("{:?}", app.outside().log_lines());
    let (stored, events) = (format!("{:?}", app.db().contents()), format!("{:?}", events(&app)));
    for token in [&link, &back] {
        let secret = token.split_once('.').unwrap().1;
        assert!(!stored.contains(secret) && !logged.contains(secret), "{secret}");
    }
    for address in ["new@example.org", OLD] {
        assert!(!logged.contains(address) && !events.contains('@'), "{address}");
    }
    let mails = app.db().rows("select data from mails where kind in ('change_email', 'email_changed')");
    assert!(mails.len() == 3 && !format!("{mails:?}").contains('@'), "{mails:?}");
}

#[tokio::test]
async fn changes_are_forgotten_after_a_month_and_with_their_tenant() {
    let app = TestApp::new();
    let tenant = app.provisioned("fc-nord").await;
    moved(&tenant, OLD, "new@example.org").await;
    app.passes(31 * DAY);
    tenantry::app::sweep::run(&app.app).await;
    assert_eq!(app.db().number("select count(*) from email_changes"), 0);
    let tenant = app.provisioned("fc-sued").await;
    wants(&tenant, "another@example.org").await.is(202);
    let ask = app.ask(Method::DELETE, &format!("/api/v1/admin/tenants/{}", tenant.id));
    ask.token(&Token::operator(app.now()).sign()).json(&json!({ "reason": "asked" })).send().await.is(202);
    tenant.waits().await;
    assert_eq!(app.db().number("select count(*) from email_changes"), 0);
}
