//! Configuration: read once, parsed here, and judged: what is missing or wrong makes the service not ready
//! instead of failing a request later.

use super::{
    Email, LegalLinks, PlatformWebhook, Secret,
    jwt_secret::{PreviousSecret, previous_secrets},
    pages::Prices,
    proof::{self, EmailProof},
    webhook::{AllowedHosts, MAKES_HOSTS},
};

/// Shortest acceptable `METRICS_TOKEN`, in bytes: long enough that nobody guesses it.
pub const SHORTEST_METRICS_TOKEN: usize = 16;

/// Where mail goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailProvider {
    /// Resend's API.
    Resend,
    /// A log line that says a mail would have gone; never in production.
    Log,
}

/// How a tenant gets its subdomain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubdomainMode {
    /// A wildcard record covers all tenants: nothing to do outside.
    Wildcard,
    /// Each tenant has a DNS record of its own.
    Record,
    /// Tenants have no subdomain.
    None,
}

/// How often upstreams may be asked, where that depends on our account with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// `RESEND_CALLS_PER_SECOND`
    pub resend_calls_per_second: u32,
    /// `APPS_SCRIPT_AT_ONCE`: how many calls may be out.
    pub apps_script_at_once: u32,
}

impl Default for Budgets {
    /// What both allow an account that asked for no more.
    fn default() -> Self {
        Self { resend_calls_per_second: 2, apps_script_at_once: 25 }
    }
}

/// The largest budget that is not a typing error.
const LARGEST_BUDGET: u32 = 1000;

/// The service's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `ENVIRONMENT`: `development`, `preview`, `production`.
    pub environment: String,
    /// `APP_VERSION`, else `API_VERSION`: what `/health` answers.
    pub version: String,
    /// What Cloudflare calls this deployment of the code, where it says so: during a gradual rollout there are two.
    pub deployment: Option<String>,
    /// `JWT_ISSUER`
    pub jwt_issuer: String,
    /// `JWT_AUDIENCE`
    pub jwt_audience: String,
    /// `JWT_SECRET`: signs, and verifies.
    pub jwt_secret: Option<Secret>,
    /// `JWT_SECRET_NEXT`: verifies.
    pub jwt_secret_next: Option<Secret>,
    /// `JWT_SECRET_PREVIOUS`, `JWT_SECRET_PREVIOUS_2` …: secrets that rotations replaced.
    pub jwt_secrets_previous: Vec<PreviousSecret>,
    /// `JWT_NOT_BEFORE`: tokens issued earlier are refused (Unix seconds).
    pub jwt_not_before: i64,
    /// `ALLOWED_WEBHOOK_HOSTS`; Make's own where it is not set.
    pub allowed_webhook_hosts: AllowedHosts,
    /// `CORS_ALLOWED`
    pub cors_allowed: Vec<String>,
    /// `BASE_DOMAIN`: tenants live at `{slug}.{BASE_DOMAIN}`.
    pub base_domain: String,
    /// `SUBDOMAIN_MODE`
    pub subdomain_mode: SubdomainMode,
    /// `CLOUDFLARE_ZONE_ID`: the zone of `BASE_DOMAIN`, where tenants' records are made.
    pub cloudflare_zone_id: String,
    /// `CLOUDFLARE_API_TOKEN`: may edit that zone's DNS.
    pub cloudflare_api_token: Option<Secret>,
    /// `MAKE_VALIDATE_STRICT`: whether a webhook that answers 401, 403, 404 or 405 fails the step.
    pub make_validate_strict: bool,
    /// `GAS_WEBAPP_URL`
    pub gas_webapp_url: String,
    /// `GAS_HMAC_SECRET`
    pub gas_hmac_secret: Option<Secret>,
    /// `GOOGLE_SERVICE_ACCOUNT_KEY`: JSON
    pub google_service_account_key: Option<Secret>,
    /// `EMAIL_PROVIDER`
    pub email_provider: EmailProvider,
    /// `EMAIL_PROOF`
    pub email_proof: EmailProof,
    /// `PROOF_MAILS_PER_HOUR`: how many mails may go to unproven addresses.
    pub proof_mails_per_hour: u32,
    /// `RESEND_API_KEY`
    pub resend_api_key: Option<Secret>,
    /// `RESEND_FROM_EMAIL`
    pub resend_from_email: String,
    /// `ADMIN_CONSOLE_URL`: where mailed links lead; empty, in development only, means the address that was asked.
    pub admin_console_url: String,
    /// `DATA_KEY`: encrypts secrets at rest; base64 of 32 bytes.
    pub data_key: Option<Secret>,
    /// `DATA_KEY_PREVIOUS`: still opens what was sealed before a rotation.
    pub data_key_previous: Option<Secret>,
    /// `TURNSTILE_SECRET`: if set, a signup must come with a Turnstile token.
    pub turnstile_secret: Option<Secret>,
    /// `TURNSTILE_SITE_KEY`: the page shows Turnstile's widget under it. Public.
    pub turnstile_site_key: Option<String>,
    /// `SUPPORT_EMAIL`: who answers people, and whoever found a hole.
    pub support_email: String,
    /// `TERMS_URL`, `PRIVACY_URL` and `IMPRINT_URL`.
    pub legal: LegalLinks,
    /// `PRICE_STARTER` and `PRICE_PRO`.
    pub prices: Prices,
    /// `PLATFORM_WEBHOOK_URL` and what signs what is sent there.
    pub platform_webhook: Option<PlatformWebhook>,
    /// `METRICS_TOKEN`: reads `/metrics`, and nothing else.
    pub metrics_token: Option<Secret>,
    /// How often upstreams may be asked.
    pub budgets: Budgets,
    /// Whether calls to external services go through the `EGRESS` binding.
    pub has_egress: bool,
    /// What is missing or wrong.
    pub problems: Vec<String>,
}

impl Config {
    /// Reads every value through `get`; an empty value counts as absent. `has_egress` says whether `EGRESS` is bound.
    pub fn read(get: impl Fn(&str) -> Option<String>, has_egress: bool) -> Self {
        let text = |name: &str| get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let text_or = |name: &str, default: &str| text(name).unwrap_or_else(|| default.to_owned());
        // Secrets are taken as configured, to the byte.
        let secret = |name: &str| get(name).filter(|v| !v.is_empty()).map(Secret::new);
        let mut problems = Vec::new();

        let subdomain_mode = match text_or("SUBDOMAIN_MODE", "wildcard").as_str() {
            "wildcard" => SubdomainMode::Wildcard,
            "record" => SubdomainMode::Record,
            "none" => SubdomainMode::None,
            _ => {
                problems.push("SUBDOMAIN_MODE must be wildcard, record or none".to_owned());
                SubdomainMode::Wildcard
            }
        };
        let email_provider = match text_or("EMAIL_PROVIDER", "resend").as_str() {
            "resend" => EmailProvider::Resend,
            "log" => EmailProvider::Log,
            _ => {
                problems.push("EMAIL_PROVIDER must be resend or log".to_owned());
                EmailProvider::Resend
            }
        };
        let email_proof = EmailProof::named(&text_or("EMAIL_PROOF", "required")).unwrap_or_else(|| {
            problems.push("EMAIL_PROOF must be required or off".to_owned());
            EmailProof::Required
        });
        let jwt_not_before = text("JWT_NOT_BEFORE").map_or(0, |value| {
            value.parse().unwrap_or_else(|_| {
                // Refusing every token is the safe reading of an unreadable cut-off.
                problems.push("JWT_NOT_BEFORE must be Unix seconds".to_owned());
                i64::MAX
            })
        });
        let jwt_secrets_previous = previous_secrets(secret, text, &mut problems);
        let platform_webhook = PlatformWebhook::read(&get, &mut problems);
        let mut budget = |name: &str, default: u32, largest: u32| {
            text(name).map_or(default, |value| match value.parse() {
                Ok(calls) if (1..=largest).contains(&calls) => calls,
                _ => {
                    problems.push(format!("{name} must be a number from 1 to {largest}"));
                    default
                }
            })
        };
        let defaults = Budgets::default();
        let budgets = Budgets {
            resend_calls_per_second: budget(
                "RESEND_CALLS_PER_SECOND",
                defaults.resend_calls_per_second,
                LARGEST_BUDGET,
            ),
            apps_script_at_once: budget("APPS_SCRIPT_AT_ONCE", defaults.apps_script_at_once, LARGEST_BUDGET),
        };
        let proof_mails_per_hour =
            budget("PROOF_MAILS_PER_HOUR", proof::MAILS_PER_HOUR, proof::MOST_MAILS_PER_HOUR);

        let mut config = Self {
            environment: text_or("ENVIRONMENT", "production"),
            version: text("APP_VERSION")
                .or_else(|| text("API_VERSION"))
                .unwrap_or_else(|| "unknown".to_owned()),
            deployment: text("CF_VERSION_METADATA"),
            jwt_issuer: text_or("JWT_ISSUER", "syston.app"),
            jwt_audience: text_or("JWT_AUDIENCE", "syston-mobile"),
            jwt_secret: secret("JWT_SECRET"),
            jwt_secret_next: secret("JWT_SECRET_NEXT"),
            jwt_secrets_previous,
            jwt_not_before,
            allowed_webhook_hosts: AllowedHosts::parse(
                // An empty list is one, too: it allows none.
                get("ALLOWED_WEBHOOK_HOSTS").as_deref().unwrap_or(MAKES_HOSTS),
            ),
            cors_allowed: text_or("CORS_ALLOWED", "")
                .split(',')
                .map(|o| o.trim().trim_end_matches('/').to_owned())
                .filter(|o| !o.is_empty())
                .collect(),
            base_domain: text_or("BASE_DOMAIN", ""),
            subdomain_mode,
            cloudflare_zone_id: text_or("CLOUDFLARE_ZONE_ID", ""),
            cloudflare_api_token: secret("CLOUDFLARE_API_TOKEN"),
            make_validate_strict: text_or("MAKE_VALIDATE_STRICT", "true") != "false",
            gas_webapp_url: text_or("GAS_WEBAPP_URL", ""),
            gas_hmac_secret: secret("GAS_HMAC_SECRET"),
            google_service_account_key: secret("GOOGLE_SERVICE_ACCOUNT_KEY"),
            email_provider,
            email_proof,
            proof_mails_per_hour,
            resend_api_key: secret("RESEND_API_KEY"),
            resend_from_email: text_or("RESEND_FROM_EMAIL", ""),
            admin_console_url: text_or("ADMIN_CONSOLE_URL", "").trim_end_matches('/').to_owned(),
            data_key: secret("DATA_KEY"),
            data_key_previous: secret("DATA_KEY_PREVIOUS"),
            turnstile_secret: secret("TURNSTILE_SECRET"),
            turnstile_site_key: text("TURNSTILE_SITE_KEY"),
            support_email: text_or("SUPPORT_EMAIL", ""),
            legal: LegalLinks::read(text, &mut problems),
            prices: Prices::read(text, &mut problems),
            platform_webhook,
            metrics_token: secret("METRICS_TOKEN"),
            budgets,
            has_egress,
            problems,
        };
        let problems = config.validate();
        config.problems.extend(problems);
        config
    }

    /// Whether this is the real thing.
    pub fn is_production(&self) -> bool {
        self.environment == "production"
    }

    /// Where people write to: the sender of mails, if no other address is configured.
    pub fn support_address(&self) -> Option<Email> {
        let sender = || self.resend_from_email.rsplit(['<', ' ']).next().map(|end| end.trim_end_matches('>'));
        if self.support_email.is_empty() {
            sender().and_then(|address| Email::try_from(address.to_owned()).ok())
        } else {
            self.answers_to()
        }
    }

    /// Who answers mails, if that is configured.
    pub fn answers_to(&self) -> Option<Email> {
        Some(self.support_email.as_str())
            .filter(|address| !address.is_empty())
            .and_then(|address| Email::try_from(address.to_owned()).ok())
    }

    /// The tenant's own address, if tenants have one.
    pub fn web_address(&self, slug: &str) -> Option<String> {
        (self.subdomain_mode != SubdomainMode::None).then(|| self.tenant_address(slug))
    }

    /// The tenant's own address.
    pub fn tenant_address(&self, slug: &str) -> String {
        format!("{slug}.{}", self.base_domain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(name: &str) -> Option<String> {
        let value = match name {
            "ENVIRONMENT" => "production",
            "JWT_SECRET" | "DATA_KEY" => "0123456789abcdef0123456789abcdef",
            "GAS_HMAC_SECRET" | "RESEND_API_KEY" => "x",
            "GAS_WEBAPP_URL" => "https://script.google.com/macros/s/x/exec",
            "RESEND_FROM_EMAIL" => "clubs@example.org",
            "BASE_DOMAIN" => "clubs.example",
            "ADMIN_CONSOLE_URL" => "https://console.example",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn problems_with(name: &'static str, value: &'static str) -> Vec<String> {
        Config::read(|n| if n == name { Some(value.to_owned()) } else { complete(n) }, false).problems
    }

    #[test]
    fn a_complete_configuration_has_no_problem() {
        assert_eq!(Config::read(complete, false).problems, Vec::<String>::new());
    }

    #[test]
    fn each_missing_or_wrong_value_is_named() {
        for (name, value, problem) in [
            ("JWT_SECRET", "", "JWT_SECRET is missing"),
            ("JWT_SECRET", "short", "JWT_SECRET is shorter than 32 bytes"),
            ("JWT_SECRET_NEXT", "short", "JWT_SECRET_NEXT is shorter than 32 bytes"),
            ("JWT_SECRET", "base64:secret!", "JWT_SECRET is not base64 behind base64:"),
            ("SUPPORT_EMAIL", "nobody", "SUPPORT_EMAIL is no e-mail address"),
            ("IMPRINT_URL", "clubs.example", "IMPRINT_URL is no address like https://example.org/page"),
            ("PRICE_PRO", "9 €\u{2028}a month", "PRICE_PRO is no line of up to 60 characters"),
            ("JWT_NOT_BEFORE", "yesterday", "JWT_NOT_BEFORE must be Unix seconds"),
            ("DATA_KEY", "", "DATA_KEY is missing"),
            ("DATA_KEY", "short", "DATA_KEY is shorter than 32 bytes"),
            ("METRICS_TOKEN", "fifteen-bytes..", "METRICS_TOKEN is shorter than 16 bytes"),
            ("ALLOWED_WEBHOOK_HOSTS", "hook.make.com,*.com", "ALLOWED_WEBHOOK_HOSTS can't have \"*.com\""),
            ("GAS_WEBAPP_URL", "", "GAS_WEBAPP_URL is missing"),
            ("GAS_HMAC_SECRET", "", "GAS_HMAC_SECRET is missing"),
            ("BASE_DOMAIN", "", "BASE_DOMAIN is missing"),
            ("ADMIN_CONSOLE_URL", "", "ADMIN_CONSOLE_URL is missing"),
            ("RESEND_API_KEY", "", "RESEND_API_KEY is missing"),
            ("RESEND_FROM_EMAIL", "", "RESEND_FROM_EMAIL is missing"),
            ("EMAIL_PROVIDER", "log", "EMAIL_PROVIDER=log is not for production"),
            (
                "CORS_ALLOWED",
                "https://syston.app,https://*.co.uk,https://*.syston.app",
                "CORS_ALLOWED has https://*.co.uk, where anybody can have a name",
            ),
            ("EMAIL_PROOF", "off", "EMAIL_PROOF=off is not for production"),
            ("EMAIL_PROOF", "optional", "EMAIL_PROOF must be required or off"),
            ("PROOF_MAILS_PER_HOUR", "0", "PROOF_MAILS_PER_HOUR must be a number from 1 to 1000000"),
            ("EMAIL_PROVIDER", "pigeon", "EMAIL_PROVIDER must be resend or log"),
            ("SUBDOMAIN_MODE", "magic", "SUBDOMAIN_MODE must be wildcard, record or none"),
            ("RESEND_CALLS_PER_SECOND", "0", "RESEND_CALLS_PER_SECOND must be a number from 1 to 1000"),
            ("RESEND_CALLS_PER_SECOND", "0.5", "RESEND_CALLS_PER_SECOND must be a number from 1 to 1000"),
            ("APPS_SCRIPT_AT_ONCE", "1001", "APPS_SCRIPT_AT_ONCE must be a number from 1 to 1000"),
            ("APPS_SCRIPT_AT_ONCE", "-1", "APPS_SCRIPT_AT_ONCE must be a number from 1 to 1000"),
            (
                "TURNSTILE_SECRET",
                "0x4AAAAAAA-secret",
                "TURNSTILE_SITE_KEY is missing, and TURNSTILE_SECRET is set",
            ),
            (
                "TURNSTILE_SITE_KEY",
                "0x4AAAAAAA_site-key",
                "TURNSTILE_SECRET is missing, and TURNSTILE_SITE_KEY is set",
            ),
        ] {
            assert_eq!(problems_with(name, value), [problem], "{name}={value}");
        }
    }

    #[test]
    fn a_secret_that_was_replaced_says_when() {
        const LONG: &str = "0123456789abcdef0123456789abcdef";
        for (secret, rotated_at, problems) in [
            (LONG, "1800000000", vec![]),
            (LONG, "", vec!["JWT_ROTATED_AT is missing"]),
            (LONG, "yesterday", vec!["JWT_ROTATED_AT must be Unix seconds"]),
            (LONG, "1800000000000", vec!["JWT_ROTATED_AT must be Unix seconds"]),
            (LONG, "-1", vec!["JWT_ROTATED_AT must be Unix seconds"]),
            ("short", "1800000000", vec!["JWT_SECRET_PREVIOUS is shorter than 32 bytes"]),
            ("", "1800000000", vec![]),
        ] {
            let get = |name: &str| match name {
                "JWT_SECRET_PREVIOUS" => Some(secret.to_owned()),
                "JWT_ROTATED_AT" => Some(rotated_at.to_owned()),
                _ => complete(name),
            };
            assert_eq!(Config::read(get, false).problems, problems, "{secret} {rotated_at}");
        }
        assert_eq!(problems_with("JWT_SECRET_PREVIOUS_6", LONG), ["JWT_ROTATED_AT_6 is missing"]);
    }

    #[test]
    fn a_budget_is_what_is_configured_or_else_what_a_new_account_has() {
        let budgets = |resend: &str, script: &str| {
            let get = |name: &str| match name {
                "RESEND_CALLS_PER_SECOND" => Some(resend.to_owned()),
                "APPS_SCRIPT_AT_ONCE" => Some(script.to_owned()),
                _ => complete(name),
            };
            let budgets = Config::read(get, false).budgets;
            (budgets.resend_calls_per_second, budgets.apps_script_at_once)
        };
        assert_eq!(budgets("", ""), (2, 25));
        assert_eq!(budgets("1", "1000"), (1, 1000));
        assert_eq!(budgets("many", "0"), (2, 25));
    }

    #[test]
    fn webhooks_are_on_makes_own_hosts_unless_a_list_says_otherwise() {
        let allows = |list: Option<&str>, host: &str| {
            let get = |name: &str| match name {
                "ALLOWED_WEBHOOK_HOSTS" => list.map(str::to_owned),
                _ => complete(name),
            };
            Config::read(get, false).allowed_webhook_hosts.allows(host)
        };
        assert!(allows(None, "hook.eu2.make.com") && !allows(None, "www.make.com"));
        assert!(!allows(Some(""), "hook.eu2.make.com") && !allows(Some(" "), "hook.eu2.make.com"));
        assert!(allows(Some("hooks.example.com"), "hooks.example.com"));
        assert!(!allows(Some("hooks.example.com"), "hook.eu2.make.com"));
    }

    #[test]
    fn records_need_a_zone_and_a_token() {
        let problems = |zone: &str, token: &str| {
            let get = |name: &str| match name {
                "SUBDOMAIN_MODE" => Some("record".to_owned()),
                "CLOUDFLARE_ZONE_ID" => Some(zone.to_owned()),
                "CLOUDFLARE_API_TOKEN" => Some(token.to_owned()),
                _ => complete(name),
            };
            Config::read(get, false).problems
        };
        assert_eq!(problems("zone", "token"), Vec::<String>::new());
        assert_eq!(problems("", "token"), ["CLOUDFLARE_ZONE_ID is missing"]);
        assert_eq!(problems("zone", ""), ["CLOUDFLARE_API_TOKEN is missing"]);
    }

    #[test]
    fn only_in_development_a_request_decides_where_mailed_links_lead() {
        for (environment, problems) in
            [("development", 0), ("preview", 1), ("production", 1), ("staging", 1), ("", 1)]
        {
            let get = |name: &str| match name {
                "ENVIRONMENT" => Some(environment.to_owned()),
                "ADMIN_CONSOLE_URL" => None,
                _ => complete(name),
            };
            let told = Config::read(get, false).problems;
            assert_eq!(told, vec!["ADMIN_CONSOLE_URL is missing"; problems], "{environment}");
        }
    }

    #[test]
    fn a_site_key_that_is_none_is_named() {
        let problems = |key: &'static str| {
            let get = |name: &str| match name {
                "TURNSTILE_SECRET" => Some("a secret".to_owned()),
                "TURNSTILE_SITE_KEY" => Some(key.to_owned()),
                _ => complete(name),
            };
            Config::read(get, false).problems
        };
        assert_eq!(problems("1x00000000000000000000AA"), Vec::<String>::new());
        let without_secret =
            |n: &str| if n == "TURNSTILE_SITE_KEY" { Some("1x0AA".to_owned()) } else { complete(n) };
        assert_eq!(Config::read(without_secret, false).widget_key(), None);
        for key in ["a key", "\"><script>", "clé"] {
            assert_eq!(
                problems(key),
                ["TURNSTILE_SITE_KEY is none: it has letters, digits, - and _"],
                "{key}"
            );
        }
    }

    #[test]
    fn a_limiter_that_is_not_bound_is_named() {
        let mut config = Config::read(complete, false);
        config.lacks_limiters(["LIMIT_CLUB", "LIMIT_START"].into_iter());
        assert_eq!(config.problems, ["LIMIT_CLUB is not bound", "LIMIT_START is not bound"]);
    }

    #[test]
    fn production_calls_the_real_upstreams() {
        assert_eq!(Config::read(complete, true).problems, ["EGRESS must not be bound in production"]);
    }

    #[test]
    fn an_environment_that_says_nothing_is_held_to_be_production() {
        assert!(Config::read(|_| None, false).is_production());
    }
}
