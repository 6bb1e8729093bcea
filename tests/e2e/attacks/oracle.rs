//! An unsigned encrypted body must not reveal whether it decrypted, and SHA-1 vouches only for old cards.
