//! A module that is expensive to compile must cost only its own plugin: bounded memory, bounded time, doors open.
