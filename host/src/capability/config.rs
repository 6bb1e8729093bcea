//! `wasi:config/store`: the `[settings]` of the plugin's sidecar file.

use wasmtime::component::HasData;
use wasmtime::component::Linker;

use crate::bindings::wasi::config::store;
use crate::capability::interface::Interface;
use crate::capability::plugin_settings::PluginSettings;

pub const INTERFACES: &[Interface] = &[Interface {
    name: "wasi:config/store",
    version: "0.2.0-rc.1",
    functions: &["get", "get-all"],
}];

/// Shows a guest the settings of its plugin.
pub struct ConfigView<'a> {
    pub settings: &'a PluginSettings,
}

impl HasData for ConfigView<'static> {
    type Data<'a> = ConfigView<'a>;
}

pub fn link<T>(linker: &mut Linker<T>, view: fn(&mut T) -> ConfigView<'_>) -> wasmtime::Result<()> {
    store::add_to_linker::<T, ConfigView<'static>>(linker, view)
}

impl store::Host for ConfigView<'_> {
    fn get(&mut self, key: String) -> Result<Option<String>, store::Error> {
        Ok(self.settings.get(&key).map(str::to_owned))
    }

    fn get_all(&mut self) -> Result<Vec<(String, String)>, store::Error> {
        let pairs = self.settings.pairs();
        Ok(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }
}
