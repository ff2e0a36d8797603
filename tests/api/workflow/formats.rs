//! What is stored, or sent between versions, as literal text: a later version must read what an earlier one wrote.

use tenantry::{domain::{Plan, Step}, workflow::{Command, Fault, FaultCode, Reply}};
use super::lab::{Attempt, Lab, subject};

#[test]
fn print() {
    let lab = Lab::queued(Plan::Pro);
    println!("READY {}", serde_json::to_string_pretty(&lab.run()).unwrap());
    lab.next(Step::VerifySpreadsheet, [Attempt::DiesBefore]);
    lab.rings();
    println!("RUNNING {}", serde_json::to_string_pretty(&lab.run()).unwrap());
    lab.next(Step::VerifySpreadsheet, [Attempt::Unknown(Fault{code: FaultCode::RateLimited, status: Some(429), retry_after: Some(std::time::Duration::from_millis(37500))})]);
    lab.rings();
    println!("WAITING {}", serde_json::to_string(&lab.run()).unwrap());
    lab.next(Step::VerifySpreadsheet, [Attempt::Refused]);
    lab.runs_to_the_end();
    println!("FAILED {}", serde_json::to_string(&lab.run()).unwrap());
    lab.is_told(Command::Skip);
    lab.next(Step::SendWelcomeEmail, [Attempt::Refused]);
    lab.runs_to_the_end();
    println!("COMPLETED {}", serde_json::to_string(&lab.run()).unwrap());
    println!("REPLY {}", serde_json::to_string(&lab.is_told(Command::Report)).unwrap());
    for c in [Command::Queue { subject: subject(), plan: Plan::Pro, caller: Default::default() }, Command::Wake { subject: subject(), plan: Plan::Pro }, Command::Cancel, Command::Skip, Command::Report, Command::Ping] { println!("CMD {}", serde_json::to_string(&c).unwrap()); }
    for c in [Reply::NoRun, Reply::Pong] { println!("REPLY {}", serde_json::to_string(&c).unwrap()); }
}
