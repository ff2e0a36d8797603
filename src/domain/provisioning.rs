//! The words of provisioning: steps, states, reasons. They are stored, answered and filtered by, so each is pinned.

use super::{Plan, issue::Problem, words};

words! {
    /// One step of provisioning.
    #[derive(PartialOrd, Ord, Hash)]
    Step {
        /// Default brand and welcome content.
        SeedDefaults = "seed_defaults",
        /// The club's address.
        ConfigureRouting = "configure_routing",
        /// A signed ping to the club's Make scenario.
        ValidateWebhook = "validate_webhook",
        /// The club's spreadsheet, made by Apps Script.
        CreateSpreadsheet = "create_spreadsheet",
        /// The spreadsheet read back.
        VerifySpreadsheet = "verify_spreadsheet",
        /// The person who signed up becomes the owner.
        CreateOwner = "create_owner",
        /// A mail with a link to sign in.
        SendWelcomeEmail = "send_welcome_email",
        /// The club goes live.
        Activate = "activate",
    }
}

/// The word of a step that this version knows, as somebody sends it.
impl TryFrom<String> for Step {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self, Problem> {
        let problem = || Problem::new("invalid_value", "Use the word of a step, like validate_webhook.");
        Self::named(&text).ok_or_else(problem)
    }
}

impl Step {
    /// The steps of a plan, in their order.
    #[must_use]
    pub const fn of(plan: Plan) -> &'static [Self] {
        match plan {
            Plan::Starter => &[
                Self::SeedDefaults,
                Self::ConfigureRouting,
                Self::ValidateWebhook,
                Self::CreateOwner,
                Self::SendWelcomeEmail,
                Self::Activate,
            ],
            Plan::Pro => &[
                Self::SeedDefaults,
                Self::ConfigureRouting,
                Self::CreateSpreadsheet,
                Self::VerifySpreadsheet,
                Self::CreateOwner,
                Self::SendWelcomeEmail,
                Self::Activate,
            ],
        }
    }
}

/// One piece of a run's work: doing a step, or undoing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// The step.
    Do(Step),
    /// What the step left is removed.
    Undo(Step),
}

impl Task {
    /// Its step.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::Do(step) | Self::Undo(step) => step,
        }
    }

    /// Whether it undoes.
    #[must_use]
    pub const fn is_undo(self) -> bool {
        matches!(self, Self::Undo(_))
    }
}

words! {
    /// Where undoing a run stands.
    UndoStatus {
        /// At work, or waiting to try again.
        Undoing = "undoing",
        /// What was made is gone, and the club's name and address are free.
        Undone = "undone",
        /// Something could not be removed: an operator tries again, or leaves it.
        CompensationFailed = "compensation_failed",
    }
}

words! {
    /// Where a tenant's provisioning stands.
    RunStatus {
        /// Not queued yet.
        Pending = "pending",
        /// At work, or waiting to try again.
        Processing = "processing",
        /// Done.
        Completed = "completed",
        /// Given up, with a reason.
        Failed = "failed",
    }
}

words! {
    /// Where one step stands.
    StepStatus {
        /// Not begun.
        Pending = "pending",
        /// At work, or waiting to try again.
        Running = "running",
        /// Done: it never runs again.
        Completed = "completed",
        /// Given up.
        Failed = "failed",
        /// Left out.
        Skipped = "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_stored_under_these_words() {
        let words: Vec<String> = Step::ALL.iter().map(|s| serde_json::to_string(s).unwrap()).collect();
        assert_eq!(
            words.join(" "),
            r#""seed_defaults" "configure_routing" "validate_webhook" "create_spreadsheet" "verify_spreadsheet" "create_owner" "send_welcome_email" "activate""#
        );
        assert!(Step::ALL.iter().all(|s| serde_json::to_string(s).unwrap() == format!("\"{}\"", s.as_str())));
    }

    #[test]
    fn every_plan_ends_by_going_live() {
        for plan in [Plan::Starter, Plan::Pro] {
            assert_eq!(Step::of(plan).first(), Some(&Step::SeedDefaults));
            assert_eq!(Step::of(plan).last(), Some(&Step::Activate));
        }
    }
}
