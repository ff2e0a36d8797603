//! For every route a request that succeeds: what the tests that walk all routes are made of.

use http::Method;
use serde_json::{Value, json};
use tenantry::{
    app::proof::issue,
    domain::{Audience, Email, MailId, Permission, TenantId},
    http::router::Route,
    ports::Clock,
};

use super::{
    Answer, TestApp, TestTenant, Token,
    app::{AdmissionRequest, PLATFORM_WEBHOOK, WEBHOOK_SECRET},
    signup,
};

/// What is sent.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing.
    None,
    /// Nothing, although something may be.
    Optional,
    /// This JSON, which may be left out.
    OptionalJson(Value),
    /// This JSON.
    Json(Value),
    /// This form, as a browser posts it.
    Form(&'static str),
}

/// A request that succeeds, but for whoever sends it.
pub struct Example {
    app: TestApp,
    method: Method,
    path: String,
    /// What is sent.
    pub body: Body,
    /// Which status it gets.
    pub status: u16,
}

impl Example {
    /// The same request to the deployment that `tenant` stands before.
    pub fn by(&self, tenant: &TestTenant) -> Self {
        Self {
            app: (**tenant).clone(),
            method: self.method.clone(),
            path: self.path.clone(),
            body: self.body.clone(),
            ..*self
        }
    }

    /// Where it goes.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The request without a body.
    pub fn bare(&self) -> AdmissionRequest {
        self.app.ask(self.method.clone(), &self.path)
    }

    /// The request.
    pub fn ask(&self) -> AdmissionRequest {
        match &self.body {
            Body::None | Body::Optional => self.bare(),
            Body::Json(value) | Body::OptionalJson(value) => self.bare().json(value),
            Body::Form(text) => {
                self.bare().header("content-type", "application/x-www-form-urlencoded").body(*text)
            }
        }
    }

    /// Sends it for the first of those who may.
    pub async fn succeeds(&self, route: &Route, tenant: &TestTenant) -> Answer {
        let token = good_tokens(route, tenant).into_iter().next().map(|(_, token)| token.sign());
        self.ask().maybe_token(token.as_deref()).send().await
    }
}

/// The example of a route. `tenant` fits it: its plan and its state are those that the route is for.
pub fn example(route: &Route, tenant: &TestTenant) -> Example {
    let mut status = 200;
    let mut query = "";
    let body = match (route.method, route.path) {
        ("GET", "/public/signup/availability") => {
            query = "?slug=fc-example";
            Body::None
        }
        ("GET", _) => Body::None,
        ("DELETE", "/api/v1/tenants/me/sessions/{session}") => Body::None,
        ("DELETE", "/api/v1/admin/tenants/{id}") => {
            status = 202;
            Body::Json(json!({ "reason": "asked by the club" }))
        }
        ("POST", "/public/signup/start") => Body::Json(signup("fc-example")),
        ("POST", "/public/signup/form") => {
            Body::Form("clubName=FC&clubSlug=fc-example&email=owner%40fc-example.example&plan=starter")
        }
        ("POST", "/public/signup/verify-promo") => Body::Json(json!({ "promoCode": "EXAMPLE" })),
        ("POST", "/public/signup/brand") => {
            Body::Json(json!({ "primaryColor": "#102030", "secondaryColor": "#405060" }))
        }
        ("POST", "/public/signup/starter/make") => Body::Json(webhook()),
        // The stored one, by another secret.
        ("POST", "/api/v1/tenants/{id}/webhook/test") => Body::OptionalJson(json!({
            "webhookUrl": format!("https://hook.eu2.make.com/{}", tenant.slug), "webhookSecret": "another-secret-of-mine",
        })),
        ("POST", "/api/v1/tenants/{id}/welcome/resend") => {
            status = 202;
            Body::OptionalJson(json!({ "reason": "asked by the club" }))
        }
        (
            "POST",
            "/api/v1/tenants/{id}/webhook/deliveries/{delivery}/redeliver"
            | "/api/v1/admin/webhook/deliveries/{delivery}/redeliver",
        ) => Body::OptionalJson(json!({ "reason": "asked by the club" })),
        ("POST", "/public/signup/pro/confirm" | "/api/v1/tenants/{id}/provision/retry") => Body::Optional,
        ("POST", "/auth/logout") => Body::OptionalJson(json!({ "all": false })),
        ("PATCH", "/public/signup/email") => Body::Json(json!({ "email": "owner@meant.example" })),
        ("POST", "/auth/proof") => Body::Json(json!({ "token": proof_of(tenant) })),
        ("POST", "/auth/proof/send") => {
            status = 202;
            Body::Optional
        }
        ("POST", "/auth/magic/start") => {
            status = 202;
            Body::Json(json!({ "email": "owner@fc-example.example" }))
        }
        ("POST", "/auth/magic/verify") => Body::Json(json!({ "token": link_of(tenant) })),
        ("PATCH", "/api/v1/tenants/me") => {
            Body::Json(json!({ "name": "FC Fitting", "primaryColor": "#102030" }))
        }
        ("PATCH", "/api/v1/admin/tenants/{id}") => {
            Body::Json(json!({ "comped": true, "reason": "a sponsor pays" }))
        }
        ("POST", "/api/v1/admin/tenant/webhook") => Body::Json(json!({
            "tenant": tenant.id, "make_webhook_url": "https://hook.us1.make.com/correct-url",
            "webhook_secret": WEBHOOK_SECRET,
        })),
        ("POST", "/api/v1/admin/tenants") => Body::Json(json!({
            "name": "FC Made", "slug": "fc-made", "email": "owner@fc-made.example", "plan": "starter",
            "reason": "asked by telephone",
        })),
        ("PATCH", "/api/v1/admin/promo-codes/{code}") => {
            Body::Json(json!({ "maxUses": 100, "validUntil": null, "reason": "more clubs than expected" }))
        }
        ("POST", "/api/v1/admin/promo-codes") => {
            Body::Json(json!({ "code": "MADE2027", "discountPercent": 50, "tenantSlugs": ["fc-example"] }))
        }
        ("POST", "/api/v1/admin/promo-codes/{code}/deactivate") => {
            Body::OptionalJson(json!({ "reason": "over" }))
        }
        ("POST", "/api/v1/admin/tokens/revoke") => {
            Body::Json(json!({ "jti": "some-token", "reason": "lost" }))
        }
        ("POST", "/internal/provision/queue" | "/internal/provision/retry") => {
            Body::Json(json!({ "tenantId": tenant.id }))
        }
        ("POST", "/api/v1/bgops/sagas/{run}/skip-step") => {
            Body::Json(json!({ "step": "validate_webhook", "reason": "the scenario comes later" }))
        }
        ("POST", "/api/v1/bgops/sagas/retry") => {
            Body::Json(json!({ "status": "failed", "reason": "WEBHOOK_REJECTED", "why": "Make is back" }))
        }
        ("POST", path) if path.starts_with("/api/v1/bgops/sagas/{run}/") => {
            Body::Json(json!({ "reason": "asked by the club" }))
        }
        ("POST", "/api/v1/bgops/provisioning/pause" | "/api/v1/bgops/provisioning/resume") => {
            Body::Json(json!({ "reason": "the database is put back" }))
        }
        ("POST", "/api/v1/bgops/upstreams/{name}/open") => {
            Body::Json(json!({ "reason": "maintenance until noon, says its status page" }))
        }
        ("POST", "/api/v1/bgops/upstreams/{name}/close") => {
            Body::Json(json!({ "reason": "it is back, says its status page" }))
        }
        (method, path) => panic!("give {method} {path} an example here"),
    };
    let path = format!("{}{query}", named(route.path, tenant));
    Example { app: (**tenant).clone(), method: route.method.parse().unwrap(), path, body, status }
}

/// The path with everything named that belongs to the tenant.
fn named(pattern: &str, tenant: &TestTenant) -> String {
    let mut path = pattern.replace("{id}", &tenant.id).replace("{name}", "make").replace("{code}", "EXAMPLE");
    if pattern.contains("{run}") {
        path = path.replace("{run}", tenant.row()["provision_run_id"].as_str().unwrap());
    }
    if pattern.contains("{delivery}") {
        let id = format!("select id from webhook_deliveries where tenant_id = '{}'", tenant.id);
        let known = tenant.db().rows(&id);
        path = path.replace("{delivery}", known.first().map_or("none", |row| row["id"].as_str().unwrap()));
    }
    if pattern.contains("{session}") {
        let known = tenant.db().rows(&format!("select id from sessions where tenant_id = '{}'", tenant.id));
        path = path.replace("{session}", known.first().map_or("none", |row| row["id"].as_str().unwrap()));
    }
    if pattern.contains("{key}") {
        path =
            path.replace("{key}", tenant.db().row("select id from idempotency_keys")["id"].as_str().unwrap());
    }
    path
}

fn webhook() -> Value {
    json!({ "webhookUrl": "https://hook.eu2.make.com/example", "webhookSecret": WEBHOOK_SECRET })
}

/// A link that was mailed to the tenant's owner.
fn link_of(tenant: &TestTenant) -> String {
    let now = tenant.now();
    tenant.db().execute(
        "insert into magic_links (id, tenant_id, created_at, expires_at) values (?1, ?2, ?3, ?3 + 3600)",
        (tenantry::app::digest(&["jti-link"]), &tenant.id, now),
    );
    Token::link(&tenant.id, now).sign()
}

/// What the link has that was mailed to the tenant's address.
fn proof_of(tenant: &TestTenant) -> String {
    let id: TenantId = tenant.id.parse().unwrap();
    let mail: MailId = "mail_example".parse().unwrap();
    let address = Email::try_from("owner@fc-fitting.example".to_owned()).unwrap();
    let now = tenant.app.ports.now();
    let issued = issue(&tenant.app, &id, &mail, &address, now, "https://api.example.com").unwrap();
    tenant.db().execute(
        "insert into email_proofs (tenant_id, link, code, issued_at) values (?1, ?2, ?3, ?4)",
        (&tenant.id, issued.hashes.link, issued.hashes.code, now.seconds()),
    );
    issued.link.split_once("#token=").unwrap().1.to_owned()
}

/// A tenant that a route's example fits.
pub async fn tenant_for(app: &TestApp, route: &Route) -> TestTenant {
    app.has_promo("EXAMPLE", 20, &[]);
    match route.path {
        "/api/v1/admin/webhook/deliveries/{delivery}/redeliver" => {
            let tenant = app.redeployed_with(&PLATFORM_WEBHOOK).provisioned("fc-fitting").await;
            tenantry::app::deliveries::send_due(&tenant.app).await.unwrap();
            tenant
        }
        "/auth/proof" | "/auth/proof/send" | "/public/signup/email" => {
            let tenant = app.signed_up_unproven(&signup("fc-fitting")).await;
            // As long as the pause between two mails.
            app.passes(30);
            tenant
        }
        "/public/signup/pro/confirm" => app.signed_up_pro("fc-fitting").await,
        "/api/v1/tenants/me/sessions/{session}" => {
            let tenant = app.signed_up("fc-fitting").await;
            tenant.signs_in_by("").await;
            tenant
        }
        "/api/v1/bgops/idempotency/{key}" => app.signed_up_with_key("fc-fitting", "some-key").await,
        "/api/v1/bgops/sagas/{run}"
        | "/api/v1/bgops/sagas/{run}/history"
        | "/api/v1/tenants/{id}/welcome/resend"
        | "/api/v1/tenants/{id}/webhook/deliveries/{delivery}/redeliver" => {
            app.provisioned("fc-fitting").await
        }
        "/api/v1/tenants/{id}/webhook/test" => app.queued("fc-fitting").await,
        "/api/v1/bgops/sagas/{run}/cancel" => {
            let tenant = app.queued("fc-fitting").await;
            app.outside().upstreams().next("make", [super::Reaction::TimesOut]);
            tenant.alarm_rings(&tenant.id).await;
            tenant
        }
        "/api/v1/bgops/sagas/{run}/reset" => {
            let tenant = app.provisioned("fc-fitting").await;
            app.outside().objects().stores(&tenant.id, r#"{"written":"by another version"}"#);
            tenant
        }
        "/api/v1/tenants/{id}/provision/retry"
        | "/api/v1/bgops/sagas/{run}/retry"
        | "/api/v1/bgops/sagas/{run}/skip-step" => {
            let tenant = app.signed_up("fc-fitting").await;
            tenant.connects("https://hook.eu2.make.com/gone").await.is(200);
            tenant.waits().await;
            tenant
        }
        _ => app.signed_up("fc-fitting").await,
    }
}

/// A good token of every kind that opens the route.
pub fn good_tokens(route: &Route, tenant: &TestTenant) -> Vec<(Audience, Token)> {
    use Audience::{PlatformAdmin, Service, Tenant};
    let audiences: &[Audience] = match route.permission {
        Permission::Anyone => &[],
        Permission::AnyToken | Permission::TenantReader => &[Tenant, PlatformAdmin, Service],
        Permission::TenantAdmin | Permission::SigningUp | Permission::SameTenant => &[Tenant],
        Permission::SameTenantOrPlatform => &[Tenant, PlatformAdmin],
        Permission::Service => &[Service],
        Permission::PlatformReader => &[PlatformAdmin, Service],
        Permission::PlatformAdmin | Permission::Monitoring => &[PlatformAdmin],
    };
    let now = tenant.now();
    audiences
        .iter()
        .map(|audience| {
            let token = match audience {
                Tenant => Token::tenant(&tenant.id, now),
                PlatformAdmin => Token::operator(now),
                Service => Token::service(now).with("jti", "jti-service"),
                Audience::MagicLink => panic!("a link opens no route"),
            };
            (*audience, token)
        })
        .collect()
}
