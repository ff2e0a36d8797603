//! Tokens that were good once: revoked by themselves, with their club, or with everybody's.

use tenantry::{domain::Audience, http::router::Route};

use super::{guarded, stage};
use crate::support::{Club, Token, good_tokens};

/// What makes a token useless: put into force, and taken back.
struct Cause {
    what: &'static str,
    begins: Box<dyn Fn(&Club)>,
    ends: Box<dyn Fn(&Club)>,
}

fn cause(what: &'static str, begins: impl Fn(&Club) + 'static, ends: impl Fn(&Club) + 'static) -> Cause {
    Cause { what, begins: Box::new(begins), ends: Box::new(ends) }
}

fn causes(audience: Audience) -> Vec<Cause> {
    let mut causes = vec![
        cause(
            "revoked by its id",
            |club| {
                for jti in ["jti-tenant", "jti-operator", "jti-service"] {
                    club.db().execute(
                        "insert into revoked_tokens values (?1, null, 'lost', 0, 9000000000)",
                        [jti],
                    );
                }
            },
            |club| {
                club.db().execute("delete from revoked_tokens", ());
            },
        ),
        cause(
            "cut off with everybody's",
            |club| {
                let cut_off = club.now() + 1;
                club.db()
                    .execute("insert into feature_flags values ('tokens_valid_after', 1, ?1, 0)", [cut_off]);
            },
            |club| {
                club.db().execute("delete from feature_flags", ());
            },
        ),
    ];
    if audience == Audience::Tenant {
        causes.push(cause(
            "cut off with its club's",
            |club| club.becomes("tokens_valid_after", club.now() + 1),
            |club| club.becomes("tokens_valid_after", 0),
        ));
        for status in ["suspended", "cancelled"] {
            causes.push(cause(
                "of a stopped club",
                move |club| club.becomes("status", status),
                |club| club.becomes("status", "trial"),
            ));
        }
    }
    causes
}

async fn is_revoked(route: &Route, club: &Club, token: &Token, what: &str) {
    let example = crate::support::example(route, club);
    let before = club.db().contents();
    let told = || club.outside().objects().told() + club.outside().breakers().told();
    let told_before = told();
    let sent = club.outside().upstreams().sent().len();
    let batches = club.db().batches();
    let answer = example.ask().token(&token.sign()).send().await;
    assert_eq!(answer.status, 403, "{} {what}: {}", route.path, answer.text);
    answer.refuses(403, "FORBIDDEN", "token_revoked");
    assert_eq!(
        club.db().batches(),
        batches + 1,
        "{} {what}: asked in the same round trip as the data",
        route.path
    );
    club.db().is_still(&before);
    assert_eq!(told(), told_before, "{} {what}", route.path);
    assert_eq!(club.outside().upstreams().sent().len(), sent, "{} {what}", route.path);
    assert_eq!(club.log_of("authz_deny").last().unwrap().fields["reason"], "token_revoked");
}

#[tokio::test]
async fn a_revoked_token_opens_nothing_and_does_nothing() {
    for route in guarded() {
        let (club, _) = stage(route).await;
        for (audience, token) in good_tokens(route, &club) {
            for cause in causes(audience) {
                (cause.begins)(&club);
                is_revoked(route, &club, &token, cause.what).await;
                (cause.ends)(&club);
            }
        }
    }
}

#[tokio::test]
async fn the_token_of_a_club_that_is_gone_opens_nothing() {
    for route in guarded() {
        let (club, _) = stage(route).await;
        let gone = club.never();
        for (audience, token) in good_tokens(route, &gone) {
            if audience == Audience::Tenant {
                is_revoked(route, &gone, &token, "gone").await;
            }
        }
    }
}

#[tokio::test]
async fn what_is_issued_after_a_cut_off_works() {
    for route in guarded() {
        let (club, _) = stage(route).await;
        for (audience, token) in good_tokens(route, &club) {
            let (club, example) = stage(route).await;
            let now = club.now();
            club.db().execute("insert into feature_flags values ('tokens_valid_after', 1, ?1, 0)", [now]);
            club.becomes("tokens_valid_after", now);
            let token =
                if audience == Audience::Tenant { token.with("tenantId", club.id.as_str()) } else { token };
            let answer = example.ask().token(&token.sign()).send().await;
            assert_eq!(answer.status, example.status, "{} {audience:?}: {}", route.path, answer.text);
        }
    }
}

#[tokio::test]
async fn a_cut_off_that_is_switched_off_cuts_nobody_off() {
    let (club, _) = stage(guarded().next().unwrap()).await;
    club.db().execute("insert into feature_flags values ('tokens_valid_after', 0, 9000000000, 0)", ());
    club.gets("/whoami").send().await.is(200);
}

/// The predecessor's revocation id was `undefined` for most tokens: revoking one revoked them all.
#[tokio::test]
async fn revoking_one_token_leaves_those_without_an_id_alone() {
    let (club, _) = stage(guarded().next().unwrap()).await;
    for jti in ["undefined", "null", ""] {
        club.db().execute("insert into revoked_tokens values (?1, null, 'lost', 0, 9000000000)", [jti]);
    }
    let token = Token::tenant(&club.id, club.now()).with("jti", serde_json::Value::Null);
    club.get("/whoami").token(&token.sign()).send().await.is(200);
}
