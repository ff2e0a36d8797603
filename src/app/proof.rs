//! Proving an address: what is mailed there, and what becomes of what somebody shows.
//!
//! Code and link are made of the mail's id and the moment of issue, under a key that is made of `JWT_SECRET`: nothing that is stored
//! shows them. When the secret is rotated, those that are out prove nothing any more, and another mail does.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    db::{DbError, Statement},
    domain::{Claims, Email, MailId, ProofCode, RunStatus, TenantId, Timestamp},
    ports::{Level, LogLine, Ports},
    store::{
        self, mails as outbox,
        proof::{Hashes, Proven, Shown},
        sessions::{How, NewSession},
        tenants::Tenant,
    },
    workflow::RequestOrigin,
};

use super::{
    App, access,
    access::AccessError,
    magic_links, mails, provisioning,
    sessions::{self, Arrival},
    signups,
    tokens::{NoSigningKey, SIGNUP_TOKEN_SECONDS},
    upstream::hmac_sha256,
};

/// What a mail asks its reader to show, and what is stored of it.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The code.
    pub code: ProofCode,
    /// The link.
    pub link: String,
    /// What is stored.
    pub hashes: Hashes,
}

/// Why nothing was proven.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The code is another one. So many more may be tried.
    #[error("wrong code")]
    WrongCode(u32),
    /// Too many wrong codes were tried.
    #[error("burnt code")]
    BurntCode,
    /// No code is alive.
    #[error("expired code")]
    ExpiredCode,
    /// It is no link of ours, or not any more.
    #[error("invalid link")]
    InvalidLink,
    /// Another tenant has proven the address.
    #[error("email exists")]
    EmailExists,
    /// The address is proven already.
    #[error("already proven")]
    AlreadyProven,
    /// There is no such tenant.
    #[error("tenant not found")]
    NotFound,
    /// Another mail may be had after so many seconds.
    #[error("too soon")]
    TooSoon(u32),
    /// The address was corrected too often.
    #[error("too often")]
    TooOften,
    /// Nothing can be signed.
    #[error(transparent)]
    NoSigningKey(#[from] NoSigningKey),
    /// The token does not admit its holder any more, or the database did not answer.
    #[error(transparent)]
    Access(#[from] AccessError),
}

impl From<DbError> for ProofError {
    fn from(error: DbError) -> Self {
        Self::Access(error.into())
    }
}

/// A tenant whose address was just proven, and its owner's token.
#[derive(Debug)]
pub struct Confirmed {
    /// The tenant.
    pub tenant: Proven,
    /// Good for a year, or its sign-in's.
    pub token: String,
}

/// What proves addresses: none if nothing can be signed.
struct ProofKey(Vec<u8>);

impl ProofKey {
    fn of<P: Ports>(app: &App<P>) -> Option<Self> {
        let secret = app.config().jwt_secret.as_ref()?;
        Some(Self(hmac_sha256(secret.expose().as_bytes(), b"email-proof")))
    }

    fn mac(&self, parts: &[&str]) -> Vec<u8> {
        hmac_sha256(&self.0, parts.join("\n").as_bytes())
    }

    fn text(&self, parts: &[&str]) -> String {
        URL_SAFE_NO_PAD.encode(self.mac(parts))
    }

    fn code(&self, mail: &str, address: &str, issued_at: &str) -> ProofCode {
        let mac = self.mac(&["code", mail, address, issued_at]);
        ProofCode::of(mac.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte)))
    }

    fn stored_code(&self, tenant: &TenantId, code: &ProofCode) -> String {
        self.text(&["stored code", tenant.as_str(), code.as_str()])
    }

    fn stored_link(&self, tenant: &TenantId, secret: &str) -> String {
        self.text(&["stored link", tenant.as_str(), secret])
    }
}

/// The code and the link of a mail that is issued at this moment: the same for the same arguments. None when nothing can be signed, or
/// nobody says where links lead.
pub fn issue<P: Ports>(
    app: &App<P>,
    tenant: &TenantId,
    mail: &MailId,
    address: &Email,
    issued_at: Timestamp,
    origin: &str,
) -> Option<Issued> {
    let key = ProofKey::of(app)?;
    let base = magic_links::base(app, origin)?;
    let (mail, to, at) = (mail.as_str(), address.as_str(), issued_at.seconds().to_string());
    let code = key.code(mail, to, &at);
    let secret = key.text(&["link", mail, to, &at]);
    let hashes = Hashes {
        link: key.stored_link(tenant, &secret),
        code: key.stored_code(tenant, &code),
        issued_at,
        mailbox: key.text(&["mailbox", &address.mailbox()]),
    };
    Some(Issued { code, link: format!("{base}/proof/#token={tenant}.{secret}"), hashes })
}

/// Proves the address of the caller's tenant by a code. Of any number of attempts one gets the token.
pub async fn by_code<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    code: &ProofCode,
    arrival: &Arrival<'_>,
) -> Result<Confirmed, ProofError> {
    let key = ProofKey::of(app).ok_or(NoSigningKey)?;
    let shown = Shown::Code(key.stored_code(tenant, code));
    let (session, signed_in) = sign_in(app, tenant, arrival);
    let prove = store::proof::prove(tenant, &shown, signed_in, app.ports.now());
    let batch = (prove, store::tenants::by_id(tenant));
    let ((promoted, _, proven), row) = access::on_behalf_of(app, claims, batch).await?;
    let proven = proven.ok_or(ProofError::NotFound)?;
    if promoted.has_changed() {
        return confirmed(app, proven, row, session, arrival).await;
    }
    let error = match proven {
        Proven { is_unproven: false, .. } => ProofError::AlreadyProven,
        Proven { is_shown: true, is_taken: true, .. } => ProofError::EmailExists,
        Proven { tries_left: None, .. } => ProofError::ExpiredCode,
        Proven { tries_left: Some(0), .. } => ProofError::BurntCode,
        Proven { tries_left: Some(left), .. } => ProofError::WrongCode(left),
    };
    let line = LogLine::new(Level::Info, "email_proof_refused").with("tenantId", tenant.as_str());
    app.log(line.with("error", error.to_string()));
    Err(error)
}

/// Proves the address of a tenant by the link that was mailed there, for whoever has it.
pub async fn by_link<P: Ports>(
    app: &App<P>,
    token: &str,
    arrival: &Arrival<'_>,
) -> Result<Confirmed, ProofError> {
    let key = ProofKey::of(app).ok_or(NoSigningKey)?;
    let (tenant, secret) = token.split_once('.').ok_or(ProofError::InvalidLink)?;
    let tenant = TenantId::try_from(tenant.to_owned()).map_err(|_| ProofError::InvalidLink)?;
    let shown = Shown::Link(key.stored_link(&tenant, secret));
    let (session, signed_in) = sign_in(app, &tenant, arrival);
    let prove = store::proof::prove(&tenant, &shown, signed_in, app.ports.now());
    let batch = (prove, store::tenants::by_id(&tenant));
    let ((promoted, _, proven), row) = crate::db::Db::ask(app.ports.db(), batch).await?;
    match proven {
        Some(proven) if promoted.has_changed() => confirmed(app, proven, row, session, arrival).await,
        Some(Proven { is_shown: true, is_taken: true, .. }) => Err(ProofError::EmailExists),
        _ => Err(ProofError::InvalidLink),
    }
}

/// The sign-in that the proof is to a page of ours, and what writes it down. A token that lives for a year is none.
fn sign_in<P: Ports>(
    app: &App<P>,
    tenant: &TenantId,
    arrival: &Arrival<'_>,
) -> (Option<NewSession>, Vec<Statement>) {
    let session = arrival.is_cookie.then(|| sessions::begin(app, How::Proof, arrival));
    let written = session.iter().flat_map(|session| {
        [session.by_proof(tenant)].into_iter().chain(sessions::tell(app, session, &arrival.caller))
    });
    let written = written.collect();
    (session, written)
}

/// The owner's token, and the start of what waited for the proof. That is stored: an object that does not answer hears of it from
/// the sweep.
async fn confirmed<P: Ports>(
    app: &App<P>,
    proven: Proven,
    row: Option<Tenant>,
    session: Option<NewSession>,
    arrival: &Arrival<'_>,
) -> Result<Confirmed, ProofError> {
    app.log(
        LogLine::new(Level::Info, "email_proven")
            .with("tenantId", proven.id.as_str())
            .with("wanted", proven.is_wanted),
    );
    // A cut-off in this very second is a second ahead: what is issued after it must not fall before it.
    let issued_at = app.ports.now().max(Timestamp::from_seconds(proven.tokens_valid_after));
    let (tenant, user) = (&proven.id, &proven.owner_user_id);
    let token = match session {
        Some(session) => sessions::token(app, &session, tenant, user, issued_at)?,
        None => signups::new_tenant_token(app, tenant, user, Some(SIGNUP_TOKEN_SECONDS), issued_at)?,
    };
    start_if_wanted(app, proven.is_wanted, row, arrival.caller.clone()).await;
    Ok(Confirmed { tenant: proven, token })
}

/// Tells the object of a tenant that waited for the proof.
pub(super) async fn start_if_wanted<P: Ports>(
    app: &App<P>,
    is_wanted: bool,
    row: Option<Tenant>,
    caller: RequestOrigin,
) {
    let Some(tenant) = row.filter(|row| is_wanted && row.provisioning() == RunStatus::Processing) else {
        return;
    };
    if let Err(error) = provisioning::send_command(app, &tenant, caller).await {
        let line = LogLine::new(Level::Warn, "tenant_provision_not_told");
        app.log(line.with("tenantId", tenant.id().as_str()).with("error", error.to_string()));
    }
}

/// Mails another code and link to the address of the caller's tenant, after a pause.
pub async fn send_again<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    caller: &RequestOrigin,
) -> Result<(), ProofError> {
    let now = app.ports.now();
    let mail = MailId::new(now, app.ports.random());
    let batch = (outbox::proof_obstacle(tenant), outbox::confirm_again(tenant, &mail, None, caller, now));
    let (obstacle, [wanted, ..]) = access::on_behalf_of(app, claims, batch).await?;
    let obstacle = obstacle.ok_or(ProofError::NotFound)?;
    if wanted.has_changed() {
        mails::send_later(app, tenant);
        return Ok(());
    }
    let pause = obstacle.link_mailed_at + outbox::PROOF_PAUSE_SECONDS - now.seconds();
    Err(match u32::try_from(pause) {
        _ if !obstacle.is_unproven => ProofError::AlreadyProven,
        Ok(seconds @ 1..) => limited(app, ProofError::TooSoon(seconds)),
        _ => limited(app, ProofError::TooOften),
    })
}

/// As of every other limit, the log hears of a no.
fn limited<P: Ports>(app: &App<P>, error: ProofError) -> ProofError {
    app.log(LogLine::new(Level::Warn, "rate_limited").with("limit", "proof"));
    error
}

/// Corrects the address of the caller's tenant, and mails a code and a link there. Answers the address.
pub async fn correct<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    email: &Email,
    caller: &RequestOrigin,
) -> Result<Email, ProofError> {
    let now = app.ports.now();
    let mail = MailId::new(now, app.ports.random());
    let (change, corrected) = store::proof::correct(tenant, email, now);
    let batch = (change, outbox::confirm_again(tenant, &mail, Some(email), caller, now), corrected);
    let ([_, changed, _], _, corrected) = access::on_behalf_of(app, claims, batch).await?;
    let corrected = corrected.ok_or(ProofError::NotFound)?;
    if changed.has_changed() {
        app.log(LogLine::new(Level::Info, "email_corrected").with("tenantId", tenant.as_str()));
        mails::send_later(app, tenant);
    }
    match corrected.email {
        _ if !corrected.is_unproven => Err(ProofError::AlreadyProven),
        Some(address) if address == *email => Ok(address),
        _ if corrected.is_too_often => Err(limited(app, ProofError::TooOften)),
        _ if corrected.is_taken => Err(ProofError::EmailExists),
        _ => Err(DbError::Corrupt("an address was not corrected for no reason".to_owned()).into()),
    }
}
