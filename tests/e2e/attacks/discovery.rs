//! Discovery over https must not lead the host to an unencrypted or foreign address.
