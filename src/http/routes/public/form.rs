//! The first step of the signup without JavaScript: a form posts, a page answers.
//!
//! The same use case as the API's, the same rules, the same words; what was typed comes back with what is wrong beside it.

use axum::{
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, html};

use crate::{
    app::{self, App},
    domain::{Language, proof::EmailProof},
    http::{
        body::Fields,
        context::Context,
        error::{ApiError, CHECK_INPUT},
        same_origin::is_cross_site,
    },
    ports::Ports,
};

use super::{pages, signups};

/// What the page may do: nothing but show itself, and post again.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The fields, and what stands before them.
const FIELDS: [(&str, &str, &str); 4] = [
    ("clubName", "Club name", "text"),
    ("clubSlug", "Address of your club", "text"),
    ("email", "Your e-mail address", "email"),
    ("promoCode", "Promo code (optional)", "text"),
];
/// The plans, and what stands behind them.
const PLANS: [(&str, &str); 2] = [
    ("starter", "Starter: with your own Make scenario"),
    ("pro", "Pro: with a spreadsheet that we set up for you"),
];

/// `POST /public/signup/form`
#[worker::send]
pub async fn submit<P: Ports>(app: App<P>, context: Context, request: Request) -> Response {
    if is_cross_site(request.headers(), &context.origin) {
        let refused = signups::grant(&app, &context, Err(ApiError::cross_site())).await;
        return refused.map_or_else(|error| again(&app, &Fields::default(), error), |_| done(&app));
    }
    let accepted = signups::language_of(request.headers());
    match Fields::of_form(request).await {
        Ok(fields) => {
            let typed = fields.clone();
            match sign_up(&app, &context, fields, accepted).await {
                Ok(()) => done(&app),
                // The link that it leads to is the same.
                Err(error) if error.code == "ALREADY_SIGNED_UP" => done(&app),
                Err(error) => again(&app, &typed, error),
            }
        }
        Err(error) => again(&app, &Fields::default(), error),
    }
}

/// Whoever has no script gets on by the mailed link, where there is one: everything after this step needs it.
fn done<P: Ports>(app: &App<P>) -> Response {
    let is_proven = app.config().email_proof == EmailProof::Off;
    let content = html! {
        @if is_proven {
            p { "Your club is set up on our side, and its name is yours. We have mailed you a link." }
        } @else {
            p { "We have mailed you a link, to confirm that the address is yours. Until then the name is kept for your club, for three days." }
        }
        p {
            "Open the link on a phone or computer with JavaScript to "
            @if !is_proven { "confirm your address with one press, " }
            "choose your colours and connect your club: nothing of that works without it. "
            "The link works once, and for 24 hours; "
            a href="/magic/" { "you can ask for a new one" } " at any time."
        }
    };
    page(app, StatusCode::OK, "Check your mail", &content)
}

/// The form once more, with what is wrong.
fn again<P: Ports>(app: &App<P>, typed: &Fields, mut error: ApiError) -> Response {
    // What is wrong with a field stands beside it.
    if !error.issues.is_empty() {
        CHECK_INPUT.clone_into(&mut error.message);
    }
    // The message is about a box to tick, which stands on no page without JavaScript.
    if error.code == "TURNSTILE_FAILED" {
        error.message = WITHOUT_WIDGET.to_owned();
    }
    page(app, error.status, "Set up your club", &form(typed, Some(&error)))
}

async fn sign_up<P: Ports>(
    app: &App<P>,
    context: &Context,
    fields: Fields,
    accepted: Language,
) -> Result<(), ApiError> {
    let granted = signups::grant(app, context, signups::read_start(fields, None, accepted)).await?;
    // Without a script there is nobody to keep the token: the owner gets a link instead. One is on its way if it proves the address.
    if !granted.tenant.email_proven {
        return Ok(());
    }
    let tenant = Some(granted.tenant.id.as_str());
    app::magic_links::start(app, Some(&granted.tenant.email), tenant, &context.caller()).await?;
    Ok(())
}

const WITHOUT_WIDGET: &str = "Nothing was created: we check that a person sends this form, and that needs JavaScript. Please \
    switch JavaScript on, or take another browser, and open our page once more.";

fn form(typed: &Fields, error: Option<&ApiError>) -> Markup {
    let chosen = typed.text("plan");
    let chosen = if chosen.is_empty() { "starter" } else { &chosen };
    html! {
        @if let Some(error) = error {
            p class="box" role="alert" { (error.message) }
            @if error.status == StatusCode::FORBIDDEN {
                p { a href="/" { "Open the page" } }
            }
        }
        form action="/public/signup/form" method="post" {
            @for (name, label, kind) in FIELDS {
                (field(name, label, kind, &typed.text(name), problem(name, error)))
            }
            fieldset class="field" {
                legend { "Plan" }
                @for (plan, words) in PLANS {
                    p { label { input type="radio" name="plan" value=(plan) checked[chosen == plan]; " " (words) } }
                }
                (hint("plan", problem("plan", error)))
            }
            p { button class="primary" type="submit" { "Create the club" } }
        }
    }
}

fn field(name: &str, label: &str, kind: &str, value: &str, problem: Option<&str>) -> Markup {
    let direction = (name == "clubName").then_some("auto");
    let invalid = problem.map(|_| "true");
    html! {
        div class="field" {
            label for=(name) { (label) }
            input id=(name) name=(name) type=(kind) dir=[direction] value=(value)
                aria-describedby={ (name) "-error" } aria-invalid=[invalid];
            (hint(name, problem))
        }
    }
}

fn hint(name: &str, problem: Option<&str>) -> Markup {
    html! { p class="error" id={ (name) "-error" } { (problem.unwrap_or_default()) } }
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

fn page<P: Ports>(app: &App<P>, status: StatusCode, title: &str, content: &Markup) -> Response {
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="same-origin";
                title { (title) " · Tenantry" }
                link rel="icon" href="/favicon.svg";
                link rel="stylesheet" href="/css/page.css";
            }
            body {
                header class="top" {
                    a class="wordmark" href="/" { "Tenantry" }
                    a class="sign-in" href="/magic/" { "Sign in" }
                }
                main id="main" {
                    div class="intro" { h1 { (title) } }
                    div class="sheet" { (content) }
                }
                (pages::footer(app.config(), false))
            }
        }
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
    ];
    (status, headers, html.into_string()).into_response()
}
