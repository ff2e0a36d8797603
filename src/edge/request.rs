//! Requests and responses across the boundary. Every header that crosses costs as much as a route, so only those
//! cross that somebody reads.

use axum::body::Body;
use futures_util::TryStreamExt;
use http::{HeaderValue, Response as HttpResponse, StatusCode, header};
use worker::{ByteStream, Headers, Request, Response, ResponseBuilder, Result};

/// The headers that somebody reads.
const READ: &[&str] = &[
    "authorization",
    "content-type",
    "content-length",
    "host",
    "idempotency-key",
    "if-none-match",
    "origin",
    "sec-fetch-site",
    "access-control-request-method",
    "traceparent",
    "cf-connecting-ip",
];
/// A body that announces at most this is read at once. All that are accepted are smaller.
const SMALL: usize = 64 * 1024;
/// How much of a body that is refused for its size is read all the same. What is left unread resets the
/// connection, often before the caller has seen the answer.
const DRAINED: usize = 16 * 1024 * 1024;

/// Takes a request over.
pub(super) async fn read(mut request: Request) -> Result<http::Request<Body>> {
    // As it was sent: worker's own type takes every method that it does not know for a GET.
    let method = request.inner().method();
    let mut builder = http::Request::builder().method(method.as_str()).uri(request.inner().url());
    let mut length = None;
    for name in READ {
        let Some(value) = request.headers().get(name)? else { continue };
        if *name == "content-length" {
            length = value.parse::<usize>().ok();
        }
        if let Ok(value) = HeaderValue::from_str(&value) {
            builder = builder.header(*name, value);
        }
    }
    let body = match (request.inner().body(), length) {
        (None, _) => Body::empty(),
        (Some(_), Some(length)) if length <= SMALL => Body::from(request.bytes().await?),
        (Some(_), _) => Body::from(start_of(request.stream()?).await?),
    };
    builder.body(body).map_err(|error| worker::Error::RustError(error.to_string()))
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
pub(super) async fn write(response: HttpResponse<Body>) -> Result<Response> {
    let (parts, body) = response.into_parts();
    let headers = Headers::new();
    for (name, value) in &parts.headers {
        if name != header::CONTENT_LENGTH {
            headers.append(name.as_str(), value.to_str().unwrap_or_default())?;
        }
    }
    let bytes = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(|error| worker::Error::RustError(error.to_string()))?;
    let builder = ResponseBuilder::new().with_status(parts.status.as_u16()).with_headers(headers);
    let empty = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) || bytes.is_empty();
    Ok(if empty { builder.empty() } else { builder.fixed(bytes.into()) })
}
