//! Reading a JSON body: bounded, typed field by field, every problem told at once.

use std::ops::RangeInclusive;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
};
use http::{
    HeaderMap,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Limited};
use serde_json::{Map, Value};

use crate::domain::{FieldErrors, field_errors::InvalidValue, text};

use super::{error::ApiError, routes::admin::tokens::Reason};

/// No body of ours is larger.
const LIMIT: usize = 16 * 1024;

/// A body as one type: how each field is read, and what the document says of it.
///
/// Fields are read in their order, each by the method of [`Fields`] behind the `=`. A `required…` field must be present. A
/// field is documented by its own type, unless `#[schema(…)]` says otherwise. What else is needed to read a body stands in
/// parentheses behind its name. `check` holds the rules between fields: it sees what was read of each, if anything was.
macro_rules! body {
    (@read required $type:ty) => { Option<$type> };
    (@read required_with $type:ty) => { Option<$type> };
    (@read required_within $type:ty) => { Option<$type> };
    (@read $optional:ident $type:ty) => { $type };
    (@settled required $field:ident) => { $field? };
    (@settled required_with $field:ident) => { $field? };
    (@settled required_within $field:ident) => { $field? };
    (@settled $optional:ident $field:ident) => { $field };
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident $(($($given:ident: $given_type:ty),+))? {
            $(
                $(#[doc = $doc:literal])*
                $(#[schema($($schema:tt)*)])?
                pub $field:ident: $type:ty = $read:ident($json:literal $(, $arg:expr)*),
            )+
        }
        $(check |$checked:ident| $check:block)?
    ) => {
        $(#[doc = $about])*
        #[derive(Debug)]
        #[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
        pub struct $name {
            $(
                $(#[doc = $doc])*
                #[cfg_attr(not(target_arch = "wasm32"), schema(rename = $json $(, $($schema)*)?))]
                pub $field: $type,
            )+
        }

        impl $name {
            /// Reads every field, and notes what is wrong with each.
            pub fn read(fields: &mut $crate::http::body::Fields $($(, $given: $given_type)+)?) -> Option<Self> {
                $(let $field: $crate::http::body::body!(@read $read $type) = fields.$read($json $(, $arg)*);)+
                $({
                    let $checked = &mut *fields;
                    $check
                })?
                Some(Self { $($field: $crate::http::body::body!(@settled $read $field)),+ })
            }
        }
    };
}
pub(crate) use body;

/// The fields of a JSON object, and what was wrong with those that were read.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    values: Map<String, Value>,
    issues: FieldErrors,
}

impl Fields {
    /// The fields of a form that a browser posted.
    pub async fn of_form(request: Request) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        if !is_type(&parts.headers, "application/x-www-form-urlencoded") {
            let message = "Please send the form on this page.";
            return Err(ApiError { message: message.to_owned(), ..ApiError::unsupported_media_type() });
        }
        let bytes = read(&parts.headers, body).await?;
        let values =
            form_urlencoded::parse(&bytes).map(|(name, value)| (name.into_owned(), value.into())).collect();
        Ok(Self { values, issues: FieldErrors::default() })
    }

    /// What was typed into a field.
    pub fn text(&self, name: &str) -> String {
        self.values.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// A field that must be there.
    pub fn required<T: TryFrom<String, Error = InvalidValue>>(&mut self, name: &'static str) -> Option<T> {
        self.required_with(name, T::try_from)
    }

    /// A field that must be there, read by `parse`.
    pub fn required_with<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(String) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        if matches!(self.values.get(name), None | Some(Value::Null)) {
            self.issues.push(name, InvalidValue::required());
            return None;
        }
        self.optional_with(name, parse)
    }

    /// A field that may be absent, `null` or empty.
    pub fn optional<T: TryFrom<String, Error = InvalidValue>>(&mut self, name: &'static str) -> Option<T> {
        if self.lacks(name) { None } else { self.optional_with(name, T::try_from) }
    }

    fn optional_with<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(String) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let result = text_in(self.values.get(name)).and_then(|text| parse(text.to_owned()));
        result.map_err(|problem| self.issues.push(name, problem)).ok()
    }

    /// Text that may be absent, `null` or empty, and has no rule of its own.
    pub fn optional_text(&mut self, name: &'static str) -> Option<String> {
        let value = self.values.get(name).filter(|value| !value.is_null())?;
        let text = text_in(Some(value)).and_then(text::read);
        text.map_err(|problem| self.issues.push(name, problem)).ok().filter(|text| !text.is_empty())
    }

    /// A whole number that may be absent.
    pub fn optional_integer(&mut self, name: &'static str) -> Option<i64> {
        let value = self.values.get(name).filter(|value| !value.is_null())?;
        let number = whole(value);
        if number.is_none() {
            self.issues.push(name, InvalidValue::wrong_type("a whole number"));
        }
        number
    }

    /// A field that is left as it is when it is absent or `null`; empty is as wrong as anything else that is.
    pub fn change<T: TryFrom<String, Error = InvalidValue>>(&mut self, name: &'static str) -> Option<T> {
        if self.has(name) { self.required(name) } else { None }
    }

    /// A whole number within `range` that may be absent.
    pub fn optional_within(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let number = self.optional_integer(name)?;
        let within = u32::try_from(number).ok().filter(|number| range.contains(number));
        if within.is_none() {
            let message = format!("This must be from {} to {}.", range.start(), range.end());
            self.issues.push(name, InvalidValue::new("out_of_range", message));
        }
        within
    }

    /// `true` or `false`, or absent.
    pub fn optional_flag(&mut self, name: &'static str) -> Option<bool> {
        let value = self.values.get(name).filter(|value| !value.is_null())?;
        let flag = value.as_bool();
        if flag.is_none() {
            self.issues.push(name, InvalidValue::wrong_type("true or false"));
        }
        flag
    }

    /// A list that may be absent, each of it read by its own rule.
    pub fn optional_list<T: TryFrom<String, Error = InvalidValue>>(
        &mut self,
        name: &'static str,
        longest: usize,
    ) -> Option<Vec<T>> {
        let value = self.values.get(name).filter(|value| !value.is_null())?;
        let read = match value.as_array() {
            Some(list) if (1..=longest).contains(&list.len()) => list
                .iter()
                .map(|one| one.as_str().ok_or_else(|| InvalidValue::wrong_type("a list of texts")))
                .map(|text| text.and_then(|text| T::try_from(text.to_owned())))
                .collect(),
            Some(_) => Err(InvalidValue::new("invalid_length", format!("List 1 to {longest}."))),
            None => Err(InvalidValue::wrong_type("a list of texts")),
        };
        read.map_err(|problem| self.issues.push(name, problem)).ok()
    }

    /// Why an operator does what often needs no explanation: empty is as good as nothing.
    pub fn optional_reason(&mut self, name: &'static str) -> Option<String> {
        self.optional::<Reason>(name).map(Reason::into)
    }

    /// A whole number within `range` that must be there.
    pub fn required_within(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        if !self.has(name) {
            self.issues.push(name, InvalidValue::required());
        }
        self.optional_within(name, range)
    }

    /// A field that `read` reads, that is left as it is when it is absent, and that `null` empties: as JSON Merge Patch has it.
    pub fn or_null<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Self, &'static str) -> Option<T>,
    ) -> Option<Option<T>> {
        if matches!(self.values.get(name), Some(Value::Null)) {
            Some(None)
        } else {
            read(self, name).map(Some)
        }
    }

    /// Whether the field is there, be it `null`.
    pub fn names(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// As [`Self::change`], with a rule of its own for what was read.
    pub fn change_with<T: TryFrom<String, Error = InvalidValue>>(
        &mut self,
        name: &'static str,
        rule: impl FnOnce(T) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        let value = self.change(name)?;
        rule(value).map_err(|problem| self.issues.push(name, problem)).ok()
    }

    /// As [`Self::optional_text`], of at most so many characters.
    pub fn optional_text_within(&mut self, name: &'static str, longest: usize) -> Option<String> {
        let text = self.optional_text(name)?;
        if text.chars().count() > longest {
            let message = format!("Use at most {longest} characters.");
            self.issues.push(name, InvalidValue::new("too_long", message));
            return None;
        }
        Some(text)
    }

    /// A field that may be absent, `null` or `""`, read by `parse`.
    pub fn unless_empty<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(String) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        if self.says(name) { self.required_with(name, parse) } else { None }
    }

    /// A field that must be there where `other` is, read by `parse`.
    pub fn together_with<T>(
        &mut self,
        name: &'static str,
        other: &str,
        parse: impl FnOnce(String) -> Result<T, InvalidValue>,
    ) -> Option<T> {
        if self.has(name) || self.has(other) { self.required_with(name, parse) } else { None }
    }

    /// Text that must be there unless `other` is there in its place.
    pub fn text_or(&mut self, name: &'static str, other: &str) -> Option<String> {
        if !self.has(name) && self.has(other) { None } else { self.required_with(name, Ok) }
    }

    /// Text that counts only where `first` is not there.
    pub fn text_instead_of(&mut self, name: &'static str, first: &str) -> Option<String> {
        if self.has(name) && !self.has(first) { self.required_with(name, Ok) } else { None }
    }

    /// Takes a field that the body does not say anything in from the query.
    pub fn or_from_query(mut self, name: &str, query: Option<&str>) -> Self {
        if self.lacks(name) {
            let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
            if let Some((name, value)) = pairs.find(|(key, _)| key == name) {
                self.values.insert(name.into_owned(), value.into_owned().into());
            }
        }
        self
    }

    /// Notes what is wrong with a field beyond its own rule.
    pub fn refuse(&mut self, name: &'static str, problem: InvalidValue) {
        self.issues.push(name, problem);
    }

    /// Whether nothing of the field can be seen.
    pub fn lacks(&self, name: &str) -> bool {
        match self.values.get(name) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => is_nothing(text),
            Some(_) => false,
        }
    }

    /// Whether the field is there, and says something.
    pub fn says(&self, name: &str) -> bool {
        self.has(name) && self.values.get(name).and_then(Value::as_str) != Some("")
    }

    /// Whether the field is there.
    pub fn has(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| !value.is_null())
    }

    /// The body that `read` makes of the fields, if all of it was good.
    pub fn read<T>(mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Result<T, ApiError> {
        let body = read(&mut self);
        self.all(body)
    }

    /// The values that were read, if all were good.
    fn all<T>(self, read: Option<T>) -> Result<T, ApiError> {
        match read {
            Some(values) if self.issues.is_empty() => Ok(values),
            _ => Err(ApiError::validation(self.issues)),
        }
    }
}

/// Whether nothing of it can be seen.
fn is_nothing(text: &str) -> bool {
    text::read(text).is_ok_and(|text| text.is_empty())
}

/// A field's text. SQL ends at a NUL: a backup with one in it could not be restored.
fn text_in(value: Option<&Value>) -> Result<&str, InvalidValue> {
    match value.and_then(Value::as_str) {
        Some(text) if text.contains('\0') => {
            Err(InvalidValue::new("invalid_characters", "The character NUL is not possible."))
        }
        text => text.ok_or_else(|| InvalidValue::wrong_type("text")),
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let bytes = match read(&parts.headers, body).await {
            // Nothing has no type. What is missing is told field by field.
            Ok(bytes) if without_bom(&bytes).is_empty() => return Ok(Self::default()),
            _ if !is_json(&parts.headers) => return Err(ApiError::unsupported_media_type()),
            read => read?,
        };
        match serde_json::from_slice(without_bom(&bytes)) {
            Ok(Value::Object(values)) => Ok(Self { values, issues: FieldErrors::default() }),
            Ok(_) => Err(ApiError::malformed("Send a JSON object.")),
            Err(_) => Err(ApiError::malformed("The body is not valid JSON.")),
        }
    }
}

/// The fields of a body that may be left out altogether.
#[derive(Debug)]
pub struct OptionalFields(pub Fields);

impl<S: Send + Sync> FromRequest<S> for OptionalFields {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if request.headers().contains_key(CONTENT_TYPE) {
            return Fields::from_request(request, state).await.map(Self);
        }
        Ok(Self(Fields::default()))
    }
}

/// Some programs put a byte order mark before what they send.
fn without_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

/// JSON knows one kind of number: `45.0` is as whole as `45`. Beyond 2^53 a fraction can't be told from none.
fn whole(value: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT)?;
        format!("{number:.0}").parse().ok()
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    is_type(headers, "application/json")
}

/// Whether a body is announced as `expected`. Clients whose layers each set the header send it several times, and proxies join those
/// with commas: all of them have to agree.
fn is_type(headers: &HeaderMap, expected: &str) -> bool {
    let values = headers.get_all(CONTENT_TYPE).iter().map(|value| value.to_str().unwrap_or("unreadable"));
    let mut types = values
        .flat_map(|value| value.split(','))
        .map(|one| one.split(';').next().unwrap_or_default().trim())
        .filter(|one| !one.is_empty())
        .peekable();
    types.peek().is_some() && types.all(|one| one.eq_ignore_ascii_case(expected))
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    if announced.is_some_and(|length: usize| length > LIMIT) {
        return Err(ApiError::payload_too_large());
    }
    match Limited::new(body, LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ApiError::payload_too_large()),
        Err(_) => Err(ApiError::malformed("The body could not be read.")),
    }
}
