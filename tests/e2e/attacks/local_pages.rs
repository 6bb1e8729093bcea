//! Simulator, `dev` and `demo` must ignore requests from other sites and deliver only to known webhooks.
