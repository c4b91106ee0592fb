//! What a shell command would do.
