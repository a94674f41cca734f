#!/usr/bin/env bash
# Fuzz what reads strangers' bytes: `fuzz.sh [TARGET…]`, targets of native/fuzz or all, each for SECONDS_EACH (60).
# What is found lies in native/fuzz/artifacts; `fuzz.sh TARGET FILE` runs it again.
set -euo pipefail
again=
if [ $# -eq 2 ] && [ -f "$2" ]; then
  again=$(realpath "$2")
  set -- "$1"
fi
cd "$(dirname "$0")/../native/fuzz"
[ $# -gt 0 ] || set -- $(cd fuzz_targets && basename -s .rs -a *.rs)
# In memory, where there is such a place: each run makes files and removes them.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm

# What `cargo fuzz --sanitizer none` would say, which takes longer to install than this to build. A sanitizer
# wants a nightly compiler, and would see little: the parsers forbid unsafe code.
flags=(
  --cfg fuzzing -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares
)
# A host named as a target keeps the flags from build scripts.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTFLAGS="${flags[*]}" cargo build --quiet --release --locked --target "$host" "${@/#/--bin=}"

for target; do
  echo "== $target"
  mkdir -p "corpus/$target" "artifacts/$target"
  inputs=("corpus/$target" "seeds/$target")
  [ -z "$again" ] || inputs=("$again")
  "target/$host/release/$target" "${inputs[@]}" -max_total_time="${SECONDS_EACH:-60}" \
    -max_len=8192 -timeout=10 -print_final_stats=1 -verbosity=0 -artifact_prefix="artifacts/$target/"
done
