//! Nobody who can rename folders above the code cache can make the host run native code.
