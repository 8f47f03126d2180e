//! A Pod as containers.

use std::path::Path;

use super::{PROPAGATIONS, reference::expanded};
use crate::{
    convert::{
        Draft, Part, Unconvertible,
        draft::{argv, texts},
        unknown, volume,
    },
    scenario::plain::{self, Plain},
};

/// What a field is to a scenario.
enum Field {
    /// It is read.
    Known,
    /// It means nothing here, and why.
    Idle(&'static str),
}

const NETWORK: &str = "a container of caplab has loopback and no other network";
const LIFE: &str = "a scenario's containers live as long as its steps";
const CLUSTER: &str = "it is about where and when the cluster runs it";
const IMAGE: &str = "nothing is fetched from a registry";

/// Fields of a PodSpec (Kubernetes 1.31, core/v1).
fn of_pod(name: &str) -> Option<Field> {
    Some(match name {
        "containers"
        | "initContainers"
        | "securityContext"
        | "volumes"
        | "hostUsers"
        | "hostPID"
        | "hostIPC"
        | "hostNetwork"
        | "hostname"
        | "shareProcessNamespace" => Field::Known,
        "dnsConfig" | "dnsPolicy" | "enableServiceLinks" | "hostAliases" | "setHostnameAsFQDN" | "subdomain" => {
            Field::Idle(NETWORK)
        }
        "activeDeadlineSeconds" | "ephemeralContainers" | "restartPolicy" | "terminationGracePeriodSeconds" => {
            Field::Idle(LIFE)
        }
        "imagePullSecrets" => Field::Idle(IMAGE),
        "automountServiceAccountToken" | "serviceAccount" | "serviceAccountName" => {
            Field::Idle("a scenario has no cluster to speak to, and no token")
        }
        "affinity"
        | "nodeName"
        | "nodeSelector"
        | "os"
        | "overhead"
        | "preemptionPolicy"
        | "priority"
        | "priorityClassName"
        | "readinessGates"
        | "resourceClaims"
        | "resources"
        | "runtimeClassName"
        | "schedulerName"
        | "schedulingGates"
        | "tolerations"
        | "topologySpreadConstraints" => Field::Idle(CLUSTER),
        _ => return None,
    })
}

const POD: [&str; 12] = [
    "containers",
    "initContainers",
    "securityContext",
    "volumes",
    "hostUsers",
    "hostPID",
    "hostIPC",
    "hostNetwork",
    "hostname",
    "shareProcessNamespace",
    "serviceAccountName",
    "restartPolicy",
];

/// Fields of a Container.
fn of_container(name: &str) -> Option<Field> {
    Some(match name {
        "name" | "image" | "command" | "args" | "env" | "workingDir" | "volumeMounts" | "securityContext"
        | "resources" => Field::Known,
        "envFrom" => Field::Idle("a scenario takes nothing from the cluster"),
        "imagePullPolicy" => Field::Idle(IMAGE),
        "ports" => Field::Idle(NETWORK),
        "lifecycle"
        | "livenessProbe"
        | "readinessProbe"
        | "startupProbe"
        | "restartPolicy"
        | "resizePolicy"
        | "terminationMessagePath"
        | "terminationMessagePolicy" => Field::Idle(LIFE),
        "stdin" | "stdinOnce" | "tty" => Field::Idle("nobody types into a step, which has no terminal"),
        "volumeDevices" => Field::Idle("a scenario has no disks of the cluster"),
        _ => return None,
    })
}

const CONTAINER: [&str; 14] = [
    "name",
    "image",
    "command",
    "args",
    "env",
    "envFrom",
    "workingDir",
    "volumeMounts",
    "securityContext",
    "resources",
    "ports",
    "livenessProbe",
    "readinessProbe",
    "imagePullPolicy",
];

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
        spec.into_iter().for_each(|spec| share(spec, own));
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

fn container(pod: &Plain, container: &Plain) -> Result<Part, Unconvertible> {
    let mut part = Part::default();
    part.keys.set("preset", Plain::text("kubernetes"));
    namespaces(pod, &mut part);
    for (field, value) in container.entries() {
        match field.as_str() {
            "name" => part.name = value.scalar().unwrap_or_default().to_owned(),
            "image" => part.image = value.scalar().map(str::to_owned),
            "workingDir" => part.keys.set("working_dir", value.clone()),
            "env" => {
                for variable in value.items() {
                    let name = variable.get("name").and_then(Plain::scalar).unwrap_or_default();
                    match variable.get("value").and_then(Plain::scalar) {
                        Some(value) => {
                            let value = expanded(value, part.keys.get("environment"));
                            part.keys.enter("environment", name, Plain::text(value));
                        }
                        None if variable.get("valueFrom").is_some() => {
                            part.notes.push(format!("env {name}: a scenario takes nothing from the cluster"));
                        }
                        None => part.keys.enter("environment", name, Plain::text("")),
                    }
                }
            }
            "volumeMounts" => value.items().iter().for_each(|mount| self::mount(pod, mount, &mut part)),
            "resources" => resources(value, &mut part),
            "command" | "args" | "securityContext" => {}
            other => match of_container(other) {
                Some(Field::Known) => {}
                Some(Field::Idle(why)) => part.notes.push(format!("{other}: {why}")),
                None => return Err(unknown("field of a Container", other, CONTAINER)),
            },
        }
    }
    let words = ["command", "args"].iter().filter_map(|field| container.get(field)).flat_map(argv);
    let words: Vec<String> = words.map(|word| expanded(&word, part.keys.get("environment"))).collect();
    if container.get("command").is_none() {
        let what = if words.is_empty() { "the command" } else { "the command before `args`" };
        part.notes.push(format!("{what} that its image brings is not known here: pid 1 waits"));
    } else if words != ["sleep", "infinity"] {
        part.keys.set("command", texts(words));
    }
    security(pod.get("securityContext"), container.get("securityContext"), &mut part)?;
    let sources = part.keys.items("volumes").iter().map(volume::parts);
    let sources: Vec<String> = sources.map(|one| format!("{} at {}", one.source, one.target)).collect();
    if !sources.is_empty() && part.keys.get("uidmap").is_some() {
        part.notes.push(format!(
            "not carried over: whose the files of {} are: with hostUsers: false the kubelet maps the ids of every volume, and in the Pod \
             the file's owner is the container's user of that number, here it is the host's",
            sources.join(", ")
        ));
    }
    Ok(part)
}

fn namespaces(pod: &Plain, part: &mut Part) {
    let is = |field: &str, word: &str| pod.get(field).and_then(Plain::scalar) == Some(word);
    for (field, key) in [("hostPID", "pid"), ("hostIPC", "ipc"), ("hostNetwork", "network_mode")] {
        if is(field, "true") {
            part.keys.set(key, Plain::text("host"));
        }
    }
    if is("hostUsers", "false") {
        // kubelet's ranges are 65536 long and begin at a multiple of that (KEP-127).
        part.keys.set("uidmap", texts(["0:65536:65536"]));
        part.notes
            .push("hostUsers: the kubelet picks the range of ids; 65536 and what follows stands for it".to_owned());
    }
    if let Some(name) = pod.get("hostname") {
        part.keys.set("hostname", name.clone());
    }
}

/// What a sandbox has once for all containers of a Pod; the first of them stands for the sandbox.
fn share(pod: &Plain, parts: &mut [Part]) {
    let is_pid = pod.get("shareProcessNamespace").and_then(Plain::scalar) == Some("true");
    let Some((first, others)) = parts.split_first_mut() else { return };
    if is_pid && first.keys.get("pid").is_none() {
        first.notes.push(
            "shareProcessNamespace: in the Pod pid 1 is the sandbox's pause, here what this container runs".to_owned(),
        );
    }
    // The sandbox of a Pod in the host's network has the host's name too.
    let is_hosts = first.keys.text("network_mode") == Some("host");
    let shared = [("network_mode", true), ("ipc", true), ("uts", !is_hosts), ("pid", is_pid)];
    let shared: Vec<&str> = shared.into_iter().filter(|(_, is_shared)| *is_shared).map(|(key, _)| key).collect();
    for part in others {
        // Of the host's each has said so.
        let keys = || shared.iter().copied().filter(|key| first.keys.get(key).is_none());
        if part.keys.get("uidmap").is_some() {
            part.notes.push(format!(
                "not carried over: {}: in the Pod they are those of {}, here its own, as its user namespace is, \
                 which two containers of a scenario do not share",
                keys().collect::<Vec<_>>().join(", "),
                first.name
            ));
            continue;
        }
        for key in keys() {
            part.keys.set(key, Plain::text(format!("container:{}", first.name)));
        }
        // They are the namespaces', which the first one's are.
        if !is_hosts {
            part.keys.take("hostname");
        }
        part.keys.take("sysctls");
    }
}

const SECURITY: [&str; 17] = [
    "runAsUser",
    "runAsGroup",
    "runAsNonRoot",
    "privileged",
    "allowPrivilegeEscalation",
    "readOnlyRootFilesystem",
    "capabilities",
    "seccompProfile",
    "procMount",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "seLinuxOptions",
    "appArmorProfile",
    "windowsOptions",
];

/// The Pod's securityContext, and the container's, which wins.
fn security(pod: Option<&Plain>, own: Option<&Plain>, part: &mut Part) -> Result<(), Unconvertible> {
    let fields = || [own, pod].into_iter().flatten();
    for (field, _) in fields().flat_map(Plain::entries) {
        match field.as_str() {
            known if !SECURITY.contains(&known) => {
                return Err(unknown("field of a securityContext", known, SECURITY));
            }
            "fsGroup" => part.notes.push(
                "fsGroup: its processes have that group; that the kubelet gives it the files of volumes is not carried over".to_owned(),
            ),
            "fsGroupChangePolicy"
            | "supplementalGroupsPolicy"
            | "seLinuxOptions"
            | "appArmorProfile"
            | "windowsOptions" => {
                part.notes.push(format!("{field}: the format has no key for it"));
            }
            _ => {}
        }
    }
    let find = |field: &str| fields().find_map(|context| context.get(field));
    let text = |field: &str| find(field).and_then(Plain::scalar);
    let (user, group) = (text("runAsUser"), text("runAsGroup"));
    match (text("runAsNonRoot") == Some("true"), user) {
        (true, Some(user)) if user.parse() == Ok(0u32) => {
            return Err(Unconvertible(format!(
                "container {}: runAsUser 0 beside runAsNonRoot, with which the kubelet starts no root: \
                 there is no such container; take one of the two away",
                part.name
            )));
        }
        (true, Some(_)) => part
            .notes
            .push("runAsNonRoot: the kubelet refuses a root, no kernel does; `inspect: {uid: …}` tests it".to_owned()),
        // Who it is decides what execve leaves of its capabilities.
        (true, None) => {
            part.notes.push(
                "runAsNonRoot: the kubelet refuses a root, and who its image runs as is not known here: write that user as `user:`. \
                 Until then it is root, and `inspect` says nothing of it"
                    .to_owned(),
            );
            part.unknown.push("uid");
            part.unknown.extend(group.is_none().then_some("gid"));
        }
        (false, None) => part.notes.push("runAsUser is not said: the image decides, here it is root".to_owned()),
        (false, Some(_)) => {}
    }
    match (user, group) {
        (Some(user), Some(group)) => part.keys.set("user", Plain::text(format!("{user}:{group}"))),
        (Some(user), None) => part.keys.set("user", Plain::text(user)),
        (None, Some(group)) => part.keys.set("user", Plain::text(format!("0:{group}"))),
        (None, None) => {}
    }
    if text("privileged") == Some("true") {
        part.keys.set("privileged", Plain::truth(true));
    }
    if text("readOnlyRootFilesystem") == Some("true") {
        part.keys.set("read_only", Plain::truth(true));
    }
    if text("allowPrivilegeEscalation") == Some("false") {
        part.keys.add("security_opt", Plain::text("no-new-privileges"));
    }
    let profile = find("seccompProfile");
    match profile.and_then(|profile| profile.get("type")).and_then(Plain::scalar) {
        Some("RuntimeDefault") => part.keys.add("security_opt", Plain::text("seccomp=runtime/default")),
        Some("Localhost") => {
            let file = profile.and_then(|one| one.get("localhostProfile")).and_then(Plain::scalar).unwrap_or_default();
            part.keys.add("security_opt", Plain::text(format!("seccomp={file}")));
        }
        said => {
            if said.is_none() && text("privileged") != Some("true") {
                part.notes.push("seccompProfile is not said: Kubernetes then filters nothing, unless the kubelet has seccompDefault".to_owned());
            }
            part.keys.add("security_opt", Plain::text("seccomp=unconfined"));
        }
    }
    if text("procMount") == Some("Unmasked") {
        part.keys.add("security_opt", Plain::text("systempaths=unconfined"));
    }
    for (field, key) in [("add", "cap_add"), ("drop", "cap_drop")] {
        if let Some(list) = find("capabilities").and_then(|sets| sets.get(field)) {
            part.keys.set(key, Plain::List(list.items().to_vec()));
        }
    }
    let groups = find("supplementalGroups").map_or(&[][..], Plain::items).iter().filter_map(Plain::scalar);
    let mut groups: Vec<&str> = groups.collect();
    groups.extend(text("fsGroup").filter(|group| !groups.contains(group)));
    if !groups.is_empty() {
        part.keys.set("group_add", texts(groups));
    }
    for sysctl in find("sysctls").map_or(&[][..], Plain::items) {
        let field = |name: &str| sysctl.get(name).and_then(Plain::scalar).unwrap_or_default();
        part.keys.enter("sysctls", field("name"), Plain::text(field("value")));
    }
    Ok(())
}

fn mount(pod: &Plain, mount: &Plain, part: &mut Part) {
    let field = |name: &str| mount.get(name).and_then(Plain::scalar);
    let (name, target) = (field("name").unwrap_or_default(), field("mountPath").unwrap_or_default());
    for (option, _) in mount.entries() {
        match option.as_str() {
            "name" | "mountPath" | "readOnly" | "subPath" | "mountPropagation" => {}
            "recursiveReadOnly" if field(option) == Some("Disabled") => {}
            "recursiveReadOnly" => part.notes.push(format!(
                "volumeMounts {name}: recursiveReadOnly is not carried over: in the Pod what is mounted below it is read-only too, \
                 here only the volume itself"
            )),
            option => part.notes.push(format!("volumeMounts {name}: {option} has no meaning here")),
        }
    }
    let mut volumes = pod.get("volumes").map_or(&[][..], Plain::items).iter();
    let volume = volumes.find(|volume| volume.get("name").and_then(Plain::scalar) == Some(name));
    let read_only = field("readOnly") == Some("true");
    let Some((kind, source)) = volume.and_then(|volume| volume.entries().iter().find(|(key, _)| key != "name")) else {
        part.notes.push(format!("volumeMounts {name}: the Pod has no such volume"));
        return;
    };
    match kind.as_str() {
        "hostPath" => {
            let path = source.get("path").and_then(Plain::scalar).unwrap_or_default().trim_end_matches('/');
            let below = field("subPath").map(|below| format!("/{below}")).unwrap_or_default();
            let path = if path.is_empty() && below.is_empty() { "/".to_owned() } else { format!("{path}{below}") };
            let propagation = field("mountPropagation").and_then(|word| {
                PROPAGATIONS.iter().find(|(own, _)| *own == word).map(|(_, propagation)| propagation.name())
            });
            let options: Vec<&str> = read_only.then_some("ro").into_iter().chain(propagation).collect();
            let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
            part.keys.add("volumes", Plain::text(format!("{path}:{target}{options}")));
        }
        "emptyDir" => {
            if source.get("medium").and_then(Plain::scalar) != Some("Memory") {
                part.notes.push(format!("volume {name}: an emptyDir lies on the node's disk; a tmpfs stands for it"));
            }
            let size =
                source.get("sizeLimit").and_then(Plain::scalar).and_then(bytes).map(|size| format!("size={size}"));
            let options: Vec<String> = size.into_iter().chain(read_only.then(|| "ro".to_owned())).collect();
            let options = if options.is_empty() { String::new() } else { format!(":{}", options.join(",")) };
            part.keys.add("tmpfs", Plain::text(format!("{target}{options}")));
        }
        kind => {
            part.notes.push(format!("volume {name}: a {kind} comes from the cluster, of which a scenario has none"))
        }
    }
}

/// Kubernetes' `64Mi`, in bytes.
fn bytes(quantity: &str) -> Option<u64> {
    let split = quantity.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(quantity.len());
    let (digits, unit) = quantity.split_at(split);
    let unit: u64 = match unit {
        "" => 1,
        "k" => 1000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Kubernetes' `500m`, in processors: no quota of it is finer than a thousandth.
fn processors(quantity: &str) -> Option<String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(thousandths) = quantity.strip_suffix('m') else {
        let (whole, part) = quantity.split_once('.').unwrap_or((quantity, "0"));
        return (is_number(whole) && is_number(part)).then(|| quantity.to_owned());
    };
    let thousandths: u64 = is_number(thousandths).then(|| thousandths.parse().ok())??;
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
}

fn resources(value: &Plain, part: &mut Part) {
    for (name, amount) in value.get("limits").map_or(&[][..], Plain::entries) {
        let amount = amount.scalar().unwrap_or_default();
        let key = match name.as_str() {
            "memory" => bytes(amount).map(|bytes| ("mem_limit", bytes.to_string())),
            "cpu" => processors(amount).map(|processors| ("cpus", processors)),
            _ => None,
        };
        match key {
            Some((key, amount)) => part.keys.set(key, Plain::text(amount)),
            None => part.notes.push(format!("resources: limits: {name} {amount}: the format has no key for it")),
        }
    }
    if value.get("requests").is_some() {
        part.notes.push("resources: requests: it is about where the cluster runs it".to_owned());
    }
}
