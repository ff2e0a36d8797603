//! Tokens as they are issued and refused.

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn keys(secret: &'static str, next: &'static str) -> Keys {
    Keys::of(&Config::read(
        |name| match name {
            "JWT_SECRET" => Some(secret.to_owned()),
            "JWT_SECRET_NEXT" => Some(next.to_owned()),
            _ => None,
        },
        false,
    ))
}

const OLD: &str = "old-old-old-old-old-old-old-old-old";
const NEW: &str = "new-new-new-new-new-new-new-new-new";

fn token(keys: &Keys) -> String {
    let tenant = "tenant_a".parse().unwrap();
    let user = "user_a".parse().unwrap();
    keys.tenant_token(&tenant, &user, Some(60), NOW, "jti-1").unwrap()
}

#[test]
fn what_is_signed_is_verified() {
    let keys = keys(OLD, "");
    let claims = keys.verify(&token(&keys), NOW).unwrap();
    assert_eq!(claims.tenant.unwrap().as_str(), "tenant_a");
    assert_eq!(claims.role_names, ["tenant_admin", "owner"]);
    assert_eq!((claims.iat, claims.exp), (Some(1_800_000_000), 1_800_000_060));
    assert_eq!(claims.jti.as_deref(), Some("jti-1"));
}

#[test]
fn the_claims_are_written_as_the_standard_has_them() {
    let token = token(&keys(OLD, ""));
    let part =
        |n| String::from_utf8(URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_str(&part(0)).unwrap();
    assert_eq!(header["alg"], "HS256");
    assert_eq!(header["typ"], "JWT");
    assert_eq!(header["kid"].as_str().unwrap().len(), 8);
    let claims: serde_json::Value = serde_json::from_str(&part(1)).unwrap();
    assert_eq!(
        claims,
        serde_json::json!({
            "sub": "user_a", "iss": "syston.app", "aud": "syston-mobile", "roles": ["tenant_admin", "owner"],
            "tenantId": "tenant_a", "jti": "jti-1", "iat": 1_800_000_000, "exp": 1_800_000_060
        })
    );
}

#[test]
fn the_token_of_an_unproven_signup_says_so_for_a_day() {
    let keys = keys(OLD, "");
    let token =
        keys.tenant_token(&"tenant_a".parse().unwrap(), &"user_a".parse().unwrap(), None, NOW, "jti-1");
    let claims = keys.verify(&token.unwrap(), NOW).unwrap();
    assert_eq!((claims.unproven, claims.exp), (true, 1_800_086_400));
}

#[test]
fn a_token_ends() {
    let keys = keys(OLD, "");
    let token = token(&keys);
    let at = |seconds: i64| keys.verify(&token, Timestamp::from_seconds(1_800_000_000 + seconds));
    assert!(at(359).is_ok(), "within the skew");
    assert_eq!(at(360), Err(TokenError::Expired));
}

#[test]
fn both_secrets_verify_during_a_rotation() {
    let (before, during, after) = (keys(OLD, ""), keys(OLD, NEW), keys(NEW, OLD));
    for issuer in [&before, &during, &after] {
        assert!(during.verify(&token(issuer), NOW).is_ok());
        assert!(after.verify(&token(issuer), NOW).is_ok());
    }
    assert_eq!(keys(NEW, "").verify(&token(&before), NOW), Err(TokenError::Invalid));
}

#[test]
fn a_short_secret_signs_and_verifies_nothing() {
    let keys = keys("too-short", "");
    let tenant = "tenant_a".parse().unwrap();
    assert_eq!(keys.link_token(&tenant, NOW, 60, "x"), Err(NoSigningKey));
}

/// A token signed with the right key, whatever it says.
fn forged(header: &str, claims: &str) -> String {
    use hmac::{Hmac, Mac};
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mac = Hmac::<Sha256>::new_from_slice(OLD.as_bytes()).unwrap().chain_update(&signed);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn a_good_signature_is_not_enough() {
    let keys = keys(OLD, "");
    let plain = r#"{"alg":"HS256"}"#;
    let claims = |exp: &str| format!(r#"{{"iss":"syston.app","aud":"syston-mobile","exp":{exp}}}"#);
    for exp in ["1800000060", "1800000060.5", "1.8e9", "1800000060.0"] {
        assert!(keys.verify(&forged(plain, &claims(exp)), NOW).is_ok(), "{exp}");
    }
    for exp in
        ["\"1800000060\"", "null", "-1", "-0.5", "99999999999999999999", "1e300", "[1800000060]", "true"]
    {
        assert!(keys.verify(&forged(plain, &claims(exp)), NOW).is_err(), "{exp}");
    }
    let twice = r#"{"iss":"syston.app","aud":"syston-mobile","exp":1,"exp":1800000060}"#;
    assert!(keys.verify(&forged(plain, twice), NOW).is_err());
    for header in
        [r#"{"alg":"HS256","crit":null}"#, r#"{"alg":"HS256","crit":["exp"]}"#, r#"{"alg":"hs256"}"#]
    {
        assert!(keys.verify(&forged(header, &claims("1800000060")), NOW).is_err(), "{header}");
    }
}

#[test]
fn an_audience_may_be_a_list_with_one_of_ours_in_it() {
    let keys = keys(OLD, "");
    let audience = |aud: &str| {
        let claims = format!(r#"{{"iss":"syston.app","aud":{aud},"iat":1800000000,"exp":1800000060}}"#);
        keys.verify(&forged(r#"{"alg":"HS256"}"#, &claims), NOW).map(|claims| claims.audience)
    };
    for (aud, ours) in [
        (r#"["syston-mobile"]"#, Some(Audience::Tenant)),
        (r#"["https://elsewhere.example","syston-admin"]"#, Some(Audience::PlatformAdmin)),
        (r#"["internal","internal"]"#, Some(Audience::Service)),
        (r#"["syston-mobile","syston-admin"]"#, None),
        (r#"["magic-link","syston-mobile"]"#, None),
        (r#"["syston-mobile syston-admin"]"#, None),
        ("[]", None),
    ] {
        assert_eq!(audience(aud), Ok(ours), "{aud}");
    }
    for aud in ["null", "5", r#"["syston-mobile",5]"#, r#"{"0":"syston-mobile"}"#, r#"[["syston-mobile"]]"#] {
        assert_eq!(audience(aud), Err(TokenError::Invalid), "{aud}");
    }
}

#[test]
fn a_life_is_measured_with_its_fractions() {
    let keys = keys(OLD, "");
    let is_good = |iat: &str, exp: &str| {
        let claims = format!(r#"{{"iss":"syston.app","aud":"internal","iat":{iat},"exp":{exp}}}"#);
        keys.verify(&forged(r#"{"alg":"HS256"}"#, &claims), NOW).map(|claims| (claims.iat, claims.exp))
    };
    assert_eq!(is_good("1799999999.9", "1800000299.9"), Ok((Some(1_799_999_999), 1_800_000_299)));
    assert_eq!(is_good("1799999999.123456", "1800000299.123456"), Ok((Some(1_799_999_999), 1_800_000_299)));
    assert_eq!(is_good("1799999999", "1800000299.001"), Err(TokenError::Invalid));
    assert_eq!(is_good("1799999999.5", "1799999999.7"), is_good("1799999999", "1799999999"));
    assert_eq!(is_good("1800000011.0", "1800000020"), Err(TokenError::Invalid), "from the future");
}

/// Good tokens with bytes changed, cut, doubled and inserted, and tokens of nothing but noise: from a seed, so that what
/// fails fails again.
#[test]
fn no_bytes_make_the_parser_panic_and_none_but_the_token_are_believed() {
    let keys = keys(OLD, "");
    let good = token(&keys);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |limit: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % u64::try_from(limit).unwrap()).unwrap()
    };
    for round in 0..20_000 {
        let mut bytes = if round % 4 == 0 { Vec::new() } else { good.clone().into_bytes() };
        for _ in 0..=below(6) {
            let (at, byte) = (below(bytes.len() + 1), u8::try_from(below(256)).unwrap());
            match below(4) {
                0 => bytes.insert(at, byte),
                1 => bytes.truncate(at),
                2 => bytes.extend_from_within(..at),
                _ => bytes.iter_mut().skip(at).take(1).for_each(|b| *b = byte),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        assert!(text == good || keys.verify(&text, NOW).is_err(), "{text}");
    }
}

#[test]
fn another_spelling_of_the_same_token_is_refused() {
    let keys = keys(OLD, "");
    let token = token(&keys);
    // The last character of a 32-byte signature carries two bits that mean nothing.
    let last = token.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let other = alphabet.chars().nth(alphabet.find(last).unwrap() ^ 1).unwrap();
    let respelled = format!("{}{other}", &token[..token.len() - 1]);
    assert_eq!(keys.verify(&respelled, NOW), Err(TokenError::Invalid));
    for broken in [format!("{token}="), format!(" {token}"), format!("{token}."), token.replace('.', "")] {
        assert_eq!(keys.verify(&broken, NOW), Err(TokenError::Invalid), "{broken}");
    }
}
