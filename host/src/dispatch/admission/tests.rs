//! Admission without plugins: who gets which place, in which order.

use futures_util::FutureExt as _;

use super::*;

const SOON: Duration = Duration::from_secs(2);

fn admission(max_calls: u32, max_waiting: u32) -> Arc<Admission> {
    Arc::new(Admission::new(GuestsConfig { max_calls, max_waiting, ..GuestsConfig::default() }))
}

fn ask(plugin: PluginKey, priority: Priority) -> Ask {
    Ask {
        plugin,
        calls: 64,
        places: 1,
        priority,
        typical: Duration::ZERO,
        due: Instant::now() + SOON,
    }
}

fn now(admission: &Arc<Admission>, ask: Ask) -> Option<Result<Place, NotAdmitted>> {
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
                order.lock().unwrap().push(priority);
            })
        })
        .collect();
    while admission.lock().waiting_count() < waiting.len() {
        tokio::task::yield_now().await;
    }
    drop(held);
    for waiter in waiting {
        waiter.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [Priority::Click, Priority::Preview, Priority::Event]);
}

#[tokio::test]
async fn a_click_takes_the_place_of_an_event_in_a_full_queue() {
    let admission = admission(1, 1);
    let held = now(&admission, ask(0, Priority::Click)).unwrap().unwrap();
    let event = tokio::spawn({
        let admission = Arc::clone(&admission);
        async move { admission.enter(ask(1, Priority::Event)).await.map(drop) }
    });
    while admission.lock().waiting_count() == 0 {
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
    // Places are known to be taken for long.
    admission.lock().typical_hold = Duration::from_secs(8);
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
    assert_eq!(admission.lock().waiting_count(), 0);
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
