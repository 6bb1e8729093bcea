//! One user must not be able to take a plugin from everybody else.
