//! Credentials that outlive the process: an app's ticket, and its tokens where the operator wants that. The store holds them
//! encrypted and authenticated (AES-256-GCM) under a key that is derived from the app's secret, which the store never holds.

use std::borrow::Cow;

use lark_wire::secret::Secret;
use ring::aead::AES_256_GCM;
use ring::aead::Aad;
use ring::aead::LessSafeKey;
use ring::aead::NONCE_LEN;
use ring::aead::Nonce;
use ring::error::Unspecified;
use ring::hkdf;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;
use serde::Deserialize;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::store::Store;
use crate::store::bucket::BucketId;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::telemetry::metrics;

/// Separates this key from every other key that is derived from the same app secret.
const PURPOSE: &[u8] = b"aviary credentials in the store, second form";
/// The first byte of every sealed credential. Values of the first form were text and began with a hex digit. What begins
/// with another byte counts as absent, and the credential is fetched again.
const FORMAT: u8 = 2;
/// A hundred thousand tenants, whose tokens have some hundred bytes each.
const QUOTA: Quota = Quota { bytes: 64 << 20, keys: 100_000 };

/// The kinds of credentials that an app stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// The app's ticket, which the platform sends once an hour.
    Ticket,
    /// The ticket and the tokens, each of which one request can fetch again.
    TicketAndTokens,
}

/// The stored credentials of one app.
#[derive(Clone)]
pub struct Vault {
    store: Store,
    bucket: BucketId,
    key: LessSafeKey,
    keeps: Keeps,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Vault").field("keeps", &self.keeps).finish_non_exhaustive()
    }
}

/// A credential and its end, in milliseconds since the Unix epoch.
#[derive(Debug)]
pub(super) struct StoredCredential {
    pub(super) secret: Secret,
    pub(super) until_ms: u64,
}

#[derive(Deserialize, Serialize)]
struct Plain<'a> {
    secret: Cow<'a, str>,
    until_ms: u64,
}

impl Vault {
    /// Opens the vault of the app with this id and secret.
    pub fn new(store: Store, app: &str, app_secret: &Secret, keeps: Keeps) -> Self {
        let key = derived_key(app, app_secret);
        Self { store, bucket: BucketId::credentials(app), key, keeps }
    }

    /// Returns whether tokens are stored besides the ticket.
    pub(super) fn keeps_tokens(&self) -> bool {
        self.keeps == Keeps::TicketAndTokens
    }

    /// Returns whether other hosts may write to the same vault.
    pub(super) fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// Loads the credential of that name. A credential that cannot be opened counts as absent: it may have been sealed with
    /// another app secret, or by a host that uses another format.
    pub(super) async fn load(&self, name: &str) -> Option<StoredCredential> {
        match self.store.get(self.bucket.clone(), name.to_owned()).await {
            Ok(sealed) => self.open(name, &sealed?),
            Err(error) => {
                tracing::warn!(%error, "store: credential not read");
                metrics::record_store_failure();
                None
            }
        }
    }

    /// Stores the credential. If the store fails, the only cost is another request later.
    pub(super) async fn save(&self, name: &str, kept: &StoredCredential) {
        let Ok(sealed) = self.seal(name, kept) else {
            tracing::warn!(
                "a credential is not kept in the store: the system gives no random numbers"
            );
            return;
        };
        let write = self.store.set(self.bucket.clone(), name.to_owned(), sealed, QUOTA);
        match write.await {
            Ok(()) => {}
            Err(WriteError::Store(error)) => {
                tracing::warn!(%error, "store: credential not written");
                metrics::record_store_failure();
            }
            Err(full) => tracing::warn!(error = %full, "store: credential not written"),
        }
    }

    /// Seals a credential: the format byte, a nonce, the ciphertext and its tag. The name is authenticated with it, so that
    /// nobody who writes to the store can give one tenant another tenant's token.
    ///
    /// A random nonce is safe for four thousand million values under one key; a hundred thousand tenants take ten years to
    /// reach that.
    fn seal(&self, name: &str, kept: &StoredCredential) -> Result<Vec<u8>, Unspecified> {
        let plain = Plain { secret: kept.secret.expose().into(), until_ms: kept.until_ms };
        let mut text = Zeroizing::new(serde_json::json!(plain).to_string().into_bytes());
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce)?;
        let unique = Nonce::assume_unique_for_key(nonce);
        let tag = self.key.seal_in_place_separate_tag(unique, Aad::from(name), &mut text)?;
        Ok([&[FORMAT][..], &nonce, &text, tag.as_ref()].concat())
    }

    fn open(&self, name: &str, sealed: &[u8]) -> Option<StoredCredential> {
        let (nonce, text) = sealed.strip_prefix(&[FORMAT])?.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut text = Zeroizing::new(text.to_vec());
        let plain = self.key.open_in_place(nonce, Aad::from(name), &mut text).ok()?;
        let Plain { secret, until_ms } = named_fields::from_slice(plain).ok()?;
        Some(StoredCredential { secret: Secret::new(secret), until_ms })
    }
}

/// Derives the key from the app secret with HKDF-SHA-256, for this purpose and this app.
fn derived_key(app: &str, app_secret: &Secret) -> LessSafeKey {
    let derived =
        hkdf::Salt::new(hkdf::HKDF_SHA256, PURPOSE).extract(app_secret.expose().as_bytes());
    let app = [app.as_bytes()];
    let key = derived.expand(&app, &AES_256_GCM);
    let key = key.unwrap_or_else(|_| unreachable!("HKDF yields 8,160 bytes, and a key has 32"));
    LessSafeKey::new(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StorePlace;

    const NAME: &str = "tenant/a";
    /// A value from a host without a format byte, for the same name, secret and credential: an HMAC in hex, and AES-256-CBC in
    /// Base64.
    const FIRST_FORM: &str = concat!(
        "77f686e47c74b297e9e8d729da3ba7606c3972cf22d56576052f0a7d5255a490.",
        "VQEheiOb+4o6/cRPC+Pceck7/I9pHmy1xTZSRudBvt7U1JKYqDjNq6rs+JrL76rhhyVc99McYib3sVbpWlL4Jw=="
    );

    fn kept() -> StoredCredential {
        StoredCredential { secret: Secret::new("t-secret"), until_ms: 7 }
    }

    async fn store() -> Store {
        Store::open(&StorePlace::Memory).await.unwrap()
    }

    fn vault(store: &Store, secret: &str) -> Vault {
        Vault::new(store.clone(), "cli_a", &Secret::new(secret), Keeps::TicketAndTokens)
    }

    #[tokio::test]
    async fn what_is_kept_is_there_for_whoever_has_the_app_secret() {
        let store = store().await;
        vault(&store, "one").save(NAME, &kept()).await;
        let found = vault(&store, "one").load(NAME).await.unwrap();
        assert_eq!((found.secret.expose(), found.until_ms), ("t-secret", 7));
        assert!(vault(&store, "one").load("tenant/b").await.is_none());
        assert!(vault(&store, "another").load(NAME).await.is_none());
    }

    #[tokio::test]
    async fn it_is_not_readable_and_not_to_be_changed() {
        let store = store().await;
        let one = vault(&store, "one");
        let sealed = one.seal(NAME, &kept()).unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("secret"));
        assert!(one.open(NAME, &sealed).is_some());
        assert!(one.open("tenant/b", &sealed).is_none(), "another tenant's");
        let other_app = Vault::new(store, "cli_b", &Secret::new("one"), Keeps::Ticket);
        assert!(other_app.open(NAME, &sealed).is_none(), "another app's");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(one.open(NAME, &changed).is_none(), "byte {at} was changed");
            assert!(one.open(NAME, &sealed[..at]).is_none(), "cut off at byte {at}");
        }
        assert_ne!(one.seal(NAME, &kept()).unwrap(), sealed, "a nonce is used once");
    }

    #[tokio::test]
    async fn what_an_older_host_stored_is_absent_until_it_is_stored_again() {
        let store = store().await;
        let vault = vault(&store, "one");
        store.set(vault.bucket.clone(), NAME.to_owned(), FIRST_FORM.into(), QUOTA).await.unwrap();
        assert!(vault.load(NAME).await.is_none());
        vault.save(NAME, &kept()).await;
        assert_eq!(vault.load(NAME).await.unwrap().secret.expose(), "t-secret");
    }
}
