#!/usr/bin/env bash
# Prints the project's figures, each beside what it is compared with, in one run. Needs root; bubblewrap for its row.
#   benches/table.sh [ROUNDS]
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}

cargo build --locked --quiet --release --workspace --benches
cargo build --locked --quiet --release
# As `cargo install` and packages leave it, bubblewrap's too: a file that was written in large pieces, which the kernel caches in large
# folios and maps as such. The linker writes target/release/caplab through a mapping, page by page; what that costs has a row of its own.
linked=$PWD/target/release/caplab
caplab=$linked-installed
cp "$linked" "$caplab"
newest() { find target/release -path "$1" -type f -executable -printf '%T@ %p\n' | sort -rn | head -1 | cut -d' ' -f2-; }
helper=$(newest '*/out/caplab-init')
life=$(newest 'target/release/deps/life-*')
floor=$(newest 'target/release/deps/floor-*')
work=$(mktemp -d)
trap 'rm -rf "$work" "$caplab"' EXIT

median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
field() { awk -v key="$1" '$1 == key {print $NF}' "$2"; }
# Seconds of one call.
seconds() { local s e; s=$(date +%s%N); "$@" >/dev/null; e=$(date +%s%N); awk -v n=$((e - s)) 'BEGIN {printf "%.2f", n / 1e9}'; }
# Resident memory of one call at its peak, MiB.
peak() { /usr/bin/env python3 - "$@" <<'PY'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f}")
PY
}

mkdir -p "$work"/{one,bare,hundred,thousand}/scenarios
one='container: {preset: docker}
steps:
  - probe: {open: /dev/null}
    expect: allowed'
printf 'title: One probe\n%s\n' "$one" >"$work/one/scenarios/one.yaml"
# What bubblewrap makes: new namespaces, without a seccomp profile or a device list.
printf 'title: One probe\ncontainer: {preset: bare}\nsteps:\n  - probe: {open: /dev/null}\n    expect: allowed\n' >"$work/bare/scenarios/bare.yaml"
for n in $(seq 100); do printf 'title: Case %s\n%s\n' "$n" "$one" >"$work/hundred/scenarios/case-$n.yaml"; done
printf 'title: A thousand cases\nmatrix: {n: [%s]}\ncontainer: {preset: docker, hostname: "host-${n}"}\nsteps:\n  - probe: {open: /dev/null}\n    expect: allowed\n' \
    "$(seq -s, 1000)" >"$work/thousand/scenarios/thousand.yaml"
for lab in one bare hundred thousand; do (cd "$work/$lab" && "$caplab" run --update >/dev/null); done

# The mounts and the name that `preset: bare` has, and bubblewrap makes when asked.
alike=(--proc /proc --dev /dev --hostname box)
for round in $(seq "$rounds"); do
    "$floor" "$helper" >>"$work/floor"
    "$life" >>"$work/life"
done
# Whole processes in turn: 40 calls of each a round.
commands=("cd $work/bare && $caplab run scenarios/bare.yaml" "cd $work/one && $caplab run scenarios/one.yaml"
    "cd $work/bare && $linked run scenarios/bare.yaml")
if command -v bwrap >/dev/null; then
    commands+=("bwrap --unshare-all --ro-bind / / ${alike[*]} true" "bwrap --unshare-all --ro-bind / / true")
fi
mapfile -t whole < <(python3 benches/alternate.py $((rounds * 40)) "${commands[@]}")
floor_us=$(field floor_us "$work/floor" | median)
life_us=$(field life_us "$work/life" | median)
whole_us=${whole[0]}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.2f", a / b}'; }

row() { printf '| %-58s | %12s | %s\n' "$1" "$2" "$3"; }
echo "medians of $rounds rounds (whole processes: $((rounds * 40)) calls each, in turn), $(nproc) processors, Linux $(uname -r)"
row "what" "figure" "beside"
row "one container's life, warm launcher" "$life_us us" "bare floor $floor_us us: $(ratio "$life_us" "$floor_us") times it (wanted: 1.5)"
row "the same with one probe" "$(field probe_us "$work/life" | median) us" ""
if [ ${#whole[@]} -gt 3 ]; then
    alike_us=${whole[3]}
    bwrap_us=${whole[4]}
    row "whole process: caplab run, bare, one probe" "$whole_us us" "bwrap --unshare-all … true, with --proc, --dev and --hostname: $alike_us us: $(ratio "$whole_us" "$alike_us") times it (wanted: 1.0)"
    row "" "" "bwrap --unshare-all --ro-bind / / true, which makes none of these: $bwrap_us us: $(ratio "$whole_us" "$bwrap_us") times it"
else
    row "whole process: caplab run, bare, one probe" "$whole_us us" "bwrap is not installed: apt-get install bubblewrap"
fi
row "the same from target/release, as the linker wrote it" "${whole[2]} us" ""
row "the same as a docker container: seccomp, device list, masks" "${whole[1]} us" ""
row "100 one-step cases, two jobs" "$(cd "$work/hundred" && seconds "$caplab" run --jobs 2) s" ""
row "resident memory of a run of 1,000 cases" "$(cd "$work/thousand" && peak "$caplab" run --jobs 2) MiB" "(wanted: under 40)"
for name in nested-100000 alias-bomb over-1-MiB; do
    row "refusing a bad file: $name" "$(awk -v name="$name" '$1 == "refusal_ms" && $2 == name {print $3}' "$work/life" | median) ms" "(wanted: within 100)"
done
