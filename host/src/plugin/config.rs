//! The sections of a sidecar file that hold values and nothing else.

pub mod clicks;
pub mod events;
pub mod previews;
pub mod promote;
