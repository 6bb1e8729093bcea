//! Tools for the author of a plugin, whatever the language: a plugin to begin with, and its build.
//!
//! A plugin's own tools build it. This code only checks that they are installed, runs them, and puts the component where a host
//! looks for it.

pub mod build;
pub mod need;
pub mod recipe;
pub mod template;
pub mod tool;
