//! A fresh instance must find no byte of an earlier call, even when the kernel swapped guest memory out in between.
