//! State that tasks share: locks that outlive a panic, and collections with a limit.

mod bounded;
mod latest;
mod locks;

pub use crate::bounded::Bounded;
pub use crate::latest::Latest;
pub use crate::locks::Condvar;
pub use crate::locks::Mutex;
pub use crate::locks::RwLock;
