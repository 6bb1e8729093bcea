//! One user's or tenant's remembered answer must never be given to another.
