//! Access tokens of one app, with the platform's rule for handing out the same one again: its own, and one for each tenant.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

use aviary_state::Mutex;
use tokio::time::Instant;

use crate::simulator::identifier;

/// "App access token invalid".
pub(super) const APP_TOKEN_INVALID: i64 = 99_991_664;
/// Two hours, as documented.
const LIFETIME: Duration = Duration::from_secs(7200);
/// While at least this much is left, asking again gives the same token.
const RENEW_BELOW: Duration = Duration::from_secs(30 * 60);
/// Tokens of one holder that are valid at once. The rule above allows two; the rest is slack.
const MAX_TOKENS: usize = 4;
/// Holders of one app, so that a client which makes tenants up cannot fill memory.
const MAX_HOLDERS: usize = 1024;
/// Stale tokens that are told from made-up ones.
const MAX_STALE: usize = 1024;

#[derive(Default)]
pub(super) struct AccessTokens(Mutex<Tokens>);

#[derive(Default)]
struct Tokens {
    good: HashMap<Holder, Vec<AccessToken>>,
    stale: VecDeque<(String, i64)>,
}

/// Whom a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    /// The app itself.
    App,
    /// The app, for that tenant.
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
        if all.good.len() == MAX_HOLDERS && !all.good.contains_key(holder) {
            all.good.clear();
        }
        let tokens = all.good.entry(holder.clone()).or_default();
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

    /// Whom it speaks for, if it is valid.
    pub(super) fn holder(&self, text: &str, now: Instant) -> Option<Holder> {
        let all = self.0.lock();
        let valid =
            |token: &AccessToken| token.text == text && token.remaining(now) > Duration::ZERO;
        let found = all.good.iter().find(|(_, tokens)| tokens.iter().any(valid));
        found.map(|(holder, _)| holder.clone())
    }

    /// What is said to a token that was made stale.
    pub(super) fn stale_code(&self, text: &str) -> Option<i64> {
        let all = self.0.lock();
        all.stale.iter().find(|(stale, _)| stale == text).map(|(_, code)| *code)
    }

    /// Makes the tokens of those holders stale; whoever comes with one is told so by that code.
    pub(super) fn revoke(&self, code: i64, whose: impl Fn(&Holder) -> bool) {
        let mut all = self.0.lock();
        let Tokens { good, stale } = &mut *all;
        good.retain(|holder, tokens| {
            if !whose(holder) {
                return true;
            }
            for token in tokens.drain(..) {
                if stale.len() == MAX_STALE {
                    stale.pop_front();
                }
                stale.push_back((token.text, code));
            }
            false
        });
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
