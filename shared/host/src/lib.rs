//! What a process needs around its router.
