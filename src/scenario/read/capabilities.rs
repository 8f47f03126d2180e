//! Lists of capabilities.

use super::{list, text};
use crate::{
    capability::{CapSet, Capability},
    scenario::{
        diagnostic::{Fault, Place},
        model::CapList,
        problems::Problems,
        tree::{Node, Value},
    },
};

/// One capability.
pub(super) fn one(node: &Node) -> Result<Capability, Fault> {
    named(node.at, text(node)?)
}

fn named(at: Place, name: &str) -> Result<Capability, Fault> {
    Capability::from_name(name).ok_or_else(|| unknown(at, name))
}

/// That there is no capability of this name.
pub(in crate::scenario) fn unknown(at: Place, name: &str) -> Fault {
    let fault = Fault::new(at, format!("no capability `{name}`"));
    match Capability::nearest(name) {
        // As the author spells them.
        Some(meant) if name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("cap_")) => {
            fault.help(format!("did you mean CAP_{meant}?"))
        }
        Some(meant) => fault.help(format!("did you mean {meant}?")),
        None => fault.help("capabilities(7) has their names"),
    }
}

/// `[NET_ADMIN, ALL]`: what is added or dropped.
pub(super) fn several(node: &Node, problems: &Problems) -> Result<CapList, Fault> {
    let mut found = CapList::default();
    for item in list(node)? {
        let Some(name) = problems.ok(text(item)) else { continue };
        if name.eq_ignore_ascii_case("all") {
            found.all = true;
        } else if let Some(capability) = problems.ok(named(item.at, name)) {
            if found.named.contains(capability) {
                problems.tell(Fault::new(item.at, format!("{capability} is there twice")).help("leave one away"));
            }
            found.named = found.named.with(capability);
        }
    }
    Ok(found)
}

/// What a set must hold: names, `none`, `ALL`, or the kernel's sixteen hexadecimal digits.
pub(super) fn set(node: &Node, problems: &Problems) -> Result<CapList, Fault> {
    let Value::Scalar { text, .. } = &node.value else { return several(node, problems) };
    let set = |named| Ok(CapList { all: false, named });
    match text.as_str() {
        "none" => set(CapSet::EMPTY),
        "ALL" | "all" => Ok(CapList { all: true, named: CapSet::EMPTY }),
        digits if digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u64::from_str_radix(digits, 16)
                .map_or_else(|_| Err(Fault::new(node.at, "no mask")), |mask| set(CapSet(mask)))
        }
        _ => Err(Fault::new(node.at, format!("`{text}` is no set of capabilities"))
            .help("a list of names, `none`, `ALL`, or sixteen hexadecimal digits as /proc/PID/status has them")),
    }
}
