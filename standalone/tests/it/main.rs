//! The command line from outside, on real servers and folders.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod backup;
mod broken_pipe;
mod dead_letters;
mod demo;
mod doctor;
mod doctor_disk;
mod doctor_redis;
mod encrypted;
mod erase_user;
mod identity;
mod interruption;
mod keys;
mod mapping;
mod reaching;
mod refusals;
mod running;
mod serving;
mod typing;
