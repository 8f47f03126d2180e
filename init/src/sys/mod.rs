//! System calls: each a function that takes safe values and says which call failed and how.

pub(crate) mod attempt;
pub(crate) mod credentials;
pub(crate) mod fd;
pub(crate) mod mount;
pub(crate) mod path;
pub(crate) mod process;
pub(crate) mod system;

use std::ffi::CString;

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
pub(crate) type Result<T> = std::result::Result<T, Fail>;

impl Fail {
    /// With this errno.
    pub(crate) fn new(call: &'static str, errno: i32) -> Self {
        Self { call, errno, detail: String::new() }
    }

    /// Of a std::io call.
    pub(crate) fn io(call: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |error| Self::new(call, error.raw_os_error().unwrap_or(libc::EIO))
    }

    /// Says more.
    pub(crate) fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }
}

/// Turns libc's -1 into a [`Fail`] with the thread's errno.
pub(crate) fn check<T: Copy + Into<i64>>(call: &'static str, value: T) -> Result<T> {
    if value.into() == -1 {
        Err(Fail::new(call, std::io::Error::last_os_error().raw_os_error().unwrap_or(0)))
    } else {
        Ok(value)
    }
}

/// A C string; a NUL inside is EINVAL, as for a path that the kernel cannot have.
pub(crate) fn c_string(call: &'static str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Fail::new(call, libc::EINVAL))
}
