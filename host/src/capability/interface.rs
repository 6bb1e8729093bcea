//! Descriptions of the interfaces that plugins import.

use crate::capability::access::Grants;

/// The version of the contract, package `lark:callback`.
pub const CONTRACT_VERSION: &str = "0.1.0";

/// An interface that plugins may import.
pub struct Interface {
    /// The name with its package, and without its version.
    pub name: &'static str,
    /// The only version that this host has.
    pub version: &'static str,
    /// The functions, as a component names them.
    pub functions: &'static [&'static str],
}

/// A capability that refuses everything to a plugin without a grant.
pub struct RequiredGrant {
    /// The interfaces that cannot be used without it.
    pub interfaces: &'static [&'static str],
    /// The refused thing, as the beginning of a sentence: "keeping data is".
    pub refused: &'static str,
    /// A line under `[grants]` that grants it.
    pub example: &'static str,
    /// Returns whether the grants include it.
    pub is_in: fn(&Grants) -> bool,
}
