//! What a plugin imports without a grant for it, in words.

use crate::plugin::config::grants::Grants;
use crate::runtime::code::imports::HTTP;
use crate::runtime::code::imports::KEY_VALUE_ATOMICS;
use crate::runtime::code::imports::KEY_VALUE_STORE;
use crate::runtime::code::imports::OPEN_API;
use crate::runtime::code::imports::split;

/// Every import that the operator has granted nothing for, one sentence each. It is no reason to refuse the plugin: some
/// languages import the whole contract, whatever the plugin uses of it.
pub fn not_granted(imports: &[String], name: &str, grants: &Grants) -> Vec<String> {
    imports
        .iter()
        .filter_map(|import| {
            let (what, line) = match split(import).0 {
                OPEN_API if grants.open_api.is_empty() => {
                    ("requests to the server API are", "open_api = [\"POST /open-apis/im/v1/messages\"]")
                }
                KEY_VALUE_STORE | KEY_VALUE_ATOMICS if grants.key_value.is_none() => {
                    ("keeping data is", "key_value = {}")
                }
                HTTP if grants.http.is_empty() => {
                    ("requests over HTTP are", "http = [\"https://api.example.com/\"]")
                }
                _ => return None,
            };
            Some(format!(
                "it imports {import}, and {what} refused to it: if it shall have that, write {line} under [grants] in {name}.toml beside it"
            ))
        })
        .collect()
}
