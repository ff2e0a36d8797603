//! Mails to people of a tenant who are not its first owner, or may become some.

use crate::{
    db::{Db, DbError, Statement, columns},
    domain::{Email, TeamRole},
};

use super::Claimed;

/// An invitation as its mail tells it.
#[derive(Debug, Clone)]
pub struct Invited {
    /// Who is invited.
    pub email: Email,
    /// As what.
    pub role: TeamRole,
    /// What the inviter says.
    pub message: Option<String>,
    /// `open`, `used` or `revoked`.
    pub state: String,
    /// Which mail's link counts.
    pub version: u32,
    /// When it is too late, Unix seconds.
    pub expires_at: i64,
    /// How the inviter is called.
    pub inviter_name: Option<String>,
    /// Where they get mail.
    pub inviter_email: Option<Email>,
}

columns! { Invited: email, role, message, state, version, expires_at, inviter_name, inviter_email }

/// Counts an attempt that is about to leave, and remembers what its link has, hashed. Answers whether it may: not if somebody else has
/// claimed it since, if the invitation was taken back or mailed again, or if the tenant was stopped.
pub async fn begin_invitation(db: &impl Db, mail: &Claimed, hash: &str) -> Result<bool, DbError> {
    let attempt = Statement::new(
        "update mails set attempts = attempts + 1
         where tenant_id = ?1 and kind = ?2 and key = ?3 and claims = ?4 and status = 'pending'
           and exists (select 1 from tenants where id = ?1 and status in ('trial', 'active') and undo_state is null)
           and exists (select 1 from invitations i where i.id = mails.data ->> 'invitation' and i.state = 'open'
             and i.version = mails.data ->> 'version')",
        [
            mail.tenant_id.as_str().into(),
            mail.kind.as_str().into(),
            mail.key.as_str().into(),
            mail.claims.into(),
        ],
    );
    let remember = Statement::new(
        "insert into invitation_links (hash, invitation_id, version)
         select ?5, i.id, i.version from mails m join invitations i on i.id = m.data ->> 'invitation'
         where m.tenant_id = ?1 and m.kind = ?2 and m.key = ?3 and m.claims = ?4 and m.status = 'pending' and i.state = 'open'
           and i.version = m.data ->> 'version' on conflict do nothing",
        [
            mail.tenant_id.as_str().into(),
            mail.kind.as_str().into(),
            mail.key.as_str().into(),
            mail.claims.into(),
            hash.into(),
        ],
    );
    db.ask((attempt, remember)).await.map(|(begun, _)| begun.has_changed())
}
