//! The log: one object argument per console call, at the level that its `level` names.

use wasm_bindgen::JsValue;
use web_sys::console;

use crate::{
    domain::Timestamp,
    ports::{Level, LogLine},
};

/// Writes a line.
pub(super) fn write(mut line: LogLine, now: Timestamp) {
    line.fields.insert("ts".to_owned(), now.rfc3339().into());
    let text = serde_json::Value::Object(line.fields).to_string();
    // One crossing: the text is parsed on the other side, so that `wrangler tail` shows an object with fields.
    let object = js_sys::JSON::parse(&text).unwrap_or_else(|_| JsValue::from_str(&text));
    match line.level {
        Level::Info => console::log_1(&object),
        Level::Warn => console::warn_1(&object),
        Level::Error => console::error_1(&object),
    }
}
