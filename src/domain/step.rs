//! The steps of provisioning: their words, and all that is known of each before it is performed.

use std::time::Duration;

use super::{Plan, field_errors::InvalidValue, words};

words! {
    /// One step of provisioning.
    #[derive(PartialOrd, Ord, Hash)]
    Step {
        /// Default brand and welcome content.
        SeedDefaults = "seed_defaults",
        /// The tenant's address.
        ConfigureRouting = "configure_routing",
        /// A signed ping to the tenant's Make scenario.
        ValidateWebhook = "validate_webhook",
        /// The tenant's spreadsheet, made by Apps Script.
        CreateSpreadsheet = "create_spreadsheet",
        /// The spreadsheet read back.
        VerifySpreadsheet = "verify_spreadsheet",
        /// The person who signed up becomes the owner.
        CreateOwner = "create_owner",
        /// A mail with a link to sign in.
        SendWelcomeEmail = "send_welcome_email",
        /// The tenant goes live.
        Activate = "activate",
    }
}

/// The word of a step that this version knows, as somebody sends it.
impl TryFrom<String> for Step {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        let problem = || InvalidValue::new("invalid_value", "Use the word of a step, like validate_webhook.");
        Self::named(&text).ok_or_else(problem)
    }
}

impl Step {
    /// The table of steps, one row each.
    pub const fn spec(self) -> Spec {
        match self {
            Self::SeedDefaults => Spec { compensation: Compensation::SlugAndEmail, ..Spec::IN_DATABASE },
            // Up to three calls, one after the other.
            Self::ConfigureRouting => Spec::outside(15).makes("route"),
            // Five seconds is what the contract gives a webhook to answer. A ping can't be taken back.
            Self::ValidateWebhook => Spec::outside(5),
            // Apps Script needs seconds on a good day.
            Self::CreateSpreadsheet => Spec::outside(30).makes("spreadsheet"),
            Self::VerifySpreadsheet => Spec::outside(30),
            Self::CreateOwner => Spec::IN_DATABASE.makes("owner"),
            // The mail is stored in D1, and leaves by itself.
            Self::SendWelcomeEmail => Spec::IN_DATABASE,
            // The tenant was stopped before anything is undone.
            Self::Activate => Spec::IN_DATABASE,
            // What a step of another version left, this one can't know.
            Self::Other(word) => Spec::IN_DATABASE.makes(word.as_str()),
        }
    }

    /// The steps of a plan, in their order.
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

/// How a step is tried.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// How long one attempt may take.
    pub time_limit: Duration,
    /// How often it is tried, in one round.
    pub attempts: u32,
    /// The wait after the first attempt; doubled after each further one.
    pub first_delay: Duration,
    /// The longest wait.
    pub longest_delay: Duration,
}

impl Policy {
    /// For what is done in D1.
    const IN_DATABASE: Self = Self {
        time_limit: Duration::from_secs(10),
        attempts: 20,
        first_delay: Duration::from_secs(1),
        longest_delay: Duration::from_secs(60),
    };

    /// For what asks outside: it is tried over the whole half hour, seven times within four minutes, then every four minutes.
    const fn outside(time_limit: u64) -> Self {
        Self {
            time_limit: Duration::from_secs(time_limit),
            attempts: 18,
            first_delay: Duration::from_secs(2),
            longest_delay: Duration::from_secs(240),
        }
    }
}

/// What a step leaves behind that undoing has to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compensation {
    /// Nothing, or nothing that can be taken back.
    None,
    /// Something outside, or rows of the tenant's own.
    Required,
    /// What every tenant has from the first moment: its content, its name, its address. Removed last.
    SlugAndEmail,
}

/// What becomes of a step that a run's plan has gained since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gained {
    /// It is done in its place, or next if the run is past that.
    Done,
    /// The run ends as the version that began it would have ended it.
    Skipped,
}

/// What is known of a step before it is performed.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// How it is tried.
    pub policy: Policy,
    /// What undoing has to remove.
    pub compensation: Compensation,
    /// The word in D1 for what it makes, while the upstream's own id for that is not known.
    pub makes: &'static str,
    /// What becomes of the runs that are under way when it is added to a plan.
    pub gained: Gained,
}

impl Spec {
    /// Of a step whose work is in D1, and that leaves nothing which could be taken back.
    const IN_DATABASE: Self = Self {
        policy: Policy::IN_DATABASE,
        compensation: Compensation::None,
        makes: "name",
        gained: Gained::Done,
    };

    /// Of a step that asks outside, for so many seconds in one attempt.
    const fn outside(time_limit: u64) -> Self {
        Self { policy: Policy::outside(time_limit), ..Self::IN_DATABASE }
    }

    /// The same, of a step that makes something under this word.
    const fn makes(self, word: &'static str) -> Self {
        Self { compensation: Compensation::Required, makes: word, ..self }
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
