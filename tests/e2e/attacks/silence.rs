//! Silent or slow clients must not keep the places of those that send callbacks.
