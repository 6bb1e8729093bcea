//! Matches reply frames to the callbacks that wait for them, by their `message_id` header: an official client rounds larger
//! sequence numbers when it echoes them.

use aviary_state::Bounded;
use aviary_state::Mutex;
use lark_wire::frame::Frame;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::update_token::AnswerMark;

/// Callbacks remembered per app, answered ones included, to tell late and second answers from stray ones. The oldest is
/// forgotten; if its sender still waits, it counts as unanswered.
const MAX_REMEMBERED: usize = 16_384;

/// The kind of a reply frame.
pub(super) enum Arrival {
    /// The sender of the callback was waiting.
    InTime,
    /// The sender of the callback had given up.
    Late,
    /// The callback was answered before.
    Duplicate,
    /// No callback with this id is known.
    Stray(Box<Frame>),
}

/// The callbacks of one app that were sent, by message id.
pub(super) struct Answers(Mutex<Bounded<String, Question>>);

impl Default for Answers {
    fn default() -> Self {
        Self(Mutex::new(Bounded::new(MAX_REMEMBERED)))
    }
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
        let question = Question { waiter: Some(waiter), answered };
        self.0.lock().insert(message_id.to_owned(), question);
        receiver
    }

    /// Hands a reply to the sender that waits for it.
    pub(super) fn arrived(&self, frame: Frame, now: Instant) -> Arrival {
        let mut asked = self.0.lock();
        let question = frame.header("message_id").and_then(|id| asked.get_mut(id));
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
    use lark_wire::frame::Header;

    use super::*;

    fn reply(message_id: &str) -> Frame {
        let header = Header { key: "message_id".into(), value: message_id.into() };
        Frame { headers: vec![header], ..Frame::default() }
    }

    #[test]
    fn the_callback_that_was_sent_longest_ago_is_forgotten() {
        let answers = Answers::default();
        let (mark, now) = (AnswerMark::default(), Instant::now());
        let _waiting: Vec<_> = (0..=MAX_REMEMBERED)
            .map(|number| answers.expect(&number.to_string(), mark.clone()))
            .collect();
        assert!(matches!(answers.arrived(reply("0"), now), Arrival::Stray(_)));
        assert!(matches!(answers.arrived(reply("1"), now), Arrival::InTime));
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
