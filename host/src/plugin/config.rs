//! Sections of a sidecar file that only hold values.

pub mod clicks;
pub mod events;
pub mod previews;
pub mod promote;
pub mod work;
