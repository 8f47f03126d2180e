//! Probes of files and directories.

use alloc::{format, string::String};

use caplab_init::wire::{Answer, ChmodTarget, Device, OpenMode};

use super::Meaning;
use crate::sys::{attempt, file, process};

/// A path that leads nowhere says nothing about permission.
const NOWHERE: [i32; 3] = [libc::ENOENT, libc::ENOTDIR, libc::ELOOP];

/// A read-only mount is a protection like another.
const READ_ONLY: [i32; 1] = [libc::EROFS];

const PATH: Meaning<'_> = Meaning { denied: &READ_ONLY, allowed: &[], unavailable: &NOWHERE };

pub(super) fn open(path: &str, mode: OpenMode) -> Answer {
    let (words, flags) = match mode {
        OpenMode::Read => ("O_RDONLY", libc::O_RDONLY),
        OpenMode::Write => ("O_WRONLY", libc::O_WRONLY),
        OpenMode::Append => ("O_WRONLY|O_APPEND", libc::O_WRONLY | libc::O_APPEND),
        OpenMode::Create => ("O_WRONLY|O_CREAT|O_EXCL", libc::O_WRONLY | libc::O_CREAT | libc::O_EXCL),
    };
    let opened = attempt::open(path, flags);
    if opened.is_ok() && mode == OpenMode::Create {
        // Who may create may remove, but for a sticky directory, where it is the owner, which it is.
        file::remove(path).ok();
    }
    let meaning = Meaning {
        denied: &READ_ONLY,
        // A program that runs: asked after the permission (deny_write_access).
        allowed: &[libc::ETXTBSY],
        // A file that is there already is not created; a device or FIFO may have nothing behind it.
        unavailable: &[libc::ENOENT, libc::ENOTDIR, libc::ELOOP, libc::EEXIST, libc::ENXIO, libc::ENODEV],
    };
    meaning.of(&format!("open({path}, {words})"), opened)
}

pub(super) fn write_sysctl(name: &str) -> Answer {
    let path = format!("/proc/sys/{}", name.replace('.', "/"));
    PATH.of(&format!("open({path}, O_WRONLY)"), attempt::open(&path, libc::O_WRONLY))
}

/// A name that nobody else has.
fn own_name(dir: &str) -> String {
    format!("{}/.caplab-{}", dir.trim_end_matches('/'), process::id())
}

pub(super) fn open_device(device: Device) -> Answer {
    let (block, major, minor) = device.numbers();
    let (path, letter) = (own_name("/tmp"), if block { 'b' } else { 'c' });
    if let Err(fail) = attempt::make_device(&path, block, major, minor) {
        return PATH.of::<()>(&format!("mknod(/tmp/…, {letter} {major}:{minor})"), Err(fail));
    }
    let opened = attempt::open(&path, libc::O_RDONLY);
    file::remove(&path).ok();
    // Without a driver there is nothing to ask: ENXIO, ENODEV. The device list is asked before the driver.
    let nothing = [libc::ENXIO, libc::ENODEV];
    let meaning = Meaning { unavailable: &nothing, ..Meaning::default() };
    meaning.of(&format!("open({letter} {major}:{minor}, O_RDONLY)"), opened)
}

pub(super) fn mknod(dir: &str) -> Answer {
    let path = own_name(dir);
    let made = attempt::make_device(&path, false, 1, 3);
    if made.is_ok() {
        file::remove(&path).ok();
    }
    PATH.of(&format!("mknod({dir}/…, S_IFCHR, 1:3)"), made)
}

pub(super) fn chown(path: &str, uid: u32, gid: u32) -> Answer {
    let call = format!("chown({path}, {uid}, {gid})");
    let before = match file::status(path) {
        Ok(before) => before,
        Err(fail) => return PATH.of::<()>(&format!("stat({path})"), Err(fail)),
    };
    let changed = file::set_owner(path, uid, gid);
    if changed.is_ok() {
        file::set_owner(path, before.st_uid, before.st_gid).ok();
        // The kernel takes set-uid and set-gid away with the owner.
        file::set_mode(path, before.st_mode & 0o7777).ok();
    }
    PATH.of(&call, changed)
}

pub(super) fn chmod(path: &str, target: ChmodTarget) -> Answer {
    let before = match file::status(path) {
        Ok(before) => before.st_mode & 0o7777,
        Err(fail) => return PATH.of::<()>(&format!("stat({path})"), Err(fail)),
    };
    let bits = match target {
        ChmodTarget::Same => before,
        ChmodTarget::Bits(bits) => bits,
    };
    let changed = file::set_mode(path, bits);
    if changed.is_ok() && target != ChmodTarget::Same {
        file::set_mode(path, before).ok();
    }
    PATH.of(&format!("chmod({path}, {bits:04o})"), changed)
}

pub(super) fn chroot(path: &str) -> Answer {
    PATH.of(&format!("chroot({path})"), attempt::change_root(path))
}
