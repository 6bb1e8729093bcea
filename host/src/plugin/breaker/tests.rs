//! Tests of the breaker without a plugin.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn breaker() -> Arc<Breaker> {
    Arc::new(Breaker::new(BreakerConfig { failures: 3, pause_ms: 1000, max_pause_ms: 3000 }))
}

/// Returns the user of that number in the only tenant.
fn user(number: u64) -> Originator {
    Originator::numbered(1, number)
}

fn call(
    breaker: &Arc<Breaker>,
    from: Originator,
    verdict: CallVerdict,
    now: Instant,
) -> Option<Change> {
    breaker.pass(now, from).unwrap().settle(verdict, now)
}

/// Three users of one tenant fail, which is enough for a pause.
fn pause_for_all(breaker: &Arc<Breaker>, now: Instant) -> Vec<Change> {
    (0..3).filter_map(|number| call(breaker, user(number), CallVerdict::Failed, now)).collect()
}

#[test]
fn failures_in_a_row_pause_and_a_good_call_begins_a_new_row() {
    let (breaker, now) = (breaker(), Instant::now());
    let rows = [
        CallVerdict::Failed,
        CallVerdict::Failed,
        CallVerdict::Good,
        CallVerdict::Failed,
        CallVerdict::Failed,
    ];
    for (number, verdict) in rows.into_iter().enumerate() {
        assert_eq!(call(&breaker, user(number as u64), verdict, now), None);
    }
    let paused = Some(Change::Paused(Scope::All, SECOND));
    assert_eq!(call(&breaker, user(9), CallVerdict::Failed, now), paused);
    let refused = breaker.pass(now, user(100)).unwrap_err();
    assert_eq!(refused, Paused { scope: Scope::All, left: SECOND });
}

#[test]
fn one_user_s_failures_pause_that_user_alone() {
    let (breaker, mut now) = (breaker(), Instant::now());
    let (one, other) = (user(1), user(2));
    let paused = Some(Change::Paused(Scope::User, SECOND));
    assert_eq!(call(&breaker, one, CallVerdict::Failed, now), None);
    assert_eq!(call(&breaker, one, CallVerdict::Failed, now), None);
    assert_eq!(call(&breaker, one, CallVerdict::Failed, now), paused);
    // Five times a second for almost an hour, with nobody's good call in between.
    for _ in 0..5 * 3599 {
        if let Ok(pass) = breaker.pass(now, one) {
            pass.settle(CallVerdict::Failed, now);
        }
        now += SECOND / 5;
    }
    assert_eq!(breaker.pass(now, one).unwrap_err().scope, Scope::User);
    assert_eq!(breaker.condition(now), Condition::Running);
    assert_eq!(breaker.paused_for(), PausedFor { tenants: 0, users: 1 });
    assert_eq!(call(&breaker, other, CallVerdict::Good, now), None, "nobody else is concerned");
    now += 3 * SECOND;
    assert_eq!(call(&breaker, one, CallVerdict::Good, now), Some(Change::Resumed(Scope::User)));
    assert_eq!(breaker.paused_for(), PausedFor { tenants: 0, users: 0 });
}

#[test]
fn two_users_are_not_several() {
    let (breaker, now) = (breaker(), Instant::now());
    for number in [1, 1, 2, 2] {
        assert_eq!(call(&breaker, user(number), CallVerdict::Failed, now), None);
    }
    assert_eq!(breaker.condition(now), Condition::Running);
}

#[test]
fn one_tenant_s_failures_pause_that_tenant_where_there_are_others() {
    let (breaker, now) = (breaker(), Instant::now());
    let elsewhere = Originator::numbered(2, 100);
    assert_eq!(call(&breaker, elsewhere, CallVerdict::Good, now), None);
    assert_eq!(pause_for_all(&breaker, now), [Change::Paused(Scope::Tenant, SECOND)]);
    assert_eq!(breaker.pass(now, user(7)).unwrap_err().scope, Scope::Tenant);
    assert_eq!(call(&breaker, elsewhere, CallVerdict::Good, now), None);
    assert_eq!(breaker.condition(now), Condition::Running);
}

#[test]
fn failures_of_several_tenants_pause_all() {
    let (breaker, now) = (breaker(), Instant::now());
    for number in 0..2 {
        assert_eq!(call(&breaker, user(number), CallVerdict::Failed, now), None);
    }
    let elsewhere = Originator::numbered(2, 100);
    let paused = Some(Change::Paused(Scope::All, SECOND));
    assert_eq!(call(&breaker, elsewhere, CallVerdict::Failed, now), paused);
}

#[test]
fn one_call_is_tried_after_a_pause_and_each_pause_is_longer_up_to_a_limit() {
    let (breaker, mut now) = (breaker(), Instant::now());
    pause_for_all(&breaker, now);
    for seconds in [2, 3, 3] {
        now += 3 * SECOND;
        let probe = breaker.pass(now, user(10 + seconds)).unwrap();
        assert!(breaker.pass(now, user(20)).is_err(), "only one is tried");
        let paused = Change::Paused(Scope::All, u32::try_from(seconds).unwrap() * SECOND);
        assert_eq!(probe.settle(CallVerdict::Failed, now), Some(paused));
    }
    now += 3 * SECOND;
    assert_eq!(call(&breaker, user(20), CallVerdict::Good, now), Some(Change::Resumed(Scope::All)));
    assert_eq!(breaker.condition(now), Condition::Running);
}

#[test]
fn a_trial_that_never_began_leaves_the_trial_to_the_next() {
    let (breaker, now) = (breaker(), Instant::now());
    pause_for_all(&breaker, now);
    drop(breaker.pass(now + SECOND, user(10)).unwrap());
    let later = Instant::now() + SECOND;
    assert_eq!(call(&breaker, user(10), CallVerdict::Neither, later), None);
    let resumed = Some(Change::Resumed(Scope::All));
    assert_eq!(call(&breaker, user(10), CallVerdict::Good, later), resumed);
}

#[test]
fn a_paused_user_does_not_spend_the_trial_of_all() {
    let (breaker, now) = (breaker(), Instant::now());
    for _ in 0..3 {
        call(&breaker, user(0), CallVerdict::Failed, now + SECOND / 2);
    }
    for number in 1..3 {
        call(&breaker, user(number), CallVerdict::Failed, now);
    }
    let later = now + SECOND + SECOND / 4;
    assert_eq!(breaker.pass(later, user(0)).unwrap_err().scope, Scope::User);
    assert!(breaker.pass(later, user(9)).is_ok(), "the trial is still to be had");
}

#[test]
fn calls_from_before_a_pause_do_not_count_any_more() {
    let (breaker, now) = (breaker(), Instant::now());
    let passes: Vec<_> = (0..5).map(|number| breaker.pass(now, user(number)).unwrap()).collect();
    let changes: Vec<_> =
        passes.into_iter().filter_map(|pass| pass.settle(CallVerdict::Failed, now)).collect();
    assert_eq!(changes, [Change::Paused(Scope::All, SECOND)]);
}
