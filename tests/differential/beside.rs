//! What lies beside the scenarios of this test: the profiles of scenarios/seccomp, and a root file system that is no toolbox.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use tempfile::TempDir;

/// Its accounts. `app` has a home, and groups that name it; the others are those that config.rs asks for.
const FILES: [(&str, u32, &str); 4] = [
    (
        "etc/passwd",
        0o644,
        "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/srv/app:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n",
    ),
    ("etc/group", 0o644, "root:x:0:\nadm:x:4:app\napp:x:1000:\nstaff:x:2000:app\nnobody:x:65534:\n"),
    ("etc/shadow", 0o640, "root:*:19000::::::\n"),
    ("srv/app/data", 0o600, "an image's\n"),
];

/// Directories whose modes are not a toolbox's; there is no /dev, /proc, /sys and /mnt.
const DIRS: [(&str, u32); 4] = [("tmp", 0o1777), ("run", 0o750), ("var/tmp", 0o700), ("srv/app", 0o755)];

/// Calls that a profile refuses alone, with an errno.
pub(super) const WITHOUT: [&str; 6] = ["chown", "fchmodat", "kill", "mkdirat", "ptrace", "socket"];

/// The profile that refuses one.
pub(super) fn without(call: &str) -> String {
    format!("without-{call}.json")
}

/// A folder with all of it.
pub(super) fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let seccomp = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/seccomp");
    for file in fs::read_dir(seccomp).expect("profiles").flatten() {
        if file.path().extension().is_some_and(|extension| extension == "json") {
            fs::copy(file.path(), folder.path().join(file.file_name())).expect("copied");
        }
    }
    for call in WITHOUT {
        let profile = format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"names": ["{call}"], "action": "SCMP_ACT_ERRNO"}}]}}"#
        );
        fs::write(folder.path().join(without(call)), profile).expect("written");
    }
    fs::write(folder.path().join("own"), "somebody's\n").expect("written");
    let tree = folder.path().join("tree");
    let set = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    for (path, mode) in DIRS {
        fs::create_dir_all(tree.join(path)).expect("made");
        set(&tree.join(path), mode);
    }
    for (path, mode, content) in FILES {
        fs::create_dir_all(tree.join(path).parent().expect("a parent")).expect("made");
        fs::write(tree.join(path), content).expect("written");
        set(&tree.join(path), mode);
    }
    folder
}
