//! The log: one object argument per console call, at the level that its `level` names.

use crate::{
    domain::Timestamp,
    ports::{Level, LogLine},
};

use super::boundary;

/// Writes a line.
pub(super) fn write(mut line: LogLine, now: Timestamp) {
    line.fields.insert("ts".to_owned(), now.rfc3339().into());
    let call = match line.level {
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    boundary::log(call, &serde_json::to_string(&line.fields).unwrap_or_default());
}
