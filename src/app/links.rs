//! Mailed links: a token in the fragment of an address, which no server log sees, exchanged once.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    db::DbError,
    domain::{Audience, Email, TenantId, Timestamp},
    ports::{Level, LogLine, Ports},
    store::{
        self,
        links::{LINK_SECONDS, Owner, SignedIn},
    },
};

use super::{
    App, digest,
    mail::{Mail, MailError},
    tokens::{LINK_TOKEN_SECONDS, NoKey},
};

/// The pauses between attempts at mailing a link.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Why a link was not mailed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Nothing can be signed.
    #[error(transparent)]
    NoKey(#[from] NoKey),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

/// Why a link was not exchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It is no link of ours, or not any more: expired, spent, or of a stopped club.
    #[error("invalid link")]
    Invalid,
    /// Nothing can be signed.
    #[error(transparent)]
    NoKey(#[from] NoKey),
    /// The database did not answer.
    #[error(transparent)]
    Db(#[from] DbError),
}

impl<P: Ports> App<P> {
    /// Fresh randomness for a link's own id.
    pub fn new_link_id(&self) -> String {
        let bytes: [u8; 32] = self.ports.random();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The address of a link: the same for the same arguments.
    ///
    /// # Errors
    ///
    /// When nothing can be signed.
    pub fn link_url(
        &self,
        tenant: &TenantId,
        issued_at: Timestamp,
        link_id: &str,
        origin: &str,
    ) -> Result<String, NoKey> {
        let token = self.settings.keys.link_token(tenant, issued_at, LINK_SECONDS, link_id)?;
        let base = match self.config().admin_console_url.as_str() {
            "" => origin,
            configured => configured,
        };
        Ok(format!("{base}/magic/#token={token}"))
    }

    /// Mails a link to the owner of this address, if there is one. The caller learns nothing: the same work is done
    /// for a known and an unknown address, and the mail goes after the answer.
    ///
    /// # Errors
    ///
    /// When the database doesn't answer, or nothing can be signed.
    pub async fn start_link(
        &self,
        email: &Email,
        tenant: Option<&TenantId>,
        origin: &str,
    ) -> Result<(), StartError> {
        // Asked before anything is written: a service that can't sign must not start the pause.
        self.settings.keys.can_sign()?;
        let now = self.ports.now();
        let link_id = self.new_link_id();
        let hash = digest(&[&link_id]);
        let owner = store::links::issue(self.ports.db(), email, tenant, &hash, now).await?;
        // Signed for nobody, too: as much work for an unknown address as for a known one.
        let nobody = TenantId::new(now, self.ports.random());
        let addressee = owner.as_ref().map_or(&nobody, |owner| &owner.id);
        let link = self.link_url(addressee, now, &link_id, origin)?;
        if let Some(owner) = owner {
            self.mail_later(owner, &link, hash);
        }
        Ok(())
    }

    fn mail_later(&self, owner: Owner, link: &str, hash: String) {
        let mail = Mail::sign_in(&owner.name, &owner.email, link);
        let app = self.clone();
        self.ports.defer(async move {
            let sent = app.send_link(&mail, &format!("link/{hash}")).await;
            app.log(
                LogLine::new(if sent.is_ok() { Level::Info } else { Level::Error }, "link_mailed")
                    .with("tenantId", owner.id.as_str())
                    .with_some("error", sent.err().map(|e| format!("{e:?}"))),
            );
        });
    }

    /// Tries a few times within what the platform grants after an answer: whoever asked waits at their inbox.
    async fn send_link(&self, mail: &Mail, key: &str) -> Result<(), MailError> {
        for pause in PAUSES {
            match self.send_mail(mail, key, None).await {
                Err(MailError::Unknown(_)) => self.ports.sleep(pause).await,
                ended => return ended,
            }
        }
        self.send_mail(mail, key, None).await
    }

    /// Exchanges a link for a tenant-admin token, once.
    ///
    /// # Errors
    ///
    /// See [`LinkError`].
    pub async fn verify_link(&self, token: &str) -> Result<(SignedIn, String), LinkError> {
        let now = self.ports.now();
        let claims = self.settings.keys.verify(token, now).map_err(|_| LinkError::Invalid)?;
        if claims.audience != Some(Audience::MagicLink) {
            return Err(LinkError::Invalid);
        }
        let (Some(jti), Some(tenant)) = (claims.jti, claims.tenant) else { return Err(LinkError::Invalid) };
        // Asked before the link is spent.
        self.settings.keys.can_sign()?;
        let hash = digest(&[&jti]);
        let signed_in =
            store::links::consume(self.ports.db(), &hash, now).await?.ok_or(LinkError::Invalid)?;
        let owner = &signed_in.owner;
        if owner.id != tenant {
            return Err(LinkError::Invalid);
        }
        // A cut-off in this very second is a second ahead: what is issued after it must not fall before it.
        let issued_at = now.max(Timestamp::from_seconds(owner.tokens_valid_after));
        let token = self.new_tenant_token(&owner.id, &owner.owner_user_id, LINK_TOKEN_SECONDS, issued_at)?;
        Ok((signed_in, token))
    }
}
