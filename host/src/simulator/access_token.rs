//! Tenant access tokens of one app, with the platform's rule for handing out the same one again.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::simulator::identifier;
use crate::simulator::state::lock;

/// Two hours, as documented.
const LIFETIME: Duration = Duration::from_secs(7200);
/// While at least this much is left, asking again gives the same token.
const RENEW_BELOW: Duration = Duration::from_secs(30 * 60);
/// Tokens valid at once. The rule above allows two; the rest is slack.
const MAX_TOKENS: usize = 4;

#[derive(Default)]
pub(super) struct AccessTokens(Mutex<Vec<AccessToken>>);

#[derive(Clone)]
pub(super) struct AccessToken {
    pub(super) text: String,
    expires: Instant,
}

impl AccessToken {
    pub(super) fn remaining(&self, now: Instant) -> Duration {
        self.expires.saturating_duration_since(now)
    }
}

impl AccessTokens {
    pub(super) fn obtain(&self, now: Instant) -> AccessToken {
        let mut tokens = lock(&self.0);
        tokens.retain(|token| token.remaining(now) > Duration::ZERO);
        if let Some(token) = tokens.iter().rev().find(|token| token.remaining(now) >= RENEW_BELOW) {
            return token.clone();
        }
        if tokens.len() == MAX_TOKENS {
            tokens.remove(0);
        }
        let text = format!("t-{}", identifier::hex(32));
        let token = AccessToken { text, expires: now + LIFETIME };
        tokens.push(token.clone());
        token
    }

    pub(super) fn is_valid(&self, text: &str, now: Instant) -> bool {
        lock(&self.0)
            .iter()
            .any(|token| token.text == text && token.remaining(now) > Duration::ZERO)
    }

    pub(super) fn revoke(&self) {
        lock(&self.0).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_token_until_half_an_hour_is_left_then_two_are_valid() {
        let tokens = AccessTokens::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let first = tokens.obtain(start);
        assert_eq!(tokens.obtain(after(5400)).text, first.text);
        let second = tokens.obtain(after(5401));
        assert_ne!(second.text, first.text);
        assert!(tokens.is_valid(&first.text, after(5402)));
        assert!(tokens.is_valid(&second.text, after(5402)));
        assert!(!tokens.is_valid(&first.text, after(7200)));
        tokens.revoke();
        assert!(!tokens.is_valid(&second.text, after(7200)));
    }
}
