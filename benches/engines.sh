#!/usr/bin/env bash
# The same 50 cases of the suite on each engine, one table in one run: the median time of ROUNDS, one case after the other.
# Needs root and the engines (.ci/engines).
#   benches/engines.sh [ROUNDS [ENGINE…]]
# CAPLAB=FILE is a binary that is built already.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
engines=("${@:2}")
[ ${#engines[@]} -gt 0 ] || engines=(native crun runc podman docker)

caplab=${CAPLAB:-$PWD/target/release/caplab}
[ -n "${CAPLAB:-}" ] || cargo build --locked --quiet --release

# What all five can express and pass, but for three kinds: limits, which wait for what they limit; cgroup namespaces, which are
# another thing on another machine; and cases that wait for a server of their own.
cases=(
    capabilities/{cap-add-net-admin-allows-iptables,default-denies-iptables,docker-default-set,docker-default-set-by-name}
    capabilities/{kernel-log,root-without-capabilities}
    devices/{a-node-is-not-the-device,exec-has-the-list-too,making-is-not-opening}
    mounts/{a-working-directory-under-a-mount,read-only-root,read-only-volume,root-writes-a-file-of-mode-0000}
    mounts/{unconfined-paths-are-still-roots,user-may-not-write-shadow}
    namespaces/{a-command-that-is-not-there,a-sysctl-that-is-not-there,entrypoint-and-command,ipc-none,ipc-shared}
    namespaces/{it-has-no-descriptors,it-sees-only-itself,network-none,network-shared-firewall,pid-shared}
    namespaces/{pid-shared-by-three,pid-shared-opens-the-root,pid-shared-protects-by-capabilities,setns}
    namespaces/{sysctls-are-the-containers,two-containers-share-nothing}
    seccomp/{a-profile-follows-capabilities,a-profile-that-allows-nothing,a-rule-may-look-at-arguments}
    seccomp/{docker-closes-user-namespaces,exec-is-filtered-too,keyring-docker,what-a-rule-can-do}
    users/{a-name-is-a-number,begins-where-he-may-not-enter,container-root-is-host-root,exec-as-another-user}
    users/{no-new-privileges,run-as-6667,run-as-6667-has-no-capabilities,set-uid-gains-what-is-bounded}
    users/{supplementary-groups,what-a-process-is-given,where-set-uid-is-passed-over}
)
files=("${cases[@]/#/scenarios/}")
files=("${files[@]/%/.yaml}")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Milliseconds of one run; the first of an engine imports its images, and is not counted.
once() {
    local start end
    start=$(date +%s%N)
    if ! "$caplab" run --engine "$1" --jobs 1 --deny-skip --format json "${files[@]}" >"$work/said"; then
        python3 -c 'import json, sys
for one in json.load(open(sys.argv[1]))["results"]:
    if one["verdict"] != "pass": print(one["scenario"], one["verdict"], one["reason"], file=sys.stderr)' "$work/said"
        return 1
    fi
    end=$(date +%s%N)
    echo $(((end - start) / 1000000))
}

native=
printf '| %-7s | %8s | %9s | %8s |\n|---|---|---|---|\n' engine "50 cases" "one case" times
for engine in "${engines[@]}"; do
    once "$engine" >/dev/null
    for _ in $(seq "$rounds"); do once "$engine"; done >"$work/times"
    median=$(sort -n "$work/times" | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}')
    native=${native:-$median}
    awk -v e="$engine" -v m="$median" -v n="$native" -v c="$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["summary"]["passed"])' "$work/said")" \
        'BEGIN {printf "| %-7s | %6.2f s | %6.1f ms | %8.1f |\n", e, m / 1000, m / c, m / n; if (c != 50) {print c " cases are not 50" > "/dev/stderr"; exit 1}}'
done
