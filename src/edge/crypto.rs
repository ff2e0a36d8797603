//! Cryptography of the platform: WebCrypto's AES-GCM for secrets at rest, RSASSA-PKCS1-v1_5 for Google.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use js_sys::{Array, Object, Reflect, Uint8Array};
use sha2::{Digest, Sha256};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{CryptoKey, SubtleCrypto, WorkerGlobalScope};

use crate::{domain::Secret, ports::CryptoError};

/// AES-GCM's own length of nonce.
const NONCE: usize = 12;

/// The key that secrets at rest are encrypted under: its name, and its bytes.
fn data_key(secret: &Secret) -> (String, [u8; 32]) {
    let derive = |label: &str| Sha256::new().chain_update(label).chain_update(secret.expose()).finalize();
    let name = URL_SAFE_NO_PAD.encode(derive("tenantry data key name:").get(..6).unwrap_or_default());
    (name, derive("tenantry data key:").into())
}

/// Encrypts `plain` under `key`. The form is `v1.<key's name>.<nonce and ciphertext>`.
pub(super) async fn seal(
    key: &Secret,
    nonce: [u8; NONCE],
    plain: &Secret,
    context: &str,
) -> Result<String, CryptoError> {
    let (name, bytes) = data_key(key);
    let key = aes_key(&bytes, "encrypt").await?;
    let params = aes_params(&nonce, context)?;
    let promise = subtle()?
        .encrypt_with_object_and_u8_array(&params, &key, plain.expose().as_bytes())
        .map_err(failed)?;
    let sealed = bytes_of(JsFuture::from(promise).await.map_err(failed)?);
    Ok(format!("v1.{name}.{}", URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat())))
}

/// Decrypts what [`seal`] made, under whichever of `keys` has the name.
pub(super) async fn open(keys: &[&Secret], sealed: &str, context: &str) -> Result<Secret, CryptoError> {
    let broken = || CryptoError("not a sealed text".to_owned());
    let mut parts = sealed.split('.');
    let (Some("v1"), Some(name), Some(text), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(broken());
    };
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| broken())?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE).ok_or_else(broken)?;
    let (_, key) = keys
        .iter()
        .map(|key| data_key(key))
        .find(|(known, _)| known == name)
        .ok_or_else(|| CryptoError("sealed under another key".to_owned()))?;
    let key = aes_key(&key, "decrypt").await?;
    let params = aes_params(nonce, context)?;
    let promise = subtle()?.decrypt_with_object_and_u8_array(&params, &key, sealed).map_err(failed)?;
    let plain = bytes_of(JsFuture::from(promise).await.map_err(failed)?);
    String::from_utf8(plain).map(Secret::new).map_err(|_| broken())
}

/// Signs `data` with a PKCS #8 key in PEM.
pub(super) async fn sign_rs256(pem: &Secret, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let body: String =
        pem.expose().lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
    let der = STANDARD.decode(body).map_err(|_| CryptoError("not a PEM key".to_owned()))?;
    let hash = object(&[("name", "SHA-256".into())])?;
    let algorithm = object(&[("name", "RSASSA-PKCS1-v1_5".into()), ("hash", hash.into())])?;
    let key = import("pkcs8", &der, &algorithm, "sign").await?;
    let promise = subtle()?.sign_with_str_and_u8_array("RSASSA-PKCS1-v1_5", &key, data).map_err(failed)?;
    JsFuture::from(promise).await.map(bytes_of).map_err(failed)
}

async fn aes_key(bytes: &[u8], usage: &str) -> Result<CryptoKey, CryptoError> {
    import("raw", bytes, &object(&[("name", "AES-GCM".into())])?, usage).await
}

fn aes_params(nonce: &[u8], context: &str) -> Result<Object, CryptoError> {
    object(&[
        ("name", "AES-GCM".into()),
        ("iv", Uint8Array::from(nonce).into()),
        ("additionalData", Uint8Array::from(context.as_bytes()).into()),
    ])
}

async fn import(
    format: &str,
    bytes: &[u8],
    algorithm: &Object,
    usage: &str,
) -> Result<CryptoKey, CryptoError> {
    let promise = subtle()?
        .import_key_with_object(
            format,
            &Uint8Array::from(bytes),
            algorithm,
            false,
            &Array::of1(&usage.into()),
        )
        .map_err(failed)?;
    JsFuture::from(promise).await.map_err(failed)?.dyn_into().map_err(failed)
}

fn subtle() -> Result<SubtleCrypto, CryptoError> {
    let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
    scope.crypto().map(|crypto| crypto.subtle()).map_err(failed)
}

fn object(fields: &[(&str, JsValue)]) -> Result<Object, CryptoError> {
    let object = Object::new();
    for (name, value) in fields {
        Reflect::set(&object, &(*name).into(), value).map_err(failed)?;
    }
    Ok(object)
}

fn bytes_of(buffer: JsValue) -> Vec<u8> {
    Uint8Array::new(&buffer).to_vec()
}

/// WebCrypto's errors name the operation, never the data.
fn failed(error: JsValue) -> CryptoError {
    CryptoError(error.dyn_ref::<js_sys::Error>().map_or_else(|| "failed".to_owned(), |e| e.message().into()))
}
