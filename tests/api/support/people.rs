//! People who use the service.

use std::ops::Deref;

use serde_json::{Value, json};
use tenantry::domain::Plan;

use super::{
    Answer, TestApp, Token,
    app::{AdmissionRequest, WEBHOOK_SECRET},
    upstreams::RecordedCall,
};

/// The form as somebody fills it in for a starter tenant.
pub fn signup(slug: &str) -> Value {
    json!({
        "clubName": format!("FC {slug}"),
        "clubSlug": slug,
        "email": format!("owner@{slug}.example"),
        "plan": "starter",
    })
}

/// A tenant that signed up.
#[derive(Clone)]
pub struct TestTenant {
    app: TestApp,
    /// Its id.
    pub id: String,
    /// Its name in addresses.
    pub slug: String,
    /// Its admin's token.
    pub jwt: String,
}

impl Deref for TestTenant {
    type Target = TestApp;

    fn deref(&self) -> &TestApp {
        &self.app
    }
}

impl TestApp {
    /// Somebody sends the form.
    pub async fn signs_up(&self, form: &Value) -> Answer {
        self.post("/public/signup/start").json(form).send().await
    }

    /// Somebody signs up, and has not proven their address.
    pub async fn signed_up_unproven(&self, form: &Value) -> TestTenant {
        self.tenant_of(&self.signs_up(form).await.is(200))
    }

    /// What proves an address to which a mail was just deferred: nothing outside remembers that it left.
    pub async fn proof_of_last_mail(&self) -> RecordedCall {
        let outside = self.outside();
        let (upstreams, breakers) = (outside.upstreams().are_set_aside(), outside.breakers().are_set_aside());
        outside.finishes_last_deferred_work().await;
        let mail = outside.upstreams().sent_to("resend").pop();
        outside.upstreams().are_again(upstreams);
        outside.breakers().are_again(breakers);
        mail.unwrap()
    }

    /// The tenant of a signup, once its owner has read their mail.
    async fn proven(&self, answer: &Value) -> TestTenant {
        let tenant = self.tenant_of(answer);
        if answer["emailProven"] == true {
            return tenant;
        }
        let code = self.proof_of_last_mail().await.code().unwrap();
        let proven = tenant.posts("/auth/proof", &json!({ "code": code })).await.is(200);
        // What is over is forgotten sooner or later: the tests of other mails begin there.
        self.db()
            .execute("delete from mails where tenant_id = ?1 and kind = 'confirm_address'", [&tenant.id]);
        self.db().execute("delete from proof_mails", ());
        self.tenant_of(&proven)
    }

    /// A starter tenant that signed up when nobody asked for a proof: tokens from before then are good.
    pub async fn signed_up_unasked(&self, slug: &str) -> TestTenant {
        self.redeployed_with(&[("EMAIL_PROOF", "off")]).signed_up(slug).await.with_app(self.clone())
    }

    /// A starter tenant that just signed up.
    pub async fn signed_up(&self, slug: &str) -> TestTenant {
        self.signed_up_with(&signup(slug)).await
    }

    /// A pro tenant that just signed up.
    pub async fn signed_up_pro(&self, slug: &str) -> TestTenant {
        let mut form = signup(slug);
        form["plan"] = "pro".into();
        self.signed_up_with(&form).await
    }

    /// A tenant that just signed up by this form.
    pub async fn signed_up_with(&self, form: &Value) -> TestTenant {
        self.proven(&self.signs_up(form).await.is(200)).await
    }

    /// The tenant with this id, name and token.
    pub fn tenant_with(&self, id: String, slug: &str, jwt: String) -> TestTenant {
        TestTenant { app: self.clone(), id, slug: slug.to_owned(), jwt }
    }

    fn tenant_of(&self, answer: &Value) -> TestTenant {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        TestTenant {
            app: self.clone(),
            id: text(&answer["tenantId"]),
            slug: text(&answer["tenant"]["slug"]),
            jwt: text(&answer["jwt"]),
        }
    }

    /// A starter tenant that just signed up under an `Idempotency-Key`.
    pub async fn signed_up_with_key(&self, slug: &str, key: &str) -> TestTenant {
        let ask = self.post("/public/signup/start").header("idempotency-key", key).json(&signup(slug));
        self.proven(&ask.send().await.is(200)).await
    }

    /// A starter tenant whose run was queued.
    pub async fn queued(&self, slug: &str) -> TestTenant {
        let tenant = self.signed_up(slug).await;
        tenant.connects_make().await.is(200);
        tenant
    }

    /// A pro tenant whose run was queued.
    pub async fn queued_pro(&self, slug: &str) -> TestTenant {
        let tenant = self.signed_up_pro(slug).await;
        tenant.confirms_pro().await.is(200);
        tenant
    }

    /// A tenant on this plan whose run was queued.
    pub async fn queued_on(&self, plan: Plan, slug: &str) -> TestTenant {
        match plan {
            Plan::Starter => self.queued(slug).await,
            Plan::Pro => self.queued_pro(slug).await,
        }
    }

    /// A starter tenant that was provisioned.
    pub async fn provisioned(&self, slug: &str) -> TestTenant {
        let tenant = self.queued(slug).await;
        tenant.waits().await;
        tenant
    }

    /// A promo code that an operator made.
    pub fn has_promo(&self, code: &str, discount: i64, rest: &[(&str, Value)]) {
        self.db().execute(
            "insert into promo_codes (code, discount_percent, created_at) values (?1, ?2, 0)",
            (code, discount),
        );
        for (column, value) in rest {
            let sql = format!("update promo_codes set {column} = ?2 where code = ?1");
            match value {
                Value::Number(number) => self.db().execute(&sql, (code, number.as_i64())),
                Value::String(text) => self.db().execute(&sql, (code, text)),
                other => self.db().execute(&sql, (code, other.to_string())),
            };
        }
    }

    /// An internal service asks for something to be queued.
    pub async fn machine_queues(&self, tenant: &str) -> Answer {
        let token = Token::service(self.now()).sign();
        self.post("/internal/provision/queue").token(&token).json(&json!({ "tenantId": tenant })).send().await
    }
}

impl TestTenant {
    /// Nothing that was made for it outside is there any more.
    pub fn has_left_nothing(&self, what: &str) {
        assert!(self.outside().upstreams().sheets().is_empty(), "{what}");
        assert_eq!(self.outside().upstreams().dns(|dns| dns.records().len()), 0, "{what}");
    }

    /// The same tenant by the token in this answer.
    pub fn with_token_of(&self, answer: &Value) -> Self {
        Self { jwt: answer["jwt"].as_str().unwrap().to_owned(), ..self.clone() }
    }

    /// The same tenant before another deployment.
    pub fn with_app(&self, app: TestApp) -> Self {
        Self { app, ..self.clone() }
    }

    /// A tenant that it is not, and that never was.
    pub fn never(&self) -> Self {
        Self { id: "tenant_gone".to_owned(), ..self.clone() }
    }

    /// Asks for something as its admin.
    pub fn gets(&self, path: &str) -> AdmissionRequest {
        self.get(path).token(&self.jwt)
    }

    /// Posts something as its admin.
    pub async fn posts(&self, path: &str, body: &Value) -> Answer {
        self.post(path).token(&self.jwt).json(body).send().await
    }

    /// The token of a link that was mailed to its owner.
    pub fn mailed_link(&self) -> String {
        let now = self.now();
        let jti = format!("jti-link-{}", self.db().number("select count(*) from magic_links"));
        self.db().execute(
            "insert into magic_links (id, tenant_id, created_at, expires_at) values (?1, ?2, ?3, ?3 + 3600)",
            (tenantry::app::digest(&[&jti]), &self.id, now),
        );
        Token::link(&self.id, now).with("jti", jti).sign()
    }

    /// Somebody opens a link in a browser, on our own page. Answers its cookie.
    pub async fn signs_in_by(&self, user_agent: &str) -> String {
        let body = json!({ "token": self.mailed_link(), "session": true });
        let ask = self.post("/auth/magic/verify").json(&body).by_our_page();
        cookie_of(&ask.header("user-agent", user_agent).send().await)
    }

    /// Asks for something on our own page, on behalf of a cookie.
    pub fn browses(&self, method: http::Method, path: &str, cookie: &str) -> AdmissionRequest {
        self.ask(method, path).cookie(cookie).by_our_page()
    }

    /// What a cookie is told of itself.
    pub async fn whoami_by(&self, cookie: &str) -> Answer {
        self.browses(http::Method::GET, "/whoami", cookie).send().await
    }

    /// Connects its scenario.
    pub async fn connects_make(&self) -> Answer {
        self.connects(&format!("https://hook.eu2.make.com/{}", self.slug)).await
    }

    /// Connects this address.
    pub async fn connects(&self, url: &str) -> Answer {
        let body = json!({ "webhookUrl": url, "webhookSecret": WEBHOOK_SECRET });
        self.posts("/public/signup/starter/make", &body).await
    }

    /// Confirms the pro plan.
    pub async fn confirms_pro(&self) -> Answer {
        self.post("/public/signup/pro/confirm").token(&self.jwt).send().await
    }

    /// Wants its failed run tried again.
    pub async fn retries(&self) -> Answer {
        self.post(&format!("/api/v1/tenants/{}/provision/retry", self.id)).token(&self.jwt).send().await
    }

    /// Looks how far it is.
    pub async fn sees_status(&self) -> Answer {
        self.gets(&self.status_path()).send().await
    }

    /// Where it looks how far it is.
    pub fn status_path(&self) -> String {
        format!("/api/v1/tenants/{}/provision-status", self.id)
    }

    /// Waits until nothing happens any more.
    pub async fn waits(&self) {
        self.alarms_ring_to_the_end(&self.id).await;
    }

    /// Its object, which has nothing left to do, looks whether D1 still knows it.
    pub async fn looks(&self) {
        self.outside().objects().looks(&self.id);
        assert!(self.alarm_rings(&self.id).await, "it does not look any more");
    }

    /// How its provisioning ended: `completed`, or the reason why not.
    pub async fn ended(&self) -> String {
        let answer = self.sees_status().await.is(200);
        match answer["status"].as_str().unwrap() {
            "failed" => answer["data"]["reason"].as_str().unwrap().to_owned(),
            status => status.to_owned(),
        }
    }

    /// Its row.
    pub fn row(&self) -> Value {
        self.db().row(&format!("select * from tenants where id = '{}'", self.id))
    }

    /// Something about its row changes.
    pub fn becomes(&self, column: &str, value: impl rusqlite::ToSql) {
        self.db().execute(&format!("update tenants set {column} = ?2 where id = ?1"), (&self.id, value));
    }
}

/// The cookie that an answer sets.
pub fn cookie_of(answer: &Answer) -> String {
    answer.is(200);
    let (cookie, rest) = answer.header("set-cookie").split_once("; ").unwrap_or_default();
    assert_eq!(rest, "Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict", "{}", answer.text);
    cookie.strip_prefix("__Host-tenantry=").unwrap().to_owned()
}

/// Cursors of the right shape that name a moment which never was, and which D1 could not even bind: 2⁵³ + 1, and -1.
pub const IMPOSSIBLE_MOMENTS: [&str; 2] = ["cursor=OTAwNzE5OTI1NDc0MDk5MyBldnRfMQ", "cursor=LTEgZXZ0XzE"];

/// Every row of a list, page by page.
pub async fn walk_pages(app: &TestApp, path: &str, limit: usize, token: &str) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page =
            app.get(&format!("{path}{separator}limit={limit}{cursor}")).token(token).send().await.is(200);
        let rows = page["data"].as_array().unwrap();
        assert!(rows.len() <= limit, "{} rows for a limit of {limit}", rows.len());
        all.extend(rows.iter().cloned());
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
        assert!(all.len() < 1000, "the pages of {path} never end");
    }
}
