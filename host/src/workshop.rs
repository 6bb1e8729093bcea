//! What the author of a plugin needs at the desk: a plugin to begin with, and its build, whatever the language.
//!
//! A plugin's own tools build it; this only looks whether they are there, runs them, and puts what comes out where a
//! host looks for it.

pub mod build;
pub mod need;
pub mod recipe;
pub mod template;
pub mod tool;
