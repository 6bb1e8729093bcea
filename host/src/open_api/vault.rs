//! Credentials that outlive the process: an app's ticket, and its tokens where the operator wants that. They are in the
//! store, encrypted and authenticated under keys that come from the app's secret, which is not there.

use std::borrow::Cow;

use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use serde::Deserialize;
use serde::Serialize;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::callback::cipher::Cipher;
use crate::named_fields;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::bucket::BucketId;
use crate::store::bucket::Quota;
use crate::store::bucket::WriteError;
use crate::telemetry::metrics;

/// Keeps the keys of different uses apart.
const PURPOSE: &[u8] = b"aviary credentials in the store, first form";
/// A hundred thousand tenants, whose tokens have some hundred bytes each.
const QUOTA: Quota = Quota { bytes: 64 << 20, keys: 100_000 };
/// As long as the cipher's blocks.
const IV_BYTES: usize = 16;

/// What of an app's credentials is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Its ticket, which the platform sends once an hour.
    Ticket,
    /// Its tokens too, which can be had again with one request.
    TicketAndTokens,
}

/// One app's.
#[derive(Clone)]
pub struct Vault {
    store: Store,
    bucket: BucketId,
    cipher: Cipher,
    mac: Hmac<Sha256>,
    keeps: Keeps,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Vault").field("keeps", &self.keeps).finish_non_exhaustive()
    }
}

/// A credential and when it ends, in milliseconds since the Unix epoch.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) secret: Secret,
    pub(super) until_ms: u64,
}

#[derive(Deserialize, Serialize)]
struct Plain<'a> {
    secret: Cow<'a, str>,
    until_ms: u64,
}

impl Vault {
    /// For that app.
    pub fn new(store: Store, app: &str, app_secret: &Secret, keeps: Keeps) -> Self {
        let derived = |what: &[u8]| {
            let key = keyed(app_secret.expose().as_bytes()).chain_update(PURPOSE);
            key.chain_update(what).finalize().into_bytes()
        };
        let cipher = Cipher::new(&Secret::new(hex::encode(derived(b"cipher"))));
        let mac = keyed(&derived(b"mac"));
        Self { store, bucket: BucketId::credentials(app), cipher, mac, keeps }
    }

    /// Whether tokens are kept, and not the ticket alone.
    pub(super) fn keeps_tokens(&self) -> bool {
        self.keeps == Keeps::TicketAndTokens
    }

    /// Whether another host may put something in.
    pub(super) fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    /// What is there under that name. What cannot be read, because the app has another secret now, is not there.
    pub(super) async fn load(&self, name: &str) -> Option<Kept> {
        match self.store.get(self.bucket.clone(), name.to_owned()).await {
            Ok(sealed) => self.open(name, std::str::from_utf8(&sealed?).ok()?),
            Err(error) => {
                tracing::warn!(%error, "a credential cannot be read from the store");
                metrics::record_store_failure();
                None
            }
        }
    }

    /// Puts it there. A store that does not work costs a request more, later.
    pub(super) async fn save(&self, name: &str, kept: &Kept) {
        let sealed = self.seal(name, kept).into_bytes();
        let write = self.store.set(self.bucket.clone(), name.to_owned(), sealed, QUOTA);
        match write.await {
            Ok(()) => {}
            Err(WriteError::Store(error)) => {
                tracing::warn!(%error, "a credential is not kept in the store");
                metrics::record_store_failure();
            }
            Err(full) => tracing::warn!(error = %full, "a credential is not kept in the store"),
        }
    }

    /// The initialisation vector is made of what it is for: the same credential twice is the same text, and nothing else is.
    fn seal(&self, name: &str, kept: &Kept) -> String {
        let plain = Plain { secret: kept.secret.expose().into(), until_ms: kept.until_ms };
        let plain = Zeroizing::new(serde_json::json!(plain).to_string());
        let mut iv = [0; IV_BYTES];
        iv.copy_from_slice(&self.mac("iv", name, &plain).finalize().into_bytes()[..IV_BYTES]);
        let sealed = self.cipher.encrypt(plain.as_bytes(), iv);
        let tag = hex::encode(self.mac("tag", name, &sealed).finalize().into_bytes());
        format!("{tag}.{sealed}")
    }

    fn open(&self, name: &str, text: &str) -> Option<Kept> {
        let (tag, sealed) = text.split_once('.')?;
        // Compared in constant time, before anything is decrypted.
        self.mac("tag", name, sealed).verify_slice(&hex::decode(tag).ok()?).ok()?;
        let plain = Zeroizing::new(self.cipher.decrypt(sealed).ok()?);
        let Plain { secret, until_ms } = named_fields::from_slice(&plain).ok()?;
        Some(Kept { secret: Secret::new(secret), until_ms })
    }

    fn mac(&self, what: &str, name: &str, text: &str) -> Hmac<Sha256> {
        self.mac
            .clone()
            .chain_update(serde_json::json!([what, name]).to_string())
            .chain_update(text)
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).unwrap_or_else(|_| unreachable!("a key of any length will do"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StorePlace;

    const NAME: &str = "tenant/a";

    fn kept() -> Kept {
        Kept { secret: Secret::new("t-secret"), until_ms: 7 }
    }

    async fn store() -> Store {
        Store::open(&StorePlace::Memory).await.unwrap().0
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
        let vault = vault(&store().await, "one");
        let sealed = vault.seal(NAME, &kept());
        assert!(!sealed.contains("t-secret"));
        assert!(vault.open(NAME, &sealed).is_some());
        assert!(vault.open("tenant/b", &sealed).is_none(), "another tenant's");
        for at in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            assert!(vault.open(NAME, &String::from_utf8(bytes).unwrap()).is_none(), "{at}");
        }
        for text in ["", ".", "no point", "00.00"] {
            assert!(vault.open(NAME, text).is_none(), "{text}");
        }
    }
}
