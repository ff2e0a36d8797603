//! The first step of the signup without JavaScript: a form posts, a page answers.
//!
//! The same use case as the API's, the same rules, the same words; what was typed comes back with what is wrong beside it.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};

use crate::{app::App, ports::Ports};

use super::{body::Fields, context::Context, error::ApiError, same_origin::is_cross_site, signup};

/// What the page may do: nothing but show itself, and post again.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The fields, and what stands before them.
const FIELDS: [(&str, &str, &str); 4] = [
    ("clubName", "Club name", "text"),
    ("clubSlug", "Address of your club", "text"),
    ("email", "Your e-mail address", "email"),
    ("promoCode", "Promo code (optional)", "text"),
];

/// `POST /public/signup/form`
#[worker::send]
pub async fn submit<P: Ports>(app: App<P>, context: Context, request: Request) -> Response {
    if is_cross_site(request.headers(), &context.origin) {
        let refused = signup::grant(&app, &context, Err(ApiError::cross_site())).await;
        return refused.map_or_else(|error| again(&Fields::default(), error), |_| done());
    }
    match Fields::of_form(request).await {
        Ok(fields) => {
            let typed = fields.clone();
            sign_up(&app, &context, fields).await.map_or_else(|error| again(&typed, error), |()| done())
        }
        Err(error) => again(&Fields::default(), error),
    }
}

fn done() -> Response {
    page(StatusCode::OK, "Check your mail", DONE)
}

/// The form once more, with what is wrong.
fn again(typed: &Fields, mut error: ApiError) -> Response {
    // The message is about a box to tick, which stands on no page without JavaScript.
    if error.code == "TURNSTILE_FAILED" {
        error.message = WITHOUT_WIDGET.to_owned();
    }
    page(error.status, "Set up your club", &form(typed, Some(&error)))
}

async fn sign_up<P: Ports>(app: &App<P>, context: &Context, fields: Fields) -> Result<(), ApiError> {
    let granted = signup::grant(app, context, signup::read_start(fields, None)).await?;
    // Without a script there is nobody to keep the token: the owner gets a link instead. A replay has mailed one already.
    if granted.token.is_some() {
        app.start_link(&granted.tenant.email, Some(&granted.tenant.id), &context.caller()).await?;
    }
    Ok(())
}

const WITHOUT_WIDGET: &str = "Nothing was created: we check that a person sends this form, and that needs JavaScript. Please \
    switch JavaScript on, or take another browser, and open our page once more.";

const DONE: &str = "<p>Your club is set up on our side, and its name is yours. We have mailed you a link.</p>\
    <p>Open the link on a phone or computer with JavaScript to choose your colours and connect your club. \
    It works once, and for 24 hours; you can ask for a new one at any time.</p>";

fn form(typed: &Fields, error: Option<&ApiError>) -> String {
    let mut html = String::new();
    if let Some(error) = error {
        html += &format!("<p class=\"box\" role=\"alert\">{}</p>", escape(&error.message));
        if error.status == StatusCode::FORBIDDEN {
            html += "<p><a href=\"/\">Open the page</a></p>";
        }
    }
    html += "<form action=\"/public/signup/form\" method=\"post\">";
    for (name, label, kind) in FIELDS {
        html += &field(name, label, kind, &typed.text(name), problem(name, error));
    }
    let chosen = typed.text("plan");
    html += "<fieldset class=\"field\"><legend>Plan</legend>";
    for (plan, words) in [
        ("starter", "Starter: with your own Make scenario"),
        ("pro", "Pro: with a spreadsheet that we set up for you"),
    ] {
        let checked =
            if chosen == plan || (chosen.is_empty() && plan == "starter") { " checked" } else { "" };
        html += &format!(
            "<p><label><input type=\"radio\" name=\"plan\" value=\"{plan}\"{checked}> {words}</label></p>"
        );
    }
    html += &hint("plan", problem("plan", error));
    html + "</fieldset><p><button class=\"primary\" type=\"submit\">Create the club</button></p></form>"
}

fn field(name: &str, label: &str, kind: &str, value: &str, problem: Option<&str>) -> String {
    let invalid = if problem.is_some() { " aria-invalid=\"true\"" } else { "" };
    let direction = if name == "clubName" { " dir=\"auto\"" } else { "" };
    format!(
        "<div class=\"field\"><label for=\"{name}\">{label}</label>\
         <input id=\"{name}\" name=\"{name}\" type=\"{kind}\"{direction} value=\"{}\" aria-describedby=\"{name}-error\"{invalid}>{}</div>",
        escape(value),
        hint(name, problem),
    )
}

fn hint(name: &str, problem: Option<&str>) -> String {
    format!("<p class=\"error\" id=\"{name}-error\">{}</p>", escape(problem.unwrap_or_default()))
}

/// What is wrong with a field: by its own issue, or by what the code says of it.
fn problem<'a>(name: &str, error: Option<&'a ApiError>) -> Option<&'a str> {
    let error = error?;
    let by_issue =
        error.issues.iter().find(|issue| issue.path.first() == Some(&name)).map(|i| i.message.as_str());
    let by_code = match error.code {
        "SLUG_TAKEN" => name == "clubSlug",
        "EMAIL_EXISTS" => name == "email",
        "INVALID_PROMO" => name == "promoCode",
        _ => false,
    };
    by_issue.or(by_code.then_some(error.message.as_str()))
}

fn page(status: StatusCode, title: &str, content: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"referrer\" content=\"same-origin\"><title>{title} · Tenantry</title><link rel=\"icon\" href=\"/favicon.svg\"><link rel=\"stylesheet\" href=\"/css/page.css\">\
         </head><body><main id=\"main\"><div class=\"intro\"><h1>{title}</h1></div><div class=\"sheet\">{content}</div></main></body></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (status, headers, html).into_response()
}

fn escape(text: &str) -> String {
    crate::app::mail::escape(text)
}
