//! Files and folders that the host needs, and who else may write there.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::fs::Access;

use crate::config::AppConfig;
use crate::config::Config;
use crate::doctor::finding::Finding;
use crate::runtime::code_cache::CacheConfig;
use crate::runtime::code_cache::CachePath;
use crate::store::Store;
use crate::store::StorePlace;

/// Mode bit: every account of this machine may write.
const OTHERS_WRITE: u32 = 0o002;

pub(super) async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![match &config.store {
        StorePlace::File(path) => store(path),
        place @ (StorePlace::Memory | StorePlace::Server(_)) => server(place).await,
    }];
    findings.extend(config.journal.as_ref().map(|journal| writable_folder(&journal.folder)));
    findings.push(cache(&config.cache));
    findings.extend(config.apps.iter().map(plugins));
    findings
}

fn store(path: &Path) -> Finding {
    let about = format!("store.path: {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let place = if path.exists() { path } else { folder.unwrap_or(Path::new(".")) };
    match rustix::fs::access(place, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => Finding::fine(about, "can be written"),
        Err(error) => Finding::fault(
            about,
            format!("cannot be written: {error}"),
            "the host does not start: what it promised to show must outlive it",
            "set [store] path to a place that the host's user can write",
        ),
    }
}

/// Checks the journal's folder, which the host creates where it is missing.
fn writable_folder(folder: &Path) -> Finding {
    let about = format!("journal.path: {}", folder.display());
    let there = folder.ancestors().find(|place| place.exists()).unwrap_or(Path::new("."));
    let access = Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK;
    let fault = if there.is_dir() {
        match rustix::fs::access(there, access) {
            Ok(()) => return Finding::fine(about, "can be written"),
            Err(error) => format!("cannot be written: {error}"),
        }
    } else {
        format!("{} is not a folder", there.display())
    };
    Finding::fault(
        about,
        fault,
        "the host does not start: what it was asked to write down would be lost",
        "set [journal] path to a folder that the host's user can write, or take the section out",
    )
}

fn cache(config: &CacheConfig) -> Finding {
    let why =
        "every start compiles every plugin, which takes seconds for each in JavaScript or Python";
    match config.look() {
        Some((path, Ok(()))) => Finding::fine(format!("cache.path: {}", path.display()), "is used"),
        Some((path, Err(reason))) => Finding::warning(
            format!("cache.path: {}", path.display()),
            format!("compiled code is not kept there: {reason}"),
            why,
            "give the host's user a folder there that nobody else can write to, or set [cache] path to one",
        ),
        None if config.path == CachePath::Off => Finding::fine("cache.path", "off"),
        None => Finding::warning(
            "cache.path",
            "neither XDG_CACHE_HOME nor HOME is set, so compiled code is not kept",
            why,
            "set [cache] path to a folder of the host's user",
        ),
    }
}

async fn server(place: &StorePlace) -> Finding {
    match Store::open(place).await {
        Ok(_) => Finding::fine("store.url", "the server answers"),
        Err(error) => Finding::fault(
            "store.url",
            error.to_string(),
            "the host does not start: what it promised to show must outlive it",
            "start the server, or set [store] url and password to where it is",
        ),
    }
}

fn plugins(app: &AppConfig) -> Finding {
    let about = format!("app {}: {}", app.id, app.plugins.display());
    let looked =
        app.plugins.metadata().and_then(|metadata| Ok((metadata, app.plugins.read_dir()?)));
    let (metadata, entries) = match looked {
        Ok(looked) => looked,
        Err(error) => {
            return Finding::fault(
                about,
                format!("cannot be read: {error}"),
                "no plugin is loaded, so no callback is answered by one",
                "let the host's user read the folder",
            );
        }
    };
    if metadata.permissions().mode() & OTHERS_WRITE != 0 {
        return Finding::warning(
            about,
            "everybody on this machine may write there",
            "whoever puts a file there decides what your users are answered",
            "chmod o-w the folder",
        );
    }
    let wasm = |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|e| e == "wasm");
    let count = entries.flatten().filter(wasm).count();
    if count == 0 {
        return Finding::warning(
            about,
            "there is no plugin in it",
            "every callback is answered with the host's own words",
            "put a .wasm file there; it is live at once",
        );
    }
    Finding::fine(about, format!("{count} plugin file(s)"))
}
