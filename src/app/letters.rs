//! What a mail is when it leaves: written for its tenant, with a link or a code of its own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    domain::{Email, Step, Timestamp, browser},
    ports::Ports,
    store::{
        magic_links::{LINK_SECONDS, NewLink},
        mails::{self as outbox, Addressee, Claimed, Kind},
        notices::Notice,
        proof::Hashes,
    },
    workflow::FailureCode,
};

use super::{
    App, codes, digest, magic_links,
    mail::{
        self, Addressed, ConfirmAddress, Created, Footer, Mail, SecurityEvent, SecurityNotice, SetupFailed,
        SetupFailure, SignIn, SignInMethod, Style, WebhookDisabled, Welcome,
    },
    proof,
    upstream::hmac_sha256,
};

/// A link lives a day; half of that is the least that a mail may leave its reader.
const LINK_YOUNG_SECONDS: i64 = 12 * 3600;

/// A mail as it leaves, and what is in it.
pub(super) struct Letter {
    pub(super) mail: Addressed,
    pub(super) enclosed: Enclosed,
}

/// What a mail lets its reader do, as it is stored.
pub(super) enum Enclosed {
    Nothing,
    /// What signs in.
    Link(NewLink),
    /// What proves the address that it is sent to.
    Proof(Hashes),
}

/// Why a mail can't be written now: a word for the log.
pub(super) struct Unwritten(pub(super) FailureCode);

/// What is sent: the same each time, as long as its link is young and its tenant's row says the same.
pub(super) fn letter<P: Ports>(
    app: &App<P>,
    mail: &Claimed,
    tenant: &Addressee,
) -> Result<Letter, Unwritten> {
    let kind = Kind::named(&mail.kind).ok_or(Unwritten(FailureCode::Misconfigured))?;
    let page = magic_links::page(app, mail.origin.as_deref().unwrap_or_default());
    let (name, page) = (&tenant.name, page.as_deref());
    let data = mail.data();
    let text = |field: &str| data.get(field).and_then(Value::as_str);
    let link = match kind {
        Kind::Welcome | Kind::SignIn | Kind::SetupFailed => Some(link(app, mail, tenant)?),
        Kind::ConfirmAddress | Kind::WebhookDisabled | Kind::SecurityNotice => None,
    };
    let url = link.as_ref().map(|link| link.url.as_str()).unwrap_or_default();
    let code = link.as_ref().and_then(|link| link.code.as_deref());
    let notice = Notice::of(&data);
    let address = tenant.slug.as_ref().map(|slug| app.config().web_address(slug.as_str()));
    let said = match kind {
        Kind::ConfirmAddress => return proof_letter(app, mail, tenant, page),
        Kind::Welcome => Mail::Welcome(Welcome {
            name,
            address: address.as_ref().ok_or(Unwritten(FailureCode::TenantGone))?.as_deref(),
            spreadsheet: tenant.spreadsheet_url.as_deref(),
            trial_ends_at: (!tenant.comped).then_some(Timestamp::from_seconds(tenant.trial_ends_at)),
            link: url,
            page,
        }),
        Kind::SignIn if mail.is_about_new_tenant() => Mail::Created(Created { name, link: url, page }),
        Kind::SignIn => Mail::SignIn(SignIn { name, link: url, code, page }),
        Kind::SetupFailed => {
            let (code, step) =
                (text("reason").and_then(FailureCode::named), text("step").and_then(Step::named));
            Mail::SetupFailed(SetupFailed { name, why: SetupFailure::of(code, step), link: url, page })
        }
        Kind::WebhookDisabled => {
            let (host, since) = (text("host").unwrap_or_default(), text("since"));
            Mail::WebhookDisabled(WebhookDisabled { name, host, since, page })
        }
        Kind::SecurityNotice => {
            let notice = notice.as_ref().ok_or(Unwritten(FailureCode::Misconfigured))?;
            let at = Timestamp::from_seconds(mail.created_at);
            Mail::Security(SecurityNotice { name, event: said_of(notice), at, page })
        }
    };
    let mail = addressed(app, tenant, tenant.email.as_ref(), &said)?;
    let enclosed = link.map_or(Enclosed::Nothing, |link| Enclosed::Link(link.stored));
    Ok(Letter { mail, enclosed })
}

/// A notice in the words of the mail.
fn said_of(notice: &Notice) -> SecurityEvent<'_> {
    match notice {
        Notice::SignedIn { how, browser, platform } => SecurityEvent::SignedIn {
            method: match how.as_str() {
                "link" => Some(SignInMethod::Link),
                "code" => Some(SignInMethod::Code),
                _ => None,
            },
            browser: browser::spoken(browser),
            platform: browser::spoken(platform),
        },
        Notice::SessionEnded => SecurityEvent::SessionEnded { browser: None },
        Notice::AllEnded => SecurityEvent::SignedOutEverywhere,
        Notice::WebhookChanged { host } => SecurityEvent::WebhookChanged { host },
    }
}

/// A mail to the tenant's owner, in the tenant's language and colour.
fn addressed<P: Ports>(
    app: &App<P>,
    tenant: &Addressee,
    to: Option<&Email>,
    mail: &Mail<'_>,
) -> Result<Addressed, Unwritten> {
    let to = to.cloned().ok_or(Unwritten(FailureCode::TenantGone))?;
    let (config, reply_to) = (app.config(), app.config().answers_to());
    let footer = Footer {
        support: reply_to.as_ref().map(Email::as_str),
        terms: config.legal.terms.as_deref(),
        privacy: config.legal.privacy.as_deref(),
        imprint: config.legal.imprint.as_deref(),
    };
    let style = Style { language: tenant.language(), color: tenant.color.as_ref(), footer };
    Ok(Addressed { to, message: mail::render(mail, &style), reply_to })
}

/// A link that signs in, the code beside it, and what is stored of them.
struct Link {
    url: String,
    code: Option<String>,
    stored: NewLink,
}

fn link<P: Ports>(app: &App<P>, mail: &Claimed, tenant: &Addressee) -> Result<Link, Unwritten> {
    let missing = || Unwritten(FailureCode::Misconfigured);
    let issued_at = link_issued_at(app, mail, tenant);
    let id = link_id(app, mail, issued_at).ok_or_else(missing)?;
    let origin = mail.origin.as_deref().unwrap_or_default();
    let url = magic_links::url(app, &mail.tenant_id, issued_at, &id, origin).ok_or_else(missing)?;
    // Only who asked to sign in has a place to type a code.
    let has_code = mail.kind == Kind::SignIn.as_str() && !mail.is_about_new_tenant();
    let code = has_code.then(|| codes::code(app.config(), &mail.id, issued_at)).flatten();
    let code_hash = code.as_deref().and_then(|code| codes::stored(app.config(), code));
    Ok(Link { url, code, stored: NewLink { hash: digest(&[&id]), issued_at, code_hash } })
}

/// What it asks its reader to show is made anew if it has waited for long: the code has its life before it.
fn proof_letter<P: Ports>(
    app: &App<P>,
    mail: &Claimed,
    tenant: &Addressee,
    page: Option<&str>,
) -> Result<Letter, Unwritten> {
    let to = tenant.unproven_email.as_ref().ok_or(Unwritten(FailureCode::TenantGone))?;
    let now = app.ports.now();
    let is_young = |issued_at: &i64| now.seconds() - issued_at <= outbox::CODE_YOUNG_SECONDS;
    let issued_at = mail.link_issued_at.filter(is_young).map_or(now, Timestamp::from_seconds);
    let origin = mail.origin.as_deref().unwrap_or_default();
    let issued = proof::issue(app, &mail.tenant_id, &mail.id, to, issued_at, origin);
    let issued = issued.ok_or(Unwritten(FailureCode::Misconfigured))?;
    let said = Mail::ConfirmAddress(ConfirmAddress { code: issued.code.as_str(), link: &issued.link, page });
    Ok(Letter { mail: addressed(app, tenant, Some(to), &said)?, enclosed: Enclosed::Proof(issued.hashes) })
}

/// A link's own id, which nobody can guess who does not hold the key that signs it anyway. It is not stored: what is stored
/// opens nothing.
fn link_id<P: Ports>(app: &App<P>, mail: &Claimed, issued_at: Timestamp) -> Option<String> {
    let secret = app.config().jwt_secret.as_ref()?;
    let message = format!("magic-link\n{}\n{}", mail.id.as_str(), issued_at.seconds());
    Some(URL_SAFE_NO_PAD.encode(hmac_sha256(secret.expose().as_bytes(), message.as_bytes())))
}

/// When the link is issued that is mailed now: when it was, as long as it is young, and opens anything.
fn link_issued_at<P: Ports>(app: &App<P>, mail: &Claimed, tenant: &Addressee) -> Timestamp {
    let now = app.ports.now();
    // One that lies ahead refuses everything, whenever it was issued.
    let not_before = Some(app.config().jwt_not_before).filter(|moment| *moment <= now.seconds());
    let cutoff = tenant.cutoff.max(not_before.unwrap_or_default());
    let is_good = |issued_at: &i64| now.seconds() - issued_at <= LINK_YOUNG_SECONDS && *issued_at >= cutoff;
    // A cut-off in this very second is a second ahead: what is issued after it must not fall before it.
    Timestamp::from_seconds(mail.link_issued_at.filter(is_good).unwrap_or(now.seconds().max(cutoff)))
}

const _: () = assert!(LINK_YOUNG_SECONDS < LINK_SECONDS);
