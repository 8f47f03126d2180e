//! System calls: each a function that takes safe values and says which call failed and how.

pub(crate) mod attempt;
pub(crate) mod cgroup;
pub(crate) mod clock;
pub(crate) mod credentials;
pub(crate) mod fd;
pub(crate) mod file;
pub(crate) mod loops;
pub(crate) mod mount;
pub(crate) mod path;
pub(crate) mod process;
pub(crate) mod system;
pub(crate) mod terminal;
pub(crate) mod unix;

use alloc::{ffi::CString, string::String, vec::Vec};

use syscalls::Errno;

/// A call that the kernel refused.
#[derive(Debug, Clone)]
pub(crate) struct Fail {
    /// Name of the call.
    pub(crate) call: &'static str,
    /// errno(3).
    pub(crate) errno: i32,
    /// What the kernel had to say beyond the errno; mostly empty.
    pub(crate) detail: String,
}

/// Of a call.
pub(crate) type Result<T> = core::result::Result<T, Fail>;

impl Fail {
    /// With this errno.
    pub(crate) fn new(call: &'static str, errno: i32) -> Self {
        Self { call, errno, detail: String::new() }
    }

    /// Says more.
    pub(crate) fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// Names the call where the kernel refused it.
pub(crate) fn check(call: &'static str, done: core::result::Result<usize, Errno>) -> Result<usize> {
    done.map_err(|errno| Fail::new(call, errno.into_raw()))
}

/// A C string; a NUL inside is EINVAL, as for a path that the kernel cannot have.
pub(crate) fn c_string(call: &'static str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Fail::new(call, libc::EINVAL))
}

/// The arguments or the environment of an execve(2).
pub(crate) fn c_strings<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<CString>> {
    texts.into_iter().map(|text| c_string("execve", text)).collect()
}
