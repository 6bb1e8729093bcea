//! Tests of admission without plugins: who gets which place, in which order.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;

use super::*;

const SOON: Duration = Duration::from_secs(2);

fn admission(max_calls: u32, max_waiting: u32) -> Arc<Admission> {
    Arc::new(Admission::new(GuestsConfig { max_calls, max_waiting, ..GuestsConfig::default() }))
}

/// Makes a request of a user who has asked for nothing before.
fn ask(plugin: PluginKey, priority: Priority) -> Ask {
    static USERS: AtomicU64 = AtomicU64::new(1000);
    ask_of(plugin, priority, user(USERS.fetch_add(1, Ordering::Relaxed)))
}

/// Makes a user of the only tenant.
fn user(number: u64) -> Originator {
    Originator::numbered(1, number)
}

fn ask_of(plugin: PluginKey, priority: Priority, from: Originator) -> Ask {
    Ask {
        plugin,
        from,
        calls: 64,
        places: 1,
        priority,
        typical: Duration::ZERO,
        due: Instant::now() + SOON,
        is_short: true,
    }
}

fn now(admission: &Arc<Admission>, ask: Ask) -> Option<Result<AdmissionPlace, NotAdmitted>> {
    let entering = admission.enter(ask);
    entering.now_or_never()
}

#[tokio::test]
async fn plugins_that_hang_leave_room_for_the_others() {
    let admission = admission(128, 1024);
    let mut held = Vec::new();
    for plugin in 0..8 {
        while let Some(Ok(place)) = now(&admission, ask(plugin, Priority::Click)) {
            held.push(place);
        }
    }
    for plugin in 8..16 {
        let place = now(&admission, ask(plugin, Priority::Event));
        held.push(place.expect("no wait").expect("a place"));
    }
}

#[tokio::test]
async fn clicks_come_first() {
    let admission = admission(1, 16);
    let held = now(&admission, ask(0, Priority::Event)).unwrap().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let waiting: Vec<_> = [Priority::Event, Priority::Preview, Priority::Click]
        .into_iter()
        .enumerate()
        .map(|(plugin, priority)| {
            let (admission, order) = (Arc::clone(&admission), Arc::clone(&order));
            tokio::spawn(async move {
                let _place = admission.enter(ask(plugin + 1, priority)).await.unwrap();
                order.lock().push(priority);
            })
        })
        .collect();
    while admission.state.lock().waiting_count() < waiting.len() {
        tokio::task::yield_now().await;
    }
    drop(held);
    for waiter in waiting {
        waiter.await.unwrap();
    }
    assert_eq!(*order.lock(), [Priority::Click, Priority::Preview, Priority::Event]);
}

#[tokio::test]
async fn a_click_takes_the_place_of_an_event_in_a_full_queue() {
    let admission = admission(1, 1);
    let held = now(&admission, ask(0, Priority::Click)).unwrap().unwrap();
    let event = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.enter(ask(1, Priority::Event)).await.map(drop) }
    });
    while admission.state.lock().waiting_count() == 0 {
        tokio::task::yield_now().await;
    }
    let full = now(&admission, ask(2, Priority::Event)).expect("answered at once").unwrap_err();
    assert_eq!(full, NotAdmitted::QueueFull { limit: 1 });
    let click = admission.enter(ask(3, Priority::Click));
    tokio::pin!(click);
    assert!(click.as_mut().now_or_never().is_none(), "it waits");
    assert_eq!(event.await.unwrap(), Err(NotAdmitted::GaveWay));
    drop(held);
    assert!(click.await.is_ok());
}

#[tokio::test]
async fn who_could_not_be_answered_in_time_is_told_at_once() {
    let admission = admission(2, 1024);
    // Makes the average time for which a place is held long.
    admission.state.lock().typical_hold = Duration::from_secs(8);
    let _held: Vec<_> = (0..2)
        .map(|plugin| now(&admission, ask(plugin, Priority::Click)).unwrap().unwrap())
        .collect();
    let waiting: Vec<_> = (2..4)
        .map(|plugin| {
            let mut entering = Box::pin(admission.enter(ask(plugin, Priority::Click)));
            let verdict = entering.as_mut().now_or_never();
            (entering, verdict.map(|result| result.map(drop)))
        })
        .collect();
    assert_eq!(waiting[0].1, None, "the first in the queue may be lucky");
    assert_eq!(waiting[1].1, Some(Err(NotAdmitted::NotInTime)));
}

#[tokio::test]
async fn who_waits_leaves_when_it_could_not_be_answered_any_more() {
    let admission = admission(1, 1024);
    let _held = now(&admission, ask(0, Priority::Click)).unwrap().unwrap();
    let began = Instant::now();
    let typical = SOON - Duration::from_millis(50);
    let refused = admission.enter(Ask { typical, ..ask(1, Priority::Click) }).await.unwrap_err();
    assert_eq!(refused, NotAdmitted::NotInTime);
    assert!(began.elapsed() < SOON / 2, "it did not wait until its answer was due");
    assert_eq!(admission.state.lock().waiting_count(), 0);
}

#[tokio::test]
async fn a_plugin_has_its_own_limits() {
    let admission = admission(128, 1024);
    let narrow = || Ask { calls: 1, ..ask(0, Priority::Click) };
    let _running = now(&admission, narrow()).unwrap().unwrap();
    let mut waiting = Box::pin(admission.enter(narrow()));
    assert!(waiting.as_mut().now_or_never().is_none());
    let refused = now(&admission, narrow()).unwrap().unwrap_err();
    assert_eq!(refused, NotAdmitted::PluginBusy { limit: 1 });
    assert!(now(&admission, ask(1, Priority::Click)).unwrap().is_ok(), "others are not concerned");
}

#[tokio::test]
async fn a_large_call_is_not_overtaken_for_ever() {
    let admission = admission(4, 1024);
    let first = now(&admission, ask(0, Priority::Click)).unwrap().unwrap();
    let mut large = Box::pin(admission.enter(Ask { places: 4, ..ask(1, Priority::Click) }));
    assert!(large.as_mut().now_or_never().is_none());
    let mut small = Box::pin(admission.enter(ask(2, Priority::Click)));
    assert!(small.as_mut().now_or_never().is_none(), "it waits behind the large one");
    drop(first);
    let large = large.await.unwrap();
    assert!(small.as_mut().now_or_never().is_none());
    drop(large);
    assert!(small.await.is_ok());
}

/// Takes as many places as can be had at once.
fn take_all(admission: &Arc<Admission>, ask: impl Fn() -> Ask) -> Vec<AdmissionPlace> {
    std::iter::from_fn(|| now(admission, ask())?.ok()).collect()
}

/// Polls the request until it waits.
fn waiting(
    admission: &Arc<Admission>,
    ask: Ask,
) -> std::pin::Pin<Box<dyn Future<Output = Result<AdmissionPlace, NotAdmitted>> + '_>> {
    let mut entering = Box::pin(admission.enter(ask));
    assert!(entering.as_mut().now_or_never().is_none(), "it waits");
    entering
}

#[tokio::test]
async fn a_user_takes_no_more_than_half_of_what_is_left_of_a_plugin() {
    let admission = admission(128, 1024);
    let click = |number| move || ask_of(0, Priority::Click, user(number));
    let held: Vec<_> = (0..7).map(|number| take_all(&admission, click(number))).collect();
    let counts: Vec<_> = held.iter().map(Vec::len).collect();
    assert_eq!(counts, [28, 14, 7, 4, 2, 1, 0], "of 64, seven in eight are one tenant's");
    let elsewhere = Originator::numbered(2, 100);
    let visitor = take_all(&admission, || ask_of(0, Priority::Click, elsewhere));
    assert_eq!(visitor.len(), 4, "another tenant's user has room, whatever hangs");
}

#[tokio::test]
async fn a_user_takes_no_more_than_half_of_all_places_and_may_still_use_other_plugins() {
    let admission = admission(128, 1024);
    let click = |plugin| move || ask_of(plugin, Priority::Click, user(1));
    let places: Vec<_> = (0..8).map(|plugin| take_all(&admission, click(plugin))).collect();
    let held: usize = places.iter().map(Vec::len).sum();
    assert!((64..=72).contains(&held), "{held} of 128");
    for number in 2..10 {
        let place = now(&admission, ask_of(0, Priority::Click, user(number)));
        place.expect("no wait").expect("a place");
    }
}

#[tokio::test]
async fn a_waiting_user_s_turn_comes_before_a_busy_one_s() {
    let admission = admission(4, 1024);
    let busy = || ask_of(0, Priority::Click, user(1));
    let first = now(&admission, busy()).unwrap().unwrap();
    let second = now(&admission, ask_of(1, Priority::Click, user(1))).unwrap().unwrap();
    let others: Vec<_> = (2..4)
        .map(|plugin| now(&admission, ask(plugin, Priority::Click)).unwrap().unwrap())
        .collect();
    let mut next_of_busy = waiting(&admission, busy());
    let mut newcomer = waiting(&admission, ask_of(0, Priority::Click, user(2)));
    drop(others);
    assert!(newcomer.as_mut().now_or_never().is_some(), "who has nothing comes first");
    assert!(next_of_busy.as_mut().now_or_never().is_none());
    drop((first, second));
    assert!(next_of_busy.now_or_never().is_some());
}

#[tokio::test]
async fn a_newcomer_takes_the_waiting_place_of_who_has_most() {
    let admission = admission(128, 1024);
    let of = |number| Ask { calls: 4, ..ask_of(0, Priority::Click, user(number)) };
    let _held: Vec<_> =
        (0..4).map(|number| now(&admission, of(number)).unwrap().unwrap()).collect();
    let mut flood: Vec<_> = (0..4).map(|_| waiting(&admission, of(0))).collect();
    let refused = now(&admission, of(0)).unwrap().unwrap_err();
    assert_eq!(refused, NotAdmitted::PluginBusy { limit: 4 });
    let _newcomer = waiting(&admission, of(9));
    let last = flood.pop().unwrap().now_or_never().unwrap().unwrap_err();
    assert_eq!(last, NotAdmitted::GaveWay);
    assert!(flood.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
}

#[tokio::test]
async fn events_do_not_keep_clicks_of_the_same_plugin_out() {
    let admission = admission(128, 1024);
    let one = |priority| Ask { calls: 1, ..ask(0, priority) };
    let _held = now(&admission, one(Priority::Click)).unwrap().unwrap();
    let event = waiting(&admission, one(Priority::Event));
    let _click = waiting(&admission, one(Priority::Click));
    assert_eq!(event.now_or_never().unwrap().unwrap_err(), NotAdmitted::GaveWay);
    let refused = now(&admission, one(Priority::Event)).unwrap().unwrap_err();
    assert_eq!(refused, NotAdmitted::PluginBusy { limit: 1 }, "an event takes no click's place");
}

#[tokio::test]
async fn who_waits_for_another_user_s_calls_is_not_told_so_of_a_busy_user_s() {
    let admission = admission(128, 1024);
    let of = |number| Ask {
        calls: 4,
        typical: Duration::from_millis(600),
        ..ask_of(0, Priority::Click, user(number))
    };
    let _held: Vec<_> =
        (0..4).map(|number| now(&admission, of(number)).unwrap().unwrap()).collect();
    let _flood: Vec<_> = (0..4).map(|_| waiting(&admission, of(0))).collect();
    let ahead = |number| admission.state.lock().ahead_in_plugin(&of(number));
    assert_eq!((ahead(9), ahead(0)), (0, 4), "the newcomer has its turn first");
}

#[tokio::test]
async fn nothing_is_left_of_those_who_have_gone() {
    let admission = admission(128, 1024);
    for plugin in 0..1000 {
        let place = now(&admission, ask(plugin, Priority::Click)).unwrap().unwrap();
        drop(place);
    }
    let state = admission.state.lock();
    assert_eq!((state.free, state.waiting_count()), (128, 0));
    assert!(state.remembered() <= 300, "{} plugins and users", state.remembered());
}
