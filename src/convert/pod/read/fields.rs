//! The fields of a PodSpec and of a Container, and what each is to a scenario.

/// What a field is to a scenario.
pub(super) enum Field {
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
pub(super) fn of_pod(name: &str) -> Option<Field> {
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

pub(super) const POD: [&str; 12] = [
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
pub(super) fn of_container(name: &str) -> Option<Field> {
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

pub(super) const CONTAINER: [&str; 14] = [
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
