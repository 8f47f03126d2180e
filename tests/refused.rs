//! Whose a refusal is: a container that is expected to be refused must not pass because of what caplab or the machine lacks.

#[path = "support/lab.rs"]
mod lab;
#[path = "support/place.rs"]
mod place;
#[path = "support/root.rs"]
mod root;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use lab::runs_unless;
use place::{place, results, run};

/// What copies and what strace slows down is the same for everybody; as an ordinary user strace takes newuidmap's privilege.
fn runs() -> bool {
    root::root() && runs_unless(|_| None)
}

/// Bytes of the files below a folder, no more than tells that there are too many.
fn bytes_below(folder: &Path) -> u64 {
    let mut sum = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let found = entry.metadata().expect("it is there");
        sum += if found.is_dir() { bytes_below(&entry.path()) } else { found.len() };
        if sum > ENOUGH {
            break;
        }
    }
    sum
}

/// More than is copied.
const ENOUGH: u64 = 256 << 20;

/// podman copies as much as there is.
#[test]
fn what_caplab_does_not_copy_is_no_refusal() {
    if !runs() {
        return;
    }
    if bytes_below(Path::new("/usr/lib")) <= ENOUGH {
        println!("not run: /usr/lib of this machine is small enough to be copied");
        return;
    }
    let folder = place(
        "title: t\ncontainer: {preset: podman, rootfs: host, tmpfs: [/usr/lib], expect: {refused: create}}\nsteps: [{inspect: {uid: 0}}]\n",
    );
    let found = run(folder.path(), "native");
    assert_eq!(found[0]["verdict"], "error", "{found:#?}");
    let said = found[0].to_string();
    assert!(said.contains("caplab copies 192 MiB") && said.contains("over something smaller"), "{said}");
}

/// Ten seconds are what pid 1 has under a filter that may keep it from saying that it runs; here there is none yet.
#[test]
fn a_setup_that_takes_its_time_is_no_refusal() {
    if !runs() {
        return;
    }
    let folder = place("title: t\ncontainer: {hostname: slow}\nsteps: [{inspect: {uid: 0}}]\n");
    let mut slow = Command::new("strace");
    slow.args(["-f", "-o", "/dev/null", "-e", "trace=sethostname", "-e", "inject=sethostname:delay_enter=11000000"]);
    slow.args([env!("CARGO_BIN_EXE_caplab"), "run", "--update", "--format", "json"]);
    slow.current_dir(folder.path()).env_remove("CI").stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(caplab) = slow.spawn() else {
        println!("not run: apt-get install strace");
        return;
    };
    let found = results(caplab);
    assert_eq!(found[0]["verdict"], "pass", "{found:#?}");
}
