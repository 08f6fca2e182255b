//! The single process and the command line.
