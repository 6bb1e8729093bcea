//! What a plugin imports without a grant for it, in words.

use crate::capability::access::Grants;
use crate::runtime::code::imports::required_grants;
use crate::runtime::code::imports::split;

/// Every import that the operator has granted nothing for, one sentence each. It is no reason to refuse the plugin: some
/// languages import the whole contract, whatever the plugin uses of it.
pub fn not_granted(imports: &[String], name: &str, grants: &Grants) -> Vec<String> {
    let missing: Vec<_> = required_grants().filter(|grant| !(grant.is_in)(grants)).collect();
    imports
        .iter()
        .filter_map(|import| {
            let interface = split(import).0;
            let grant = missing.iter().find(|grant| grant.interfaces.contains(&interface))?;
            let (refused, example) = (grant.refused, grant.example);
            Some(format!(
                "it imports {import}, and {refused} refused to it: if it shall have that, write {example} under [grants] in {name}.toml beside it"
            ))
        })
        .collect()
}
