//! Who waits for which reply frame. Frames are matched on their `message_id` header: an official client rounds larger
//! sequence numbers when it echoes them.

use std::collections::HashMap;
use std::collections::VecDeque;

use aviary_state::Mutex;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ingress::long_connection::frame::Frame;
use crate::simulator::update_token::AnswerMark;

/// Callbacks remembered per app, answered ones included, to tell late and second answers from stray ones. The oldest
/// is forgotten, and if somebody still waits for it, it counts as unanswered.
const MAX_REMEMBERED: usize = 16_384;

/// What a reply frame turned out to be.
pub(super) enum Arrival {
    /// Its sender was waiting.
    InTime,
    /// Its sender had given up.
    Late,
    /// There was an answer before.
    Duplicate,
    /// Nobody asked.
    Stray(Box<Frame>),
}

#[derive(Default)]
pub(super) struct Answers(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    asked: HashMap<String, Question>,
    order: VecDeque<String>,
}

struct Question {
    waiter: Option<oneshot::Sender<Frame>>,
    answered: AnswerMark,
}

impl Answers {
    /// Registers a message before its first frame leaves.
    pub(super) fn expect(
        &self,
        message_id: &str,
        answered: AnswerMark,
    ) -> oneshot::Receiver<Frame> {
        let (waiter, receiver) = oneshot::channel();
        let mut remembered = self.0.lock();
        if remembered.order.len() == MAX_REMEMBERED
            && let Some(oldest) = remembered.order.pop_front()
        {
            remembered.asked.remove(&oldest);
        }
        remembered.order.push_back(message_id.to_owned());
        remembered.asked.insert(message_id.to_owned(), Question { waiter: Some(waiter), answered });
        receiver
    }

    /// Hands a reply to whom it belongs.
    pub(super) fn arrived(&self, frame: Frame, now: Instant) -> Arrival {
        let mut remembered = self.0.lock();
        let question = frame.header("message_id").and_then(|id| remembered.asked.get_mut(id));
        let Some(question) = question else {
            return Arrival::Stray(Box::new(frame));
        };
        question.answered.set(now);
        match question.waiter.take() {
            None => Arrival::Duplicate,
            Some(waiter) => match waiter.send(frame) {
                Ok(()) => Arrival::InTime,
                Err(_) => Arrival::Late,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingress::long_connection::frame::Header;

    fn reply(message_id: &str) -> Frame {
        let header = Header { key: "message_id".into(), value: message_id.into() };
        Frame { headers: vec![header], ..Frame::default() }
    }

    #[test]
    fn in_time_duplicate_late_and_stray_are_told_apart() {
        let answers = Answers::default();
        let mark = AnswerMark::default();
        let now = Instant::now();
        let _waiting = answers.expect("a", mark.clone());
        drop(answers.expect("b", AnswerMark::default()));
        assert!(mark.get().is_none());
        assert!(matches!(answers.arrived(reply("a"), now), Arrival::InTime));
        assert!(mark.get().is_some());
        assert!(matches!(answers.arrived(reply("a"), now), Arrival::Duplicate));
        assert!(matches!(answers.arrived(reply("b"), now), Arrival::Late));
        assert!(matches!(answers.arrived(reply("c"), now), Arrival::Stray(_)));
    }
}
