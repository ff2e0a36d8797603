//! What each route of the table takes and answers. A new route is described here, and nowhere else.

use serde_json::json;
use tenantry::{
    domain::{Plan, RunId, RunStatus, SessionId, Step, TenantId, TenantStatus, Upstream},
    http::{
        answer::SuccessResponse,
        error::ErrorResponse,
        router::Route,
        routes::{
            admin::{
                admin_tenants, event_feed, new_tenants, platform_webhook, promo_changes, promos, stats,
                tokens,
            },
            auth::{logout, magic_links, proof},
            bgops::{pausing, retries, sagas, upstreams},
            health, internal,
            public::{email, signups},
            tenants::{deliveries, mails, profile, provisioning, webhooks},
            whoami,
        },
    },
    store::{
        admin_tenants::{Tenant, TenantDetails},
        audit::AuditEntry,
        events::TenantEvent,
        idempotency_keys::IdempotencyKey,
        mails::Mail,
        platform_webhook::PlatformWebhookDelivery,
        profile::TenantOverview,
        promos::Promo,
        sagas::{Attempt, Run},
        sessions::Session,
    },
};

use super::operation::{Operation, Tag, op};

/// The types that no operation names, but parameters and failures do.
pub fn common() -> Operation {
    op(Tag::Health, "", "")
        .answers::<ErrorResponse>(0, "")
        .answers::<TenantId>(0, "")
        .answers::<SessionId>(0, "")
        .answers::<RunId>(0, "")
        .answers::<Upstream>(0, "")
}

/// What a route takes and answers.
pub fn describe(route: &Route) -> Operation {
    let known = of_anyone(route).or_else(|| of_tenants(route)).or_else(|| of_operators(route));
    known.unwrap_or_else(|| {
        panic!("describe {} {} in tests/api/openapi/operations.rs", route.method, route.path)
    })
}

fn of_anyone(route: &Route) -> Option<Operation> {
    use Tag::{Health, SignIn, Signup};
    Some(match (route.method, route.path) {
        ("GET", "/health") => {
            op(Health, "getHealth", "What is running").says("Answers without asking anything else: the version, the environment and the time. `/health/ready` says whether it can work.").answers::<health::HealthResponse>(200, "It is up.")
        }
        ("GET", "/health/live") => {
            op(Health, "getLive", "Is it up?").says("The same answer as long as the service runs at all. Nothing is asked for it.").answers::<health::LivenessResponse>(200, "It is up.")
        }
        ("GET", "/healthz") => {
            op(Health, "getHealthz", "The same as /health/live").says("Another name for `/health/live`, for those who look there.").answers::<health::LivenessResponse>(200, "It is up.")
        }
        ("GET", "/metrics") => op(Health, "getMetrics", "How it is going, for Prometheus")
            .says("While the database is down, `METRICS_TOKEN` still gets what needs none, with `tenantry_store_up 0`.")
            .answers_text(200, "text/plain", "In the text format of Prometheus."),
        ("GET", "/health/ready") => ready(op(Health, "getReady", "Can it work?").says("Asks the database, which must read and write, a Durable Object and the configuration, and names what is missing or too wide. Switches that operators set do not make it unready.")),
        ("GET", "/readyz") => ready(op(Health, "getReadyz", "The same as /health/ready").says("Another name for `/health/ready`, for those who look there.")),
        ("GET", "/health/startup") => checked(op(Health, "getStartup", "May it start?").says("Asks whether the database has the schema that this version needs, and whether the configuration holds.")),
        ("POST", "/public/signup/start") => op(Signup, "signUp", "Sign a tenant up")
            .says(
                "With an `Idempotency-Key`, quoted or bare, the same request answers the same tenant and a token for 24 hours. Without \
                 one, or after a token of the tenant was revoked, it is 409 `ALREADY_SIGNED_UP`, and the owner gets a link by mail. \
                 After the tenant was removed it is 410.",
            )
            .reads(
                "Idempotency-Key",
                "Makes a repeat safe: any text of the client's own.",
                &json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$" }),
            )
            .takes::<signups::SignupRequest>()
            .answers::<signups::SignupResponse>(200, "The tenant is signed up.")
            .fails(SIGNUP_ERRORS)
            .fails_with(410, "TENANT_CANCELLED")
            .fails(&["ALREADY_SIGNED_UP", "IDEMPOTENCY_IN_PROGRESS", "IDEMPOTENCY_KEY_REUSED"]),
        ("POST", "/public/signup/form") => op(Signup, "signUpByForm", "Sign a tenant up by a form without JavaScript")
            .says("Answers pages, not JSON: the form again, with what is wrong beside each field, or that a link was mailed. A form of \
                 another site is refused. Where Turnstile is switched on, so is this one: its widget needs JavaScript.")
            .takes_form::<signups::SignupRequest>()
            .answers_text(200, "text/html", "The tenant is signed up; a link was mailed.")
            .fails(SIGNUP_ERRORS)
            .fails_with(410, "TENANT_CANCELLED")
            .fails(&["FORBIDDEN"]),
        ("GET", "/public/signup/availability") => op(Signup, "getAvailability", "Is a name free?").says("Says whether the name is free at this moment; only signing up takes it. Where it is not free, names like it are suggested.")
            .needs("slug", "The name. Names that can't be are answered as not available.", &json!({ "type": "string" }))
            .data::<signups::SlugAvailability>("Whether it is.")
            .fails(&["RATE_LIMITED", "STORE_UNAVAILABLE"]),
        ("POST", "/public/signup/verify-promo") => op(Signup, "verifyPromo", "What does a promo code give?").says("Says what a code would give, and takes no use of it: only signing up does. A code that gives nothing answers 400 with `reason`.")
            .takes::<signups::PromoLookup>()
            .answers::<signups::PromoResponse>(200, "What it gives.")
            .fails(&["INVALID_PROMO", "RATE_LIMITED", "STORE_UNAVAILABLE"]),
        ("POST", "/public/signup/brand") => op(Signup, "setBrand", "Choose the tenant's colours").says("Stores both colours for the tenant whose token is sent, in place of those that it had.")
            .takes::<signups::BrandRequest>()
            .answers::<SuccessResponse>(200, "They are stored."),
        ("POST", "/public/signup/starter/make") => op(Signup, "connectMake", "Connect Make, and go")
            .says(
                "For the starter plan: stores the webhook and queues provisioning, and answers at once. For a tenant that is live: \
                 stores the webhook, sends it a test, and says what came of it. What that tenant is sent is signed by the earlier \
                 secret, too, for 24 hours.",
            )
            .takes::<signups::MakeWebhookRequest>()
            .data::<provisioning::QueuedRun>("Provisioning is queued, or was already.")
            .fails(&[
                "INVALID_WEBHOOK_HOST",
                "PLAN_MISMATCH",
                "PROVISIONER_UNAVAILABLE",
                "RATE_LIMITED",
                "TENANT_NOT_FOUND",
            ]),
        ("POST", "/public/signup/pro/confirm") => op(Signup, "confirmPro", "Confirm, and go")
            .says("For the pro plan: queues provisioning. It answers at once.")
            .ignores_a_body()
            .data::<provisioning::QueuedRun>("Provisioning is queued, or was already.")
            .fails(&["PLAN_MISMATCH", "TENANT_NOT_FOUND", "PROVISIONER_UNAVAILABLE"]),
        ("PATCH", "/public/signup/email") => op(Signup, "correctEmail", "Correct the address")
            .says("As long as it is not proven. What was mailed to the other address proves nothing any more, and a code and a link are mailed to this one.")
            .takes::<email::EmailRequest>()
            .data::<email::CorrectedEmail>("The address that is stored now.")
            .fails(&["EMAIL_EXISTS", "EMAIL_PROVEN", "TENANT_NOT_FOUND"]),
        ("GET", "/whoami") => op(SignIn, "whoAmI", "What a token says").says("Reads the token that is sent and answers its claims, if it is valid and not revoked.").data::<whoami::WhoAmI>("What it says."),
        ("GET", "/api/v1/admin/whoami") => {
            op(SignIn, "whoAmIAdmin", "The same as /whoami").says("Reads the token that is sent and answers its claims, like `/whoami`; operators' tools look here.").data::<whoami::WhoAmI>("What it says.")
        }
        ("POST", "/auth/magic/start") => op(SignIn, "mailLink", "Mail a link to sign in")
            .says("The answer is the same for a known and an unknown address.")
            .takes::<magic_links::MagicLinkRequest>()
            .answers::<SuccessResponse>(202, "If the address owns a tenant, a link is on its way.")
            .fails(&["RATE_LIMITED", "STORE_UNAVAILABLE"]),
        ("POST", "/auth/magic/verify") => op(SignIn, "signInByLink", "Exchange a link, or the code beside it, for a token, once").says("The token of a mailed link opens this once, within 24 hours; so does the code of the latest mail, with the address or the slug. Five wrong codes burn a code, and ten a day every code of that day. What it is exchanged for opens what is the tenant's own, for 7 days. With `session` it is a cookie for our own pages, and no `jwt` is answered.")
            .takes::<magic_links::MagicLinkVerifyRequest>()
            .answers::<magic_links::SignInResponse>(200, "Signed in.")
            .with_headers(&["Set-Cookie"])
            .fails(&["FORBIDDEN", "INVALID_TOKEN", "RATE_LIMITED", "STORE_UNAVAILABLE"]),
        ("POST", "/auth/proof") => op(SignIn, "proveAddress", "Prove an address, once")
            .says("Takes the code that was mailed at signup, with the token of the signup; or what the link in the same mail has, without any token. The code counts for 30 minutes, the link for 24 hours, and five wrong codes end a code. From then on every earlier token of the tenant opens nothing, but that the signup's own still reads provision-status. What was wanted meanwhile starts.")
            .takes::<proof::ProofRequest>()
            .answers::<proof::ProofResponse>(200, "The address is proven.")
            .for_tenants_too()
            .with_headers(&["Set-Cookie"])
            .fails(&["EMAIL_EXISTS", "EMAIL_PROVEN", "FORBIDDEN", "INVALID_CODE", "RATE_LIMITED", "STORE_UNAVAILABLE", "TENANT_NOT_FOUND"]),
        ("POST", "/auth/proof/send") => op(SignIn, "mailProof", "Mail another code and link")
            .says("To the address of the signup, as long as it is not proven: after half a minute, and not endlessly.")
            .ignores_a_body()
            .answers::<SuccessResponse>(202, "A mail is on its way.")
            .fails(&["EMAIL_PROVEN", "TENANT_NOT_FOUND"]),
        ("POST", "/auth/logout") => op(SignIn, "logOut", "End the sign-in that is sent, or all of the tenant's").says("Ends the token or the cookie that is sent, and no other; with `all`, everything that the tenant's people hold. A cookie that is ended is taken from the browser, with what else it keeps of us.")
            .may_take::<logout::LogoutRequest>()
            .answers::<SuccessResponse>(200, "It opens nothing any more."),
        _ => return None,
    })
}

const SIGNUP_ERRORS: &[&str] = &[
    "EMAIL_EXISTS",
    "INVALID_PROMO",
    "RATE_LIMITED",
    "SIGNUPS_DISABLED",
    "SLUG_TAKEN",
    "STORE_UNAVAILABLE",
    "TURNSTILE_FAILED",
    "TURNSTILE_UNAVAILABLE",
];

fn ready(operation: Operation) -> Operation {
    operation
        .asks(
            "deep",
            "`1`: also asks the upstreams, in a way that changes nothing. For operators.",
            &json!({ "type": "string", "enum": ["1"] }),
        )
        .for_operators_too()
        .answers::<health::ReadinessResponse>(200, "All is well.")
        .answers::<health::ReadinessResponse>(503, "Something isn't.")
}

fn checked(operation: Operation) -> Operation {
    operation
        .answers::<health::HealthReport>(200, "All is well.")
        .answers::<health::HealthReport>(503, "Something isn't.")
}

fn of_tenants(route: &Route) -> Option<Operation> {
    use Tag::{Machines, Tenant};
    Some(match (route.method, route.path) {
        ("GET", "/api/v1/tenants/{id}/provision-status") => op(
            Tenant,
            "getProvisionStatus",
            "How far provisioning is",
        )
        .says(
            "`Retry-After` says when to ask again while it is processing; `If-None-Match` saves the answer.",
        )
        .reads("If-None-Match", "The `ETag` of the answer that is known.", &json!({ "type": "string" }))
        .answers::<provisioning::ProvisionStatusResponse>(200, "How far it is.")
        .answers_nothing(304, "What is known has not changed.")
        .with_headers(&["ETag"]),
        ("GET", "/api/v1/tenants/me/sessions") => op(Tenant, "listSessions", "Who is signed in")
            .says(
                "The sign-ins that still open something, the latest first. The token from signing up is none of them; signing out \
                 everywhere revokes it, too.",
            )
            .pages::<Session>("One page of them."),
        ("DELETE", "/api/v1/tenants/me/sessions/{session}") => op(Tenant, "endSession", "End a sign-in")
            .says("From then on it opens nothing. The owner gets a mail, unless it is the one that asks.")
            .answers::<SuccessResponse>(200, "It is ended.")
            .fails(&["SESSION_NOT_FOUND"]),
        ("POST", "/api/v1/tenants/{id}/provision/retry") => {
            op(Tenant, "retryProvisioning", "Try the tenant's own failed provisioning again").says("Goes on at the step that failed, with what was done before. Nothing is done twice. While nothing has failed it answers 409.")
                .ignores_a_body()
                .data::<provisioning::QueuedRun>("It goes on at the step that failed.")
                .fails(&["NOT_RETRYABLE", "PLAN_MISMATCH", "PROVISIONER_UNAVAILABLE"])
        }
        ("POST", "/api/v1/tenants/{id}/welcome/resend") => {
            op(Tenant, "resendWelcome", "Send the welcome mail once more")
                .says(
                    "A new mail with a new link, in place of one that still waits; at most one in five minutes. Operators must \
                     give a reason.",
                )
                .may_take::<mails::WelcomeMailRequest>()
                .data_with::<Mail>(202, "It is on its way.")
                .fails(&["NOTHING_TO_RESEND"])
        }
        ("POST", "/api/v1/tenants/{id}/webhook/test") => {
            op(Tenant, "testWebhook", "Send a signed test to a webhook")
                .says(
                    "To the stored one. A body may name it with another secret, to try that; operators may name any. A tenant's own \
                     is tried once it is stored, which sends it a test, too.",
                )
                .may_take::<webhooks::WebhookTestRequest>()
                .data::<webhooks::WebhookTestResult>("What came of it, good or bad.")
                .fails(&["INVALID_WEBHOOK_HOST", "NO_WEBHOOK", "WEBHOOK_NOT_STORED"])
        }
        ("GET", "/api/v1/tenants/{id}/webhook/deliveries") => {
            let mut operation = op(Tenant, "listDeliveries", "What the webhook was sent").says("Everything that was or is to be sent to the tenant's webhook, newest first, and how the webhook is doing.")
                .pages::<deliveries::WebhookDelivery>("");
            operation.answers.clear();
            operation.answers::<deliveries::WebhookDeliveryPage>(200, "One page of it.")
        }
        ("POST", "/api/v1/tenants/{id}/webhook/deliveries/{delivery}/redeliver") => {
            op(Tenant, "redeliver", "Send one of them again, now").says("Sends the event again at once, under its old `webhook-id`, and again later if the webhook does not take it.")
                .may_take::<promos::OptionalReasonRequest>()
                .data::<deliveries::WebhookDelivery>("It is on its way.")
                .fails(&["DELIVERY_NOT_FOUND", "NO_WEBHOOK"])
        }
        ("GET", "/api/v1/tenants/{id}/events") => {
            op(Tenant, "listEvents", "What happened to a tenant").says("What happened to the tenant, newest first: kept even where it has no webhook.").pages::<TenantEvent>("One page of it.")
        }
        ("GET", "/api/v1/tenants/{id}/overview") => {
            op(Tenant, "getOverview", "A tenant at a glance").says("A few facts in the names that older consoles read. `GET /api/v1/tenants/me` says more.")
                .data::<TenantOverview>("The tenant.")
                .fails(&["TENANT_NOT_FOUND"])
        }
        ("GET", "/api/v1/tenants/me") => {
            op(Tenant, "getOwnTenant", "The tenant's profile, plan, colours and set-up").says("What the tenant may know of itself, for the tenant whose token is sent.")
                .data::<profile::TenantProfile>("The tenant.")
                .fails(&["TENANT_NOT_FOUND"])
        }
        ("PATCH", "/api/v1/tenants/me") => op(Tenant, "changeOwnTenant", "Change the tenant's name or colours").says("Changes what is sent and leaves the rest as it is. The name in addresses, the e-mail address and the plan are not changed here.")
            .takes::<profile::UpdateProfileRequest>()
            .data::<profile::TenantProfile>("The tenant as it is now.")
            .fails(&["TENANT_NOT_FOUND"]),
        ("POST", "/internal/provision/queue") => queue(op(Machines, "queueProvisioning", "Provision a tenant")),
        ("POST", "/internal/provision/retry") => {
            queue(op(Machines, "queueProvisioningAgain", "The same as /internal/provision/queue"))
        }
        _ => return None,
    })
}

fn queue(operation: Operation) -> Operation {
    operation
        .says(
            "Starts a run, or resumes one at the step that failed. It changes nothing while one is at work.",
        )
        .takes::<internal::provisioning::ProvisionRequest>()
        .data::<provisioning::QueuedRun>("What that did.")
        .fails(&[
            "TENANT_NOT_FOUND",
            "PLAN_MISMATCH",
            "PROVISIONER_UNAVAILABLE",
            "TENANT_CANCELLED",
            "TENANT_SUSPENDED",
        ])
}

fn of_operators(route: &Route) -> Option<Operation> {
    use Tag::{Access, Promos, Runs, Tenants};
    let text = json!({ "type": "string", "maxLength": 250 });
    Some(match (route.method, route.path) {
        ("POST", "/api/v1/admin/tokens/revoke") => op(Access, "revokeTokens", "Revoke tokens").says("Revokes one token, those of one tenant or of one person, or all, as issued until now. It counts at once and can't be undone.")
            .takes::<tokens::RevokeTokensRequest>()
            .data::<tokens::RevocationResult>("They open nothing any more.")
            .fails(&["TENANT_NOT_FOUND", "USER_NOT_FOUND"]),
        ("GET", "/api/v1/admin/stats") => {
            op(Access, "getStats", "Tenants, signups and provisioning in numbers").says("Totals, and counts by hour and by day. They are kept as things happen, so that asking is cheap.")
                .data::<stats::Stats>("The numbers.")
        }
        ("GET", "/api/v1/admin/audit") => op(Access, "listAudit", "Who did what to whom, and why").says("What operators changed, newest first, each with who, when, why and under which request.")
            .asks("actor", "By this one only.", &text)
            .asks("action", "This only.", &text)
            .asks("subject", "To this one only.", &text)
            .pages::<AuditEntry>("One page of it."),
        ("GET", "/api/v1/admin/events") => events_feed(),
        ("GET", "/api/v1/admin/webhook/deliveries") => {
            let mut operation = op(Tag::Platform, "listPlatformDeliveries", "What the platform's webhook was sent").says("Everything that was or is to be sent to the platform's own webhook, newest first, and how the webhook is doing.")
                .pages::<PlatformWebhookDelivery>("");
            operation.answers.clear();
            operation.answers::<platform_webhook::PlatformWebhookDeliveryPage>(200, "One page of it.")
        }
        ("POST", "/api/v1/admin/webhook/deliveries/{delivery}/redeliver") => {
            op(Tag::Platform, "redeliverToPlatform", "Send one of them again, now").says("Sends the event again at once, under its old `webhook-id`, and again later if the webhook does not take it.")
                .may_take::<promos::OptionalReasonRequest>()
                .data::<PlatformWebhookDelivery>("It is on its way.")
                .fails(&["DELIVERY_NOT_FOUND", "NO_WEBHOOK"])
        }
        ("POST", "/api/v1/admin/tenant/webhook") => {
            op(Tenants, "correctWebhook", "Correct a starter tenant's webhook")
                .says("A run that failed on it goes on; for a tenant that is live, the webhook is sent a test.")
                .takes::<admin_tenants::WebhookCorrectionRequest>()
                .data::<admin_tenants::WebhookCorrectionResult>("It is stored.")
                .fails(&[
                    "INVALID_WEBHOOK_HOST",
                    "PLAN_MISMATCH",
                    "PROVISIONER_UNAVAILABLE",
                    "RATE_LIMITED",
                    "TENANT_CANCELLED",
                    "TENANT_NOT_FOUND",
                    "TENANT_SUSPENDED",
                ])
        }
        ("GET", "/api/v1/admin/tenants") => op(Tenants, "listTenants", "Tenants, newest first").says("The register, newest first, filtered by all that is given.")
            .asks_for::<TenantStatus>("status", "Those that stand here.")
            .asks_for::<Plan>("plan", "Those of this plan.")
            .asks_for::<RunStatus>("provision", "Those whose provisioning stands here.")
            .asks(
                "q",
                "Those whose slug, address or name begins so, in any case.",
                &json!({ "type": "string", "maxLength": 100 }),
            )
            .pages::<Tenant>("One page of them."),
        ("POST", "/api/v1/admin/tenants") => op(Tenants, "createTenant", "Make a tenant by hand")
            .says(
                "What the public form does, for somebody who can't use it: the owner is mailed a link, and goes on from there. The \
                 switch that stops signups does not stop it. With an `Idempotency-Key`, the same request answers the same tenant for \
                 24 hours. No token of the tenant is answered.",
            )
            .reads(
                "Idempotency-Key",
                "Makes a repeat safe: any text of the client's own.",
                &json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$" }),
            )
            .takes::<new_tenants::CreateTenantRequest>()
            .data::<new_tenants::CreatedTenant>("It is made.")
            .fails(&["EMAIL_EXISTS", "IDEMPOTENCY_KEY_REUSED", "SLUG_TAKEN"])
            .fails_with(410, "TENANT_CANCELLED"),
        ("GET", "/api/v1/admin/tenants/{id}") => op(Tenants, "getTenant", "A tenant and all that was made for it").says("All that is known of one tenant: where it stands, its run, its spreadsheet and webhook, how much there is of what other routes list.")
            .data::<TenantDetails>("The tenant."),
        ("PATCH", "/api/v1/admin/tenants/{id}") => {
            op(Tenants, "changeTenant", "Change where a tenant stands, its plan, or whether it pays").says("Changes what is sent and leaves the rest as it is. Suspending stops the tenant's tokens at once.")
                .takes::<admin_tenants::UpdateTenantRequest>()
                .data::<TenantDetails>("The tenant as it is now.")
                .fails(&["EMAIL_EXISTS", "EMAIL_PROVEN", "PLAN_LOCKED", "TENANT_CANCELLED"])
        }
        ("DELETE", "/api/v1/admin/tenants/{id}") => op(Tenants, "removeTenant", "Remove a tenant")
            .says("Its tokens at once, then what was made for it, at last its name and address.")
            .asks("reason", "Why, for clients that send no body with a DELETE. A reason in the body wins.", &json!({ "type": "string" }))
            .may_take::<promos::OptionalReasonRequest>()
            .data::<admin_tenants::TenantRemoval>("All is gone.")
            .data_with::<admin_tenants::TenantRemoval>(202, "It is on its way out."),
        ("GET", "/api/v1/admin/promo-codes") => {
            op(Promos, "listPromos", "Promo codes, by name").says("All promo codes in the order of their names, with how often each was used.").pages::<Promo>("One page of them.")
        }
        ("POST", "/api/v1/admin/promo-codes") => op(Promos, "createPromo", "Make a promo code").says("Makes a code that can be used from now on, or from `startsAt` on. A code that exists is left as it is.")
            .takes::<promos::CreatePromoCodeRequest>()
            .data::<Promo>("It is made.")
            .fails(&["PROMO_EXISTS"]),
        ("PATCH", "/api/v1/admin/promo-codes/{code}") => op(Promos, "changePromo", "Change a promo code")
            .says(
                "Changes what is sent and leaves the rest as it is; `null` empties a field. What a code gives can't be changed once \
                 it was used, nor can it allow fewer uses than there were.",
            )
            .takes::<promo_changes::UpdatePromoCodeRequest>()
            .data::<Promo>("The code as it is now.")
            .fails(&["PROMO_NOT_FOUND", "PROMO_USED"]),
        ("POST", "/api/v1/admin/promo-codes/{code}/deactivate") => {
            op(Promos, "deactivatePromo", "Switch a promo code off").says("From now on nobody signs up with the code; who has, keeps what it gave. Doing it twice changes nothing.")
                .may_take::<promos::OptionalReasonRequest>()
                .data::<promos::DeactivatedPromo>("It is off.")
                .fails(&["PROMO_NOT_FOUND"])
        }
        ("GET", "/api/v1/bgops/sagas") => op(Runs, "listRuns", "Provisioning runs, newest first").says("Runs of all tenants, filtered by all that is given.")
            .asks(
                "status",
                "Those that stand here; how undoing stands counts too.",
                &json!({ "anyOf": [
                { "$ref": "#/components/schemas/RunStatus" }, { "$ref": "#/components/schemas/UndoStatus" },
            ] }),
            )
            .asks(
                "stuck",
                "Those that have not moved for longer than they should need.",
                &json!({ "type": "boolean" }),
            )
            .asks_for::<Step>("step", "Those at this step.")
            .asks_for::<Plan>("plan", "Those of this plan.")
            .asks(
                "reason",
                "Those that were given up for this, or whose removal was.",
                &json!({ "type": "string", "maxLength": 64, "pattern": "^[A-Z_]*$" }),
            )
            .asks(
                "tenant",
                "Those of this tenant.",
                &json!({
                    "type": "string", "maxLength": 64, "pattern": "^(tenant_[A-Za-z0-9_-]+)?$",
                }),
            )
            .pages::<Run>("One page of them."),
        ("POST", "/api/v1/bgops/sagas/retry") => op(Runs, "retryRuns", "Let many failed runs go on")
            .says(
                "Those that failed first first, all of them or none. Press again while `remaining` is not 0.",
            )
            .takes::<retries::RetryRunsRequest>()
            .data::<retries::RetryRunsResult>("They go on, or would."),
        ("GET", "/api/v1/bgops/sagas/{run}") => op(Runs, "getRun", "A run, its steps, and what it made").says("Where the run stands, each step that was tried, what it made outside, and the mails to its tenant.")
            .data::<sagas::RunDetails>("The run.")
            .fails(&["RUN_NOT_FOUND"]),
        ("GET", "/api/v1/bgops/sagas/{run}/history") => op(Runs, "getRunHistory", "Every attempt of a run").says("One entry for each attempt at each step, in order: when, how long, and what came of it.")
            .lists::<Attempt>("The attempts.")
            .fails(&["RUN_NOT_FOUND"]),
        ("POST", "/api/v1/bgops/sagas/{run}/retry") => {
            act(op(Runs, "retryRun", "Let a failed run go on").says("Goes on at the step that failed, or at what could not be removed. What was done stays done.").takes::<sagas::ReasonRequest>())
        }
        ("POST", "/api/v1/bgops/sagas/{run}/cancel") => act(op(Runs, "cancelRun", "Give a run up")
            .says("With `undo`, what it made is removed, and the tenant's name and address are free at last.")
            .takes::<sagas::CancelRunRequest>()),
        ("POST", "/api/v1/bgops/sagas/{run}/skip-step") => {
            act(op(Runs, "skipStep", "Let a run go on without the step that failed").says("Marks the step at which the run failed as skipped and goes on with the next. Whoever skips it has seen to it by other means.")
                .takes::<sagas::SkipStepRequest>())
        }
        ("POST", "/api/v1/bgops/sagas/{run}/reset") => {
            act(op(Runs, "resetRun", "Let a run go on from what the database lists")
                .says("For a run that stored what this version can't read. What the database does not list is done once more, under the same keys.")
                .takes::<sagas::ReasonRequest>())
        }
        ("POST", "/api/v1/bgops/provisioning/pause") => op(
            Runs,
            "pauseProvisioning",
            "Pause provisioning whole",
        )
        .says("Runs and removals stop before their next call and wait; what is queued meanwhile waits too.")
        .takes::<sagas::ReasonRequest>()
        .data::<pausing::ProvisioningSwitchResult>("It is paused."),
        ("POST", "/api/v1/bgops/provisioning/resume") => {
            op(Runs, "resumeProvisioning", "Resume provisioning").says("Runs and removals that wait go on, and what was queued meanwhile begins.")
                .takes::<sagas::ReasonRequest>()
                .data::<pausing::ProvisioningSwitchResult>("It is on.")
        }
        ("GET", "/api/v1/bgops/upstreams") => {
            op(Runs, "listUpstreams", "The other sides, as their breakers see them").says("One entry for each upstream: how its breaker stands, since when it fails, how much of its budget is used.")
                .lists::<upstreams::UpstreamState>("Each of them.")
        }
        ("POST", "/api/v1/bgops/upstreams/{name}/open") => op(Runs, "openBreaker", "Open a breaker")
            .says("Nobody asks the upstream until the breaker is closed again, not even to see whether it is there.")
            .takes::<sagas::ReasonRequest>()
            .data::<upstreams::BreakerActionResult>("It is open.")
            .fails(&["BREAKER_UNAVAILABLE", "UPSTREAM_NOT_FOUND"]),
        ("POST", "/api/v1/bgops/upstreams/{name}/close") => op(Runs, "closeBreaker", "Close a breaker")
            .says("Those who wait for the upstream go on within seconds.")
            .takes::<sagas::ReasonRequest>()
            .data::<upstreams::BreakerActionResult>("It is closed.")
            .fails(&["BREAKER_UNAVAILABLE", "UPSTREAM_NOT_FOUND"]),
        ("GET", "/api/v1/bgops/idempotency") => op(Runs, "listIdempotencyKeys", "Idempotency keys").says("The keys under which requests can be repeated, newest first. Shown are digests, never the keys themselves.")
            .pages::<IdempotencyKey>("One page of them."),
        ("GET", "/api/v1/bgops/idempotency/{key}") => op(Runs, "getIdempotencyKey", "One idempotency key").says("One key, by the digest under which the list shows it.")
            .data::<IdempotencyKey>("The key.")
            .fails(&["NOT_FOUND"]),
        _ => return None,
    })
}

fn events_feed() -> Operation {
    op(Tag::Platform, "readEvents", "What happened to all tenants, for other services")
        .says(
            "Everything that happened, oldest first, in the order in which it was stored. Send the `nextCursor` of an answer as `after` \
             next time, whether it had events or not: a reader that keeps it misses nothing. It never expires. After the database was \
             put back to an earlier moment, a cursor of what was lost answers 410: read again without `after`, and leave out the ids \
             that you know.",
        )
        .asks("limit", "How many events to answer at most.", &json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 }))
        .asks("after", "Behind what: the `nextCursor` of the answer before. Without it, from the beginning.", &json!({ "type": "string" }))
        .answers::<event_feed::EventFeedPage>(200, "What happened behind `after`.")
        .fails(&["CURSOR_OUTDATED"])
}

fn act(operation: Operation) -> Operation {
    operation.data::<sagas::RunActionResult>("It is done.").fails(&[
        "CHECKPOINT_UNREADABLE",
        "PROVISIONER_UNAVAILABLE",
        "RUN_NOT_FOUND",
        "RUN_STATE_CONFLICT",
        "TENANT_CANCELLED",
        "TENANT_SUSPENDED",
    ])
}
