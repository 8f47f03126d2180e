//! For programs: the one document of `--format json`. Its keys are a contract.

use serde_json::{Map, Value, json};

use super::Tally;
use crate::{
    engine::{ContainerState, Facts, Kind},
    host::{CgroupVersion, Machine, lab::Obstacle},
    observe::{CapSets, Outcome, ProcessFacts, RefusedPhase, Resources, map_lines},
    result::{CaseResult, StepResult, Verdict},
    scenario::{Invalid, describe, model::Scenario, sysctl},
};

/// The whole document.
#[must_use]
pub fn document(machine: &Machine, engine: Kind, tally: &Tally, duration_ms: f64, results: Vec<Value>) -> Value {
    json!({
        "caplab": env!("CARGO_PKG_VERSION"),
        "engine": engine.name(),
        "host": host(machine),
        "summary": {
            "passed": tally.passed,
            // An invalid file has failed, too.
            "failed": tally.failed + tally.invalid,
            "invalid": tally.invalid,
            "skipped": tally.skipped,
            "errored": tally.errored,
            "duration_ms": round(duration_ms),
        },
        "results": results,
    })
}

/// The machine.
#[must_use]
pub fn host(machine: &Machine) -> Value {
    json!({
        "kernel": machine.kernel,
        "uid": machine.uid,
        "bounding": machine.bounding.names(),
        "cgroup": match machine.cgroups.version() {
            CgroupVersion::V1 => "v1",
            CgroupVersion::V2 => "v2",
            CgroupVersion::None => "none",
        },
        "userns": machine.userns,
        "lab_host": {
            "root": !machine.lab.is_made(),
            "uids": map_lines(&machine.lab.uids),
            "gids": map_lines(&machine.lab.gids),
            "obstacle": machine.obstacle.as_ref().map(Obstacle::reason),
        },
    })
}

/// A file that is no valid scenario.
#[must_use]
pub fn invalid(diagnostic: &Invalid, engine: Kind) -> Value {
    json!({
        "scenario": diagnostic.scenario, "file": diagnostic.path, "line": diagnostic.line(), "case": null, "engine": engine.name(), "verdict": "fail",
        "invalid": true, "reason": diagnostic.to_string(), "duration_ms": 0.0, "containers": {}, "steps": [],
    })
}

/// One case.
#[must_use]
pub fn result(scenario: &Scenario, result: &CaseResult) -> Value {
    let (verdict, reason) = match &result.verdict {
        Verdict::Pass => ("pass", Value::Null),
        Verdict::Fail(findings) => ("fail", json!(findings.join("\n"))),
        Verdict::Skip(skip) => ("skip", json!(skip.reason)),
        Verdict::Error(findings) => ("error", json!(findings.join("\n"))),
    };
    let containers: Map<String, Value> = result
        .containers
        .iter()
        .map(|(name, state)| {
            let value = match state {
                ContainerState::Running(facts) => json!({"effective": process(facts)}),
                ContainerState::Refused(refused) => json!({"refused": outcome(refused)}),
            };
            (name.clone(), value)
        })
        .collect();
    json!({
        "scenario": result.scenario,
        "title": scenario.title,
        "file": scenario.path,
        "case": result.case,
        "engine": result.engine,
        "verdict": verdict,
        "reason": reason,
        "duration_ms": round(result.duration.as_secs_f64() * 1000.0),
        "containers": containers,
        "steps": result.steps.iter().map(step).collect::<Vec<_>>(),
    })
}

fn step(step: &StepResult) -> Value {
    let run = step.kind == "run";
    let facts = match &step.seen.facts {
        None => json!({}),
        Some(Facts::Process(facts)) => process(facts),
        Some(Facts::HostProcess(lineage)) => {
            let mut facts = lineage.first().map(process).unwrap_or_default();
            facts["parents"] = lineage.iter().skip(1).map(|parent| parent.command.as_str()).collect();
            facts
        }
        Some(Facts::File(file)) => json!({
            "exists": file.exists, "mode": format!("{:04o}", file.mode), "uid": file.uid, "gid": file.gid,
            "changed": file.changed, "mounted": file.mounted, "content": file.content,
        }),
    };
    json!({
        "id": step.id,
        "kind": step.kind,
        "in": step.within,
        "what": step.what,
        "line": step.line,
        "outcome": outcome(&step.seen.outcome),
        "exit": step.seen.exit,
        "stdout": if run { json!(step.seen.stdout.text) } else { Value::Null },
        "stderr": if run { json!(step.seen.stderr.text) } else { Value::Null },
        "truncated": step.seen.stdout.cut || step.seen.stderr.cut,
        "facts": facts,
        "ok": step.findings.is_empty() && step.because.as_ref().is_none_or(|because| because.holds),
        "findings": step.findings.iter().map(|finding| json!({"expected": finding.expected, "seen": finding.seen})).collect::<Vec<_>>(),
        "why": step.why,
        "because": step.because.as_ref().map(|because| json!({
            "control": describe::decided(&because.controls),
            "controls": because.controls.iter().map(describe::control).collect::<Vec<_>>(),
            "change": because.change,
            // One of none holds where nothing flipped.
            "flipped": because.unasked.is_none() && because.holds != because.controls.is_empty(),
            "holds": because.holds,
            "outcome": outcome(&because.outcome),
            "natively": because.natively.as_ref().map(outcome),
            "unasked": because.unasked.as_ref().map(|skip| &skip.reason),
        })),
    })
}

/// An outcome.
pub(super) fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Allowed => json!({"kind": "allowed"}),
        Outcome::Denied { errno, call } => json!({"kind": "denied", "errno": errno.to_string(), "call": call}),
        Outcome::Killed(signal) => json!({"kind": "killed", "signal": signal.to_string()}),
        Outcome::Failed(code) => json!({"kind": "failed", "exit": code}),
        Outcome::Refused { phase, message } => {
            let phase = match phase {
                RefusedPhase::Create => "create",
                RefusedPhase::Start => "start",
            };
            json!({"kind": "refused", "phase": phase, "message": message})
        }
        Outcome::Unavailable(reason) => json!({"kind": "unavailable", "reason": reason}),
        Outcome::TimedOut => json!({"kind": "timed out"}),
        Outcome::Observed => json!({"kind": "observed"}),
        Outcome::Unclear(reason) => json!({"kind": "unclear", "reason": reason}),
    }
}

fn process(facts: &ProcessFacts) -> Value {
    let namespaces: Map<String, Value> = facts
        .namespaces
        .iter()
        .map(|(namespace, state)| (describe::namespace(*namespace).to_owned(), json!(state.name())))
        .collect();
    let mounts: Vec<Value> = facts
        .mounts
        .iter()
        .map(|mount| {
            json!({
                "target": mount.target, "type": mount.fstype, "source": mount.source, "root": mount.root,
                "options": mount.options, "super_options": mount.super_options, "propagation": mount.peers.name(),
            })
        })
        .collect();
    let limits: Map<String, Value> = facts
        .limits
        .iter()
        .map(|limit| (limit.name.to_owned(), json!({"soft": amount(limit.soft), "hard": amount(limit.hard)})))
        .collect();
    let processes: Vec<Value> = facts
        .processes
        .iter()
        .map(|process| json!({"pid": process.pid, "uid": process.uid, "command": process.command}))
        .collect();
    json!({
        "capabilities": sets(&facts.capabilities),
        "uid": facts.uid,
        "real_uid": facts.real_uid,
        "gid": facts.gid,
        "groups": facts.groups,
        "uid_map": map_lines(&facts.uid_map),
        "gid_map": map_lines(&facts.gid_map),
        "no_new_privs": facts.no_new_privs,
        "seccomp": facts.seccomp.name(),
        "namespaces": namespaces,
        "sysctls": facts.sysctls.as_ref().map(|all| {
            all.iter().map(|(name, value)| (name.clone(), json!(sysctl::words(value)))).collect::<Map<String, Value>>()
        }),
        "mounts": mounts,
        "limits": limits,
        "resources": facts.resources.map(resources),
        "command": facts.command,
        "hostname": if facts.hostname.is_empty() { Value::Null } else { json!(facts.hostname) },
        "processes": processes,
    })
}

/// In the runtime-spec's words.
fn resources(resources: Resources) -> Value {
    json!({
        "pids": resources.pids.map(|limit| json!({"limit": amount(limit)})),
        "memory": resources.memory.map(|limit| json!({"limit": amount(limit), "swap": resources.swap.map(amount)})),
        "cpu": resources.cpu.map(|cpu| json!({"quota": amount(cpu.quota), "period": cpu.period})),
    })
}

fn sets(sets: &CapSets) -> Value {
    let named = sets.named().into_iter();
    named.map(|(name, set)| (name.to_owned(), json!(set.names()))).collect::<Map<_, _>>().into()
}

/// JSON's numbers do not hold 2^64 - 1.
fn amount(limit: u64) -> Value {
    if limit == u64::MAX { json!("unlimited") } else { json!(limit) }
}

/// Milliseconds to a microsecond.
fn round(millis: f64) -> f64 {
    (millis * 1000.0).round() / 1000.0
}
