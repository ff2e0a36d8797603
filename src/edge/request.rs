//! Requests and responses across the boundary.

use axum::body::Body;
use futures_util::TryStreamExt;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::{ByteStream, Error, Result};

use crate::http::service;

use super::boundary;

/// A body that announces at most this is read at once. All that are accepted are smaller.
const SMALL: usize = 64 * 1024;
/// How much of a body that is refused for its size is read all the same. What is left unread resets the
/// connection, often before the caller has seen the answer.
const DRAINED: usize = 16 * 1024 * 1024;

/// A request up to its body.
pub(super) struct Head {
    pub(super) request: Request<()>,
    has_body: bool,
}

/// Takes a request over, up to its body.
pub(super) fn head(request: &web_sys::Request) -> Result<Head> {
    let text = boundary::head(request);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let mut builder = Request::builder().method(line()).uri(line());
    let has_body = line() == "true";
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if let Ok(value) = HeaderValue::from_str(value) {
            builder = builder.header(name, value);
        }
    }
    Ok(Head { request: builder.body(()).map_err(failed)?, has_body })
}

/// Takes the body of `request` over, too.
pub(super) async fn with_body(head: Head, request: web_sys::Request) -> Result<Request<Body>> {
    let length = head.request.headers().get(header::CONTENT_LENGTH);
    let length =
        length.and_then(|length| length.to_str().ok()).and_then(|length| length.parse::<usize>().ok());
    let body = match (head.has_body, length) {
        (false, _) => Body::empty(),
        (true, Some(length)) if length <= SMALL => {
            let buffer = JsFuture::from(request.array_buffer()?).await?;
            Body::from(Uint8Array::new(&buffer).to_vec())
        }
        (true, _) => Body::from(start_of(worker::Request::from(request).stream()?).await?),
    };
    Ok(head.request.map(|()| body))
}

/// The start of a body that announces no length, or too much: long enough to be refused. The rest is discarded.
async fn start_of(mut stream: ByteStream) -> Result<Vec<u8>> {
    let mut start = Vec::new();
    let mut drained = 0_usize;
    while let Some(chunk) = stream.try_next().await? {
        drained = drained.saturating_add(chunk.len());
        if start.len() < SMALL {
            start.extend(chunk);
        }
        if drained > DRAINED {
            break;
        }
    }
    Ok(start)
}

/// Hands an answer over. Bodies of ours are complete before they leave.
pub(super) async fn write(response: Response<Body>) -> Result<web_sys::Response> {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.map_err(failed)?;
    let is_empty = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let sent = if is_empty { &[] } else { bytes.as_ref() };
    let mut shared = String::with_capacity(512);
    let mut own = String::with_capacity(64);
    for (name, value) in parts.headers.iter().filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        let lines = if is_shared(name) { &mut shared } else { &mut own };
        if !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(name.as_str());
        lines.push(':');
        lines.push_str(value.to_str().unwrap_or_default());
    }
    boundary::respond(parts.status.as_u16(), &shared, &own, sent).map_err(|error: JsValue| Error::from(error))
}

/// Whether many answers have the very same line. What differs from one to the next must not be kept.
fn is_shared(name: &HeaderName) -> bool {
    service::HEADERS.iter().any(|(shared, _)| shared == name)
        || [header::CACHE_CONTROL, header::CONTENT_TYPE, header::VARY].contains(name)
}

fn failed(error: impl std::error::Error) -> Error {
    Error::RustError(error.to_string())
}
