#!/usr/bin/env bash
# The same 50 cases on each engine, one table in one run: the median time of ROUNDS, one case after the other.
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

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lab/scenarios"
# What all five can express. No step has a `because`: what it asks runs natively, whoever runs the case.
cat >"$work/lab/scenarios/fifty.yaml" <<'YAML'
title: Fifty containers, each with a capability less and as another user
matrix:
  cap: [CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, SYS_CHROOT]
  user: ["0:0", "1:1", "1000:1000", "6667:6667", "65534:65534"]
container:
  preset: docker
  cap_drop: ["${cap}"]
  user: ${user}
steps:
  - inspect: {seccomp: filter, no_new_privs: false}
  - probe: mount
    expect: {denied: EPERM}
YAML
# Every engine is held against the picture of the native one.
(cd "$work/lab" && "$caplab" run --update >/dev/null 2>&1)

# Milliseconds of one run; the first of an engine imports its images, and is not counted.
once() {
    local start end
    start=$(date +%s%N)
    if ! (cd "$work/lab" && "$caplab" run --engine "$1" --jobs 1 --deny-skip --format json) >"$work/said"; then
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
