//! The ids of tokens (`jti`): whose a token of ours is, and what names no token at all.

use super::{SessionId, TenantId, field_errors::InvalidValue};

/// What scripts print where there is no value.
const NO_VALUES: [&str; 9] =
    ["null", "undefined", "none", "nil", "nan", "true", "false", "[object object]", "{}"];

/// The id of a tenant's token: it says whose it is, so that whoever revokes it need not know.
pub fn of_tenant(tenant: &TenantId, unique: &str) -> String {
    format!("{tenant}.{unique}")
}

/// The id of the tokens of one sign-in. Statements make it, too, of a row of `sessions`.
pub fn of_session(tenant: &TenantId, session: &SessionId) -> String {
    of_tenant(tenant, session.as_str().trim_start_matches("session_"))
}

/// The tenant whose token has this id, if it says so.
pub fn tenant_of(jti: &str) -> Option<TenantId> {
    jti.rsplit_once('.').and_then(|(tenant, _)| tenant.parse().ok())
}

/// Whether an id tells its token from others: what a script prints where there is no value does not.
pub fn tells_apart(jti: &str) -> bool {
    let jti = jti.trim();
    jti.bytes().any(|byte| byte.is_ascii_alphanumeric())
        && !NO_VALUES.iter().any(|no_value| no_value.eq_ignore_ascii_case(jti))
}

/// An id as an operator names it.
pub fn parse(text: String) -> Result<String, InvalidValue> {
    let is_token = text.split('.').count() == 3 && text.starts_with("eyJ");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:+/=@".contains(&byte);
    if is_token {
        let message = "This is a token itself. Send its id: the `jti` that `/whoami` says.";
        return Err(InvalidValue::new("invalid_jti", message));
    }
    if tells_apart(&text) && text.bytes().all(is_plain) {
        Ok(text)
    } else {
        Err(InvalidValue::new("invalid_jti", "This is no token's id: send the `jti` that `/whoami` says."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_tenants_token_says_whose_it_is() {
        let tenant: TenantId = "tenant_a-b_c".parse().unwrap();
        assert_eq!(tenant_of(&of_tenant(&tenant, "01ab")), Some(tenant));
        for foreign in ["", ".", "jti-1", "user_1.x", "tenant_.x", "01a3185c80397978a1c17e7efb610b25"] {
            assert_eq!(tenant_of(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn what_stands_for_no_value_is_no_id() {
        for no_value in [
            "null",
            "NULL",
            "undefined",
            "None",
            "nil",
            "NaN",
            "true",
            "false",
            "",
            " ",
            "-",
            "--",
            "null ",
            "\"null\"",
            "$JTI",
            "<jti>",
            "a b",
            "a\tb",
            "é",
            "{}",
            "[object Object]",
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
        ] {
            assert!(parse(no_value.to_owned()).is_err(), "{no_value:?}");
        }
        for good in
            ["a", "jti-1", "01a3185c80397978a1c17e7efb610b25", "tenant_1.01a3", "urn:uuid:1", "nullable"]
        {
            assert_eq!(parse(good.to_owned()).as_deref(), Ok(good), "{good:?}");
        }
    }
}
