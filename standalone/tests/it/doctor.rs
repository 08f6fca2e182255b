//! `analytics doctor` looks and changes nothing.

use std::path::Path;

use crate::running::{Bench, Ran, command, run};

fn doctor(folder: &Path, data: &str) -> Ran {
    let mut doctor = command(folder, &["doctor"]);
    doctor.env("DATA_DIR", data);
    run(doctor, b"")
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    for data in ["./data", "data", "deep/down/data"] {
        let ran = doctor(folder.path(), data).expect_code(0);
        assert!(ran.out.contains(&format!("{data} is not there; it will be made at the first start")), "{ran:?}");
    }
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let ran = doctor(folder.path(), "empty").expect_code(0);
    assert!(ran.out.contains("empty can be written"), "{ran:?}");
    let there: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!((there.len(), std::fs::read_dir(folder.path().join("empty")).unwrap().count()), (1, 0));
    std::fs::write(folder.path().join("file"), "").unwrap();
    for data in ["file", "file/data"] {
        let ran = doctor(folder.path(), data).expect_code(1);
        assert!(ran.out.contains(&format!("WRONG  folder: {data} cannot be used as DATA_DIR")), "{ran:?}");
    }
}

#[test]
fn a_folder_in_use_is_known_by_its_server() {
    let bench = Bench::start();
    let data = bench.server.folder().join("data").display().to_string();
    let mut held = command(bench.folder(), &["doctor"]);
    held.env("DATA_DIR", &data).env("PORT", bench.server.address().port().to_string());
    let ran = run(held, b"").expect_code(0);
    assert!(ran.out.contains("is held by the server that answers"), "{ran:?}");
    assert!(doctor(bench.folder(), &data).code != 0 || bench.server.address().port() == 4000);
}
