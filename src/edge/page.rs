//! The page at `/`: a file like the others, but for what the configuration adds to it.

use http::Method;
use web_sys::Request;
use worker::{Env, Error, Fetcher, Headers, Response, ResponseBuilder, Result};

use crate::{app::digest, http::routes::public::widget};

use super::egress;

/// Whether the page is asked for.
pub(super) fn is_asked(head: &http::Request<()>) -> bool {
    matches!(*head.method(), Method::GET | Method::HEAD) && head.uri().path() == "/"
}

/// Answers the page, with Turnstile's widget if there is a key for it.
pub(super) async fn serve(request: Request, env: &Env, site_key: Option<&str>) -> Result<Response> {
    let files = env.assets("ASSETS")?;
    match site_key {
        None => file(&files, request).await,
        Some(site_key) => with_widget(&request, &files, site_key).await,
    }
}

async fn with_widget(request: &Request, files: &Fetcher, site_key: &str) -> Result<Response> {
    let failed = |what: &str| Error::RustError(format!("the page {what}"));
    // Without the caller's conditions: what the browser has may be the page without the widget.
    let asked = Request::new_with_str(&request.url()).map_err(|_| failed("has no address"))?;
    let mut page = file(files, asked).await?;
    let headers = Headers::new();
    for (name, value) in page.headers() {
        headers.set(&name, &value)?;
    }
    let place = || failed("has no place for the widget");
    let html = widget::page_with(&page.text().await?, site_key).ok_or_else(place)?;
    let policy = headers.get("content-security-policy")?.unwrap_or_default();
    let etag = format!("\"{}\"", digest(&[&html]));
    headers.set("content-security-policy", &widget::policy_with(&policy).ok_or_else(place)?)?;
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
