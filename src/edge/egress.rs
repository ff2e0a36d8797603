//! The one way out: every call to the outside passes here. A time limit, a bound on what is read, no redirect to a host
//! that was not named, a `User-Agent`, the trace.

use futures_util::{FutureExt, StreamExt, pin_mut, select};
use url::Url;
use wasm_bindgen::JsValue;
use web_sys::{AbortController, AbortSignal};
use worker::{Delay, Fetch, Fetcher, Request, Response};

use crate::ports::{Call, CallError, Called};

/// What is read of an answer.
const BOUND: usize = 64 * 1024;
/// How many redirects are followed.
const HOPS: usize = 3;
const USER_AGENT: &str = concat!("Tenantry/", env!("CARGO_PKG_VERSION"));

/// Calls the outside: through `egress` if it is bound, else directly.
pub(super) async fn call(egress: Option<&Fetcher>, call: &Call) -> Result<Called, CallError> {
    let controller = AbortController::new().map_err(|_| CallError::Connection)?;
    let signal = controller.signal();
    let answer = follow(egress, call, &signal).fuse();
    let limit = Delay::from(call.time_limit).fuse();
    pin_mut!(answer, limit);
    select! {
        answer = answer => answer,
        () = limit => {
            controller.abort();
            Err(CallError::Timeout)
        }
    }
}

async fn follow(egress: Option<&Fetcher>, call: &Call, signal: &AbortSignal) -> Result<Called, CallError> {
    let mut response = send(egress, request(call, signal)?, signal).await?;
    let mut at = Url::parse(&call.url).map_err(|_| CallError::Connection)?;
    for _ in 0..HOPS {
        let Some(next) = redirect(&response, &at, call.follow) else { break };
        at = next;
        let hop =
            Call { method: "GET", url: at.to_string(), headers: Vec::new(), body: None, ..call.clone() };
        response = send(egress, request(&hop, signal)?, signal).await?;
    }
    read(response).await
}

/// Where an answer redirects to, if that is a host that was named.
fn redirect(response: &Response, at: &Url, follow: &[&str]) -> Option<Url> {
    if !matches!(response.status_code(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get("location").ok()??;
    let next = at.join(&location).ok()?;
    let named = next.host_str().is_some_and(|host| follow.contains(&host));
    (next.scheme() == "https" && named && next.port().is_none()).then_some(next)
}

fn request(call: &Call, signal: &AbortSignal) -> Result<Request, CallError> {
    let broken = |_: JsValue| CallError::Connection;
    let headers = web_sys::Headers::new().map_err(broken)?;
    headers.append("user-agent", USER_AGENT).map_err(broken)?;
    for (name, value) in &call.headers {
        headers.append(name, value).map_err(broken)?;
    }
    if let Some(traceparent) = &call.traceparent {
        headers.append("traceparent", traceparent).map_err(broken)?;
    }
    let init = web_sys::RequestInit::new();
    init.set_method(call.method);
    init.set_headers(&headers);
    init.set_redirect(web_sys::RequestRedirect::Manual);
    init.set_signal(Some(signal));
    if let Some(body) = &call.body {
        init.set_body(&JsValue::from_str(body));
    }
    web_sys::Request::new_with_str_and_init(&call.url, &init).map(Into::into).map_err(broken)
}

async fn send(
    egress: Option<&Fetcher>,
    request: Request,
    signal: &AbortSignal,
) -> Result<Response, CallError> {
    match egress {
        Some(egress) => {
            let response = egress.fetch_request(request).await.map_err(|_| CallError::Connection)?;
            Response::try_from(response).map_err(|_| CallError::Connection)
        }
        None => {
            let signal = worker::AbortSignal::from(signal.clone());
            Fetch::Request(request).send_with_signal(&signal).await.map_err(|_| CallError::Connection)
        }
    }
}

async fn read(mut response: Response) -> Result<Called, CallError> {
    let retry_after = response.headers().get("retry-after").ok().flatten();
    let mut body = Vec::new();
    if let Ok(mut stream) = response.stream() {
        while let Some(chunk) = stream.next().await {
            body.extend(chunk.map_err(|_| CallError::Connection)?);
            if body.len() >= BOUND {
                body.truncate(BOUND);
                break;
            }
        }
    }
    Ok(Called {
        status: response.status_code(),
        retry_after,
        body: String::from_utf8_lossy(&body).into_owned(),
        ms: 0,
    })
}
