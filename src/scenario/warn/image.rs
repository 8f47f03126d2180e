//! Dockerfiles.

use super::{Read, get};
use crate::scenario::{
    diagnostic::{Fault, Place},
    tree::Node,
};

/// Instructions that change nothing that a scenario can see, and why.
pub(super) fn passed_over(read: &Read<'_>, found: &mut Vec<Fault>) {
    for (container, node) in read.containers() {
        let build = container.image.as_ref().and_then(|image| image.build());
        let (Some(build), Some(node)) = (build, get(node, "build")) else { continue };
        let file = &build.dockerfile;
        for (number, keyword) in &file.ignored {
            let (at, of) = match get(node, "dockerfile_inline") {
                Some(inline) => (inline.line(*number), String::new()),
                None => (named(node), format!("{}, line {number}: ", file.name)),
            };
            found.push(Fault::new(at, format!("{of}{keyword} is passed over")).help(why(keyword)));
        }
    }
}

fn why(keyword: &str) -> &'static str {
    match keyword {
        "EXPOSE" => "it opens nothing, with docker neither: it is a word for who reads the image. Leave it away here",
        "HEALTHCHECK" => "nobody asks here how a container is: a step can. Leave it away",
        "STOPSIGNAL" => "nobody asks a container here to stop: it is killed when the case is over. Leave it away",
        _ => "it is a word for who reads the image, and no control of anything. Leave it away here",
    }
}

/// Where the Dockerfile is named.
fn named(node: &Node) -> Place {
    get(node, "dockerfile").map_or(Place { width: 1, ..node.at }, |name| name.at)
}
