//! Access tokens of one app: its own, and one for each tenant. As on the platform, asking again gives the same token for a while.

use std::time::Duration;

use aviary_state::Bounded;
use aviary_state::Mutex;
use tokio::time::Instant;

use crate::identifier;

/// The code for "App access token invalid".
pub(super) const APP_TOKEN_INVALID: i64 = 99_991_664;
/// Two hours, as documented.
const LIFETIME: Duration = Duration::from_secs(7200);
/// Asking again gives the same token while at least this much of its lifetime is left.
const RENEW_BELOW: Duration = Duration::from_secs(30 * 60);
/// Most tokens of one holder that are valid at once. The rule above allows two; the rest is slack.
const MAX_TOKENS: usize = 4;
/// Most holders of one app, so that a client which makes tenants up cannot fill memory.
const MAX_HOLDERS: usize = 1024;
/// Most stale tokens that are told from made-up ones.
const MAX_STALE: usize = 1024;

#[derive(Default)]
pub(super) struct AccessTokens(Mutex<Tokens>);

struct Tokens {
    good: Bounded<Holder, Vec<AccessToken>>,
    /// Code that is answered to each stale token.
    stale: Bounded<String, i64>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { good: Bounded::new(MAX_HOLDERS), stale: Bounded::new(MAX_STALE) }
    }
}

/// The party that a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    /// The app, for itself.
    App,
    /// The app, for the tenant with this key.
    Tenant(String),
}

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
    pub(super) fn obtain(&self, holder: &Holder, now: Instant) -> AccessToken {
        let mut all = self.0.lock();
        let tokens = all.good.renew(holder.clone(), Vec::new);
        tokens.retain(|token| token.remaining(now) > Duration::ZERO);
        if let Some(token) = tokens.iter().rev().find(|token| token.remaining(now) >= RENEW_BELOW) {
            return token.clone();
        }
        if tokens.len() == MAX_TOKENS {
            tokens.remove(0);
        }
        let prefix = if *holder == Holder::App { "a" } else { "t" };
        let text = format!("{prefix}-{}", identifier::hex(32));
        let token = AccessToken { text, expires: now + LIFETIME };
        tokens.push(token.clone());
        token
    }

    /// Returns the holder of a token, if the token is valid.
    pub(super) fn holder(&self, text: &str, now: Instant) -> Option<Holder> {
        let all = self.0.lock();
        let valid =
            |token: &AccessToken| token.text == text && token.remaining(now) > Duration::ZERO;
        let found = all.good.iter().find(|(_, tokens)| tokens.iter().any(valid));
        found.map(|(holder, _)| holder.clone())
    }

    /// Returns the code that is answered to a stale token.
    pub(super) fn stale_code(&self, text: &str) -> Option<i64> {
        let all = self.0.lock();
        all.stale.get(text).copied()
    }

    /// Makes the tokens of those holders stale; requests with one are answered with that code.
    pub(super) fn revoke(&self, code: i64, whose: impl Fn(&Holder) -> bool) {
        let mut all = self.0.lock();
        let revoked: Vec<_> = all
            .good
            .iter()
            .map(|(holder, _)| holder)
            .filter(|holder| whose(holder))
            .cloned()
            .collect();
        for holder in revoked {
            for token in all.good.remove(&holder).unwrap_or_default() {
                all.stale.insert(token.text, code);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_makes_tenants_up_forgets_the_oldest() {
        let tokens = AccessTokens::default();
        let now = Instant::now();
        let of = |number: usize| tokens.obtain(&Holder::Tenant(number.to_string()), now).text;
        let texts: Vec<_> = (0..=MAX_HOLDERS).map(of).collect();
        assert_eq!(tokens.holder(&texts[0], now), None);
        assert!(tokens.holder(&texts[1], now).is_some());
        tokens.revoke(7, |_| true);
        assert_eq!(tokens.stale_code(&texts[1]), Some(7));
        assert!(tokens.holder(&texts[1], now).is_none());
    }

    #[test]
    fn the_same_token_until_half_an_hour_is_left_then_two_are_valid() {
        let tokens = AccessTokens::default();
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let tenant = Holder::Tenant("a".to_owned());
        let is_valid = |text: &str, now| tokens.holder(text, now).is_some();
        let first = tokens.obtain(&tenant, start);
        assert_eq!(tokens.obtain(&tenant, after(5400)).text, first.text);
        let second = tokens.obtain(&tenant, after(5401));
        assert_ne!(second.text, first.text);
        assert!(is_valid(&first.text, after(5402)) && is_valid(&second.text, after(5402)));
        assert!(!is_valid(&first.text, after(7200)));
        let own = tokens.obtain(&Holder::App, after(7200));
        tokens.revoke(7, |holder| *holder == tenant);
        assert!(!is_valid(&second.text, after(7200)));
        assert_eq!(tokens.stale_code(&second.text), Some(7));
        assert_eq!(tokens.holder(&own.text, after(7200)), Some(Holder::App));
    }
}
