//! For every route a request that succeeds: what the tests that walk all routes are made of.

use serde_json::{Value, json};
use tenantry::{domain::Permission, http::router::Route};

use super::{Club, TestApp, Token, app::WEBHOOK_SECRET, signup};

/// A request that succeeds.
pub struct Example {
    /// Where to.
    pub path: String,
    /// With what.
    pub body: Option<Value>,
    /// Which status it gets.
    pub status: u16,
}

/// The example of a route. `club` fits it: its plan and its state are those that the route is for.
pub fn example(route: &Route, club: &Club) -> Example {
    let mut status = 200;
    let mut query = "";
    let body = match (route.method, route.path) {
        ("GET", "/public/signup/availability") => {
            query = "?slug=fc-example";
            None
        }
        ("GET", _) => None,
        ("POST", "/public/signup/form" | "/auth/logout" | "/api/v1/tenants/{id}/webhook/test") => None,
        ("POST", "/api/v1/admin/tokens/revoke") => Some(json!({ "jti": "some-token", "reason": "lost" })),
        ("POST", "/public/signup/start") => Some(signup("fc-example")),
        ("POST", "/public/signup/verify-promo") => Some(json!({ "promoCode": "EXAMPLE" })),
        ("POST", "/public/signup/brand") => {
            Some(json!({ "primaryColor": "#102030", "secondaryColor": "#405060" }))
        }
        ("POST", "/public/signup/starter/make") => Some(
            json!({ "webhookUrl": "https://hook.eu2.make.com/example", "webhookSecret": WEBHOOK_SECRET }),
        ),
        ("POST", "/public/signup/pro/confirm" | "/api/v1/tenants/{id}/provision/retry") => None,
        ("POST", "/auth/magic/start") => {
            status = 202;
            Some(json!({ "email": "owner@fc-example.example" }))
        }
        ("POST", "/auth/magic/verify") => Some(json!({ "token": link_of(club) })),
        ("POST", "/internal/provision/queue" | "/internal/provision/retry") => {
            Some(json!({ "tenantId": club.id }))
        }
        (method, path) => panic!("give {method} {path} an example here"),
    };
    Example { path: format!("{}{query}", route.path.replace("{id}", &club.id)), body, status }
}

/// A link that was mailed to the club's owner.
fn link_of(club: &Club) -> String {
    let now = club.now();
    let hash = tenantry::app::digest(&["jti-link"]);
    club.db().execute(
        "insert into magic_links (id, tenant_id, created_at, expires_at) values (?1, ?2, ?3, ?3 + 3600)",
        (&hash, &club.id, now),
    );
    Token::link(&club.id, now).sign()
}

/// A club that a route's example fits.
pub async fn club_for(app: &TestApp, route: &Route) -> Club {
    app.has_promo("EXAMPLE", 20, &[]);
    match route.path {
        "/public/signup/pro/confirm" => app.signed_up_pro("fc-fitting").await,
        "/api/v1/tenants/{id}/provision/retry" => {
            let club = app.signed_up("fc-fitting").await;
            club.connects("https://hook.eu2.make.com/gone").await.is(200);
            club.waits().await;
            club
        }
        _ => app.signed_up("fc-fitting").await,
    }
}

/// A token that opens the route.
pub fn key_for(route: &Route, club: &Club) -> Option<String> {
    match route.permission {
        Permission::Anyone => None,
        Permission::Service => Some(Token::service(club.now()).sign()),
        Permission::PlatformAdmin => Some(Token::operator(club.now()).sign()),
        _ => Some(club.jwt.clone()),
    }
}
