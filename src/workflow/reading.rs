//! Reading what another version wrote, where a word that this one doesn't know has a meaning of its own: an older version
//! reads it after a rollback, and both are at work while a deployment is under way.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error};
use serde_json::Value;

use crate::domain::{Plan, Step};

use super::{Report, Run, Stage, Track};

/// What can't be read says nothing.
pub fn or_nothing<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// A plan that matters only where there is nothing yet: what is undone is what there is, whatever the plan.
pub fn any_plan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Plan, D::Error> {
    let word = String::deserialize(deserializer)?;
    Ok(Plan::named(&word).unwrap_or(Plan::Pro))
}

/// Both have steps, which say as much of the plan as this version can do about it: whether a webhook is pinged.
fn with_a_known_plan(mut value: Value, steps: &str, step: &str) -> Value {
    let is_known = value.get("plan").and_then(Value::as_str).is_none_or(|word| Plan::named(word).is_some());
    if !is_known {
        let has_webhook = value
            .get(steps)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|one| one.get(step).and_then(Value::as_str) == Some(Step::ValidateWebhook.as_str()));
        let plan = if has_webhook { Plan::Starter } else { Plan::Pro };
        if let Some(word) = value.get_mut("plan") {
            *word = plan.as_str().into();
        }
    }
    value
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = with_a_known_plan(Value::deserialize(deserializer)?, "records", "step");
        // What belongs to doing its steps stands beside what belongs to the run.
        let doing = Track::deserialize(value.clone()).map_err(D::Error::custom)?;
        let run = Self::deserialize(value).map_err(D::Error::custom)?;
        let undoing = run.undoing.map(|undoing| Track { is_undo: true, ..undoing });
        Ok(Self { doing, undoing, ..run })
    }
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = with_a_known_plan(Value::deserialize(deserializer)?, "steps", "name");
        Self::deserialize(value).map_err(D::Error::custom)
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// The stages that this version knows.
const STAGES: [&str; 5] = ["ready", "running", "waiting", "completed", "failed"];

/// At a step, but not in a way that is known: the step is next. An attempt that was made is made again, under the same key.
impl<'de> Deserialize<'de> for Stage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let word = value.as_object().and_then(|stage| stage.keys().next());
        match word.filter(|word| !STAGES.contains(&word.as_str())) {
            None => Self::deserialize(value).map_err(D::Error::custom),
            Some(word) => match value.get(word).and_then(|rest| rest.get("step")) {
                Some(step) => {
                    Step::deserialize(step).map(|step| Self::Ready { step }).map_err(D::Error::custom)
                }
                None => Err(D::Error::custom(format!(
                    "the stage \"{word}\" is of another version, and is at no step"
                ))),
            },
        }
    }
}

impl Serialize for Stage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}
