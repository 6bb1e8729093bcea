//! Loads one plugin's files as a folder would, without making the plugin live. For commands that inspect a plugin.

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
use crate::folder::load::PluginSource;
use crate::folder::load::Promotion;
use crate::open_api::transport::OpenApi;
use crate::plugin::loaded::Plugin;
use crate::runtime::engine::GuestEngine;
use crate::runtime::reuse::Reuse;
use crate::small_file::ReadError;
use crate::store::Store;
use crate::store::StorePlace;
use lark_wire::secret::Secret;

/// Stands in for the id of an app.
const NO_APP: &str = "none";

/// A plugin that a host would accept.
#[derive(Debug)]
pub struct Alone {
    /// Compiled, linked, described and tested.
    pub plugin: Arc<Plugin>,
    /// The time from reading the file to this result.
    pub took: Duration,
}

/// Why a plugin cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AloneError {
    /// The file's name does not end in `.wasm`.
    #[error("{}: a plugin's file is called NAME.wasm", .0.display())]
    Name(PathBuf),
    /// One of the plugin's files cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A host would refuse the plugin, for this reason.
    #[error("{0}")]
    Refused(String),
}

/// Loads `name.wasm` with its sidecar file and its tests. `reuse` overrides the value in the sidecar file.
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
        let source = PluginSource::read(folder, name).await.map_err(refused)?;
        match loader.load(name, source, turn).await {
            Err(error) if error.waits_for_turn() => turn = Some(engine.loader.long_turn().await),
            loaded => break loaded.map_err(refused)?,
        }
    };
    plugin.unit().open_pool();
    Ok(Alone { plugin, took: began.elapsed() })
}
