//! Fuzz targets for the bodies that the platform sends and the answers that plugins give.

pub(crate) mod answers;
pub(crate) mod bodies;
pub(crate) mod seals;
