#!/usr/bin/env bash
# The real docker CLI while its engine is killed with SIGKILL: whoever started it takes orders in
# the directory PLACE. A container must end as if nothing had happened, and so must its client.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"
place=$1

# order WHAT: have the engine killed (`kill`), started (`start`) or both (`crash`); it answers then.
order() { echo "$1" >"$place/orders"; read -r _ <"$place/done"; }
crash() { order crash; }
# go FILE: let a container that waits in `gate` continue.
gate='until [ -e /go ]; do sleep 0.02; done'
running() { until_ sh -c "docker inspect -f '{{.State.Running}}' $1 | grep -qx true"; }
go() { docker exec "$1" touch /go; }

# --- run, with its client attached all the while
docker run --name r1 busybox sh -c "echo early; $gate; echo late; echo err >&2; exit 7" >"$work/o" 2>"$work/e" & pid=$!
running r1; crash; go r1; wait $pid; check "run: its code" 7 $?
check "run: its output" "early late" "$(tr '\n' ' ' <"$work/o" | sed 's/ $//')"
check "run: its errors" err "$(cat "$work/e")"
check "run: the log" "early late" "$(docker logs r1 2>/dev/null | tr '\n' ' ' | sed 's/ $//')"

docker run --rm --name r2 busybox sh -c "$gate; echo late; exit 8" >"$work/o" & pid=$!
running r2; crash; go r2; wait $pid; check "run --rm: its code" 8 $?
check "run --rm: its output" late "$(cat "$work/o")"
check "run --rm: it is removed" 0 "$(until_ sh -c '! docker inspect r2'; echo $?)"

head -c 20000000 /dev/urandom >"$work/big"
mkfifo "$work/in"
docker run -i --rm --name r3 busybox cat <"$work/in" >"$work/o" & pid=$!
exec 9>"$work/in"; running r3; head -c 1000000 "$work/big" >&9; crash; tail -c +1000001 "$work/big" >&9; exec 9>&-
wait $pid; check "run -i: its code" 0 $?
check "run -i: every byte" "$(sum <"$work/big")" "$(sum <"$work/o")"

(running r4; crash; go r4) & helper=$!
check "run -it: through the crash" 0 "$(code terminal 'expect:late' -- docker run -it --rm --name r4 busybox sh -c "$gate; echo late")"
wait $helper

# --- exec and attach
docker run -d --name web -p 127.0.0.1::80 busybox sh -c 'echo page >/index.html; exec httpd -f -p 80 -h /' >/dev/null
docker exec web sh -c "$gate; echo late; exit 5" >"$work/o" & pid=$!
until_ sh -c 'docker top web | grep -q "sleep 0.02"'; crash; go web; wait $pid; check "exec: its code" 5 $?
check "exec: its output" late "$(cat "$work/o")"
docker run -d -i --name fed busybox sh -c 'read x; echo got $x; read y; echo got $y; exit 9' >/dev/null
mkfifo "$work/in2"; docker attach fed <"$work/in2" >"$work/o" & pid=$!
exec 9>"$work/in2"; echo one >&9; until_ grep -q one "$work/o"; crash; echo two >&9; wait $pid; check "attach: its code" 9 $?
exec 9>&-
check "attach: fed and shown" "got one got two" "$(tr '\n' ' ' <"$work/o" | sed 's/ $//')"

# --- logs, followed
docker run -d --name loud busybox sh -c "echo early; $gate; echo late" >/dev/null
docker logs -f loud >"$work/o" & pid=$!
until_ grep -q early "$work/o"; crash; go loud; wait $pid; check "logs -f: its code" 0 $?
check "logs -f: every line" "early late" "$(tr '\n' ' ' <"$work/o" | sed 's/ $//')"
docker rm -f loud >/dev/null

# --- what the engine itself carries ends with it: an error, never a short success
cut() { # cut NAME COMMAND…: the output is being read when the engine dies
  local name=$1; shift; mkfifo "$work/cut"
  "$@" >"$work/cut" 2>/dev/null & local pid=$!
  { head -c 1000 >/dev/null; crash; cat >"$work/o"; } <"$work/cut"
  wait $pid; check "$name" 1 $?; rm "$work/cut"
}
docker cp "$work/big" web:/big >/dev/null
tar -C "$work" -cf "$work/big.tar" big
fed() { # fed NAME COMMAND…: the input is being sent when the engine dies
  local name=$1; shift; mkfifo "$work/fed"
  "$@" <"$work/fed" >/dev/null 2>&1 & local pid=$!
  { head -c 9000000 "$work/big.tar" >&9; crash; tail -c +9000001 "$work/big.tar" >&9; } 9>"$work/fed" 2>/dev/null
  wait $pid; check "$name" 1 $?; rm "$work/fed"
}
cut "cp out: cut off" docker cp web:/big -
cut "export: cut off" docker export web
check "cp out: every byte the next time" "$(sum <"$work/big")" "$(docker cp web:/big - | tar -xO | sum)"
fed "cp in: cut off" docker cp - web:/
fed "import: cut off" docker import - half
check "import: no image of it" "" "$(docker images -q half)"
fed "load: cut off" docker load
holds "cp in: again" docker cp "$work/big" web:/big
check "cp in: every byte the next time" "$(sum <"$work/big")" "$(docker exec web cat /big | sum)"

# --- what the next engine knows
docker run -d --name left busybox sh -c "$gate; exit 3" >/dev/null
crash; go left; check "wait: the code" 3 "$(docker wait left)"
address=$(docker port web 80 | head -1)
check "a published port goes on" page "$(curl -sf "http://$address/")"
docker pause web >/dev/null; crash; check "paused is paused" true "$(docker inspect -f '{{.State.Paused}}' web)"
docker unpause web >/dev/null; check "and can be thawed" page "$(docker exec web cat /index.html)"
holds "cp into it" docker cp "$work/o" web:/copied
check "diff of it" "A /copied" "$(docker diff web | grep copied)"
check "stop it" 0 "$(docker stop -t 1 web >/dev/null; echo $?)"
crash; check "stopped stays stopped" exited "$(docker inspect -f '{{.State.Status}}' web)"
check "start it again" running "$(docker start web >/dev/null; docker inspect -f '{{.State.Status}}' web)"
docker run -d --name gone busybox sleep 1000 >/dev/null
pid=$(docker inspect -f '{{.State.Pid}}' gone); order kill; kill -9 "$pid"; order start
check "died meanwhile: its code" 137 "$(docker inspect -f '{{.State.ExitCode}}' gone)"
crash; crash; crash
check "many crashes, the same containers" 5 "$(docker ps -aq | wc -l)"
docker rm -f $(docker ps -aq) >/dev/null
check "nothing is left" "" "$(docker ps -aq)"
summary
