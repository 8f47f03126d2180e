//! A case's containers that stay, and people in them: `caplab shell`.
//!
//! Who calls `caplab shell` first has the containers made. A thread of his (`server`) talks to the launcher, and he himself is its first
//! client, over a pair of sockets; others come from further terminals by `meet`. With the first one everything ends. The other side
//! of a process's streams, a terminal's master or pipes, goes to its client by SCM_RIGHTS, and is copied there.

mod ask;
mod client;
mod meet;
mod scene;
mod server;

pub use ask::{Ask, Place};
pub use client::{Client, Running};
pub use meet::{Meeting, running};
pub use scene::Scene;
pub use server::{Gone, Server, start};

/// Exit statuses of caplab's own, as docker exec has them; any other is the process's.
pub mod status {
    /// caplab itself failed, or the container does not run.
    pub const FAILED: u8 = 125;
    /// The program is there and cannot be executed.
    pub const NOT_EXECUTABLE: u8 = 126;
    /// There is no such program in the container.
    pub const NOT_FOUND: u8 = 127;
    /// What is added to the number of a signal that ended the process.
    pub const SIGNAL: u8 = 128;
}
