//! Sentences about imports that are not granted.

use crate::capability::access::Grants;
use crate::runtime::code::imports::required_grants;
use crate::runtime::code::imports::split;

/// Returns a sentence for each import without a grant. Such a plugin is loaded anyway: some languages import the whole
/// contract, whatever the plugin uses of it.
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
