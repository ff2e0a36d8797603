//! The other sides that provisioning depends on.

use super::words;

words! {
    /// One of the other sides, as far as it fails as a whole.
    #[derive(PartialOrd, Ord, Hash)]
    Upstream {
        /// Make, behind the clubs' webhooks.
        Make = "make",
        /// The Apps Script web app that makes spreadsheets.
        AppsScript = "apps_script",
        /// Google's own APIs.
        Google = "google",
        /// Resend, which sends mail.
        Resend = "resend",
        /// Cloudflare's API.
        Cloudflare = "cloudflare",
    }
}
