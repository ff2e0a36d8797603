//! The breaker by itself: when it opens, whom it lets through, what it writes down; then by chance.

use std::{collections::VecDeque, time::Duration};

use serde_json::{Value, json};
use tenantry::{
    domain::{RunId, Step, Timestamp, Upstream, config::Budgets},
    workflow::{
        breaker::{
            Admission, AdmissionRequest, Breaker, BreakerCommand, Budget, HealthSignal, Limits, Reply,
            Request, RequesterId, State, Transition, Waiting, handle, limits, wake,
        },
        policy::policy,
    },
};

use super::run_harness::START;
use crate::simulation::chance::Chance;

pub(super) const FAILED: HealthSignal = HealthSignal::Failed { retry_after: None, own: false };
pub(super) const GO: Admission = Admission::Go { watched: false };
pub(super) const WATCHED: Admission = Admission::Go { watched: true };

pub(super) fn run(number: u64) -> RequesterId {
    RequesterId::of(&format!("run_{number}"))
}

pub(super) fn of(upstream: Upstream) -> Limits {
    limits(upstream, Budgets::default())
}

pub(super) fn ask(run: &RequesterId, cost: u32) -> AdmissionRequest<'_> {
    AdmissionRequest { run, cost, has_failed: false }
}

fn admits(run: RequesterId, cost: u32) -> BreakerCommand {
    BreakerCommand::Admit { run, cost, tenant: None, has_failed: false }
}

pub(super) fn at(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

pub(super) fn wait(until: Timestamp) -> Admission {
    Admission::Wait { until }
}

/// A breaker with its limits.
pub(super) struct Bench {
    pub breaker: Breaker,
    pub limits: Limits,
}

impl Bench {
    pub fn new() -> Self {
        Self { breaker: Breaker::default(), limits: of(Upstream::Google) }
    }

    pub fn with_budget(calls: u32, seconds: u64) -> Self {
        let budget = Some(Budget { calls, window: Duration::from_secs(seconds) });
        Self { limits: Limits { budget, ..of(Upstream::Google) }, ..Self::new() }
    }

    /// Opened by three runs that failed now.
    pub fn opened(now: Timestamp) -> Self {
        let mut bench = Self::new();
        for n in 0..10 {
            bench.hears(n % 3, FAILED, now);
        }
        assert!(matches!(bench.breaker.state, State::Open { .. }));
        bench
    }

    pub fn asks(&mut self, number: u64, now: Timestamp) -> Admission {
        self.breaker.admit(&self.limits, &ask(&run(number), 1), &Waiting::default(), now)
    }

    pub fn hears(&mut self, number: u64, verdict: HealthSignal, now: Timestamp) {
        self.breaker.report(&self.limits, &run(number), verdict, now);
    }

    pub fn is_closed(&self) -> bool {
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
        bench.hears(n, if n % 10 == 9 { HealthSignal::Answered } else { FAILED }, START);
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
        bench.hears(n, HealthSignal::Nothing, START);
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
    bench.hears(4, HealthSignal::Answered, at(86));
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
    bench.hears(4, HealthSignal::Nothing, at(31));
    assert_eq!(bench.asks(5, at(31)), WATCHED);
}

#[test]
fn waits_double_up_to_five_minutes_while_probes_fail() {
    let mut bench = Bench::opened(START);
    let mut now = START;
    for (number, seconds) in (100..).zip([30, 60, 120, 240].into_iter().chain([300; 100])) {
        assert_eq!(bench.asks(7, now), wait(now.after(Duration::from_secs(seconds))));
        now = now.after(Duration::from_secs(seconds));
        assert_eq!(bench.asks(number, now), WATCHED);
        bench.hears(number, FAILED, now);
    }
}

#[test]
fn the_other_sides_word_makes_a_wait_longer_within_reason_and_never_shorter() {
    for (asked, kept) in [(0, 60), (59, 60), (61, 61), (300, 300), (86_400, 300)] {
        let mut bench = Bench::opened(START);
        assert_eq!(bench.asks(4, at(30)), WATCHED);
        let retry_after = Some(Duration::from_secs(asked));
        bench.hears(4, HealthSignal::Failed { retry_after, own: false }, at(30));
        assert_eq!(bench.asks(4, at(30)), wait(at(30 + kept)));
    }
}

#[test]
fn any_answer_closes_it_whoever_brings_it() {
    let mut bench = Bench::opened(START);
    bench.hears(8, HealthSignal::Answered, at(3));
    assert!(bench.is_closed());
    let mut bench = Bench::opened(START);
    bench.asks(4, at(30));
    bench.hears(8, HealthSignal::Answered, at(31));
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
            assert!(of(upstream).probe_limit >= policy(step).time_limit + slack, "{step:?}");
        }
    }
}

#[test]
fn cloudflare_is_asked_1200_times_in_five_minutes_resend_and_apps_script_as_configured() {
    let budgets = Budgets { resend_calls_per_second: 7, apps_script_at_once: 9 };
    let budget = |calls, seconds| Some(Budget { calls, window: Duration::from_secs(seconds) });
    for upstream in Upstream::ALL {
        let limits = limits(upstream, budgets);
        let (expected, at_once) = match upstream {
            Upstream::Cloudflare => (budget(1200, 300), None),
            Upstream::Resend => (budget(7, 1), None),
            Upstream::AppsScript => (None, Some(9)),
            Upstream::Make | Upstream::Google | Upstream::Other(_) => (None, None),
        };
        assert_eq!(limits.budget, expected);
        assert_eq!(limits.at_once.map(|at_once| at_once.calls), at_once);
    }
}

/// Removing a spreadsheet takes two calls, each with all of the time.
#[test]
fn who_asks_counts_until_any_attempt_has_ended() {
    for upstream in Upstream::ALL {
        let Some(at_once) = of(upstream).at_once else { continue };
        let longest = policy(Step::CreateSpreadsheet).time_limit * 2;
        assert!(at_once.held_for >= longest + Duration::from_secs(15), "{upstream:?}");
    }
}

#[test]
fn what_a_budget_does_not_hold_waits_until_it_does() {
    let mut bench = Bench::with_budget(10, 300);
    let asks = |bench: &mut Bench, cost, now| {
        bench.breaker.admit(&bench.limits, &ask(&run(1), cost), &Waiting::default(), now)
    };
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
    bench.hears(4, HealthSignal::Nothing, at(31));
    assert_eq!(bench.asks(5, at(31)), wait(at(360)));
    assert!(matches!(bench.breaker.state, State::Open { .. }));
}

fn log_event(breaker: &Breaker, command: &Request, now: Timestamp) -> Reply {
    handle(breaker, &Waiting::default(), command, &of(command.upstream), now).reply
}

fn told(upstream: Upstream, command: BreakerCommand) -> Request {
    Request { upstream, command }
}

/// Whoever was let through while nothing was wrong tells only of its failure: how many succeeded beside it, nobody knows.
#[test]
fn many_failures_at_once_among_those_that_nobody_watched_open_nothing() {
    let report =
        |run, watched| told(Upstream::Make, BreakerCommand::Report { run, verdict: FAILED, watched });
    let mut breaker = Breaker::default();
    for number in 1..50 {
        breaker = log_event(&breaker, &report(run(number), false), START).breaker;
    }
    assert_eq!(breaker.failures(), 1, "from now on all are watched");
    let admit = told(Upstream::Make, admits(run(50), 1));
    assert_eq!(log_event(&breaker, &admit, START).admission, Some(Admission::Go { watched: true }));
    for number in 50..59 {
        breaker = log_event(&breaker, &report(run(number), true), START).breaker;
    }
    assert!(breaker.next_probe_at().is_some(), "ten in a row of those that are watched");
}

/// What is stored is read by a later version.
#[test]
fn every_state_is_written_as_it_was() {
    let admit = |run| told(Upstream::Cloudflare, admits(run, 3));
    let report =
        |run| told(Upstream::Cloudflare, BreakerCommand::Report { run, verdict: FAILED, watched: true });
    let mut breaker = log_event(&Breaker::default(), &admit(run(1)), START).breaker;
    breaker = log_event(&breaker, &report(run(1)), START).breaker;
    let spent = json!([{ "at": 1_800_000_012_345_i64, "calls": 3 }]);
    let failed = json!([{ "run": "run_1", "at": 1_800_000_012_345_i64 }]);
    is_written(&breaker, &json!({ "state": { "closed": { "failures": failed } }, "spent": spent }));
    for number in 2..11 {
        breaker = log_event(&breaker, &report(run(number)), at(1)).breaker;
    }
    let outage = json!({ "since": 1_800_000_013_345_i64, "failures": 10, "probes": 0 });
    let open = json!({ "open": { "outage": outage, "until": 1_800_000_043_345_i64 } });
    let runs = |numbers: &[u64]| numbers.iter().map(|number| format!("run_{number}")).collect::<Vec<_>>();
    let tried = runs(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    is_written(&breaker, &json!({ "state": open, "spent": spent, "tried": tried }));
    breaker = log_event(&breaker, &admit(run(11)), at(31)).breaker;
    let probe =
        json!({ "half_open": { "outage": outage, "probe": "run_11", "probe_at": 1_800_000_043_345_i64 } });
    let spent =
        json!([{ "at": 1_800_000_012_345_i64, "calls": 3 }, { "at": 1_800_000_043_345_i64, "calls": 3 }]);
    let tried = runs(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    is_written(&breaker, &json!({ "state": probe, "spent": spent, "tried": tried }));
    breaker = log_event(&breaker, &told(Upstream::Cloudflare, BreakerCommand::Close), at(32)).breaker;
    let closed = json!({ "closed": { "failures": [] } });
    is_written(&breaker, &json!({ "state": closed, "spent": spent, "closed_at": 1_800_000_044_345_i64 }));
    let breaker = log_event(&Breaker::default(), &told(Upstream::Make, BreakerCommand::Open), START).breaker;
    // Version 0.2.0 finds it open, for ten years.
    let outage = json!({ "since": 1_800_000_012_345_i64, "failures": 0, "probes": 0 });
    let open = json!({ "open": { "outage": outage, "until": 2_115_360_012_345_i64 } });
    is_written(&breaker, &json!({ "state": open, "spent": [], "held_open": true }));
    let breaker =
        log_event(&Breaker::default(), &told(Upstream::AppsScript, admits(run(1), 1)), START).breaker;
    let slots = json!([{ "run": "run_1", "until": 1_800_000_092_345_i64 }]);
    is_written(&breaker, &json!({ "state": closed, "spent": [], "slots": slots }));
}

#[test]
fn who_waits_is_written_as_it_was() {
    let mut waiting = Waiting::default();
    for (number, has_failed) in [(1, true), (2, false)] {
        let tenant = Some(format!("tenant_{number}").parse().unwrap());
        let command = BreakerCommand::Admit { run: run(10 + number), cost: 2, tenant, has_failed };
        let command = told(Upstream::AppsScript, command);
        waiting =
            handle(&Bench::opened(START).breaker, &waiting, &command, &of(command.upstream), at(1)).waiting;
    }
    let (first, second) = (
        json!({ "tenant": "tenant_1", "cost": 2, "has_failed": true }),
        json!({ "tenant": "tenant_2", "cost": 2 }),
    );
    assert_eq!(serde_json::to_value(&waiting).unwrap(), json!({ "line": [first, second] }));
    let woken = wake(&Bench::opened(START).breaker, &waiting, &of(Upstream::AppsScript), at(30)).waiting;
    let text = json!({ "line": [first], "woken_at": 1_800_000_042_345_i64 });
    assert_eq!(serde_json::to_value(&woken).unwrap(), text);
    assert_eq!(serde_json::from_value::<Waiting>(text).unwrap(), woken);
}

/// Version 0.2.0 begins anew on a breaker that names anything but runs.
#[test]
fn whoever_asks_is_named_as_runs_are() {
    let written = |id: &str| serde_json::to_value(RequesterId::of(id)).unwrap();
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
    let waits = HealthSignal::Failed { retry_after: Some(Duration::from_secs(7)), own: false };
    let report = |verdict| BreakerCommand::Report { run: run(1), verdict, watched: true };
    for (command, text) in [
        (admits(run(1), 2), json!({ "admit": { "run": "run_1", "cost": 2 } })),
        (
            BreakerCommand::Admit {
                run: run(1),
                cost: 2,
                tenant: Some("tenant_1".parse().unwrap()),
                has_failed: true,
            },
            json!({ "admit": { "run": "run_1", "cost": 2, "tenant": "tenant_1", "has_failed": true } }),
        ),
        (report(HealthSignal::Answered), json!({ "report": { "run": "run_1", "verdict": "answered" } })),
        (report(FAILED), json!({ "report": { "run": "run_1", "verdict": { "failed": {} } } })),
        (
            report(waits),
            json!({ "report": { "run": "run_1", "verdict": { "failed": { "retry_after": { "secs": 7, "nanos": 0 } } } } }),
        ),
        (report(HealthSignal::Nothing), json!({ "report": { "run": "run_1", "verdict": "nothing" } })),
        (
            BreakerCommand::Report {
                run: run(1),
                verdict: HealthSignal::Failed { retry_after: None, own: true },
                watched: true,
            },
            json!({ "report": { "run": "run_1", "verdict": { "failed": { "own": true } } } }),
        ),
        (BreakerCommand::Close, json!("close")),
        (BreakerCommand::Open, json!("open")),
        (BreakerCommand::Get, json!("look")),
    ] {
        let (command, text) =
            (told(Upstream::AppsScript, command), json!({ "upstream": "apps_script", "wish": text }));
        assert_eq!(serde_json::to_value(&command).unwrap(), text);
        assert_eq!(serde_json::from_value::<Request>(text).unwrap(), command);
    }
    let breaker = json!({ "state": { "closed": { "failures": [] } }, "spent": [] });
    for (transition, admission, text) in [
        (None, None, json!({ "breaker": breaker })),
        (None, Some(GO), json!({ "breaker": breaker, "admission": { "go": { "watched": false } } })),
        (Some(Transition::Closed), None, json!({ "breaker": breaker, "moved": "closed" })),
        (
            Some(Transition::HalfOpened),
            Some(wait(START)),
            json!({ "breaker": breaker, "moved": "half_opened", "admission": { "wait": { "until": 1_800_000_012_345_i64 } } }),
        ),
        (Some(Transition::Opened), None, json!({ "breaker": breaker, "moved": "opened" })),
    ] {
        let reply = Reply { breaker: Breaker::default(), transition, admission };
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

/// Many runs, an upstream that comes and goes, processes that die: by the chance of a seed.
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
                1 => bench.hears(one.run, HealthSignal::Nothing, now),
                _ => bench.hears(one.run, if is_up { HealthSignal::Answered } else { FAILED }, now),
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
