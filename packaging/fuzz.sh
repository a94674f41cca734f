#!/usr/bin/env bash
# Fuzz what reads strangers' bytes: `fuzz.sh [TARGET]`, every target of native/fuzz or one, for SECONDS_EACH (60).
# What is found lies in native/fuzz/artifacts; `fuzz.sh TARGET FILE` runs it again.
set -euo pipefail
[ $# -lt 2 ] || again=$(realpath "$2")
cd "$(dirname "$0")/.."
tools=$PWD/build/tools
[ -x "$tools/bin/cargo-fuzz" ] || cargo install --quiet --locked --root "$tools" cargo-fuzz
PATH=$tools/bin:$PATH
# In memory, where there is such a place: each run makes files and removes them.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm
cd native/fuzz

for target in ${1:-$(cargo fuzz list --fuzz-dir .)}; do
  echo "== $target"
  mkdir -p "corpus/$target"
  inputs=("corpus/$target" "seeds/$target")
  [ $# -lt 2 ] || inputs=("$again")
  # A sanitizer wants a nightly compiler, and would see little: the parsers forbid unsafe code.
  cargo fuzz run --fuzz-dir . --sanitizer none "$target" "${inputs[@]}" -- \
    -max_total_time="${SECONDS_EACH:-60}" -max_len=8192 -timeout=10 -print_final_stats=1
done
