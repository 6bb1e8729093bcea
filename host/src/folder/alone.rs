//! One plugin's files, loaded as a folder would load them and live nowhere: for whoever looks at a plugin at the desk.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::callback::seal::SealKey;
use crate::capability::access::Outside;
use crate::capability::http::Outbound;
use crate::folder::load::LoadError;
use crate::folder::load::Loader;
pub use crate::folder::load::MAX_FILE_BYTES;
use crate::folder::load::Promotion;
use crate::folder::load::Source;
use crate::open_api::transport::OpenApi;
use crate::plugin::loaded::Plugin;
use crate::runtime::engine::GuestEngine;
use crate::runtime::reuse::Reuse;
use crate::small_file::ReadError;
use crate::store::Store;
use crate::store::StorePlace;
use lark_wire::secret::Secret;

/// Stands where a host has the id of an app.
const NO_APP: &str = "none";

/// A plugin that a host would take.
#[derive(Debug)]
pub struct Alone {
    /// Compiled, linked, described and tested.
    pub plugin: Arc<Plugin>,
    /// How long all of that took.
    pub took: Duration,
}

/// Why there is no plugin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AloneError {
    /// A host would not look at a file of that name.
    #[error("{}: a plugin's file is called NAME.wasm", .0.display())]
    Name(PathBuf),
    /// One of its files cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A host would not take it.
    #[error("{0}")]
    Refused(String),
}

/// Loads `name.wasm` with its sidecar file and its tests beside it. `reuse` counts in place of what the sidecar file says.
pub async fn load_alone(
    engine: &Arc<GuestEngine>,
    open_api: Arc<OpenApi>,
    file: &Path,
    reuse: Option<Reuse>,
) -> Result<Alone, AloneError> {
    let name = file.file_stem().and_then(|name| name.to_str());
    let (Some(name), Some("wasm")) = (name, file.extension().and_then(|ending| ending.to_str()))
    else {
        return Err(AloneError::Name(file.to_owned()));
    };
    let refused = |error| match error {
        LoadError::Read(error) => AloneError::Read(error),
        error => AloneError::Refused(error.to_string()),
    };
    let folder = file.parent().unwrap_or(Path::new(""));
    let store = Store::open(&StorePlace::Memory)
        .await
        .map_err(|error| AloneError::Refused(error.to_string()))?;
    let loader = Loader {
        app: NO_APP.into(),
        engine: Arc::clone(engine),
        outside: Outside { open_api, http: Outbound::Denied, store },
        seal_key: SealKey::of(&Secret::new(NO_APP)),
        reuse,
        promotion: Promotion::default(),
        announcer: None,
    };
    let began = Instant::now();
    let mut turn = None;
    let plugin = loop {
        let source = Source::read(folder, name).await.map_err(refused)?;
        match loader.load(name, source, turn).await {
            Err(error) if error.waits_for_turn() => turn = Some(engine.loader.long_turn().await),
            loaded => break loaded.map_err(refused)?,
        }
    };
    plugin.unit().open_pool();
    Ok(Alone { plugin, took: began.elapsed() })
}
