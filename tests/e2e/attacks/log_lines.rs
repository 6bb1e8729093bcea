//! Text from outside must not make long log lines or break a line in two.
