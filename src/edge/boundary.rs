//! The few calls that a request makes across the boundary: see `boundary.js`.

use js_sys::Promise;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/edge/boundary.js")]
extern "C" {
    /// A request up to its body, in lines.
    pub(super) fn head(request: &web_sys::Request) -> String;
    /// An answer; `shared` and `own` have a line for each header: those of many answers, and those of this one.
    #[wasm_bindgen(catch)]
    pub(super) fn respond(
        status: u16,
        shared: &str,
        own: &str,
        body: &[u8],
    ) -> Result<web_sys::Response, JsValue>;
    /// Calls the console's function of this name with the object that `line` is.
    pub(super) fn log(level: &str, line: &str);
    /// Runs statements as one batch, within a time in milliseconds.
    pub(super) fn batch(database: &JsValue, statements: &str, ms: u32) -> Promise;
    /// Whether a limiter allows this key once more.
    pub(super) fn allows(limiter: &JsValue, key: &str) -> Promise;
}
