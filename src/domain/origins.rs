//! Origins of other sites, as `CORS_ALLOWED` lists them.

/// Second labels under which countries register names for everybody.
const REGISTRIES: &[&str] = &[
    "ac", "asso", "biz", "co", "com", "edu", "firm", "gen", "go", "gob", "gouv", "gov", "gv", "id", "ind",
    "info", "ltd", "me", "mil", "ne", "net", "nhs", "nom", "or", "org", "plc", "police", "sch", "web",
];

/// Domains of hosts, and of registries of their own, under which anybody gets a name.
const HOSTS: &[&str] = &[
    "amazonaws.com",
    "amplifyapp.com",
    "appspot.com",
    "azurewebsites.net",
    "blogspot.com",
    "br.com",
    "cloudfront.net",
    "cn.com",
    "co.com",
    "co.de",
    "co.nl",
    "com.de",
    "de.com",
    "deno.dev",
    "eu.com",
    "eu.org",
    "firebaseapp.com",
    "fly.dev",
    "github.io",
    "gitlab.io",
    "glitch.me",
    "gr.com",
    "herokuapp.com",
    "hu.com",
    "in.net",
    "jpn.com",
    "lovable.app",
    "mex.com",
    "myshopify.com",
    "netlify.app",
    "ngrok.app",
    "ngrok.io",
    "onrender.com",
    "pages.dev",
    "r2.dev",
    "replit.app",
    "ru.com",
    "run.app",
    "sa.com",
    "se.net",
    "surge.sh",
    "trycloudflare.com",
    "uk.com",
    "uk.net",
    "us.com",
    "vercel.app",
    "web.app",
    "windows.net",
    "wixsite.com",
    "wordpress.com",
    "workers.dev",
    "za.com",
];

/// Whether a pattern of `CORS_ALLOWED` admits names that anybody can register. It is told by the shape of the domain and a list of
/// the usual ones: the whole list of public suffixes is larger than all of the rest of this service.
pub fn is_anybodys(pattern: &str) -> bool {
    if !pattern.contains('*') {
        return false;
    }
    let host = pattern.split_once("://").map_or(pattern, |(_, host)| host).to_ascii_lowercase();
    // Without a domain behind it, a star is everybody.
    let Some(domain) = host.strip_prefix("*.").map(|domain| domain.trim_end_matches('.')) else {
        return true;
    };
    let labels: Vec<&str> = domain.split('.').collect();
    match labels.as_slice() {
        [second, country] if country.len() == 2 && REGISTRIES.contains(second) => true,
        [_, _, ..] => HOSTS.contains(&domain) || domain.ends_with(".amazonaws.com"),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_of_a_public_suffix_is_anybodys() {
        for pattern in [
            "*",
            "https://*",
            "https://*.com",
            "https://*.app",
            "https://*.de",
            "https://*.co.uk",
            "https://*.com.au",
            "https://*.or.at",
            "https://*.CO.UK",
            "https://*.co.uk.",
            "http://*.org.uk",
            "https://*.workers.dev",
            "https://*.pages.dev",
            "https://*.github.io",
            "https://*.netlify.app",
            "https://*.vercel.app",
            "https://*.s3.amazonaws.com",
            "https://*.web.app",
            "https://*.",
        ] {
            assert!(is_anybodys(pattern), "{pattern}");
        }
    }

    #[test]
    fn a_domain_of_ones_own_is_not() {
        for pattern in [
            "https://syston.app",
            "https://*.syston.app",
            "https://*.clubs.example",
            "https://*.syston.co.uk",
            "https://*.app.syston.de",
            "https://*.bbc.uk",
            "https://*.ours.workers.dev",
            "https://a.co.uk",
            "http://localhost:8787",
        ] {
            assert!(!is_anybodys(pattern), "{pattern}");
        }
    }
}
