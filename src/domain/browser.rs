//! What a browser calls itself, as one of a few words: enough to tell one's phone from one's laptop, and no more than that.

use super::words;

words! {
    /// A family of browsers.
    Family as "BrowserFamily" {
        /// Microsoft Edge.
        Edge = "edge",
        /// Opera.
        Opera = "opera",
        /// Samsung Internet.
        Samsung = "samsung",
        /// Firefox.
        Firefox = "firefox",
        /// Chrome, and what is made of it.
        Chrome = "chrome",
        /// Safari.
        Safari = "safari",
        /// Another one, or none: an app, a script.
        Unknown = "unknown",
    }
}

words! {
    /// What a browser runs on.
    Platform {
        /// A phone or a tablet with Android.
        Android = "android",
        /// An iPhone or an iPad. An iPad may call itself a Mac.
        Ios = "ios",
        /// Windows.
        Windows = "windows",
        /// ChromeOS.
        ChromeOs = "chromeos",
        /// A Mac.
        Mac = "mac",
        /// Linux.
        Linux = "linux",
        /// Something else.
        Unknown = "unknown",
    }
}

/// A browser, or what it runs on, as people call it; none for a word that is not known.
pub fn spoken(word: &str) -> Option<&'static str> {
    Some(match word {
        "edge" => "Edge",
        "opera" => "Opera",
        "samsung" => "Samsung Internet",
        "firefox" => "Firefox",
        "chrome" => "Chrome",
        "safari" => "Safari",
        "android" => "Android",
        "ios" => "iOS",
        "windows" => "Windows",
        "chromeos" => "ChromeOS",
        "mac" => "Mac",
        "linux" => "Linux",
        _ => return None,
    })
}

/// A browser, as far as it says. What it sent is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Browser {
    /// Which.
    pub family: Family,
    /// What it runs on.
    pub platform: Platform,
}

impl Browser {
    /// Of a `User-Agent`. Most claim to be others, too: what is rarer is looked for first.
    pub fn of(user_agent: &str) -> Self {
        let says = |marks: &[&str]| marks.iter().any(|mark| user_agent.contains(mark));
        let family = [
            (Family::Edge, &["Edg/", "EdgA/", "EdgiOS/", "Edge/"][..]),
            (Family::Opera, &["OPR/", "OPT/", "OPiOS/"]),
            (Family::Samsung, &["SamsungBrowser/"]),
            (Family::Firefox, &["Firefox/", "FxiOS/"]),
            (Family::Chrome, &["Chrome/", "CriOS/", "Chromium/"]),
            (Family::Safari, &["Safari/"]),
        ];
        let platform = [
            (Platform::Android, &["Android"][..]),
            (Platform::Ios, &["iPhone", "iPad", "iPod"]),
            (Platform::Windows, &["Windows"]),
            (Platform::ChromeOs, &["CrOS"]),
            (Platform::Mac, &["Macintosh"]),
            (Platform::Linux, &["Linux"]),
        ];
        Self {
            family: family
                .into_iter()
                .find(|(_, marks)| says(marks))
                .map_or(Family::Unknown, |(word, _)| word),
            platform: platform
                .into_iter()
                .find(|(_, marks)| says(marks))
                .map_or(Platform::Unknown, |(word, _)| word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_what_it_calls_itself() {
        const KIT: &str = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (user_agent, family, platform) in [
            (format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KIT} Chrome/131.0.0.0 Safari/537.36"), "chrome", "windows"),
            (format!("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {KIT} Chrome/131.0.0.0 Safari/537.36"), "chrome", "chromeos"),
            (format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {KIT} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0"), "edge", "windows"),
            (format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {KIT} Chrome/131.0.0.0 Safari/537.36 OPR/116.0.0.0"), "opera", "mac"),
            (format!("Mozilla/5.0 (Linux; Android 10; K) {KIT} SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36"), "samsung", "android"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0".to_owned(), "firefox", "linux"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/133.0 Mobile/15E148 Safari/605.1.15".to_owned(), "firefox", "ios"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0 Mobile/15E148 Safari/604.1".to_owned(), "chrome", "ios"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15".to_owned(), "safari", "mac"),
            ("okhttp/4.12.0".to_owned(), "unknown", "unknown"),
            (String::new(), "unknown", "unknown"),
        ] {
            let browser = Browser::of(&user_agent);
            assert_eq!((browser.family.as_str(), browser.platform.as_str()), (family, platform), "{user_agent}");
        }
    }
}
