//! A file's Pods as containers.

use std::path::Path;

use crate::{
    convert::{Draft, Part, Unconvertible, unknown},
    scenario::plain::{self, Plain},
};

mod container;
mod fields;
mod quantity;
mod sandbox;
mod security;

use container::container;
use fields::{Field, POD, of_pod};

const WANTED: &str =
    "a Pod is wanted, or what makes Pods: a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob";

/// Reads Pods, and what makes Pods: Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs; in one document, in several or in
/// a List. What else stands beside them is a note.
///
/// # Errors
/// What is no YAML, has no Pod, or a field that Kubernetes does not know.
pub fn read(path: &Path, text: &str) -> Result<Draft, Unconvertible> {
    let documents = plain::documents(path, text).map_err(|wrong| Unconvertible(wrong.to_string()))?;
    let objects: Vec<Object<'_>> = documents.iter().flat_map(objects).collect();
    let shown = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (makers, others): (Vec<&Object<'_>>, Vec<&Object<'_>>) =
        objects.iter().partition(|object| object.template().is_some());
    match (makers.is_empty(), others.as_slice()) {
        (false, _) => {}
        (true, [only]) => {
            let kind = only.kind();
            return Err(Unconvertible(format!("{shown}: kind `{kind}` makes no container; {WANTED}")));
        }
        (true, others) => {
            let names = others.iter().map(|object| object.name()).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { names } else { format!(" ({names})") };
            return Err(Unconvertible(format!("{shown}: nothing in it makes a container{names}; {WANTED}")));
        }
    }
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let names = makers.iter().map(|object| object.name()).collect::<Vec<_>>();
    let mut draft = Draft { source: format!("{} of {shown}", names.join(", ")), folder, ..Draft::default() };
    let (mut of, mut pods) = (Vec::new(), Vec::new());
    for object in &makers {
        let (parts, notes) = object.read(&shown)?;
        let whose = if makers.len() > 1 { format!("{}: ", object.name()) } else { String::new() };
        draft.notes.extend(notes.into_iter().map(|note| format!("{whose}{note}")));
        pods.push((object.spec(), parts.len()));
        of.extend(parts.iter().map(|_| object.label()));
        draft.parts.extend(parts);
    }
    // The containers of one Pod have names of their own, those of several may not.
    let called: Vec<String> = draft.parts.iter().map(|part| part.name.clone()).collect();
    for (part, of) in draft.parts.iter_mut().zip(of) {
        if makers.len() > 1 && called.iter().filter(|name| **name == part.name).count() > 1 {
            part.name = format!("{of}-{}", part.name);
        }
    }
    let mut rest = &mut draft.parts[..];
    for (spec, several) in pods {
        let (own, others) = rest.split_at_mut(several);
        spec.into_iter().for_each(|spec| sandbox::share(spec, own));
        rest = others;
    }
    draft.notes.extend(others.iter().map(|object| format!("{}: it makes no container", object.name())));
    Ok(draft)
}

/// One object of a cluster.
struct Object<'a>(&'a Plain);

/// Those of a document: of a List its items.
fn objects(document: &Plain) -> Vec<Object<'_>> {
    let is_list = document.get("kind").and_then(Plain::scalar).is_some_and(|kind| kind.ends_with("List"));
    match document.get("items") {
        Some(items) if is_list => items.items().iter().flat_map(objects).collect(),
        _ => vec![Object(document)],
    }
}

impl<'a> Object<'a> {
    fn at(&self, keys: &[&str]) -> Option<&'a Plain> {
        keys.iter().try_fold(self.0, |value, key| value.get(key))
    }

    fn kind(&self) -> &'a str {
        self.at(&["kind"]).and_then(Plain::scalar).unwrap_or_default()
    }

    fn label(&self) -> &'a str {
        self.at(&["metadata", "name"]).and_then(Plain::scalar).unwrap_or("pod")
    }

    /// `Deployment web`.
    fn name(&self) -> String {
        let kind = if self.kind().is_empty() { "no kind" } else { self.kind() };
        match self.at(&["metadata", "name"]).and_then(Plain::scalar) {
            Some(name) => format!("{kind} {name}"),
            None if self.template().is_some() => format!("{kind} {}", self.label()),
            None => kind.to_owned(),
        }
    }

    /// Where its kind has the spec of a Pod.
    fn template(&self) -> Option<&'static [&'static str]> {
        match self.kind() {
            "Pod" => Some(&["spec"]),
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => Some(&["spec", "template", "spec"]),
            "CronJob" => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
            _ => None,
        }
    }

    fn spec(&self) -> Option<&'a Plain> {
        self.template().and_then(|keys| self.at(keys))
    }

    /// Its containers, and what is said of all of them.
    fn read(&self, shown: &str) -> Result<(Vec<Part>, Vec<String>), Unconvertible> {
        let kind = self.kind();
        let spec = self.spec().ok_or_else(|| Unconvertible(format!("{shown}: a {kind} without the spec of a Pod")))?;
        let mut notes = Vec::new();
        for (field, value) in spec.entries() {
            match of_pod(field) {
                Some(Field::Known) => {}
                Some(Field::Idle(why)) => notes.push(format!("{field}: {why}")),
                None => return Err(unknown("field of a PodSpec", field, POD)),
            }
            if field == "initContainers" {
                let ending = value.items().iter().filter(|one| !is_sidecar(one));
                let names = ending.filter_map(|one| one.get("name")?.scalar()).collect::<Vec<_>>().join(", ");
                if !names.is_empty() {
                    notes.push(format!("initContainers {names}: they end before the others begin"));
                }
            }
        }
        let containers = spec.get("containers").map_or(&[][..], Plain::items);
        if containers.is_empty() {
            return Err(Unconvertible(format!("{shown}: a {kind} without containers")));
        }
        let sidecars = spec.get("initContainers").map_or(&[][..], Plain::items).iter().filter(|one| is_sidecar(one));
        let parts = containers.iter().chain(sidecars).map(|one| container(spec, one)).collect::<Result<_, _>>()?;
        Ok((parts, notes))
    }
}

/// An init container that runs beside the others (Kubernetes 1.29, KEP-753).
fn is_sidecar(container: &Plain) -> bool {
    container.get("restartPolicy").and_then(Plain::scalar) == Some("Always")
}
