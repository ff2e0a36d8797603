//! Pausing provisioning whole: before a restore, a migration, or while something is looked into. Runs and removals stop before
//! their next call to external services and wait; what is queued meanwhile is stored and waits too.

use crate::{
    domain::Claims,
    ports::Ports,
    store::{self, flags::PauseScope},
};

use super::{App, access, access::AccessError};

/// What the audit log says was paused.
pub(super) const SUBJECT: &str = "provisioning";
/// The word in the audit log for a pause, whoever made it.
pub const PAUSE: &str = "provisioning.pause";
/// The word in the audit log for its end.
pub const RESUME: &str = "provisioning.resume";

/// Pauses provisioning whole, for a reason. Answers whether it was on.
pub async fn pause<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    reason: &str,
    request: &str,
) -> Result<bool, AccessError> {
    let audit_context = access::audit_context(app, claims, reason, request);
    let audit = store::audit::write(&audit_context, PAUSE, SUBJECT);
    let pause = store::flags::pause(PauseScope::Provisioning, audit_context.now);
    let [_, paused] = access::on_behalf_of(app, claims, [audit, pause]).await?;
    Ok(paused.has_changed())
}

/// Ends a pause, for a reason. Answers whether there was one.
pub async fn resume<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    reason: &str,
    request: &str,
) -> Result<bool, AccessError> {
    let audit_context = access::audit_context(app, claims, reason, request);
    let audit = store::audit::write(&audit_context, RESUME, SUBJECT);
    let [_, resumed] =
        access::on_behalf_of(app, claims, [audit, store::flags::resume(audit_context.now)]).await?;
    Ok(resumed.has_changed())
}
