# Sourced by the scripts that drive the docker CLI: how a check is made and counted.
export DOCKER_CLI_HINTS=false
work=$(mktemp -d)
trap 'docker rm -f $(docker ps -aq) >/dev/null 2>&1; docker volume rm -f c1 >/dev/null 2>&1; rm -rf "$work"' EXIT
passed=0 failed=0

# check WHAT EXPECTED ACTUAL: the two texts are equal.
check() {
  if [ "$2" == "$3" ]; then
    passed=$((passed + 1)); printf 'ok   %s\n' "$1"
  else
    failed=$((failed + 1)); printf 'FAIL %s\n     expected: %q\n     got:      %q\n' "$1" "$2" "$3"
  fi
}
# holds WHAT COMMAND…: the command succeeds.
holds() {
  local what=$1; shift
  if "$@" >"$work/out" 2>&1; then check "$what" 0 0; else check "$what" 0 "$? $(head -c 300 "$work/out")"; fi
}
code() { "$@" >/dev/null 2>&1; echo $?; }
terminal() { python3 "$here/terminal.py" "$@"; }
# until_ COMMAND…: poll a condition, at most ten seconds.
until_() {
  local end=$((SECONDS + 10))
  until "$@" >/dev/null 2>&1; do [ $SECONDS -lt $end ] || return 1; sleep 0.05; done
}
sum() { sha256sum | cut -d' ' -f1; }
# summary: the closing line; fails when a check has.
summary() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
