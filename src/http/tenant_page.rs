//! What people see at a tenant's own address: a calm page of the tenant, and never the signup.
//!
//! The host that was asked is believed for showing alone. No permission, no mailed link and no token comes of it, and the API answers
//! there as it answers anywhere.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::{
    app::{App, digest, mail::colors::Accent},
    db::Db,
    domain::{Config, HexColor, Language, TenantStatus, webhook::host_of},
    ports::{Level, LogLine, Ports},
    store::tenant_pages::{self, TenantPage},
};

use super::{error::ApiError, lost, router::RouteName, routes::public::pages};

/// What stands there for programs, not for people.
const FOR_PROGRAMS: [&str; 3] = ["/robots.txt", "/security.txt", "/.well-known/security.txt"];
/// A page of ours among what is for programs: it has the form.
const FORM: &str = "/public/signup/form";
/// Whoever comes back within this time sees what was there.
const CACHED: HeaderValue = HeaderValue::from_static("public, max-age=60");
/// The second colour of who chose none.
const SECOND: &str = "#f4b942";

/// The page's look, behind its colours. Each contrast holds on its ground, whatever they are: they fill, and are not read on it.
const LOOK: &str = "\
:root{color-scheme:light dark;--paper:#f6f5f0;--sheet:#fff;--ink:#1b2320;--soft:#56605b;--line:#dddbd1;--ring:#1559c9}\
@media (prefers-color-scheme:dark){:root{--paper:#0f1513;--sheet:#18201d;--ink:#e8edea;--soft:#a4afaa;--line:#2b3632;--ring:#8db8ff}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:flex;flex-direction:column;background:var(--paper);color:var(--ink);\
font:1rem/1.5 -apple-system,BlinkMacSystemFont,\"Segoe UI\",Roboto,\"Noto Sans\",\"Liberation Sans\",Arial,sans-serif;overflow-wrap:anywhere}\
main{width:min(100% - 2rem,34rem);margin:auto;padding:2rem 1.25rem;background:var(--sheet);border:1px solid var(--line);\
border-radius:.75rem;border-block-start:.5rem solid var(--fill);text-align:center}\
.second{width:4rem;height:.25rem;margin:0 auto 1.25rem;border-radius:.125rem;background:var(--second)}\
h1{margin:0 0 .75rem;font-size:clamp(1.5rem,1.2rem + 1.5vw,2.1rem);line-height:1.2}\
p{margin:.5rem 0}\
.soft{color:var(--soft)}\
a{color:inherit;text-underline-offset:.15em}\
:focus-visible{outline:3px solid var(--ring);outline-offset:2px}\
.go{display:inline-block;margin-block-start:.75rem;padding:.7rem 1.25rem;border:2px solid var(--edge);border-radius:.5rem;\
background:var(--fill);color:var(--on);font-weight:600;text-decoration:none}\
.go:hover{text-decoration:underline}\
.foot{display:flex;flex-wrap:wrap;justify-content:center;gap:.5rem 1.25rem;padding:1.25rem;color:var(--soft);font-size:.9rem}";

/// What stands before `BASE_DOMAIN` in the host that was asked, where people are shown the tenant's page.
pub(super) fn asked<B>(config: &Config, request: &Request<B>) -> Option<String> {
    let path = request.uri().path();
    let is_for_people = path == FORM || !(FOR_PROGRAMS.contains(&path) || lost::is_of_programs(path));
    if is_for_people { at(config, request) } else { None }
}

/// What stands before `BASE_DOMAIN` in the host that was asked, if tenants live there.
pub fn at<B>(config: &Config, request: &Request<B>) -> Option<String> {
    let named = || request.headers().get(header::HOST)?.to_str().ok()?.split(':').next();
    config.tenant_label(request.uri().host().or_else(named)?)
}

/// The page at `path` of the tenant that has this name in addresses.
pub(super) async fn answer<P: Ports>(
    app: &App<P>,
    label: &str,
    (method, path): (&Method, &str),
    headers: &HeaderMap,
) -> Response {
    let is_home = path == "/";
    let mut answer = if matches!(*method, Method::GET | Method::HEAD) {
        // No tenant has a dot in its name.
        let found = match label.contains('.') {
            true => Ok(None),
            false => app.ports.db().ask(tenant_pages::by_slug(label)).await,
        };
        let found = found.map_err(|error| {
            app.log(LogLine::new(Level::Error, "tenant_page_unavailable").with("error", error.to_string()));
        });
        let wanted = lost::wanted_language(headers);
        let address = app.config().tenant_address(label);
        let (status, sheet) = sheet(app.config(), &address, found.as_ref().map(Option::as_ref), is_home);
        let club = found.ok().flatten().and_then(|tenant| tenant.language);
        let language = wanted.unwrap_or_else(|| Language::stored(club.as_deref()));
        show(app.config(), status, &sheet, language, headers)
    } else {
        ApiError::not_found().into_response()
    };
    let route = if is_home { "{slug}/" } else { "{slug}/*" };
    answer.extensions_mut().insert(RouteName(route.to_owned()));
    answer
}

/// What a page shows: each text in English and in German.
struct Sheet {
    /// What people know it by: the tenant's name, or its address.
    name: Option<String>,
    accent: Accent,
    second: String,
    text: (&'static str, &'static str),
    more: Option<(&'static str, &'static str)>,
    link: Option<Link>,
}

struct Link {
    to: String,
    label: (&'static str, &'static str),
    /// Whether it leads to somebody else's website, which is said.
    leads_away: bool,
}

/// Whoever nobody vouches for, or is stopped, is shown by nothing that they chose.
fn sheet(
    config: &Config,
    address: &str,
    found: Result<Option<&TenantPage>, &()>,
    is_home: bool,
) -> (StatusCode, Sheet) {
    let Ok(found) = found else {
        let text = (
            "This page can't be shown right now. Please try again in a moment.",
            "Diese Seite kann gerade nicht gezeigt werden. Bitte gleich noch einmal versuchen.",
        );
        return (StatusCode::SERVICE_UNAVAILABLE, Sheet { text, ..plain(None) });
    };
    let Some(tenant) = found else {
        let text = ("There is no club at this address.", "Unter dieser Adresse gibt es keinen Verein.");
        let more = (
            "The address may be mistyped, or the club is gone.",
            "Vielleicht hat die Adresse einen Tippfehler, oder den Verein gibt es nicht mehr.",
        );
        let label = ("To the main page", "Zur Hauptseite");
        let link = config.home().map(|to| Link { to, label, leads_away: false });
        return (StatusCode::NOT_FOUND, Sheet { text, more: Some(more), link, ..plain(None) });
    };
    let is_shown = tenant.is_proven && matches!(tenant.status, TenantStatus::Trial | TenantStatus::Active);
    let sheet = if is_shown { own(tenant) } else { plain(Some(address.to_owned())) };
    if !is_home {
        let text = ("There is nothing here.", "Hier ist nichts.");
        let link = Link {
            to: "/".to_owned(),
            label: ("To the club's page", "Zur Seite des Vereins"),
            leads_away: false,
        };
        return (StatusCode::NOT_FOUND, Sheet { text, more: None, link: Some(link), ..sheet });
    }
    let members = tenant.members_url.as_deref().filter(|url| url.starts_with("https://"));
    let members = members.filter(|_| is_shown && tenant.status == TenantStatus::Active);
    (
        StatusCode::OK,
        match members {
            Some(url) => {
                let label = ("To the members' page", "Zur Seite für Mitglieder");
                let link = Link { to: url.to_owned(), label, leads_away: true };
                let text = ("Members go on here.", "Für Mitglieder geht es hier weiter.");
                Sheet { text, link: Some(link), ..sheet }
            }
            None => sheet,
        },
    )
}

fn plain(name: Option<String>) -> Sheet {
    Sheet {
        name,
        accent: Accent::of(None),
        second: SECOND.to_owned(),
        text: ("This page is not open yet.", "Diese Seite ist noch nicht offen."),
        more: None,
        link: None,
    }
}

fn own(tenant: &TenantPage) -> Sheet {
    let color = |stored: Option<&String>| HexColor::try_from(stored?.clone()).ok();
    let second = color(tenant.secondary_color.as_ref()).map(|color| color.as_str().to_owned());
    Sheet {
        accent: Accent::of(color(tenant.primary_color.as_ref()).as_ref()),
        second: second.unwrap_or_else(|| SECOND.to_owned()),
        ..plain(Some(tenant.name.clone()))
    }
}

fn show(
    config: &Config,
    status: StatusCode,
    sheet: &Sheet,
    language: Language,
    headers: &HeaderMap,
) -> Response {
    let style = style_of(sheet);
    let html = page(config, status, sheet, language, &style).into_string();
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    let parts = answer.headers_mut();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        STANDARD.encode(Sha256::digest(style.as_bytes()))
    );
    let etag = format!("\"{}\"", digest(&[&html]));
    parts.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    parts.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.as_str()));
    parts.append(header::VARY, HeaderValue::from_static("Accept-Language"));
    for (name, value) in [(header::CONTENT_SECURITY_POLICY, policy), (header::ETAG, etag.clone())] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            parts.insert(name, value);
        }
    }
    match status {
        StatusCode::OK => {
            parts.insert(header::CACHE_CONTROL, CACHED);
            let known =
                headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).unwrap_or_default();
            if known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag) {
                *answer.status_mut() = StatusCode::NOT_MODIFIED;
                return answer;
            }
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            parts.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        _ => {}
    }
    *answer.body_mut() = Body::from(html);
    answer
}

/// Colours were read as such: nothing else gets in here.
fn style_of(sheet: &Sheet) -> String {
    let Accent { fill, text, edge } = &sheet.accent;
    format!(":root{{--fill:{fill};--on:{text};--edge:{edge};--second:{}}}{LOOK}", sheet.second)
}

fn page(config: &Config, status: StatusCode, sheet: &Sheet, language: Language, style: &str) -> Markup {
    let t = |(english, german): (&'static str, &'static str)| language.pick(english, german);
    let text = t(sheet.text);
    let icon = format!(
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' fill='%23{}'/%3E%3C/svg%3E",
        sheet.accent.fill.trim_start_matches('#')
    );
    html! {
        (DOCTYPE)
        html lang=(language.as_str()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if status != StatusCode::OK || sheet.link.is_none() {
                    meta name="robots" content="noindex";
                }
                title { (sheet.name.as_deref().unwrap_or(text)) }
                link rel="icon" href=(icon);
                style { (PreEscaped(style)) }
            }
            body {
                main {
                    div class="second" {}
                    @if let Some(name) = &sheet.name {
                        h1 dir="auto" { (name) }
                        p { (text) }
                    } @else {
                        h1 { (text) }
                    }
                    @if let Some(more) = sheet.more {
                        p class="soft" { (t(more)) }
                    }
                    @if let Some(link) = &sheet.link {
                        p { a class="go" href=(link.to) rel="noreferrer" { (t(link.label)) } }
                        @if let (true, Some(host)) = (link.leads_away, host_of(&link.to)) {
                            p class="soft" { (t(("This leads to", "Das führt zu"))) " " bdi { (host) } }
                        }
                    }
                }
                (pages::footer(config, language == Language::De))
            }
        }
    }
}
