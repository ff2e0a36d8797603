//! Who waits at a breaker: who goes to see first, who is woken when, what budgets and operators have to do with it.

use std::time::Duration;

use tenantry::{
    domain::{TenantId, Timestamp, Upstream},
    workflow::breaker::{
        Admission, AdmissionRequest, AtOnce, Breaker, BreakerCommand, Effects, HealthSignal, Limits, Request,
        State, Transition, Waiting, handle, rings_at, wake,
    },
};

use super::breaker::{Bench, FAILED, GO, WATCHED, at, of, run, wait};
use super::run_harness::START;

fn tenant(number: u64) -> TenantId {
    format!("tenant_{number}").parse().unwrap()
}

/// A breaker's object: with its limits, and those who wait.
struct Object {
    breaker: Breaker,
    waiting: Waiting,
    limits: Limits,
}

impl Object {
    fn closed(upstream: Upstream) -> Self {
        Self { breaker: Breaker::default(), waiting: Waiting::default(), limits: of(upstream) }
    }

    /// Opened by runs 0, 1 and 2: its first probe is due after 30 seconds.
    fn opened() -> Self {
        Self { breaker: Bench::opened(START).breaker, ..Self::closed(Upstream::Google) }
    }

    fn told(&mut self, command: BreakerCommand, now: Timestamp) -> Effects {
        let command = Request { upstream: Upstream::Google, command };
        let effects = handle(&self.breaker, &self.waiting, &command, &self.limits, now);
        (self.breaker, self.waiting) = (effects.reply.breaker.clone(), effects.waiting.clone());
        effects
    }

    fn asks_having(&mut self, has_failed: bool, number: u64, now: Timestamp) -> Admission {
        let command =
            BreakerCommand::Admit { run: run(number), cost: 1, tenant: Some(tenant(number)), has_failed };
        self.told(command, now).reply.admission.unwrap()
    }

    fn asks(&mut self, number: u64, now: Timestamp) -> Admission {
        self.asks_having(false, number, now)
    }

    fn hears(&mut self, number: u64, verdict: HealthSignal, now: Timestamp) {
        self.told(BreakerCommand::Report { run: run(number), verdict, watched: true }, now);
    }

    fn rings_at(&self, now: Timestamp) -> Option<Timestamp> {
        rings_at(&self.breaker, &self.waiting, &self.limits, now)
    }

    /// The alarm rings. Answers who is woken.
    fn rings(&mut self, now: Timestamp) -> Vec<TenantId> {
        let woken = wake(&self.breaker, &self.waiting, &self.limits, now);
        self.waiting = woken.waiting;
        woken.tenants
    }
}

#[test]
fn a_probe_is_for_who_was_never_tried_and_after_ten_seconds_for_anybody() {
    let mut object = Object::opened();
    assert_eq!(object.asks_having(true, 7, at(30)), wait(at(40)), "it says so itself");
    assert_eq!(object.asks(1, at(31)), wait(at(40)), "the breaker knows");
    assert_eq!(object.asks(5, at(32)), WATCHED);
    object.hears(5, FAILED, at(33));
    assert_eq!(object.asks_having(true, 7, at(93)), wait(at(103)));
    assert_eq!(object.asks_having(true, 7, at(103)), WATCHED);
}

#[test]
fn a_probe_that_failed_goes_to_another_while_another_waits() {
    let mut object = Object::opened();
    assert_eq!(object.asks(5, at(30)), WATCHED);
    object.hears(5, FAILED, at(30));
    assert_eq!(object.asks(1, at(40)), wait(at(90)));
    assert_eq!(object.asks(5, at(100)), wait(at(110)), "it was the last one");
    assert_eq!(object.asks(1, at(100)), WATCHED);
    object.hears(1, FAILED, at(100));
    // And if the other never comes, it is its turn in the end.
    assert_eq!(object.asks(1, at(239)), wait(at(240)));
    assert_eq!(object.asks(1, at(240)), WATCHED);
}

#[test]
fn a_probe_that_failed_goes_again_if_nobody_else_waits() {
    let mut bench = Bench::opened(START);
    assert_eq!(bench.asks(5, at(30)), WATCHED);
    bench.hears(5, FAILED, at(30));
    assert_eq!(bench.asks(5, at(99)), wait(at(100)));
    assert_eq!(bench.asks(5, at(100)), WATCHED);
}

#[test]
fn a_probe_that_says_nothing_is_as_good_as_one_that_failed() {
    let mut object = Object::opened();
    assert_eq!(object.asks(5, at(30)), WATCHED);
    object.hears(5, HealthSignal::Nothing, at(35));
    assert_eq!(object.asks(5, at(35)), wait(at(45)));
    assert_eq!(object.asks(6, at(35)), WATCHED);
}

#[test]
fn a_probe_that_is_given_up_leaves_its_place_to_who_was_never_tried() {
    let mut object = Object::opened();
    assert_eq!(object.asks(5, at(30)), WATCHED);
    assert_eq!(object.asks(1, at(90)), wait(at(100)));
    assert_eq!(object.asks(6, at(90)), WATCHED);
}

#[test]
fn an_outage_that_is_over_is_held_against_nobody() {
    let mut object = Object::opened();
    object.asks(5, at(30));
    object.hears(5, HealthSignal::Answered, at(31));
    for number in 10..20 {
        object.hears(number, FAILED, at(40));
    }
    assert_eq!(object.asks(5, at(70)), WATCHED);
}

#[test]
fn when_a_probe_is_due_one_is_woken_who_was_never_tried_first_and_then_who_waits_longest() {
    let mut object = Object::opened();
    for (number, has_failed) in [(1, false), (7, true), (8, false), (9, false)] {
        assert_eq!(object.asks_having(has_failed, number, at(1)), wait(at(30)));
    }
    assert_eq!(object.rings_at(at(1)), Some(at(30)));
    assert_eq!(object.rings(at(29)), []);
    assert_eq!(object.rings(at(30)), [tenant(8)]);
    assert_eq!(object.rings_at(at(30)), Some(at(31)), "in case that it does not come");
    assert_eq!(object.rings(at(31)), [tenant(9)]);
    assert_eq!(object.rings_at(at(31)), Some(at(40)), "the others may not go before");
    assert_eq!(object.rings(at(39)), []);
    assert_eq!(object.rings(at(40)), [tenant(1)]);
    assert_eq!(object.asks(1, at(40)), WATCHED);
    assert_eq!(object.rings_at(at(41)), Some(at(110)), "when the probe is given up, and then some");
    assert_eq!(object.rings(at(41)), []);
}

#[test]
fn when_it_closes_all_who_wait_are_woken_twenty_five_a_second() {
    let mut object = Object::opened();
    for number in 10..70 {
        object.asks(number, at(1));
    }
    object.asks(5, at(30));
    object.hears(5, HealthSignal::Answered, at(31));
    assert_eq!(object.rings_at(at(31)), Some(at(31)));
    let first: Vec<TenantId> = (10..35).map(tenant).collect();
    assert_eq!(object.rings(at(31)), first);
    assert_eq!(object.rings_at(at(31)), Some(at(32)));
    assert_eq!(object.rings(at(31)), [], "not before the second is over");
    assert_eq!(object.rings(at(32)).len(), 25);
    assert_eq!(object.rings(at(33)).len(), 10);
    assert_eq!((object.rings_at(at(33)), object.waiting.len()), (None, 0));
}

#[test]
fn those_that_failed_before_are_woken_after_all_the_others() {
    let mut object = Object::opened();
    for (number, has_failed) in [(7, true), (1, false), (8, false), (9, false)] {
        object.asks_having(has_failed, number, at(1));
    }
    object.told(BreakerCommand::Close, at(2));
    assert_eq!(object.rings(at(2)), [tenant(8), tenant(9)]);
    assert_eq!(object.rings(at(3)), [tenant(7), tenant(1)]);
}

#[test]
fn if_it_opens_again_nobody_else_is_woken() {
    let mut object = Object::opened();
    for number in 100..140 {
        object.asks(number, at(1));
    }
    object.told(BreakerCommand::Close, at(2));
    assert_eq!(object.rings(at(2)).len(), 25);
    for number in 200..210 {
        object.hears(number, FAILED, at(2));
    }
    assert_eq!(object.rings(at(3)), []);
    assert_eq!(object.rings_at(at(3)), Some(at(32)));
}

#[test]
fn who_was_let_through_waits_no_more_and_who_asks_twice_keeps_its_place() {
    let mut object = Object::opened();
    for number in [6, 7, 6, 8] {
        object.asks(number, at(1));
    }
    assert_eq!(object.waiting.len(), 3);
    object.told(BreakerCommand::Close, at(2));
    object.asks(7, at(2));
    assert_eq!(object.rings(at(2)), [tenant(6), tenant(8)]);
}

#[test]
fn five_hundred_are_remembered_and_the_oldest_forgotten() {
    let mut object = Object::opened();
    for number in 0..700 {
        object.asks(number, at(1));
    }
    assert_eq!(object.waiting.len(), 500);
    object.told(BreakerCommand::Close, at(2));
    assert_eq!(object.rings(at(2))[0], tenant(200));
}

#[test]
fn who_names_no_tenant_is_not_remembered() {
    let mut object = Object::opened();
    object.told(BreakerCommand::Admit { run: run(5), cost: 1, tenant: None, has_failed: false }, at(1));
    assert!(object.waiting.is_empty());
}

#[test]
fn what_a_budget_refuses_is_woken_as_it_refills_and_is_no_outage() {
    let mut object = Object::closed(Upstream::Resend);
    assert_eq!((object.asks(1, START), object.asks(2, START)), (GO, GO));
    let later = |millis| START.after(Duration::from_millis(millis));
    assert_eq!(object.asks(3, START), wait(later(1100)));
    assert_eq!(object.asks(4, START), wait(later(1600)), "one waits already");
    assert_eq!(object.asks(5, START), wait(later(2100)));
    assert_eq!(object.rings_at(START), Some(later(1100)));
    assert_eq!(object.rings(later(1100)), [tenant(3), tenant(4)], "as many as there are calls");
    assert_eq!((object.asks(3, later(1101)), object.asks(4, later(1102))), (GO, GO));
    assert_eq!(object.rings_at(later(1103)), Some(later(2201)));
    assert_eq!((object.breaker.failures(), object.breaker.state.clone()), (0, State::default()));
}

/// Cloudflare's attempts make several calls.
#[test]
fn no_more_are_woken_than_there_are_calls_for() {
    let mut object = Object::closed(Upstream::Cloudflare);
    let asks = |object: &mut Object, number, cost, now| {
        let command =
            BreakerCommand::Admit { run: run(number), cost, tenant: Some(tenant(number)), has_failed: false };
        object.told(command, now).reply.admission.unwrap()
    };
    assert_eq!(asks(&mut object, 1, 7, at(0)), GO);
    assert_eq!(asks(&mut object, 2, 1193, at(100)), GO);
    for number in 3..8 {
        assert!(matches!(asks(&mut object, number, 3, at(101)), Admission::Wait { .. }));
    }
    assert_eq!(object.rings(at(329)), []);
    assert_eq!(object.rings(at(330)), [tenant(3), tenant(4)], "seven calls are enough for two");
}

fn at_once(calls: u32) -> Object {
    let limits = of(Upstream::AppsScript);
    let at_once = Some(AtOnce { calls, ..limits.at_once.unwrap() });
    Object { limits: Limits { at_once, ..limits }, ..Object::closed(Upstream::AppsScript) }
}

#[test]
fn only_so_many_ask_at_once_and_each_end_lets_the_next_one_in() {
    let mut object = at_once(2);
    assert_eq!((object.asks(1, at(0)), object.asks(2, at(0))), (WATCHED, WATCHED), "they have to tell");
    assert_eq!(object.asks(3, at(1)), wait(at(11)));
    assert_eq!(object.asks(4, at(1)), wait(at(16)), "one waits already");
    assert_eq!(object.asks(1, at(2)), WATCHED, "its attempt was interrupted");
    assert_eq!((object.breaker.asking(at(2)), object.rings(at(2)).len()), (2, 0));
    object.hears(2, HealthSignal::Answered, at(3));
    assert_eq!(object.rings_at(at(3)), Some(at(3)));
    assert_eq!(object.rings(at(3)), [tenant(3)]);
    assert_eq!(object.asks(3, at(3)), WATCHED);
    object.hears(1, HealthSignal::Nothing, at(5));
    object.told(BreakerCommand::Report { run: run(3), verdict: FAILED, watched: false }, at(5));
    assert_eq!(object.breaker.asking(at(5)), 0, "whatever came of it, and whoever it told");
}

#[test]
fn the_place_of_who_died_is_free_when_no_attempt_can_be_out_any_more() {
    let mut object = at_once(1);
    object.asks(1, at(0));
    object.asks(2, at(75));
    assert_eq!(object.rings_at(at(75)), Some(at(80)));
    assert_eq!(object.asks(2, at(79)), wait(at(80).after(Duration::from_secs(10))));
    assert_eq!(object.breaker.asking(at(79)), 1);
    assert_eq!(object.rings(at(80)), [tenant(2)]);
    assert_eq!((object.asks(2, at(80)), object.breaker.asking(at(80))), (WATCHED, 1));
}

#[test]
fn one_that_an_operator_opened_lets_nobody_through_until_it_is_closed() {
    let mut object = Object::closed(Upstream::Google);
    object.asks(1, at(0));
    assert_eq!(object.told(BreakerCommand::Open, at(1)).reply.transition, Some(Transition::Opened));
    object.hears(1, HealthSignal::Answered, at(2));
    object.hears(1, FAILED, at(2));
    for hours in 0..100 {
        let now = at(hours * 3600 + 3);
        assert_eq!(object.asks(2, now), wait(now.after(Duration::from_secs(300))));
        assert_eq!((object.rings_at(now), object.rings(now).len()), (None, 0));
    }
    assert_eq!(object.breaker.next_probe_at(), None);
    assert!(object.breaker.is_held_open());
    assert_eq!(object.told(BreakerCommand::Open, at(4)).reply.transition, None, "it was");
    assert_eq!(object.told(BreakerCommand::Close, at(400_000)).reply.transition, Some(Transition::Closed));
    assert_eq!(object.breaker.closed_at(), Some(at(400_000)));
    assert_eq!(object.rings(at(400_000)), [tenant(2)]);
    assert_eq!(object.asks(2, at(400_000)), GO);
}

#[test]
fn one_that_is_open_already_is_held_open_too() {
    for probe in [false, true] {
        let mut object = Object::opened();
        if probe {
            assert_eq!(object.asks(5, at(30)), WATCHED);
        }
        assert_eq!(object.told(BreakerCommand::Open, at(31)).reply.transition, Some(Transition::Opened));
        object.hears(5, FAILED, at(32));
        object.hears(5, HealthSignal::Nothing, at(32));
        object.hears(5, HealthSignal::Answered, at(32));
        assert_eq!(object.asks(6, at(9999)), wait(at(10_299)));
        let State::Open { outage, .. } = object.breaker.state else { panic!("{:?}", object.breaker.state) };
        assert_eq!((outage.since, outage.failures), (START, 10));
    }
}

#[test]
fn when_it_was_last_closed_is_remembered_if_it_was_open() {
    let mut object = Object::opened();
    object.hears(8, HealthSignal::Answered, at(3));
    assert_eq!(object.breaker.closed_at(), Some(at(3)));
    object.hears(8, FAILED, at(4));
    object.hears(8, HealthSignal::Answered, at(5));
    object.told(BreakerCommand::Close, at(6));
    assert_eq!(object.breaker.closed_at(), Some(at(3)), "nothing was closed since");
}

#[test]
fn a_budget_holds_for_a_probe_as_well() {
    let mut object = Object { breaker: Bench::opened(START).breaker, ..at_once(1) };
    assert_eq!(object.asks(5, at(30)), WATCHED);
    let ask = run(6);
    let ask = AdmissionRequest { run: &ask, cost: 1, has_failed: false };
    let refused = object.breaker.clone().admit(&object.limits, &ask, &Waiting::default(), at(31));
    assert_eq!(refused, wait(at(41)));
    object.hears(5, FAILED, at(32));
    assert_eq!(object.breaker.asking(at(32)), 0);
}

#[test]
fn makes_own_wait_is_a_minute_at_most() {
    for upstream in Upstream::ALL {
        let longest = if upstream == Upstream::Make { 60 } else { 300 };
        assert_eq!(of(upstream).longest_wait, Duration::from_secs(longest));
    }
}
