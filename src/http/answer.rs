//! What the answers have in common: their envelopes.
//!
//! An answer is a type, and the type is sent: `public/openapi.json` is written from the same types by a test. A text, number
//! or time without a value is `null`. An absent object is left out: some client generators cannot read a nullable reference.
//! A field that is sometimes left out says so.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use serde::{Serialize, Serializer};

pub use crate::domain::Time;

use super::error::ApiError;

/// An answer in JSON. One kind of writer for all of them: axum's own, besides the others that there are, would cost the
/// Worker some kilobytes.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        written(serde_json::to_vec(&self.0))
    }
}

fn written(body: serde_json::Result<Vec<u8>>) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(error) => return ApiError::internal(error.to_string()).into_response(),
    };
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// `true`: it was done.
#[derive(Debug, Clone, Copy)]
pub struct True;

/// `false`: it was not.
#[derive(Debug, Clone, Copy)]
pub struct False;

/// Nothing to say but that it was done.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct SuccessResponse {
    /// It was done.
    pub success: True,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
pub struct Data<T> {
    /// It was done.
    pub success: True,
    /// What was asked for.
    pub data: T,
}

/// One page of a list, newest first unless the route says otherwise.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// It was done.
    pub success: True,
    /// What is on the page. It may be empty and yet not the last one.
    pub data: Vec<T>,
    /// Where the next page begins: the `cursor` to ask for; `null` on the last one.
    pub next_cursor: Option<String>,
}

/// That it was done.
pub const fn done() -> Json<SuccessResponse> {
    Json(SuccessResponse { success: True })
}

/// What was asked for.
pub const fn data<T>(data: T) -> Json<Data<T>> {
    Json(Data { success: True, data })
}

/// One page of a list.
pub const fn page<T>(data: Vec<T>, next_cursor: Option<String>) -> Json<Page<T>> {
    Json(Page { success: True, data, next_cursor })
}

/// Every row as it is answered. A loop: `collect` would reuse the rows' memory, which costs the Worker more than it saves.
pub fn each<R, T>(rows: Vec<R>, read: impl Fn(R) -> T) -> Vec<T> {
    let mut answers = Vec::with_capacity(rows.len());
    for row in rows {
        answers.push(read(row));
    }
    answers
}

impl Serialize for True {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl Serialize for False {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(false)
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod schema {
    use utoipa::{
        PartialSchema, ToSchema,
        openapi::{Object, RefOr, Schema, Type},
    };

    use super::{False, True};

    fn constant(value: bool) -> RefOr<Schema> {
        Object::builder().schema_type(Type::Boolean).enum_values(Some([value])).into()
    }

    impl PartialSchema for True {
        fn schema() -> RefOr<Schema> {
            constant(true)
        }
    }

    impl PartialSchema for False {
        fn schema() -> RefOr<Schema> {
            constant(false)
        }
    }

    // Inlined where they stand: nobody looks them up.
    impl ToSchema for True {}
    impl ToSchema for False {}
}
