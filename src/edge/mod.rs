//! The platform, and only here: events in, `Ports` out. Nothing imports this module.

#![expect(
    clippy::disallowed_types,
    reason = "this is the one module behind the wall that .clippy.toml builds"
)]

mod boundary;
mod breaker;
mod crypto;
mod d1;
mod egress;
mod log;
mod page;
mod platform;
mod provisioner;
mod request;

use std::cell::RefCell;

use axum::Router;
use wasm_bindgen::JsCast;
use worker::{Context, Env, Result, ScheduleContext, ScheduledEvent, event};

use crate::{
    app::{self, App},
    http,
};
use platform::Platform;

thread_local! {
    /// Made by the first request of an isolate, and used by all that follow.
    static ROUTER: RefCell<Option<Router>> = const { RefCell::new(None) };
}

fn router() -> Router {
    ROUTER.with_borrow_mut(|router| router.get_or_insert_with(http::router::<Platform>).clone())
}

#[event(start)]
fn start() {
    console_error_panic_hook::set_once();
}

#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, context: Context) -> Result<web_sys::Response> {
    let platform = Platform::of(&env, Some(context));
    let settings = platform.settings();
    let head = request::head(&request)?;
    if let Some(page) = page::asked(&head.request) {
        return page::serve(request, &env, &settings.config, page).await.map(Into::into);
    }
    let request = request::with_body(head, request).await?;
    request::write(http::serve(App::new(platform, settings), router(), request).await).await
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    let platform = Platform::of(&env, None);
    let settings = platform.settings();
    app::sweep::run(&App::new(platform, settings)).await;
}

/// What went wrong, in a sentence: some of the platform's errors would show themselves as Rust's debugger does.
fn told(error: &worker::Error) -> String {
    match error {
        worker::Error::Internal(value) => value
            .dyn_ref::<js_sys::Error>()
            .map_or_else(|| "the platform threw what is no error".to_owned(), |error| error.message().into()),
        worker::Error::D1(_) | worker::Error::KvError(_) => "the platform's store refused".to_owned(),
        other => other.to_string(),
    }
}
