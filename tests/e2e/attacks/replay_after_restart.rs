//! A signed request that was answered before a restart must be refused after it.
