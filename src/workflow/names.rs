//! How a run is known: to upstreams by its keys, in the log by its fields.

use crate::domain::{Step, Task};

use super::{Run, breaker::Requester};

impl Run {
    /// Who asks an upstream while an attempt at `task` is out. One that was not asked does not count as an attempt of its round.
    pub fn requester(&self, task: Task) -> Requester<'_> {
        let track = if task.is_undo() { self.undoing.as_ref() } else { Some(&self.doing) };
        let tries = track.map_or(0, |track| track.attempts_since_queued(task.step()));
        Requester { id: self.id.as_str(), tenant: Some(&self.subject.tenant), has_failed: tries > 1 }
    }

    /// The key under which every attempt at `step` is recognised outside.
    pub fn idempotency_key(&self, step: Step) -> String {
        format!("{}/{}", self.id, step.as_str())
    }

    /// The key under which every attempt at undoing `step` is recognised outside.
    pub fn undo_key(&self, step: Step) -> String {
        format!("{}/undo_{}", self.id, step.as_str())
    }

    /// The fields of every line that the run logs.
    pub fn scope(&self) -> Vec<(&'static str, String)> {
        let trace = self.caller.traceparent.as_deref().and_then(|t| t.split('-').nth(1));
        [("tenantId", self.subject.tenant.to_string()), ("runId", self.id.to_string())]
            .into_iter()
            .chain(self.caller.request.clone().map(|request| ("requestId", request)))
            .chain(trace.map(|trace| ("traceId", trace.to_owned())))
            .collect()
    }
}
