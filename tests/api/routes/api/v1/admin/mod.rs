mod stats;
mod tokens_revoke;

use crate::support::{Answer, TestApp, Token};

/// An operator asks for something.
async fn get(app: &TestApp, path: &str) -> Answer {
    app.get(&format!("/api/v1/admin{path}")).token(&Token::operator(app.now()).sign()).send().await
}
