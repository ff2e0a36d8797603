//! What is missing or wrong in a configuration: it makes the service not ready instead of failing a request later.

use super::{
    Config,
    config::{EmailProvider, SHORTEST_METRICS_TOKEN, SubdomainMode},
    jwt_secret, origins,
    pages::is_site_key,
    proof::EmailProof,
};

impl Config {
    /// Notes which limiters are not bound: what they should count would go through unlimited.
    pub fn lacks_limiters<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        self.problems.extend(names.map(|name| format!("{name} is not bound")));
    }

    /// What is missing or wrong, beyond single values.
    pub(super) fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, problem: &str| {
            if !ok {
                problems.push(problem.to_owned());
            }
        };
        check(self.jwt_secret.is_some(), "JWT_SECRET is missing");
        for (name, secret) in [("JWT_SECRET", &self.jwt_secret), ("JWT_SECRET_NEXT", &self.jwt_secret_next)] {
            if let Some(Err(problem)) = secret.as_ref().map(jwt_secret::key) {
                check(false, &format!("{name} {problem}"));
            }
        }
        check(self.data_key.is_some(), "DATA_KEY is missing");
        check(self.data_key.as_ref().is_none_or(|key| key.len() >= 32), "DATA_KEY is shorter than 32 bytes");
        check(
            self.metrics_token.as_ref().is_none_or(|token| token.len() >= SHORTEST_METRICS_TOKEN),
            "METRICS_TOKEN is shorter than 16 bytes",
        );
        if let Some(pattern) = self.allowed_webhook_hosts.nonsense() {
            check(false, &format!("ALLOWED_WEBHOOK_HOSTS can't have \"{pattern}\""));
        }
        // The page without a token is refused, and a token that nobody checks says nothing.
        let (secret, site_key) = (self.turnstile_secret.is_some(), self.turnstile_site_key.as_deref());
        check(!secret || site_key.is_some(), "TURNSTILE_SITE_KEY is missing, and TURNSTILE_SECRET is set");
        check(secret || site_key.is_none(), "TURNSTILE_SECRET is missing, and TURNSTILE_SITE_KEY is set");
        check(
            site_key.is_none_or(is_site_key),
            "TURNSTILE_SITE_KEY is none: it has letters, digits, - and _",
        );
        let support = self.support_email.is_empty() || self.support_address().is_some();
        check(support, "SUPPORT_EMAIL is no e-mail address");
        check(!self.gas_webapp_url.is_empty(), "GAS_WEBAPP_URL is missing");
        check(self.gas_hmac_secret.is_some(), "GAS_HMAC_SECRET is missing");
        check(!self.base_domain.is_empty(), "BASE_DOMAIN is missing");
        if self.subdomain_mode == SubdomainMode::Record {
            check(!self.cloudflare_zone_id.is_empty(), "CLOUDFLARE_ZONE_ID is missing");
            check(self.cloudflare_api_token.is_some(), "CLOUDFLARE_API_TOKEN is missing");
        }
        if self.email_provider == EmailProvider::Resend {
            check(self.resend_api_key.is_some(), "RESEND_API_KEY is missing");
            check(!self.resend_from_email.is_empty(), "RESEND_FROM_EMAIL is missing");
        }
        if self.environment != "development" {
            // The address that was asked is whatever the caller says that it is.
            check(!self.admin_console_url.is_empty(), "ADMIN_CONSOLE_URL is missing");
        }
        if self.is_production() {
            check(!self.has_egress, "EGRESS must not be bound in production");
            check(self.email_provider != EmailProvider::Log, "EMAIL_PROVIDER=log is not for production");
            check(self.email_proof != EmailProof::Off, "EMAIL_PROOF=off is not for production");
        } else {
            let codes_are_sent = self.email_provider == EmailProvider::Resend;
            check(
                codes_are_sent || self.email_proof == EmailProof::Off,
                "EMAIL_PROVIDER=log sends no code: it needs EMAIL_PROOF=off",
            );
        }
        if self.environment != "development" {
            for origin in self.cors_allowed.iter().filter(|origin| origins::is_anybodys(origin)) {
                check(false, &format!("CORS_ALLOWED has {origin}, where anybody can have a name"));
            }
        }
        problems
    }
}
