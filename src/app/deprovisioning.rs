//! Removing a tenant: its tokens die with the request, what was made for it follows, its name and address are free at
//! the end. Its history stays.

use crate::{
    db::Db,
    domain::{Claims, RunId, TenantId, UndoStatus},
    ports::{Level, LogLine, ObjectError, Ports},
    store::{self, tenants::Tenant},
    workflow::{Command, Reply, RequestOrigin},
};

use super::{App, access, access::AccessError};

/// Where removing a tenant stands.
#[derive(Debug, Clone)]
pub struct Removal {
    /// The run that is undone; none while its object could not be reached.
    pub run: Option<RunId>,
    /// Where it stands.
    pub status: UndoStatus,
}

/// Removes a tenant, for a reason; or tries again to remove what could not be. Answers nothing for a tenant that does
/// not exist. The wish is stored: an object that can't be reached hears of it from the sweep. No object knows of a tenant whose address is
/// not proven: that one lapses with the next sweep.
pub async fn start<P: Ports>(
    app: &App<P>,
    claims: &Claims,
    tenant: &TenantId,
    reason: &str,
    request: &str,
    caller: RequestOrigin,
) -> Result<Option<Removal>, AccessError> {
    let now = app.ports.now();
    let audit_context = access::audit_context(app, claims, reason, request);
    let audit = store::audit::write(&audit_context, "tenant.deprovision", tenant.as_str());
    let batch = (audit, store::undo::request_deprovision(tenant, now), store::tenants::by_id(tenant));
    let (.., tenant) = access::on_behalf_of(app, claims, batch).await?;
    let Some(tenant) = tenant else { return Ok(None) };
    if tenant.undo_state == Some(UndoStatus::Undone) {
        return Ok(Some(Removal { run: tenant.run().cloned(), status: UndoStatus::Undone }));
    }
    if tenant.is_unproven() && tenant.run().is_none() {
        return Ok(Some(Removal { run: None, status: UndoStatus::Undoing }));
    }
    Ok(Some(match send_command(app, &tenant, caller).await {
        Ok((run, status)) => Removal { run: Some(run), status },
        Err(error) => {
            let line = LogLine::new(Level::Error, "tenant_deprovision_not_told");
            app.log(line.with("tenantId", tenant.id().as_str()).with("error", error.to_string()));
            Removal { run: tenant.run().cloned(), status: UndoStatus::Undoing }
        }
    }))
}

/// Tells a tenant's object to undo its run, after the wish was stored.
pub(super) async fn send_command<P: Ports>(
    app: &App<P>,
    tenant: &Tenant,
    caller: RequestOrigin,
) -> Result<(RunId, UndoStatus), ObjectError> {
    let command = Command::Undo {
        subject: tenant.subject(),
        plan: tenant.plan,
        caller,
        projected_version: Some(tenant.projected_version()),
        run: tenant.run().cloned(),
    };
    match app.ports.send_command(tenant.id(), &command).await? {
        Reply::Run { report, .. } => {
            app.log(
                LogLine::new(Level::Warn, "tenant_deprovision_queued")
                    .with("tenantId", tenant.id().as_str())
                    .with("runId", report.run.as_str()),
            );
            Ok((report.run, report.undo.unwrap_or(UndoStatus::Undoing)))
        }
        Reply::NoRun => close(app, tenant).await,
        other => Err(ObjectError(format!("undo answered {}", other.word()))),
    }
}

/// D1 let go of the name, and no object knows of a run: nothing is left to remove.
pub(super) async fn close<P: Ports>(
    app: &App<P>,
    tenant: &Tenant,
) -> Result<(RunId, UndoStatus), ObjectError> {
    let closed = app.ports.db().query(store::undo::close(tenant.id(), app.ports.now())).await;
    closed.map_err(|error| ObjectError(error.to_string()))?;
    let run = tenant.run().ok_or_else(|| ObjectError("there is no run".to_owned()))?;
    Ok((run.clone(), UndoStatus::Undone))
}
