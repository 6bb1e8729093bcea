//! The folder of compiled code, when an attacker can rename folders around it or put links into it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use anyhow::Context as _;
use anyhow::ensure;
use aviary::telemetry::events;
use aviary_e2e::artifacts;
use aviary_e2e::log::LogLine;
use aviary_e2e::sender;
use aviary_e2e::setup::App;
use aviary_e2e::setup::Running;
use aviary_e2e::setup::Setup;
use tempfile::TempDir;

/// Plugins that are loaded while the folders change places: each is one try.
const MANY: usize = 40;

/// A usable folder for compiled code, and the folders around it.
struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::create_dir_all(folder.path().join("parent/code"))?;
        let home = Self { folder };
        home.set_mode("parent", 0o755)?;
        home.set_mode("parent/code", 0o700)?;
        Ok(home)
    }

    fn at(&self, place: &str) -> PathBuf {
        self.folder.path().join(place)
    }

    fn set_mode(&self, place: &str, mode: u32) -> anyhow::Result<()> {
        Ok(fs::set_permissions(self.at(place), fs::Permissions::from_mode(mode))?)
    }

    /// Starts a host that keeps its code in the folder `place`.
    async fn start(&self, app: App, place: &str) -> anyhow::Result<Running> {
        let path = self.at(place);
        Setup::new(app).set("cache", "path", path.to_str().context("UTF-8")?).start().await
    }

    async fn start_with_a(&self, place: &str) -> anyhow::Result<Running> {
        self.start(App::default().guest("version-a")?.webhook_only(), place).await
    }
}

async fn live_from(running: &Running, source: &str, count: usize) -> anyhow::Result<Vec<LogLine>> {
    running.host.log().wait_for_count(count, events::PLUGIN_LIVE, &[("code", source)]).await
}

async fn why_not_used(running: &Running) -> anyhow::Result<String> {
    let line = running.host.log().wait_for(events::CODE_CACHE_NOT_USED, &[]).await?;
    live_from(running, "compiled", 1).await?;
    Ok(line.text_of("reason").to_owned())
}

fn files(folder: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let paths = entries.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|e| e == ending)).collect())
}

/// Swaps two folders again and again, from another thread.
struct Exchange {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<std::io::Result<u64>>>,
}

impl Exchange {
    fn begin(one: PathBuf, other: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let aside = one.with_extension("aside");
        let thread = std::thread::spawn(move || {
            let mut times = 0;
            while !stopped.load(Ordering::Relaxed) {
                for (from, to) in [(&one, &aside), (&other, &one), (&aside, &other)] {
                    fs::rename(from, to)?;
                }
                times += 1;
            }
            Ok(times)
        });
        Self { stop, thread: Some(thread) }
    }

    /// Stops, and returns how often the folders were swapped.
    fn end(mut self) -> anyhow::Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().context("it was not ended before")?;
        let times = thread.join().map_err(|_| anyhow::anyhow!("the thread panicked"))?;
        times.context("the folders do not change places any more")
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that panicked has stopped.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// Writes plugins that differ, each for a button of its own.
fn numbered(folder: &Path) -> anyhow::Result<()> {
    let component = fs::read(artifacts::guest("numbered")?)?;
    let place = component.windows(7).position(|bytes| bytes == b"number:").context("number")?;
    for index in 0..MANY {
        let mut version = component.clone();
        version[place + 7..place + 15].copy_from_slice(format!("{index:08}").as_bytes());
        let route = format!("[[route]]\naction_name = \"button-{index}\"\n");
        fs::write(folder.join(format!("plugin-{index}.toml")), route)?;
        // The file gets its own name once it is complete.
        let unfinished = folder.join(format!("plugin-{index}.part"));
        fs::write(&unfinished, version)?;
        fs::rename(unfinished, folder.join(format!("plugin-{index}.wasm")))?;
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_that_changes_places_gets_no_code_into_the_host() -> anyhow::Result<()> {
    let home = Home::new()?;
    let first = home.start(App::default().webhook_only(), "parent/code").await?;
    numbered(&first.plugin_file(""))?;
    first.host.log().wait_for_count(MANY, events::CODE_KEPT, &[]).await?;
    drop(first);

    // The code of one plugin under the names of all: good code in the wrong place.
    let good = files(&home.at("parent/code"), "component")?;
    fs::create_dir_all(home.at("forged/code"))?;
    home.set_mode("forged/code", 0o700)?;
    for file in &good {
        fs::copy(&good[0], home.at("forged/code").join(file.file_name().context("name")?))?;
    }
    let second = home.start(App::default().webhook_only(), "parent/code").await?;
    let exchange = Exchange::begin(home.at("parent"), home.at("forged"));
    numbered(&second.plugin_file(""))?;
    second.host.log().wait_for_count(MANY, events::PLUGIN_LIVE, &[]).await?;
    let times = exchange.end()?;
    ensure!(times as usize > MANY, "the folders changed places {times} times, which is no attack");
    live_from(&second, "cached", 1).await?;
    for index in 0..MANY {
        let click = sender::click(&format!("button-{index}"));
        let toast = second.deliver(&click).await?.toast().to_owned();
        ensure!(toast == format!("number:{index:08}"), "plugin {index} runs the code of {toast}");
    }
    Ok(())
}

#[tokio::test]
async fn a_parent_that_others_can_write_to_is_refused_in_words() -> anyhow::Result<()> {
    let home = Home::new()?;
    fs::create_dir(home.at("parent/between"))?;
    let parent = home.at("parent").canonicalize()?;
    for mode in [0o775, 0o757] {
        home.set_mode("parent", mode)?;
        for place in ["parent/code", "parent/between/code"] {
            let reason = why_not_used(&home.start_with_a(place).await?).await?;
            let named = reason.contains(&format!("{} (mode {mode:o})", parent.display()));
            ensure!(named && reason.contains("chmod go-w"), "{reason}");
        }
    }
    // A folder like `/tmp`: its sticky bit keeps others from renaming what is there.
    home.set_mode("parent", 0o1777)?;
    let running = home.start_with_a("parent/code").await?;
    running.host.log().wait_for(events::CODE_KEPT, &[]).await?;
    drop(running);
    live_from(&home.start_with_a("parent/code").await?, "cached", 1).await.map(drop)
}

#[tokio::test]
async fn a_link_on_the_way_is_refused_in_words() -> anyhow::Result<()> {
    let home = Home::new()?;
    symlink(home.at("parent/code"), home.at("link"))?;
    let reason = why_not_used(&home.start_with_a("link").await?).await?;
    ensure!(reason.contains("link is a link"), "{reason}");

    fs::create_dir(home.at("shared"))?;
    home.set_mode("shared", 0o1777)?;
    symlink(home.at("parent"), home.at("shared/link"))?;
    let reason = why_not_used(&home.start_with_a("shared/link/code").await?).await?;
    ensure!(reason.contains("shared/link is a link"), "{reason}");
    ensure!(files(&home.at("parent/code"), "component")?.is_empty(), "and nothing was written");
    Ok(())
}

#[tokio::test]
async fn a_link_in_the_folder_is_not_followed() -> anyhow::Result<()> {
    let home = Home::new()?;
    let code = home.at("parent/code");
    let first = home.start_with_a("parent/code").await?;
    first.host.log().wait_for(events::CODE_KEPT, &[]).await?;
    drop(first);
    let [component] = &files(&code, "component")?[..] else { anyhow::bail!("one plugin") };

    // The linked file is the code that was cached, so only the link can be the reason.
    let elsewhere = home.at("elsewhere");
    for (linked, reason) in [(false, "not a file"), (true, "hard link")] {
        fs::rename(component, &elsewhere)?;
        if linked {
            fs::hard_link(&elsewhere, component)?
        } else {
            symlink(&elsewhere, component)?
        }
        let running = home.start_with_a("parent/code").await?;
        let refused = running.host.log().wait_for(events::CODE_REFUSED, &[]);
        let refused = refused.await?.text_of("reason").to_owned();
        ensure!(refused.contains(reason), "{refused}");
        running.host.log().wait_for(events::CODE_KEPT, &[]).await?;
        ensure!(!fs::symlink_metadata(component)?.is_symlink(), "what was there has been replaced");
    }

    let packs = files(&code, "functions")?;
    ensure!(!packs.is_empty());
    for (index, pack) in packs.iter().enumerate() {
        let elsewhere = home.at(&format!("pack-{index}"));
        fs::rename(pack, &elsewhere)?;
        symlink(&elsewhere, pack)?;
    }
    fs::remove_file(component)?;
    let running = home.start_with_a("parent/code").await?;
    let refused = running.host.log().wait_for(events::CACHED_FUNCTIONS_REFUSED, &[]).await?;
    ensure!(refused.text_of("reason").contains("not a file"), "{}", refused.text());
    live_from(&running, "compiled", 1).await.map(drop)
}
