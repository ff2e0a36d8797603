//! The pages that people open: files like the others, but for what the configuration adds to them.

use http::Method;
use web_sys::Request;
use worker::{Env, Error, Fetcher, Headers, Response, ResponseBuilder, Result};

use crate::{
    app::digest,
    domain::Config,
    http::routes::public::{pages, widget},
};

use super::egress;

/// Which page is asked for, if one is.
pub(super) fn asked(head: &http::Request<()>) -> Option<&'static str> {
    let is_read = matches!(*head.method(), Method::GET | Method::HEAD);
    pages::PAGES.into_iter().find(|page| is_read && head.uri().path() == *page)
}

/// Answers the page.
pub(super) async fn serve(request: Request, env: &Env, config: &Config, page: &str) -> Result<Response> {
    let files = env.assets("ASSETS")?;
    if pages::is_extended(config, page) {
        extended(&request, &files, config, page).await
    } else {
        file(&files, request).await
    }
}

async fn extended(request: &Request, files: &Fetcher, config: &Config, page: &str) -> Result<Response> {
    let failed = |what: &str| Error::RustError(format!("the page {page} {what}"));
    // Without the caller's conditions: what the browser has may be the page without the additions.
    let asked = Request::new_with_str(&request.url()).map_err(|_| failed("has no address"))?;
    let mut answer = file(files, asked).await?;
    let headers = Headers::new();
    for (name, value) in answer.headers() {
        headers.set(&name, &value)?;
    }
    let place = || failed("has no place for what is configured");
    let html = pages::page_with(&answer.text().await?, config, page).ok_or_else(place)?;
    if page == "/" && config.widget_key().is_some() {
        let policy = headers.get("content-security-policy")?.unwrap_or_default();
        headers.set("content-security-policy", &widget::policy_with(&policy).ok_or_else(place)?)?;
    }
    let etag = format!("\"{}\"", digest(&[&html]));
    headers.set("etag", &etag)?;
    headers.delete("content-length")?;
    let known = request.headers().get("if-none-match")?.unwrap_or_default();
    let is_known = known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag);
    let answer = ResponseBuilder::new().with_headers(headers);
    Ok(match request.method().as_str() {
        _ if is_known => answer.with_status(304).empty(),
        "HEAD" => answer.empty(),
        _ => answer.fixed(html.into_bytes()),
    })
}

async fn file(files: &Fetcher, request: Request) -> Result<Response> {
    let answer = egress::send(Some(files), request).await;
    answer.map(Response::from).map_err(|error| Error::RustError(format!("the page: {error}")))
}
