//! The messages: plain data, no behaviour but (de)serialisation.

pub mod case;
pub mod frame;
pub mod image;
pub mod limits;
pub mod op;
pub mod probe;
pub mod report;
pub mod runtime;
pub mod session;

pub use case::{
    Case, Container, Disk, FixtureEntry, FixtureKind, IdMap, Join, Process, Program, Request, SharedMemory, Start,
    Step, StepKind,
};
pub use image::{Captured, Image, ImageFile, ImageKind};
pub use limits::{Hierarchy, LimitGroup};
pub use op::{Base, DeviceNode, Instruction, Op};
pub use probe::{Answer, ChmodTarget, DISK_NUMBERS, Device, Firewall, Namespace, OpenMode, Probe, Protocol};
pub use report::{
    CaseReport, ContainerReport, ExecReport, Exit, FileReport, Phase, ProcessText, Refusal, Response, StepReport,
};
pub use runtime::{Bundle, Runtime};
pub use session::{Session, SessionReport, Streams, Window};
