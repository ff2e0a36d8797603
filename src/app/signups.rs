//! Signing a tenant up.

use crate::{
    db::DbError,
    domain::{
        Email, Language, MailId, Plan, PromoCode, Slug, TenantId, TenantName, Timestamp, UserId, id,
        promos::PromoProblem, proof::EmailProof, token_id,
    },
    ports::{Level, LogLine, Ports},
    store::{
        self,
        signups::{Claim, SignedUp, Signup, SignupOutcome},
    },
    workflow::RequestOrigin,
};

use super::{
    App, digest, magic_links,
    magic_links::StartError,
    mails,
    tokens::{NoSigningKey, SIGNUP_TOKEN_SECONDS},
    upstream::turnstile,
};

/// What a tenant asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The tenant's name.
    pub name: TenantName,
    /// Its name in addresses.
    pub slug: Slug,
    /// Its owner's address.
    pub email: Email,
    /// The plan.
    pub plan: Plan,
    /// The language of its mails.
    pub language: Language,
    /// A promo code.
    pub promo: Option<PromoCode>,
    /// The `Idempotency-Key` that came with it.
    pub key: Option<String>,
    /// The Turnstile token that came with it.
    pub turnstile: Option<String>,
}

impl Request {
    /// The same request has the same fingerprint, however it was spelled, and in whichever language.
    fn fingerprint(&self) -> String {
        digest(&[
            self.name.as_str(),
            self.slug.as_str(),
            self.email.as_str(),
            self.plan.as_str(),
            self.promo.as_ref().map_or("", PromoCode::as_str),
        ])
    }
}

/// A signup that was granted.
#[derive(Debug)]
pub struct Granted {
    /// The tenant.
    pub tenant: SignedUp,
    /// A token for its owner.
    pub token: String,
    /// Whether it was granted before.
    pub replayed: bool,
}

/// Why a signup was not granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignupError {
    /// The same request was granted before, and its sender gets no token: for want of a key, or after a revocation of the tenant. The
    /// owner gets a link by mail.
    #[error("already signed up")]
    AlreadySignedUp,
    /// The tenant that this request made was removed since.
    #[error("removed")]
    Removed,
    /// Another tenant has the name.
    #[error("slug taken")]
    SlugTaken,
    /// Another tenant has the address.
    #[error("email exists")]
    EmailExists,
    /// The promo code can't be used.
    #[error("promo: {}", .0.as_str())]
    Promo(PromoProblem),
    /// The idempotency key was used for another request.
    #[error("key reused")]
    KeyReused,
    /// A request under this key is at work.
    #[error("in progress")]
    InProgress,
    /// Signups are switched off.
    #[error("disabled")]
    Disabled,
    /// Turnstile does not hold the sender to be a person, or not on our page just now.
    #[error("turnstile: {0}")]
    Turnstile(&'static str),
    /// Turnstile did not answer.
    #[error("turnstile: {0}")]
    TurnstileUnavailable(&'static str),
    /// Nothing can be signed.
    #[error(transparent)]
    NoSigningKey(#[from] NoSigningKey),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl From<StartError> for SignupError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NoSigningKey(error) => Self::NoSigningKey(error),
            StartError::Db(error) => Self::Db(error),
        }
    }
}

/// Signs a tenant up: all of it or nothing, and the same once more for the same request.
pub async fn start<P: Ports>(
    app: &App<P>,
    request: &Request,
    caller: &RequestOrigin,
    client: &str,
) -> Result<Granted, SignupError> {
    let now = app.ports.now();
    let tenant = TenantId::new(now, app.ports.random());
    let owner = UserId::new(now, app.ports.random());
    // Asked before anything is written: a service that can't sign must not burn names.
    app.settings.keys.can_sign()?;
    let signup = Signup {
        tenant,
        owner,
        name: request.name.clone(),
        slug: request.slug.clone(),
        email: request.email.clone(),
        plan: request.plan,
        language: request.language,
        promo: request.promo.clone(),
        fingerprint: request.fingerprint(),
        key: request.key.as_deref().map(|key| digest(&["signup_start", "anyone", key])),
        proof: (app.config().email_proof == EmailProof::Required)
            .then(|| MailId::new(now, app.ports.random())),
        caller: caller.clone(),
        lease: id::token_id(now, app.ports.random()),
        now,
    };
    match decide(app, request, &signup, &caller.origin, client).await? {
        SignupOutcome::Created(tenant) => {
            if !tenant.email_proven {
                mails::send_later(app, &tenant.id);
            }
            let token = token(app, &tenant, now)?;
            Ok(Granted { tenant, token, replayed: false })
        }
        SignupOutcome::ReplayedWithKey(tenant) if tenant.admits_a_repeat(app.config().jwt_not_before) => {
            let token = token(app, &tenant, now)?;
            Ok(Granted { tenant, token, replayed: true })
        }
        SignupOutcome::ReplayedWithKey(tenant) | SignupOutcome::ReplayedWithoutKey(tenant) => {
            magic_links::start(app, Some(&tenant.email), Some(tenant.id.as_str()), caller).await?;
            Err(SignupError::AlreadySignedUp)
        }
        SignupOutcome::Removed => Err(SignupError::Removed),
        SignupOutcome::KeyReused => Err(SignupError::KeyReused),
        SignupOutcome::InProgress => Err(SignupError::InProgress),
        SignupOutcome::Disabled => Err(SignupError::Disabled),
        SignupOutcome::Promo(problem) => Err(SignupError::Promo(problem)),
        SignupOutcome::SlugTaken => Err(SignupError::SlugTaken),
        SignupOutcome::EmailExists => Err(SignupError::EmailExists),
    }
}

/// Decides about a signup. A claim of its key ends with the decision, whichever it is: the same request can be sent again at
/// once. What was granted has taken the claim's place.
async fn decide<P: Ports>(
    app: &App<P>,
    request: &Request,
    signup: &Signup,
    origin: &str,
    client: &str,
) -> Result<SignupOutcome, SignupError> {
    let decided = match check_turnstile(app, request, signup, origin, client).await {
        Ok(()) => store::signups::insert(app.ports.db(), signup).await.map_err(SignupError::from),
        Err(error) => Err(error),
    };
    let granted = matches!(&decided, Ok(SignupOutcome::Created(_) | SignupOutcome::ReplayedWithKey(_)));
    if app.config().turnstile_secret.is_some() && signup.key.is_some() && !granted {
        give_back(app, signup).await;
    }
    decided
}

/// Gives a claim of the signup's key back, if it has one.
async fn give_back<P: Ports>(app: &App<P>, signup: &Signup) {
    if let Err(error) = store::signups::release(app.ports.db(), signup).await {
        // It ends by itself.
        let line = LogLine::new(Level::Warn, "idempotency_key_not_released");
        app.log(line.with("error", error.to_string()));
    }
}

/// A Turnstile token is good once, so the key is looked up first: a replay needs no second token.
async fn check_turnstile<P: Ports>(
    app: &App<P>,
    request: &Request,
    signup: &Signup,
    origin: &str,
    client: &str,
) -> Result<(), SignupError> {
    let Some(secret) = &app.config().turnstile_secret else { return Ok(()) };
    match store::signups::claim(app.ports.db(), signup).await? {
        Claim::Used => return Ok(()),
        Claim::Held => return Err(SignupError::InProgress),
        Claim::Ours => {}
    }
    let verdict = match request.turnstile.as_deref() {
        None => turnstile::TurnstileResult::Nobody("no_token"),
        Some(token) => {
            match app.call(turnstile::verify(secret, token, client, &signup.request_key())).await {
                Ok(response) => {
                    turnstile::classify(&response, &app.config().page_hosts(origin), app.ports.now())
                }
                Err(_) => turnstile::TurnstileResult::Silent("no_answer"),
            }
        }
    };
    match verdict {
        turnstile::TurnstileResult::Person => Ok(()),
        turnstile::TurnstileResult::Nobody(reason) => Err(SignupError::Turnstile(reason)),
        turnstile::TurnstileResult::Silent(reason) => Err(SignupError::TurnstileUnavailable(reason)),
    }
}

/// Until its tenant's address is proven a token lives for a day. A cut-off in this very second is a second ahead: what is issued after it must not fall before it.
fn token<P: Ports>(app: &App<P>, tenant: &SignedUp, now: Timestamp) -> Result<String, NoSigningKey> {
    let issued_at = now.max(Timestamp::from_seconds(tenant.tokens_valid_after));
    let ttl = tenant.email_proven.then_some(SIGNUP_TOKEN_SECONDS);
    new_tenant_token(app, &tenant.id, &tenant.owner_user_id, ttl, issued_at)
}

/// A fresh token for an admin of `tenant`; one without a `ttl` is for a signup whose address is not proven.
pub(super) fn new_tenant_token<P: Ports>(
    app: &App<P>,
    tenant: &TenantId,
    user: &UserId,
    ttl: Option<i64>,
    now: Timestamp,
) -> Result<String, NoSigningKey> {
    let jti = token_id::of_tenant(tenant, &id::token_id(now, app.ports.random()));
    app.settings.keys.tenant_token(tenant, user, ttl, now, &jti)
}
