//! The credentials for updating a card after its callback was answered: thirty minutes, two uses, one app.

use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use tokio::time::Instant;

use crate::delivery::CardSchema;

/// Lifetime of a token: thirty minutes, as documented.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Uses of a token: two, as documented (an old page says three).
const MAX_USES: u8 = 2;
/// Most tokens that are remembered; the oldest become unknown. Enough for a load test of some minutes.
const MAX_TOKENS: usize = 16_384;

/// The moment at which a token's callback was answered: set once by the door, read when an update is judged.
#[derive(Clone, Debug, Default)]
pub(super) struct AnswerMark(Arc<OnceLock<Instant>>);

impl AnswerMark {
    pub(super) fn set(&self, now: Instant) {
        // Only the first answer counts, so a second one failing to set it is right.
        let _ = self.0.set(now);
    }

    pub(super) fn get(&self) -> Option<Instant> {
        self.0.get().copied()
    }
}

/// Reason why a token does not permit an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenFault {
    Unknown,
    OtherApp,
    Expired,
    UsedUp,
}

/// The tokens that were issued.
pub(super) struct UpdateTokens(Mutex<Bounded<String, Issued>>);

impl Default for UpdateTokens {
    fn default() -> Self {
        Self(Mutex::new(Bounded::new(MAX_TOKENS)))
    }
}

struct Issued {
    app_id: String,
    on_screen: CardSchema,
    expires: Instant,
    uses: u8,
    answered: AnswerMark,
}

impl UpdateTokens {
    /// Makes `token` valid. A callback that is sent twice keeps the token it had.
    pub(super) fn issue(
        &self,
        token: &str,
        app_id: &str,
        on_screen: CardSchema,
        now: Instant,
    ) -> AnswerMark {
        let mut tokens = self.0.lock();
        if let Some(issued) = tokens.get(token) {
            return issued.answered.clone();
        }
        let answered = AnswerMark::default();
        let issued = Issued {
            app_id: app_id.to_owned(),
            on_screen,
            expires: now + LIFETIME,
            uses: 0,
            answered: answered.clone(),
        };
        tokens.insert(token.to_owned(), issued);
        answered
    }

    /// Returns the mark of the token's callback, whatever state the token is in.
    pub(super) fn answer_mark(&self, token: &str) -> Option<AnswerMark> {
        self.0.lock().get(token).map(|issued| issued.answered.clone())
    }

    /// Spends one use, unless the token is not valid or `check` refuses; `check` is told the version of the card on screen.
    pub(super) fn redeem<E: From<TokenFault>>(
        &self,
        app_id: &str,
        token: &str,
        now: Instant,
        check: impl FnOnce(CardSchema) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut tokens = self.0.lock();
        let issued = tokens.get_mut(token).ok_or(TokenFault::Unknown)?;
        if issued.app_id != app_id {
            return Err(TokenFault::OtherApp.into());
        }
        if now >= issued.expires {
            return Err(TokenFault::Expired.into());
        }
        if issued.uses == MAX_USES {
            return Err(TokenFault::UsedUp.into());
        }
        check(issued.on_screen)?;
        issued.uses += 1;
        Ok(())
    }

    pub(super) fn expire(&self, token: &str, now: Instant) {
        if let Some(issued) = self.0.lock().get_mut(token) {
            issued.expires = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redeem(
        tokens: &UpdateTokens,
        app: &str,
        token: &str,
        now: Instant,
    ) -> Result<(), TokenFault> {
        tokens.redeem(app, token, now, |_| Ok(()))
    }

    #[test]
    fn two_uses_by_one_app_within_half_an_hour() {
        let tokens = UpdateTokens::default();
        let now = Instant::now();
        for token in ["c-1", "c-2"] {
            tokens.issue(token, "cli_a", CardSchema::Unknown, now);
        }
        assert_eq!(redeem(&tokens, "cli_a", "c-0", now), Err(TokenFault::Unknown));
        assert_eq!(redeem(&tokens, "cli_b", "c-1", now), Err(TokenFault::OtherApp));
        assert_eq!(redeem(&tokens, "cli_a", "c-1", now), Ok(()));
        assert_eq!(redeem(&tokens, "cli_a", "c-1", now), Ok(()));
        assert_eq!(redeem(&tokens, "cli_a", "c-1", now), Err(TokenFault::UsedUp));
        assert_eq!(redeem(&tokens, "cli_a", "c-2", now + LIFETIME), Err(TokenFault::Expired));
        tokens.expire("c-2", now);
        assert_eq!(redeem(&tokens, "cli_a", "c-2", now), Err(TokenFault::Expired));
    }

    #[test]
    fn the_oldest_become_unknown_and_a_repetition_keeps_its_token() {
        let tokens = UpdateTokens::default();
        let now = Instant::now();
        let issue = |token: &str| tokens.issue(token, "cli_a", CardSchema::Unknown, now);
        for number in 0..=MAX_TOKENS {
            issue(&number.to_string()).set(now);
            issue("1");
        }
        assert_eq!(redeem(&tokens, "cli_a", "0", now), Err(TokenFault::Unknown));
        assert_eq!(redeem(&tokens, "cli_a", "2", now), Ok(()));
        assert_eq!(issue("2").get(), Some(now), "its callback was answered");
    }

    #[test]
    fn a_refused_card_costs_no_use() {
        let tokens = UpdateTokens::default();
        let now = Instant::now();
        tokens.issue("c-1", "cli_a", CardSchema::V2, now);
        for _ in 0..3 {
            let refused = tokens.redeem("cli_a", "c-1", now, |on_screen| {
                assert_eq!(on_screen, CardSchema::V2);
                Err(TokenFault::Unknown)
            });
            assert_eq!(refused, Err(TokenFault::Unknown));
        }
        assert_eq!(redeem(&tokens, "cli_a", "c-1", now), Ok(()));
    }
}
