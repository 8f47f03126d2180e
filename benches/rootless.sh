#!/usr/bin/env bash
# The suite as root and as an ordinary user with subordinate ids, side by side: seconds, medians, of the cases that both run. As root.
#   benches/rootless.sh USER [ROUNDS] [CAPLAB]
set -euo pipefail
cd "$(dirname "$0")/.."
user=${1:?an ordinary user with subordinate ids}
rounds=${2:-5}
caplab=${3:-target/release/caplab}

as_user() { runuser -u "$user" -- env CI=true "$@"; }
# The cases that the user runs, by scenario: those of which a case is skipped are left out on both sides.
scenarios=$(as_user "$caplab" list --format json | python3 -c '
import json, sys
rows = json.load(sys.stdin)
skipped = {row["scenario"] for row in rows if row["skip"]}
print("\n".join(sorted("scenarios/" + row["scenario"] + ".yaml" for row in {row["scenario"]: row for row in rows}.values() if row["scenario"] not in skipped)))')
one=scenarios/mounts/read-only-volume.yaml

seconds() { local s e; s=$(date +%s%N); "$@" >/dev/null; e=$(date +%s%N); awk -v n=$((e - s)) 'BEGIN {printf "%.3f\n", n / 1e9}'; }
median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for _ in $(seq "$rounds"); do
    # shellcheck disable=SC2086  # a word for each scenario is meant
    {
        CI=true seconds "$caplab" run $scenarios >>"$work/root-suite"
        seconds as_user "$caplab" run $scenarios >>"$work/user-suite"
    }
    CI=true seconds "$caplab" run $one >>"$work/root-one"
    seconds as_user "$caplab" run $one >>"$work/user-one"
    # What runuser itself takes is taken off.
    seconds as_user true >>"$work/user-nothing"
    seconds true >>"$work/root-nothing"
done
row() {
    local root user
    root=$(awk -v a="$(median <"$work/root-$2")" -v b="$(median <"$work/root-nothing")" 'BEGIN {print a - b}')
    user=$(awk -v a="$(median <"$work/user-$2")" -v b="$(median <"$work/user-nothing")" 'BEGIN {print a - b}')
    awk -v what="$1" -v a="$root" -v b="$user" 'BEGIN {printf "| %-44s | %8.3f | %8.3f | %5.2f |\n", what, a, b, b / a}'
}
printf '| %-44s | %8s | %8s | %5s |\n|---|---|---|---|\n' "seconds, medians of $rounds" root "$user" times
row "$(wc -w <<<"$scenarios") scenarios" suite
row "one scenario" one
