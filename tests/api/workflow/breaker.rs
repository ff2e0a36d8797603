//! The breaker by itself: when it opens, whom it lets through, what it writes down; then by chance.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use tenantry::{
    domain::{RunId, Step, Timestamp, Upstream},
    workflow::{
        Failure, FailureCode, Fault, FaultCode, Outcome,
        breaker::{
            Admission, AskerId, Breaker, Budget, Command, Limits, Moved, Reply, State, Verdict, Wish, limits,
            obey,
        },
        policy::policy,
    },
};

use super::lab::START;
use crate::simulation::chance::Chance;

const FAILED: Verdict = Verdict::Failed { retry_after: None };
const GO: Admission = Admission::Go { watched: false };
const WATCHED: Admission = Admission::Go { watched: true };

fn run(number: u64) -> AskerId {
    AskerId::of(&format!("run_{number}"))
}

fn admits(run: AskerId, cost: u32) -> Wish {
    Wish::Admit { run, cost, tenant: None, has_failed: false }
}

fn at(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

fn wait(until: Timestamp) -> Admission {
    Admission::Wait { until }
}

/// A breaker with its limits.
struct Bench {
    breaker: Breaker,
    limits: Limits,
}

impl Bench {
    fn new() -> Self {
        Self { breaker: Breaker::default(), limits: limits(Upstream::Make) }
    }

    fn with_budget(calls: u32, seconds: u64) -> Self {
        let budget = Some(Budget { calls, window: Duration::from_secs(seconds) });
        Self { limits: Limits { budget, ..limits(Upstream::Make) }, ..Self::new() }
    }

    /// Opened by three runs that failed now.
    fn opened(now: Timestamp) -> Self {
        let mut bench = Self::new();
        for n in 0..10 {
            bench.hears(n % 3, FAILED, now);
        }
        assert!(matches!(bench.breaker.state, State::Open { .. }));
        bench
    }

    fn asks(&mut self, number: u64, now: Timestamp) -> Admission {
        self.breaker.admit(&self.limits, &run(number), 1, now)
    }

    fn hears(&mut self, number: u64, verdict: Verdict, now: Timestamp) {
        self.breaker.report(&self.limits, &run(number), verdict, now);
    }

    fn is_closed(&self) -> bool {
        matches!(self.breaker.state, State::Closed { .. })
    }
}

#[test]
fn it_opens_after_ten_failures_in_a_row_of_three_runs() {
    let mut bench = Bench::new();
    for n in 0..10 {
        assert_eq!(bench.asks(9, START), if n == 0 { GO } else { WATCHED });
        assert!(bench.is_closed(), "{n}");
        bench.hears(n % 3, FAILED, START);
    }
    assert_eq!(bench.asks(9, START), wait(at(30)));
    assert_eq!(bench.breaker.failures(), 10);
}

#[test]
fn two_runs_alone_open_nothing_however_often_they_fail() {
    let mut bench = Bench::new();
    for n in 0..500 {
        bench.hears(n % 2, FAILED, START);
        assert!(bench.is_closed());
    }
    assert!(bench.breaker.failures() < 100, "and are not remembered for ever");
    bench.hears(2, FAILED, START);
    assert!(!bench.is_closed(), "the third is the proof");
}

#[test]
fn one_answer_in_between_and_it_counts_anew() {
    let mut bench = Bench::new();
    for n in 0..100 {
        bench.hears(n, if n % 10 == 9 { Verdict::Answered } else { FAILED }, START);
        assert!(bench.is_closed());
    }
    assert_eq!(bench.breaker.failures(), 0);
}

#[test]
fn what_failed_long_ago_says_nothing_about_now() {
    let mut bench = Bench::new();
    for n in 0..100 {
        bench.hears(n, FAILED, at(n * 67));
        assert!(bench.is_closed());
    }
}

#[test]
fn what_says_nothing_counts_nothing() {
    let mut bench = Bench::new();
    for n in 0..100 {
        bench.hears(n, Verdict::Nothing, START);
    }
    assert_eq!(bench.breaker, Breaker::default());
}

#[test]
fn while_it_is_open_one_run_at_a_time_is_let_through_to_see() {
    let mut bench = Bench::opened(START);
    assert_eq!(bench.asks(1, at(29)), wait(at(30)));
    assert_eq!(bench.asks(4, at(31)), WATCHED);
    assert_eq!(bench.asks(5, at(32)), wait(at(42)));
    assert_eq!(bench.asks(5, at(85)), wait(at(91)), "not beyond the moment at which the probe is given up");
    bench.hears(4, Verdict::Answered, at(86));
    assert_eq!(bench.asks(5, at(86)), GO);
}

#[test]
fn a_probe_that_never_reports_is_given_up() {
    let mut bench = Bench::opened(START);
    assert_eq!(bench.asks(4, at(30)), WATCHED);
    assert_eq!(bench.asks(5, at(89)), wait(at(90)));
    assert_eq!(bench.asks(5, at(90)), WATCHED);
    bench.hears(4, FAILED, at(91));
    assert_eq!(bench.asks(6, at(91)), wait(at(101)), "its late word ends nobody else's probe");
    bench.hears(5, FAILED, at(92));
    assert_eq!(bench.asks(6, at(92)), wait(at(152)));
}

/// Interrupted, it comes again, and whoever is asked for had no other attempt out.
#[test]
fn a_run_whose_probe_was_interrupted_may_go_again() {
    let mut bench = Bench::opened(START);
    assert_eq!(bench.asks(4, at(30)), WATCHED);
    assert_eq!(bench.asks(4, at(33)), WATCHED);
    assert_eq!(bench.asks(5, at(91)), wait(at(93)));
}

#[test]
fn a_probe_that_asked_nobody_leaves_its_place_to_the_next() {
    let mut bench = Bench::opened(START);
    assert_eq!(bench.asks(4, at(30)), WATCHED);
    bench.hears(4, Verdict::Nothing, at(31));
    assert_eq!(bench.asks(5, at(31)), WATCHED);
}

#[test]
fn waits_double_up_to_five_minutes_while_probes_fail() {
    let mut bench = Bench::opened(START);
    let mut now = START;
    for seconds in [30, 60, 120, 240, 300, 300, 300] {
        assert_eq!(bench.asks(7, now), wait(now.after(Duration::from_secs(seconds))));
        now = now.after(Duration::from_secs(seconds));
        assert_eq!(bench.asks(4, now), WATCHED);
        bench.hears(4, FAILED, now);
    }
    for _ in 0..100 {
        now = now.after(Duration::from_secs(300));
        assert_eq!(bench.asks(4, now), WATCHED);
        bench.hears(4, FAILED, now);
    }
}

#[test]
fn the_other_sides_word_about_waiting_wins_within_reason() {
    for (asked, kept) in [(0, 1), (2, 2), (45, 45), (300, 300), (86_400, 300)] {
        let mut bench = Bench::opened(START);
        assert_eq!(bench.asks(4, at(30)), WATCHED);
        let retry_after = Some(Duration::from_secs(asked));
        bench.hears(4, Verdict::Failed { retry_after }, at(30));
        assert_eq!(bench.asks(4, at(30)), wait(at(30 + kept)));
    }
}

#[test]
fn any_answer_closes_it_whoever_brings_it() {
    let mut bench = Bench::opened(START);
    bench.hears(8, Verdict::Answered, at(3));
    assert!(bench.is_closed());
    let mut bench = Bench::opened(START);
    bench.asks(4, at(30));
    bench.hears(8, Verdict::Answered, at(31));
    assert_eq!((bench.is_closed(), bench.breaker.failures()), (true, 0));
}

#[test]
fn failures_of_those_who_left_before_it_opened_change_nothing() {
    let mut bench = Bench::opened(START);
    let before = bench.breaker.clone();
    bench.hears(8, FAILED, at(20));
    assert_eq!(bench.breaker, before);
}

#[test]
fn a_probe_is_given_up_only_after_any_attempt_has_ended() {
    for step in Step::ALL {
        for upstream in Upstream::ALL {
            let slack = Duration::from_secs(20);
            assert!(limits(upstream).probe_limit >= policy(step).time_limit + slack, "{step:?}");
        }
    }
}

#[test]
fn each_is_asked_as_often_as_it_allows() {
    for upstream in Upstream::ALL {
        let expected = match upstream {
            Upstream::Cloudflare => Some(Budget { calls: 1200, window: Duration::from_secs(300) }),
            Upstream::Resend => Some(Budget { calls: 2, window: Duration::from_secs(1) }),
            Upstream::Make | Upstream::AppsScript | Upstream::Google | Upstream::Other(_) => None,
        };
        assert_eq!(limits(upstream).budget, expected);
    }
}

#[test]
fn what_a_budget_does_not_hold_waits_until_it_does() {
    let mut bench = Bench::with_budget(10, 300);
    let asks = |bench: &mut Bench, cost, now| bench.breaker.admit(&bench.limits, &run(1), cost, now);
    assert_eq!(asks(&mut bench, 4, at(0)), GO);
    assert_eq!(asks(&mut bench, 5, at(100)), GO);
    assert_eq!(asks(&mut bench, 1, at(101)), GO);
    // Slices are 30 seconds: what left in the first is forgotten when the last that may be in it is old enough.
    assert_eq!(asks(&mut bench, 1, at(102)), wait(at(330)));
    assert_eq!(asks(&mut bench, 5, at(102)), wait(at(430)));
    assert_eq!(asks(&mut bench, 1, at(329)), wait(at(330)));
    assert_eq!(asks(&mut bench, 4, at(330)), GO);
    assert_eq!(bench.breaker.used(&bench.limits.budget.unwrap(), at(330)), 10);
    // More than there ever is: as soon as there is all.
    assert_eq!(asks(&mut bench, 99, at(430)), wait(at(660)));
    assert_eq!(asks(&mut bench, 99, at(660)), GO);
}

#[test]
fn who_may_not_leave_for_want_of_budget_is_no_probe() {
    let mut bench = Bench { limits: Bench::with_budget(1, 300).limits, ..Bench::opened(START) };
    assert_eq!(bench.asks(4, at(30)), WATCHED);
    bench.hears(4, Verdict::Nothing, at(31));
    assert_eq!(bench.asks(5, at(31)), wait(at(360)));
    assert!(matches!(bench.breaker.state, State::Open { .. }));
}

#[test]
fn an_attempt_speaks_of_the_other_side_only_if_that_was_asked() {
    let refused = |code| Verdict::of(&Outcome::Refused(Failure::new(code, "No.")));
    let unknown = |code| Verdict::of(&Outcome::Unknown(Fault::new(code)));
    assert_eq!(Verdict::of(&Outcome::Done(None)), Verdict::Answered);
    assert_eq!(refused(FailureCode::SpreadsheetRejected), Verdict::Answered);
    assert_eq!(refused(FailureCode::Misconfigured), Verdict::Nothing);
    for code in [
        FaultCode::Timeout,
        FaultCode::Connection,
        FaultCode::ServerError,
        FaultCode::RateLimited,
        FaultCode::Malformed,
    ] {
        assert_eq!(unknown(code), FAILED, "{code:?}");
    }
    for code in [FaultCode::Interrupted, FaultCode::StoreUnavailable, FaultCode::CircuitOpen] {
        assert_eq!(unknown(code), Verdict::Nothing, "{code:?}");
    }
}

fn told(upstream: Upstream, wish: Wish) -> Command {
    Command { upstream, wish }
}

/// Whoever was let through while nothing was wrong tells only of its failure: how many succeeded beside it, nobody knows.
#[test]
fn many_failures_at_once_among_those_that_nobody_watched_open_nothing() {
    let report = |run, watched| told(Upstream::Make, Wish::Report { run, verdict: FAILED, watched });
    let mut breaker = Breaker::default();
    for number in 1..50 {
        breaker = obey(&breaker, &report(run(number), false), START).breaker;
    }
    assert_eq!(breaker.failures(), 1, "from now on all are watched");
    let admit = told(Upstream::Make, admits(run(50), 1));
    assert_eq!(obey(&breaker, &admit, START).admission, Some(Admission::Go { watched: true }));
    for number in 50..59 {
        breaker = obey(&breaker, &report(run(number), true), START).breaker;
    }
    assert!(breaker.next_probe_at().is_some(), "ten in a row of those that are watched");
}

/// What is stored is read by a later version.
#[test]
fn every_state_is_written_as_it_was() {
    let admit = |run| told(Upstream::Cloudflare, admits(run, 3));
    let report = |run| told(Upstream::Cloudflare, Wish::Report { run, verdict: FAILED, watched: true });
    let mut breaker = obey(&Breaker::default(), &admit(run(1)), START).breaker;
    breaker = obey(&breaker, &report(run(1)), START).breaker;
    let spent = json!([{ "at": 1_800_000_012_345_i64, "calls": 3 }]);
    let failed = json!([{ "run": "run_1", "at": 1_800_000_012_345_i64 }]);
    is_written(&breaker, &json!({ "state": { "closed": { "failures": failed } }, "spent": spent }));
    for number in 2..11 {
        breaker = obey(&breaker, &report(run(number)), at(1)).breaker;
    }
    let outage = json!({ "since": 1_800_000_013_345_i64, "failures": 10, "probes": 0 });
    let open = json!({ "open": { "outage": outage, "until": 1_800_000_043_345_i64 } });
    is_written(&breaker, &json!({ "state": open, "spent": spent }));
    breaker = obey(&breaker, &admit(run(4)), at(31)).breaker;
    let probe =
        json!({ "half_open": { "outage": outage, "probe": "run_4", "probe_at": 1_800_000_043_345_i64 } });
    let spent =
        json!([{ "at": 1_800_000_012_345_i64, "calls": 3 }, { "at": 1_800_000_043_345_i64, "calls": 3 }]);
    is_written(&breaker, &json!({ "state": probe, "spent": spent }));
}

/// Version 0.2.0 begins anew on a breaker that names anything but runs.
#[test]
fn whoever_asks_is_named_as_runs_are() {
    let written = |id: &str| serde_json::to_value(AskerId::of(id)).unwrap();
    assert_eq!(written("run_0190a-b_c"), "run_0190a-b_c");
    assert_eq!(written("mail_7/welcome"), "run_mail-7-welcome");
    for id in ["run_", &"é".repeat(99), &"run_".repeat(40)] {
        let written = written(id);
        assert!(written.as_str().unwrap().parse::<RunId>().is_ok(), "{written}");
    }
}

fn is_written(breaker: &Breaker, text: &Value) {
    assert_eq!(serde_json::to_value(breaker).unwrap(), *text);
    let mut newer = text.clone();
    newer["something"] = json!("new");
    assert_eq!(serde_json::from_value::<Breaker>(newer).unwrap(), *breaker);
}

#[test]
fn commands_and_replies_are_written_as_they_were() {
    let waits = Verdict::Failed { retry_after: Some(Duration::from_secs(7)) };
    let report = |verdict| Wish::Report { run: run(1), verdict, watched: true };
    for (wish, text) in [
        (admits(run(1), 2), json!({ "admit": { "run": "run_1", "cost": 2 } })),
        (
            Wish::Admit { run: run(1), cost: 2, tenant: Some("tenant_1".parse().unwrap()), has_failed: true },
            json!({ "admit": { "run": "run_1", "cost": 2, "tenant": "tenant_1", "has_failed": true } }),
        ),
        (report(Verdict::Answered), json!({ "report": { "run": "run_1", "verdict": "answered" } })),
        (report(FAILED), json!({ "report": { "run": "run_1", "verdict": { "failed": {} } } })),
        (
            report(waits),
            json!({ "report": { "run": "run_1", "verdict": { "failed": { "retry_after": { "secs": 7, "nanos": 0 } } } } }),
        ),
        (report(Verdict::Nothing), json!({ "report": { "run": "run_1", "verdict": "nothing" } })),
        (Wish::Close, json!("close")),
        (Wish::Look, json!("look")),
    ] {
        let (command, text) =
            (told(Upstream::AppsScript, wish), json!({ "upstream": "apps_script", "wish": text }));
        assert_eq!(serde_json::to_value(&command).unwrap(), text);
        assert_eq!(serde_json::from_value::<Command>(text).unwrap(), command);
    }
    let breaker = json!({ "state": { "closed": { "failures": [] } }, "spent": [] });
    for (moved, admission, text) in [
        (None, None, json!({ "breaker": breaker })),
        (None, Some(GO), json!({ "breaker": breaker, "admission": { "go": { "watched": false } } })),
        (Some(Moved::Closed), None, json!({ "breaker": breaker, "moved": "closed" })),
        (
            Some(Moved::HalfOpened),
            Some(wait(START)),
            json!({ "breaker": breaker, "moved": "half_opened", "admission": { "wait": { "until": 1_800_000_012_345_i64 } } }),
        ),
        (Some(Moved::Opened), None, json!({ "breaker": breaker, "moved": "opened" })),
    ] {
        let reply = Reply { breaker: Breaker::default(), moved, admission };
        assert_eq!(serde_json::to_value(&reply).unwrap(), text);
        assert_eq!(serde_json::from_value::<Reply>(text).unwrap(), reply);
    }
}

/// An attempt that is out.
struct Out {
    run: u64,
    left_at: Timestamp,
    ends_at: Timestamp,
    is_probe: bool,
}

/// Many runs, an other side that comes and goes, processes that die: by the chance of a seed.
fn plays(seed: u64) -> (u64, u64) {
    let chance = Chance::of(seed);
    let mut bench = Bench::with_budget(30, 300);
    let mut now = START;
    let mut out: Vec<Out> = Vec::new();
    let mut left: VecDeque<Timestamp> = VecDeque::new();
    let (mut opened, mut probes) = (0, 0);
    let mut is_up = true;
    for _ in 0..600 {
        now = now.after(Duration::from_millis(chance.below(6000)));
        if chance.one_in(60) {
            is_up = !is_up;
        }
        // Those that have ended tell how, unless their process died.
        let (ended, still): (Vec<Out>, Vec<Out>) = out.into_iter().partition(|one| one.ends_at <= now);
        out = still;
        for one in ended {
            let was_closed = bench.is_closed();
            match chance.below(12) {
                0 => {}
                1 => bench.hears(one.run, Verdict::Nothing, now),
                _ => bench.hears(one.run, if is_up { Verdict::Answered } else { FAILED }, now),
            }
            opened += u64::from(was_closed && !bench.is_closed());
        }
        // A run makes one attempt at a time; one that died comes again.
        let number = chance.below(40);
        if out.iter().any(|one| one.run == number) && !chance.one_in(10) {
            continue;
        }
        out.retain(|one| one.run != number);
        let was_closed = bench.is_closed();
        if matches!(bench.asks(number, now), Admission::Go { .. }) {
            left.push_back(now);
            probes += u64::from(!was_closed);
            let takes = Duration::from_secs(chance.below(50));
            out.push(Out { run: number, left_at: now, ends_at: now.after(takes), is_probe: !was_closed });
        }
        is_as_promised(&bench, &out, &left, now);
    }
    (opened, probes)
}

fn is_as_promised(bench: &Bench, out: &[Out], left: &VecDeque<Timestamp>, now: Timestamp) {
    if let State::HalfOpen { outage, .. } | State::Open { outage, .. } = &bench.breaker.state {
        // One of an outage that was over before is no probe of this one.
        let probes = out.iter().filter(|one| one.is_probe && one.left_at >= outage.since);
        assert!(probes.count() <= 1, "two probes at once");
    }
    let window = bench.limits.budget.unwrap().window;
    let recent = left.iter().filter(|at| now.since(**at) < window).count();
    assert!(recent <= 30, "{recent} calls in five minutes");
    // Somebody who keeps asking is let through before long.
    let mut later = Bench { breaker: bench.breaker.clone(), limits: bench.limits };
    let mut moment = now;
    let longest = later.limits.longest_wait + later.limits.probe_limit + window + window / 10;
    while let Admission::Wait { until } = later.asks(99, moment) {
        assert!(until > moment, "never before now");
        moment = until;
        assert!(moment.since(now) <= longest, "nobody is ever let through: {:?}", bench.breaker);
    }
}

#[test]
fn by_no_chance_there_are_two_probes_or_none_for_ever_or_more_calls_than_allowed() {
    let (mut opened, mut probes) = (0, 0);
    for seed in 0..400 {
        let played = plays(seed);
        opened += played.0;
        probes += played.1;
    }
    assert!(opened > 200 && probes > 400, "{opened} {probes}");
}
