//! Mounts by descriptor: open_tree(2), fsopen(2), mount_setattr(2), move_mount(2), Linux 5.12.

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::{ffi::CStr, mem, ptr};

use syscalls::{Sysno, syscall};

use super::{
    Fail, Result, c_string, check,
    fd::{self, BorrowedFd, OwnedFd},
};

const FSOPEN_CLOEXEC: u32 = 1;
const FSMOUNT_CLOEXEC: u32 = 1;
const FSCONFIG_SET_FLAG: u32 = 0;
const FSCONFIG_SET_STRING: u32 = 1;
const FSCONFIG_CMD_CREATE: u32 = 6;
const OPEN_TREE_CLONE: u32 = 1;
const OPEN_TREE_CLOEXEC: u32 = libc::O_CLOEXEC as u32;
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 0x4;
const MOVE_MOUNT_T_EMPTY_PATH: u32 = 0x40;
const AT_RECURSIVE: u32 = 0x8000;
const AT_EMPTY_PATH: u32 = libc::AT_EMPTY_PATH as u32;

/// `MOUNT_ATTR_RDONLY`.
pub(crate) const RDONLY: u64 = 1;

/// struct mount_attr of mount_setattr(2).
#[repr(C)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// mount(2) of `/` with these propagation flags, and all below it.
pub(crate) fn set_propagation(flags: libc::c_ulong) -> Result<()> {
    mount2("none", "/", None, flags | libc::MS_REC)
}

/// mount(2) of a new file system at a path of this process's own view.
pub(crate) fn attach_new(fstype: &'static str, target: &str, options: &str) -> Result<()> {
    mount2(fstype, target, Some((fstype, options)), 0)
}

/// The same with a source of another name than the type's, as mountinfo(5) shows it.
pub(crate) fn attach_new_as(source: &str, fstype: &'static str, target: &str, options: &str) -> Result<()> {
    mount2(source, target, Some((fstype, options)), 0)
}

fn mount2(source: &str, target: &str, new: Option<(&str, &str)>, flags: libc::c_ulong) -> Result<()> {
    let (source, target) = (c_string("mount", source)?, c_string("mount", target)?);
    let (fstype, options) = new.unwrap_or_default();
    let (fstype, options) = (c_string("mount", fstype)?, c_string("mount", options)?);
    // SAFETY: the kernel reads four strings up to their NULs; they live through the call.
    check("mount", unsafe {
        syscall!(Sysno::mount, source.as_ptr(), target.as_ptr(), fstype.as_ptr(), flags, options.as_ptr())
    })
    .map(drop)
}

/// umount2(2) MNT_DETACH of a path of this process's own view.
pub(crate) fn detach(target: &str) -> Result<()> {
    let target = c_string("umount2", target)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    check("umount2", unsafe { syscall!(Sysno::umount2, target.as_ptr(), libc::MNT_DETACH) }).map(drop)
}

/// A new file system, not attached to anything yet. The attributes are `MOUNT_ATTR_*`.
pub(crate) fn create(
    fstype: &str,
    source: &str,
    options: &[(String, Option<String>)],
    read_only: bool,
    attributes: u64,
) -> Result<OwnedFd> {
    let context = fsopen(fstype)?;
    let with_log = |fail: Fail| {
        let log = log(context.as_fd());
        fail.with(log)
    };
    configure(context.as_fd(), FSCONFIG_SET_STRING, Some(c"source"), Some(source)).map_err(with_log)?;
    if read_only {
        configure(context.as_fd(), FSCONFIG_SET_FLAG, Some(c"ro"), None).map_err(with_log)?;
    }
    for (key, value) in options {
        let key = c_string("fsconfig", key)?;
        let command = if value.is_some() { FSCONFIG_SET_STRING } else { FSCONFIG_SET_FLAG };
        configure(context.as_fd(), command, Some(&key), value.as_deref()).map_err(with_log)?;
    }
    configure(context.as_fd(), FSCONFIG_CMD_CREATE, None, None).map_err(with_log)?;
    // SAFETY: fsmount touches no memory.
    let mount = OwnedFd::made("fsmount", unsafe {
        syscall!(Sysno::fsmount, context.as_fd().number(), FSMOUNT_CLOEXEC, attributes as u32)
    })
    .map_err(with_log)?;
    Ok(mount)
}

fn fsopen(fstype: &str) -> Result<OwnedFd> {
    let fstype = c_string("fsopen", fstype)?;
    // SAFETY: the kernel reads the string up to its NUL; it lives through the call.
    OwnedFd::made("fsopen", unsafe { syscall!(Sysno::fsopen, fstype.as_ptr(), FSOPEN_CLOEXEC) })
}

fn configure(context: BorrowedFd<'_>, command: u32, key: Option<&CStr>, value: Option<&str>) -> Result<()> {
    let value = value.map(|value| c_string("fsconfig", value)).transpose()?;
    // SAFETY: the kernel reads key and value up to their NULs, each null where the command takes none; both live
    // through the call.
    check("fsconfig", unsafe {
        syscall!(
            Sysno::fsconfig,
            context.number(),
            command,
            key.map_or(ptr::null(), CStr::as_ptr),
            value.as_ref().map_or(ptr::null(), |value| value.as_ptr()),
            0
        )
    })
    .map(drop)
}

/// What the file system says about its refusal, a line each.
fn log(context: BorrowedFd<'_>) -> String {
    let mut lines = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(count) = fd::read(context, &mut buffer) {
        lines.push(String::from_utf8_lossy(&buffer[..count]).trim_start_matches("e ").trim().to_owned());
    }
    lines.join("; ")
}

/// A copy of the mount that something is on, with what is mounted below it where asked; not attached yet.
pub(crate) fn clone_tree(from: BorrowedFd<'_>, recursive: bool) -> Result<OwnedFd> {
    let flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the kernel reads an empty static string.
    OwnedFd::made("open_tree", unsafe { syscall!(Sysno::open_tree, from.number(), c"".as_ptr(), flags) })
}

/// mount_setattr(2): sets `MOUNT_ATTR_*` on a mount, and on those below it where asked.
pub(crate) fn set_attributes(mount: BorrowedFd<'_>, attributes: u64, recursive: bool) -> Result<()> {
    set(mount, MountAttr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 }, recursive)
}

/// mount_setattr(2): sets where a mount propagates to, `MS_*` of mount(2), with `MS_REC` on those below it too; 0 sets nothing.
pub(crate) fn set_propagation_of(mount: BorrowedFd<'_>, flags: u64) -> Result<()> {
    let propagation = flags & !libc::MS_REC;
    set(mount, MountAttr { attr_set: 0, attr_clr: 0, propagation, userns_fd: 0 }, flags & libc::MS_REC != 0)
}

fn set(mount: BorrowedFd<'_>, attr: MountAttr, recursive: bool) -> Result<()> {
    if attr.attr_set == 0 && attr.propagation == 0 {
        return Ok(());
    }
    let flags = AT_EMPTY_PATH | if recursive { AT_RECURSIVE } else { 0 };
    // SAFETY: the kernel reads an empty static string and `size_of(MountAttr)` bytes; both live through the call.
    check("mount_setattr", unsafe {
        syscall!(
            Sysno::mount_setattr,
            mount.number(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            mem::size_of::<MountAttr>()
        )
    })
    .map(drop)
}

/// move_mount(2): attaches a mount on top of what a handle says.
pub(crate) fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: the kernel reads two empty static strings.
    check("move_mount", unsafe {
        syscall!(
            Sysno::move_mount,
            mount.number(),
            c"".as_ptr(),
            target.number(),
            c"".as_ptr(),
            MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH
        )
    })
    .map(drop)
}

/// pivot_root(2) into a mount: it becomes `/`, what was `/` is detached.
pub(crate) fn pivot(root: BorrowedFd<'_>) -> Result<()> {
    // SAFETY: fchdir touches no memory.
    check("fchdir", unsafe { syscall!(Sysno::fchdir, root.number()) })?;
    // The old root is stacked on the new one, pivot_root(2) "pivot_root(".", ".")", and so needs no directory.
    // SAFETY: the kernel reads two static strings.
    check("pivot_root", unsafe { syscall!(Sysno::pivot_root, c".".as_ptr(), c".".as_ptr()) })?;
    detach(".")?;
    super::system::change_directory("/")
}
