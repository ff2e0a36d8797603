//! The platform's own webhook: where other services of the platform hear what happens to tenants.

use super::{Secret, WebhookSecret, WebhookUrl};

/// What logs call it, as they call upstreams.
pub const UPSTREAM: &str = "platform";

/// `PLATFORM_WEBHOOK_URL`, and what signs what is sent there.
#[derive(Debug, Clone)]
pub struct PlatformWebhook {
    /// Where it is: on any host that has a name.
    pub url: WebhookUrl,
    /// `PLATFORM_WEBHOOK_SECRET`, then, while it is rotated, `PLATFORM_WEBHOOK_SECRET_PREVIOUS`.
    pub secrets: Vec<Secret>,
}

impl PlatformWebhook {
    /// Reads it. One that is wrong in any way is none: nothing is sent half signed, or somewhere that was not meant.
    pub(super) fn read(
        get: impl Fn(&str) -> Option<String>,
        problems: &mut Vec<String>,
    ) -> Option<PlatformWebhook> {
        const URL: &str = "PLATFORM_WEBHOOK_URL";
        const SECRET: &str = "PLATFORM_WEBHOOK_SECRET";
        const PREVIOUS: &str = "PLATFORM_WEBHOOK_SECRET_PREVIOUS";
        let before = problems.len();
        let mut secret = |name: &'static str| {
            let text = get(name).filter(|text| !text.is_empty())?;
            let read = WebhookSecret::try_from(text);
            let read = read.map_err(|problem| problems.push(format!("{name}: {}", problem.message)));
            Some(read.ok().map(|secret| secret.secret().clone()))
        };
        let (own, previous) = (secret(SECRET), secret(PREVIOUS));
        let url = get(URL).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        match (&url, &own) {
            (Some(_), None) => problems.push(format!("{SECRET} is missing, and {URL} is set")),
            (None, Some(_)) => problems.push(format!("{URL} is missing, and {SECRET} is set")),
            (None, None) if previous.is_some() => {
                problems.push(format!("{URL} is missing, and {PREVIOUS} is set"));
            }
            _ => {}
        }
        let url = WebhookUrl::on_any_host(&url?)
            .map_err(|problem| problems.push(format!("{URL}: {}", problem.message)));
        let secrets = [own, previous].into_iter().flatten().flatten().collect();
        if problems.len() > before { None } else { Some(PlatformWebhook { url: url.ok()?, secrets }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIXTEEN: &str = "sixteen-letters.";

    fn read(values: [&str; 3]) -> (Option<PlatformWebhook>, Vec<String>) {
        let mut problems = Vec::new();
        let get = |name: &str| {
            let of = |suffix: &str| name == format!("PLATFORM_WEBHOOK_{suffix}");
            let [url, secret, previous] = values;
            let value = match () {
                () if of("URL") => url,
                () if of("SECRET") => secret,
                () if of("SECRET_PREVIOUS") => previous,
                () => "",
            };
            Some(value.to_owned())
        };
        let read = PlatformWebhook::read(get, &mut problems);
        (read, problems)
    }

    #[test]
    fn none_is_no_problem() {
        let (none, problems) = read(["", "", ""]);
        assert!(none.is_none() && problems.is_empty());
    }

    #[test]
    fn both_secrets_sign_while_one_replaces_the_other() {
        let url = "https://hooks.example.com/tenantry";
        let (webhook, problems) = read([url, SIXTEEN, ""]);
        assert_eq!((webhook.unwrap().secrets.len(), problems), (1, vec![]));
        let (webhook, _) = read([url, "another-secret-here", SIXTEEN]);
        let webhook = webhook.unwrap();
        assert_eq!(webhook.url.as_str(), url);
        let secrets: Vec<&str> = webhook.secrets.iter().map(Secret::expose).collect();
        assert_eq!(secrets, ["another-secret-here", SIXTEEN]);
    }

    /// The operator says where it is. It is no way into a network all the same.
    #[test]
    fn any_host_with_a_name_will_do_and_no_other() {
        for url in
            ["https://hooks.example.com/", "https://hooks.example.com", "https://a.b.c.example.com/x?y=z"]
        {
            assert_eq!(read([url, SIXTEEN, ""]).1, Vec::<String>::new(), "{url}");
        }
        for url in [
            "http://hooks.example.com/a",
            "hooks.example.com/a",
            "https://user@hooks.example.com/a",
            "https://hooks.example.com:8443/a",
            "https://127.0.0.1/a",
            "https://2130706433/a",
            "https://127.1/a",
            "https://[::1]/a",
            "https://localhost/a",
            "https://localhost./a",
            "https://hooks.localhost/a",
            "https://intranet/a",
            "https://hooks..example.com/a",
            "https://hooks.example.com\\@evil.com/a",
            "https://hooks.example.com/a b",
        ] {
            let (webhook, problems) = read([url, SIXTEEN, ""]);
            assert!(webhook.is_none() && problems.len() == 1, "{url}: {problems:?}");
            assert!(problems[0].starts_with("PLATFORM_WEBHOOK_URL: "), "{problems:?}");
        }
    }

    #[test]
    fn half_of_it_is_told() {
        let url = "https://hooks.example.com/tenantry";
        for (values, problem) in [
            ([url, "", ""], "PLATFORM_WEBHOOK_SECRET is missing, and PLATFORM_WEBHOOK_URL is set"),
            ([url, "", SIXTEEN], "PLATFORM_WEBHOOK_SECRET is missing, and PLATFORM_WEBHOOK_URL is set"),
            (["", SIXTEEN, ""], "PLATFORM_WEBHOOK_URL is missing, and PLATFORM_WEBHOOK_SECRET is set"),
            (
                ["", "", SIXTEEN],
                "PLATFORM_WEBHOOK_URL is missing, and PLATFORM_WEBHOOK_SECRET_PREVIOUS is set",
            ),
            ([url, "short", ""], "PLATFORM_WEBHOOK_SECRET: Use at least 16 characters."),
            (
                [url, "whsec_c2hvcnQ", ""],
                "PLATFORM_WEBHOOK_SECRET: What follows whsec_ must be base64 of at least 24 bytes. Copy all of it.",
            ),
            ([url, SIXTEEN, "short"], "PLATFORM_WEBHOOK_SECRET_PREVIOUS: Use at least 16 characters."),
            ([url, "sixteen-letters.\n", ""], "PLATFORM_WEBHOOK_SECRET: Remove the blanks at the ends."),
        ] {
            let (webhook, problems) = read(values);
            assert!(webhook.is_none());
            assert_eq!(problems, [problem]);
        }
    }
}
