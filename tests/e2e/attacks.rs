//! Attacks on the host that worked once, each repeated against the real binary.

mod swap;
mod compile_bomb;
mod code_cache;
mod special_files;
mod oracle;
mod replay_after_restart;
mod discovery;
mod local_pages;
mod seal_duplicates;
mod credential_paths;
mod nesting;
mod silence;
mod fair_shares;
mod identity_keys;
mod masking;
mod log_lines;
