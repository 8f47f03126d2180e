//! The messages: plain data, no behaviour but (de)serialisation.

pub mod case;
pub mod frame;
pub mod op;
pub mod probe;
pub mod report;
pub mod runtime;

pub use case::{Case, Container, FixtureEntry, FixtureKind, IdMap, Process, Program, Request, Step, StepKind};
pub use op::{Base, DeviceNode, Instruction, Op};
pub use probe::{Answer, ChmodTarget, Device, Firewall, Namespace, OpenMode, Probe, Protocol};
pub use report::{
    CaseReport, ContainerReport, ExecReport, Exit, FileReport, Phase, ProcessText, Refusal, Response, StepReport,
};
pub use runtime::{Bundle, Runtime};
