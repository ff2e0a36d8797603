//! One operation of the document: what a route takes and answers.

use super::document::finish;
use serde_json::{Map, Value, json};
use tenantry::{
    domain::Permission,
    http::{
        answer::{Data, Page},
        router::Route,
    },
};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

/// Under which heading a route stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    Signup,
    SignIn,
    Tenant,
    Tenants,
    Runs,
    Promos,
    Access,
    Platform,
    Machines,
    Health,
    Webhooks,
}

impl Tag {
    /// Every tag, in the order in which a reader meets them.
    pub const ALL: [Self; 11] = [
        Self::Signup,
        Self::SignIn,
        Self::Tenant,
        Self::Tenants,
        Self::Runs,
        Self::Promos,
        Self::Access,
        Self::Platform,
        Self::Machines,
        Self::Health,
        Self::Webhooks,
    ];

    /// As the document names it, and what it says of it.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Signup => ("Signup", "A tenant signs up and gives what its plan needs."),
            Self::SignIn => ("Sign-in", "Links by mail, and what a token says."),
            Self::Tenant => ("Tenant", "A tenant as its own people see it."),
            Self::Tenants => ("Operators: tenants", "The register of tenants."),
            Self::Runs => ("Operators: background", "Provisioning runs, upstreams, idempotency keys."),
            Self::Promos => ("Operators: promo codes", "Promo codes."),
            Self::Access => ("Operators: oversight", "Revocations, the audit log, numbers."),
            Self::Platform => ("Platform", "What other services of the platform learn of tenants."),
            Self::Machines => ("Machines", "What our own machines ask for."),
            Self::Health => ("Health", "Is it up, can it work, may it start?"),
            Self::Webhooks => ("Webhooks", "What a tenant's own webhook is sent."),
        }
    }
}

/// A media type, and the schema of what is answered so.
pub type Content = (&'static str, Value);

/// A body as it may be sent.
#[derive(Debug)]
pub struct Sent {
    pub media: &'static str,
    /// By reference.
    pub schema: Value,
    pub required: bool,
}

/// What a route takes and answers.
pub struct Operation {
    pub tag: Tag,
    pub id: &'static str,
    pub summary: &'static str,
    pub description: Option<&'static str>,
    /// Besides those in the path.
    pub parameters: Vec<Value>,
    pub body: Option<Sent>,
    /// By status: what it means, and its media type and schema where it has a body.
    pub answers: Vec<(u16, &'static str, Option<Content>)>,
    /// The headers that its successes carry, by name.
    pub headers: &'static [&'static str],
    /// The codes that not every such route has.
    pub errors: Vec<&'static str>,
    /// The codes that come with another status here than elsewhere.
    pub statuses: Vec<(&'static str, u16)>,
    /// Whose tokens open more of it than anybody gets.
    pub more_for: Option<&'static str>,
    /// The schemas that this refers to, by name: those of answers, and those of bodies.
    pub schemas: Schemas,
}

/// Named schemas: those of answers, and those of bodies.
#[derive(Default)]
pub struct Schemas {
    pub answers: Vec<(String, RefOr<Schema>)>,
    pub bodies: Vec<(String, RefOr<Schema>)>,
}

/// An operation, under its name in clients.
pub fn op(tag: Tag, id: &'static str, summary: &'static str) -> Operation {
    Operation {
        tag,
        id,
        summary,
        description: None,
        parameters: Vec::new(),
        body: None,
        answers: Vec::new(),
        headers: &[],
        errors: Vec::new(),
        statuses: Vec::new(),
        more_for: None,
        schemas: Schemas::default(),
    }
}

impl Operation {
    /// More than a line has room for.
    pub fn says(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    /// Takes this in its query, if it is given.
    pub fn asks(mut self, name: &str, description: &str, schema: &Value) -> Self {
        let parameter = json!({ "name": name, "in": "query", "description": description, "schema": schema });
        self.parameters.push(parameter);
        self
    }

    /// Takes this in its query; without it, it fails.
    pub fn needs(mut self, name: &str, description: &str, schema: &Value) -> Self {
        self = self.asks(name, description, schema);
        self.parameters.last_mut().unwrap()["required"] = true.into();
        self
    }

    /// Tells operators more than anybody, if they ask for it.
    pub fn for_operators_too(mut self) -> Self {
        self.more_for = Some("operator");
        self
    }

    /// Does more for the admins of tenants than for anybody.
    pub fn for_tenants_too(mut self) -> Self {
        self.more_for = Some("tenant");
        self
    }

    /// Takes this type from the query, by reference.
    pub fn asks_for<T: ToSchema + 'static>(mut self, name: &str, description: &str) -> Self {
        self.schemas.answers.push((T::name().into_owned(), T::schema()));
        let schema = reference(&T::name());
        self.asks(name, description, &schema)
    }

    /// Takes this header, if it is given.
    pub fn reads(mut self, name: &str, description: &str, schema: &Value) -> Self {
        let parameter = json!({ "name": name, "in": "header", "description": description, "schema": schema });
        self.parameters.push(parameter);
        self
    }

    /// Takes JSON.
    pub fn takes<T: ToSchema>(self) -> Self {
        self.body::<T>("application/json", true)
    }

    /// Takes JSON, or nothing.
    pub fn may_take<T: ToSchema>(self) -> Self {
        self.body::<T>("application/json", false)
    }

    /// Takes no body, but is sent one by some clients: JSON, whatever it says.
    pub fn ignores_a_body(mut self) -> Self {
        let schema = json!({ "type": "object", "description": "Nothing of it is read." });
        self.body = Some(Sent { media: "application/json", schema, required: false });
        self
    }

    /// Takes a form.
    pub fn takes_form<T: ToSchema>(self) -> Self {
        self.body::<T>("application/x-www-form-urlencoded", true)
    }

    fn body<T: ToSchema>(mut self, media: &'static str, required: bool) -> Self {
        self.schemas.bodies.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas.bodies);
        self.body = Some(Sent { media, schema: reference(&T::name()), required });
        self
    }

    /// Answers this type.
    pub fn answers<T: ToSchema>(mut self, status: u16, meaning: &'static str) -> Self {
        self.schemas.answers.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas.answers);
        self.answers.push((status, meaning, Some(("application/json", reference(&T::name())))));
        self
    }

    /// Answers this type as `data`.
    pub fn data<T: ToSchema>(self, meaning: &'static str) -> Self {
        self.envelope::<T, Data<T>>(200, meaning)
    }

    /// Answers this type as `data`, with this status.
    pub fn data_with<T: ToSchema>(self, status: u16, meaning: &'static str) -> Self {
        self.envelope::<T, Data<T>>(status, meaning)
    }

    /// Answers a page of these, and takes what names one.
    pub fn pages<T: ToSchema>(mut self, meaning: &'static str) -> Self {
        for name in ["limit", "cursor"] {
            self.parameters.push(json!({ "$ref": format!("#/components/parameters/{name}") }));
        }
        self.envelope::<T, Page<T>>(200, meaning)
    }

    /// Answers all of these as `data`.
    pub fn lists<T: ToSchema>(self, meaning: &'static str) -> Self {
        let mut operation = self.envelope::<T, Data<T>>(200, meaning);
        if let Some((_, _, Some((_, schema)))) = operation.answers.last_mut() {
            schema["properties"]["data"] = json!({ "type": "array", "items": reference(&T::name()) });
        }
        operation
    }

    /// The envelope stands in the answer itself; what is in it has a name.
    fn envelope<T: ToSchema, E: ToSchema>(mut self, status: u16, meaning: &'static str) -> Self {
        self.schemas.answers.push((T::name().into_owned(), T::schema()));
        E::schemas(&mut self.schemas.answers);
        let mut schema = serde_json::to_value(E::schema()).unwrap();
        finish(&mut schema);
        self.answers.push((status, meaning, Some(("application/json", schema))));
        self
    }

    /// Answers no JSON.
    pub fn answers_text(mut self, status: u16, media: &'static str, meaning: &'static str) -> Self {
        self.answers.push((status, meaning, Some((media, json!({ "type": "string" })))));
        self
    }

    /// Answers without a body.
    pub fn answers_nothing(mut self, status: u16, meaning: &'static str) -> Self {
        self.answers.push((status, meaning, None));
        self
    }

    /// With these headers, where it succeeds.
    pub fn with_headers(mut self, names: &'static [&'static str]) -> Self {
        self.headers = names;
        self
    }

    /// May fail with these codes, besides those that every such route has.
    pub fn fails(mut self, codes: &[&'static str]) -> Self {
        self.errors.extend(codes);
        self
    }

    /// May fail with this code, and with this status, which it has elsewhere not.
    pub fn fails_with(mut self, status: u16, code: &'static str) -> Self {
        self.statuses.push((code, status));
        self.fails(&[code])
    }

    /// Whether people read what it answers.
    pub fn is_page(&self) -> bool {
        self.answers
            .iter()
            .any(|(_, _, content)| content.as_ref().is_some_and(|(media, _)| *media == "text/html"))
    }

    /// Every code with which the route may fail.
    pub fn codes(&self, route: &Route) -> Vec<&'static str> {
        let mut codes = self.errors.clone();
        if route.permission != Permission::Anyone || self.more_for.is_some() {
            codes.extend(["UNAUTHORIZED", "INVALID_TOKEN", "FORBIDDEN"]);
        }
        if route.permission != Permission::Anyone {
            codes.push("STORE_UNAVAILABLE");
        }
        if is_for_proven(route.permission) {
            codes.push("EMAIL_UNPROVEN");
        }
        if route.permission.admits_tenants() {
            codes.push("AMBIGUOUS_CREDENTIALS");
        }
        if route.method != "GET" && is_tenants(route.permission) {
            codes.push("RATE_LIMITED");
        }
        if self.body.is_some() {
            codes.extend(["VALIDATION", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"]);
        }
        if self.parameters.iter().any(|p| p["in"] == "query" || p["$ref"].is_string()) {
            codes.push("VALIDATION");
        }
        if route.path.contains("{id}") {
            codes.push("TENANT_NOT_FOUND");
        }
        if self.tag != Tag::Health {
            codes.push("INTERNAL");
        }
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// Whether a tenant's own people may use it, once its address is proven.
const fn is_for_proven(permission: Permission) -> bool {
    matches!(permission, Permission::TenantAdmin | Permission::SameTenant | Permission::SameTenantOrPlatform)
}

/// Whether a tenant's own people may use it: what they change is limited for each tenant.
const fn is_tenants(permission: Permission) -> bool {
    !matches!(
        permission,
        Permission::Anyone
            | Permission::Service
            | Permission::PlatformAdmin
            | Permission::PlatformReader
            | Permission::Monitoring
    )
}

/// A named schema.
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The parameters that stand in a path.
pub fn in_path(path: &str) -> Vec<Value> {
    let names = path.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name);
    names.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })).collect()
}

/// The parameters that several routes have.
pub fn parameters() -> Map<String, Value> {
    let path = |name: &str, description: &str, schema: Value| {
        let parameter = json!({
            "name": name, "in": "path", "required": true, "description": description, "schema": schema
        });
        (name.to_owned(), parameter)
    };
    let query = |name: &str, description: &str, schema: Value| {
        let parameter = json!({ "name": name, "in": "query", "description": description, "schema": schema });
        (name.to_owned(), parameter)
    };
    let text = json!({ "type": "string", "minLength": 1 });
    [
        path("id", "The tenant.", reference("TenantId")),
        path("run", "The run.", reference("RunId")),
        path("code", "The promo code, in any case.", text.clone()),
        path("name", "The upstream.", reference("Upstream")),
        path("session", "The sign-in, as the list names it.", reference("SessionId")),
        path("delivery", "The delivery, as the list names it.", text.clone()),
        path("key", "The key, as the list names it.", text),
        query(
            "limit",
            "How much of the list to answer at most.",
            json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 }),
        ),
        query("cursor", "Where to go on: the `nextCursor` of the page before.", json!({ "type": "string" })),
    ]
    .into_iter()
    .collect()
}

/// Whose tokens open a route.
pub fn security(permission: Permission, more_for: Option<&'static str>) -> Value {
    let schemes: &[&str] = match permission {
        Permission::Anyone => return more_for.map_or(json!([]), |scheme| json!([{}, { scheme: [] }])),
        Permission::AnyToken | Permission::TenantReader => &["tenant", "operator", "machine"],
        Permission::TenantAdmin | Permission::SigningUp | Permission::SameTenant => &["tenant"],
        Permission::SameTenantOrPlatform => &["tenant", "operator"],
        Permission::Service => &["machine"],
        Permission::PlatformAdmin => &["operator"],
        Permission::PlatformReader => &["operator", "machine"],
        Permission::Monitoring => &["monitoring", "operator"],
    };
    let cookie = permission.admits_tenants().then_some("session");
    schemes.iter().copied().chain(cookie).map(|scheme| json!({ scheme: [] })).collect()
}

/// The kinds of tokens.
pub fn security_schemes() -> Value {
    let bearer = |description: &str| json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": description });
    json!({
        "tenant": bearer("A tenant admin's token, from signing up or from a mailed link. It opens what is the tenant's own."),
        "operator": bearer("A platform admin's token: `aud` `syston-admin`, role `admin`, at most 7 days."),
        "monitoring": json!({ "type": "http", "scheme": "bearer", "description": "What is configured as `METRICS_TOKEN`." }),
        "session": json!({
            "type": "apiKey", "in": "cookie", "name": "__Host-tenantry",
            "description": "A sign-in of our own pages. It counts for requests that a browser sends from the console's own origin, by `Sec-Fetch-Site` or `Origin`, and beside no token.",
        }),
        "machine": bearer("A service token: `aud` `internal`, role `service`, at most 5 minutes."),
    })
}
