//! The words of provisioning: steps, states, reasons. They are stored, answered and filtered by, so each is pinned.

use serde::{Deserialize, Serialize};

use super::Plan;

/// One step of provisioning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Default brand and welcome content.
    SeedDefaults,
    /// The club's address.
    ConfigureRouting,
    /// A signed ping to the club's Make scenario.
    ValidateWebhook,
    /// The club's spreadsheet, made by Apps Script.
    CreateSpreadsheet,
    /// The spreadsheet read back.
    VerifySpreadsheet,
    /// The person who signed up becomes the owner.
    CreateOwner,
    /// A mail with a link to sign in.
    SendWelcomeEmail,
    /// The club goes live.
    Activate,
}

impl Step {
    /// Every step there is.
    pub const ALL: [Self; 8] = [
        Self::SeedDefaults,
        Self::ConfigureRouting,
        Self::ValidateWebhook,
        Self::CreateSpreadsheet,
        Self::VerifySpreadsheet,
        Self::CreateOwner,
        Self::SendWelcomeEmail,
        Self::Activate,
    ];

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

    /// The step as stored, answered and logged.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SeedDefaults => "seed_defaults",
            Self::ConfigureRouting => "configure_routing",
            Self::ValidateWebhook => "validate_webhook",
            Self::CreateSpreadsheet => "create_spreadsheet",
            Self::VerifySpreadsheet => "verify_spreadsheet",
            Self::CreateOwner => "create_owner",
            Self::SendWelcomeEmail => "send_welcome_email",
            Self::Activate => "activate",
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

/// Where undoing a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum UndoStatus {
    /// At work, or waiting to try again.
    Undoing,
    /// What was made is gone, and the club's name and address are free.
    Undone,
    /// Something could not be removed: an operator tries again, or leaves it.
    CompensationFailed,
}

impl UndoStatus {
    /// The word as stored and answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::CompensationFailed => "compensation_failed",
        }
    }
}

/// Where a tenant's provisioning stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Not queued yet.
    Pending,
    /// At work, or waiting to try again.
    Processing,
    /// Done.
    Completed,
    /// Given up, with a reason.
    Failed,
}

impl RunStatus {
    /// The word as stored and answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

/// Where one step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Not begun.
    Pending,
    /// At work, or waiting to try again.
    Running,
    /// Done: it never runs again.
    Completed,
    /// Given up.
    Failed,
    /// Left out.
    Skipped,
}

impl StepStatus {
    /// The word as stored and answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
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
