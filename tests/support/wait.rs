//! Waiting for what other processes do.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

/// Waits until something is so.
pub(crate) fn within(seconds: u64, mut is_so: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(seconds);
    while !is_so() {
        if Instant::now() > until {
            return false;
        }
        sleep(Duration::from_millis(200));
    }
    true
}
