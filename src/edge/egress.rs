//! The one way out: every call to external services passes here. A time limit, a bound on what is read, no redirect to
//! a host that was not named, a `User-Agent`, the trace.

use futures_util::{FutureExt, pin_mut, select};
use js_sys::{Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, AbortSignal};
use worker::{Delay, Fetcher};

use crate::{
    domain::Address,
    ports::{OutboundError, OutboundRequest, OutboundResponse},
};

/// What is read of an answer.
const BOUND: usize = 64 * 1024;
/// How many redirects are followed.
const HOPS: usize = 3;
const USER_AGENT: &str = concat!("Tenantry/", env!("CARGO_PKG_VERSION"));

/// Calls external services: through `egress` if it is bound, else directly.
pub(super) async fn call(
    egress: Option<&Fetcher>,
    call: &OutboundRequest,
) -> Result<OutboundResponse, OutboundError> {
    let controller = AbortController::new().map_err(|_| OutboundError::Connection)?;
    let signal = controller.signal();
    let answer = follow(egress, call, &signal).fuse();
    let limit = Delay::from(call.time_limit).fuse();
    pin_mut!(answer, limit);
    select! {
        answer = answer => answer,
        () = limit => {
            controller.abort();
            Err(OutboundError::Timeout)
        }
    }
}

async fn follow(
    egress: Option<&Fetcher>,
    call: &OutboundRequest,
    signal: &AbortSignal,
) -> Result<OutboundResponse, OutboundError> {
    let mut response = send(egress, request(call, signal)?).await?;
    let mut at = Address::parse(&call.url).ok_or(OutboundError::Connection)?;
    for _ in 0..HOPS {
        let Some(next) = redirect(&response, &at, call.follow) else { break };
        discard(&response);
        at = next;
        let hop = OutboundRequest {
            method: "GET",
            url: at.text.clone(),
            headers: Vec::new(),
            body: None,
            ..call.clone()
        };
        response = send(egress, request(&hop, signal)?).await?;
    }
    read(response).await
}

/// Gives up a body that nobody will read. One that is merely dropped is collected outside any request, and the platform
/// then ends the whole instance with whatever is at work in it.
fn discard(response: &web_sys::Response) {
    if let Some(body) = response.body() {
        let cancelled = JsFuture::from(body.cancel());
        wasm_bindgen_futures::spawn_local(async move {
            // Whether the upstream heard of it makes no difference to us.
            let _ = cancelled.await;
        });
    }
}

/// Where an answer redirects to, if that is a host that was named.
fn redirect(response: &web_sys::Response, at: &Address, follow: &[&str]) -> Option<Address> {
    if !matches!(response.status(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get("location").ok()??;
    let next = at.join(&location)?;
    let named = follow.contains(&next.host.as_str());
    (next.scheme == "https" && named && !next.names_port).then_some(next)
}

fn request(call: &OutboundRequest, signal: &AbortSignal) -> Result<web_sys::Request, OutboundError> {
    let broken = |_: JsValue| OutboundError::Connection;
    let headers = web_sys::Headers::new().map_err(broken)?;
    headers.append("user-agent", USER_AGENT).map_err(broken)?;
    for (name, value) in &call.headers {
        headers.append(name, value).map_err(broken)?;
    }
    for (name, value) in call.trace_headers() {
        headers.append(name, value).map_err(broken)?;
    }
    let init = web_sys::RequestInit::new();
    init.set_method(call.method);
    init.set_headers(&headers);
    init.set_redirect(web_sys::RequestRedirect::Manual);
    init.set_signal(Some(signal));
    if let Some(body) = &call.body {
        init.set_body(&JsValue::from_str(body));
    }
    web_sys::Request::new_with_str_and_init(&call.url, &init).map_err(broken)
}

/// Through the binding's own `fetch`: the `worker` crate's wraps the answer's body twice, and the outer wrap, unread, is what
/// [`discard`] is about.
pub(super) async fn send(
    egress: Option<&Fetcher>,
    request: web_sys::Request,
) -> Result<web_sys::Response, OutboundError> {
    let broken = |_: JsValue| OutboundError::Connection;
    let promise = match egress {
        Some(egress) => {
            let target: &JsValue = egress.as_ref();
            let fetch: Function =
                Reflect::get(target, &"fetch".into()).and_then(JsCast::dyn_into).map_err(broken)?;
            Promise::resolve(&fetch.call1(target, &request).map_err(broken)?)
        }
        None => {
            let scope: web_sys::WorkerGlobalScope = js_sys::global().unchecked_into();
            scope.fetch_with_request(&request)
        }
    };
    JsFuture::from(promise).await.and_then(JsCast::dyn_into).map_err(broken)
}

async fn read(response: web_sys::Response) -> Result<OutboundResponse, OutboundError> {
    let broken = |_: JsValue| OutboundError::Connection;
    let retry_after = response.headers().get("retry-after").ok().flatten();
    let mut body = Vec::new();
    if let Some(stream) = response.body() {
        let reader: web_sys::ReadableStreamDefaultReader = stream.get_reader().unchecked_into();
        while body.len() < BOUND {
            let chunk = JsFuture::from(reader.read()).await.map_err(broken)?;
            if Reflect::get(&chunk, &"done".into()).map_err(broken)?.is_truthy() {
                break;
            }
            body.extend(Uint8Array::new(&Reflect::get(&chunk, &"value".into()).map_err(broken)?).to_vec());
        }
        if body.len() >= BOUND {
            body.truncate(BOUND);
            let cancelled = JsFuture::from(reader.cancel());
            wasm_bindgen_futures::spawn_local(async move {
                let _ = cancelled.await;
            });
        }
        reader.release_lock();
    }
    Ok(OutboundResponse {
        status: response.status(),
        retry_after,
        body: String::from_utf8_lossy(&body).into_owned(),
        ms: 0,
    })
}
