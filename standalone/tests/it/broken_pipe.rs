//! Who reads a command's answer may leave before its end.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use crate::running::{Bench, command, ended, log};

/// The writing end of a pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    OwnedFd::from(writer).into()
}

fn status(command: &mut Command) -> (i32, String) {
    let child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let ran = ended(child);
    (ran.code, ran.err)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_whose_answer_nobody_reads_is_done_all_the_same() {
    let bench = Bench::start();
    bench.file("a.csv", log(0..700) + "s,page,,2024-03-01 10:00:00,x\n");
    let url = bench.server.url();
    let mut import = command(bench.folder(), &["import", "a.csv", "--url", &url]);
    // The status still tells that a row was refused; that nobody listens is no error of the command's.
    assert_eq!(status(import.stdout(unread())), (2, String::new()));
    assert_eq!(bench.count().await, 700);
    let mut both = command(bench.folder(), &["import", "nowhere.csv", "--url", &url]);
    let child = both.stdin(Stdio::null()).stdout(unread()).stderr(unread()).spawn().unwrap();
    assert_eq!(ended(child).code, 1);
}

#[test]
fn every_other_command_ends_quietly_too() {
    let bench = Bench::start();
    let url = bench.server.url();
    for arguments in [
        &["dead-letters", "list", "--url", &url][..],
        &["demo", "--days", "1", "--visitors", "2", "--live", "30", "--url", &url],
        &["healthcheck", &url],
        &["doctor"],
        &["migrate"],
        &["--help"],
    ] {
        let mut command = command(bench.folder(), arguments);
        assert_eq!(status(command.stdout(unread())), (0, String::new()), "{arguments:?}");
    }
}

#[test]
fn an_answer_that_finds_no_room_is_an_error() {
    let bench = Bench::start();
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let (code, told) = status(command(bench.folder(), &["doctor"]).stdout(full()));
    assert_eq!(code, 1);
    assert!(
        told.starts_with("error: the answer cannot be written to standard output\n  because: No space left"),
        "{told}"
    );
}
