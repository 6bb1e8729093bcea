//! `aviary demo --open`: the same stage, and a page on which a person clicks instead of a script.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::demo::table;
use crate::stage::APP_ID;
use crate::stage::Recorded;
use crate::stage::Stage;
use crate::stage::browser;
use crate::stage::narrator::has_changed;

/// Shows the page until `stop`. Returns `false` if something did not finish in time.
pub(super) async fn play(
    components: &[PathBuf],
    stop: impl Future<Output = ()>,
) -> anyhow::Result<bool> {
    let stage = Stage::set(components).await?;
    let page = stage.platform.domain();
    table::invite(&page, &stage.plugins());
    browser::open(&page);
    tokio::select! {
        () = stop => {}
        () = stage.narrate() => {}
        result = ask_new_versions(&stage) => result?,
    }
    Ok(stage.stop().await)
}

/// Sends the last callback that was sent by hand to each version that replaces another.
async fn ask_new_versions(stage: &Stage) -> anyhow::Result<()> {
    let mut changes = stage.follow_plugins();
    let mut known = versions(stage);
    while has_changed(&mut changes).await {
        let now = versions(stage);
        let swapped =
            now.iter().any(|(name, version)| known.get(name).is_some_and(|old| old != version));
        known.extend(now);
        if !swapped {
            continue;
        }
        stage.tell_of_plugins();
        if let Some((door, last)) = stage.platform.last_by_hand(APP_ID) {
            let (exchange, _) = stage.send(&door, &last.anew(), Recorded::No).await?;
            stage.platform.show(&[("the last callback".to_owned(), exchange)]).await;
        }
    }
    Ok(())
}

/// Returns the live version of each plugin.
fn versions(stage: &Stage) -> BTreeMap<String, String> {
    let plugins = stage.plugin_list().into_iter();
    plugins.filter_map(|plugin| Some((plugin.name, plugin.live?.version))).collect()
}
