//! Where a run stands, as callers are told: from the object's checkpoint, or from the projection in D1.

use serde::{Deserialize, Serialize};

use crate::domain::{Plan, RunId, RunStatus, Step, StepStatus, Timestamp, UndoStatus};

use super::{PermanentError, Run, Stage, Track, TransientError};

/// A code for programs and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema), schema(as = ErrorSummary))]
pub struct ErrorSummary {
    /// The code.
    pub code: String,
    /// The message.
    pub message: String,
}

impl From<&PermanentError> for ErrorSummary {
    fn from(failure: &PermanentError) -> Self {
        Self { code: failure.code.as_str().to_owned(), message: failure.message.clone() }
    }
}

impl From<&TransientError> for ErrorSummary {
    fn from(fault: &TransientError) -> Self {
        Self { code: fault.code.as_str().to_owned(), message: fault.code.message().to_owned() }
    }
}

/// Where one step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step.
    pub name: Step,
    /// Its state.
    pub status: StepStatus,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first tried.
    pub started_at: Option<Timestamp>,
    /// When it was done.
    pub completed_at: Option<Timestamp>,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// What went wrong last.
    pub error: Option<ErrorSummary>,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// Its plan.
    pub plan: Plan,
    /// Its state.
    pub status: RunStatus,
    /// How many changes were recorded: an answer that carries the same number is the same.
    pub version: u64,
    /// The step it is at.
    pub step: Option<Step>,
    /// Its steps, in order.
    pub steps: Vec<StepReport>,
    /// Why it failed.
    pub failure: Option<ErrorSummary>,
    /// What it left undone without failing.
    pub warnings: Vec<ErrorSummary>,
    /// When it was queued.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// When it goes on without anyone asking, if it failed for an outage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_at: Option<Timestamp>,
    /// Where undoing it stands, once that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoStatus>,
}

impl Report {
    /// From the checkpoint.
    pub fn of(run: &Run) -> Self {
        let Track { stage, records, queued_at, .. } = &run.doing;
        Self {
            run: run.id.clone(),
            plan: run.plan,
            status: run.status(),
            version: run.version,
            step: run.current(),
            steps: records.iter().map(|record| step_report(run, record)).collect(),
            failure: stage.failure().map(Into::into),
            warnings: records.iter().filter_map(|r| r.warning.as_ref().map(Into::into)).collect(),
            started_at: *queued_at,
            ended_at: stage.ended_at(),
            resume_at: run.resume_at(),
            undo: run.undo_status(),
        }
    }
}

fn step_report(run: &Run, record: &super::Record) -> StepReport {
    let (retry_at, error) = match &run.doing.stage {
        Stage::Waiting { step, until, fault } if *step == record.step => (Some(*until), Some(fault.into())),
        Stage::Failed { step, failure, .. } if *step == record.step => (None, Some(failure.into())),
        _ => (None, record.warning.as_ref().map(Into::into)),
    };
    StepReport {
        name: record.step,
        status: run.step_status(record),
        attempts: record.attempts,
        started_at: record.started_at,
        completed_at: record.done_at,
        retry_at,
        error,
    }
}
