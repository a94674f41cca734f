#!/usr/bin/env bash
# Fuzz what reads strangers' bytes: every target of native/fuzz, SECONDS_EACH apiece (60).
set -euo pipefail
cd "$(dirname "$0")/../native/fuzz"
command -v cargo-fuzz >/dev/null || cargo install --quiet --locked cargo-fuzz
# Sanitizer flags are unstable; this lets the one stable toolchain take them.
export RUSTC_BOOTSTRAP=1
for target in $(cargo fuzz list --fuzz-dir .); do
  echo "== $target"
  cargo fuzz run --fuzz-dir . "$target" -- -max_total_time="${SECONDS_EACH:-60}" -print_final_stats=1
done
