//! Provisioning, driven through everything that can go wrong with it: the tests loop over plans, steps and faults, so
//! that a new step is covered without a new test.

mod breaker;
mod breakers;
mod faults;
mod formats;
mod interruptions;
mod later;
mod outages;
mod outside;
mod projection;
mod removal;
mod rounds;
pub mod run_harness;
mod shared_troubles;
mod stories;
mod subdomains;
mod undoing;
mod verdicts;
mod versions;
mod waiting;

use tenantry::domain::{Plan, Step};

/// Every step of every plan.
fn every_step() -> impl Iterator<Item = (Plan, Step)> {
    [Plan::Starter, Plan::Pro]
        .into_iter()
        .flat_map(|plan| Step::of(plan).iter().map(move |step| (plan, *step)))
}

#[test]
fn every_step_belongs_to_a_plan() {
    for step in Step::ALL {
        assert!(every_step().any(|(_, of_a_plan)| of_a_plan == step), "{step:?}");
    }
}
