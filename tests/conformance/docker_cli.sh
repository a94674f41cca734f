#!/usr/bin/env bash
# The real docker CLI against an engine: DOCKER_HOST says which. The image `busybox` is there.
# Each check says what a user expects; the last line counts. dockerd 20.10 passes it too, but for
# three checks whose comments say why.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/checks.sh"

# --- the engine
holds "version" docker version
check "info names a driver" overlay2 "$(docker info -f '{{.Driver}}')"
check "the image is listed" busybox:latest "$(docker images --format '{{.Repository}}:{{.Tag}}' busybox)"
check "image inspect shows a layer" 1 "$(docker image inspect -f '{{len .RootFS.Layers}}' busybox)"
docker tag busybox other:tag; check "tag, then untag" "Untagged: other:tag" "$(docker rmi other:tag)"

# --- run
check "run prints" hello "$(docker run --rm busybox echo hello)"
check "run exits with the command's code" 7 "$(code docker run --rm busybox sh -c 'exit 7')"
# A signal that pid 1 sends itself does nothing, so this one is not pid 1.
check "killed by a signal is 128+n" 143 "$(code docker run --rm --pid host busybox sh -c 'kill -TERM $$')"
check "missing command is 127" 127 "$(code docker run --rm busybox nothere)"
check "missing path is 127" 127 "$(code docker run --rm busybox /no/such)"
check "not executable is 126" 126 "$(code docker run --rm busybox /etc)"
check "unknown flag value is 125" 125 "$(code docker run --rm --network nothere busybox true)"
check "missing command names it" 1 "$(docker run --rm busybox nothere 2>&1 | grep -c '"nothere": executable file not found in $PATH')"
check "stdout alone" out "$(docker run --rm busybox sh -c 'echo out; echo err >&2' 2>/dev/null)"
check "stderr alone" err "$(docker run --rm busybox sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
check "late output after half-close" late "$(docker run --rm busybox sh -c 'sleep 0.3; echo late' </dev/null)"
check "stdin reaches the process" abc "$(echo -n abc | docker run -i --rm busybox cat)"
check "without -i there is no stdin" "" "$(echo abc | docker run --rm busybox cat)"
head -c 50000000 /dev/urandom >"$work/big"
check "50 MB through stdin and back" "$(sum <"$work/big")" "$(docker run -i --rm busybox cat <"$work/big" | sum)"
check "no newline at the end is kept" 3 "$(docker run --rm busybox printf abc | wc -c)"
check "environment" "a b" "$(docker run --rm -e X='a b' busybox sh -c 'echo "$X"')"
check "working directory is made" /some/where "$(docker run --rm -w /some/where busybox pwd)"
check "hostname" box "$(docker run --rm -h box busybox hostname)"
check "hostname in /etc/hosts" 1 "$(docker run --rm -h box busybox grep -c box /etc/hosts)"
check "user by number" "12:34" "$(docker run --rm -u 12:34 busybox sh -c 'echo $(id -u):$(id -g)')"
check "user by name" 0 "$(docker run --rm -u root busybox id -u)"
check "unknown user is 125 or 126" 126 "$(c=$(code docker run --rm -u nobodyhere busybox true); [ "$c" = 125 ] || [ "$c" = 126 ] && echo 126)"
check "entrypoint" "x y" "$(docker run --rm --entrypoint echo busybox x y)"
check "read-only root" 1 "$(code docker run --rm --read-only busybox touch /x)"
check "no new privileges" 1 "$(docker run --rm --security-opt no-new-privileges busybox grep -c 'NoNewPrivs:.*1' /proc/self/status)"
check "seccomp filters" 2 "$(docker run --rm busybox awk '/^Seccomp:/{print $2}' /proc/self/status)"
check "capabilities are Docker's" 00000000a80425fb "$(docker run --rm busybox awk '/^CapEff/{print $2}' /proc/self/status)"
# runc refuses where the host's own set lacks one of those it knows.
check "privileged has them all" "$(awk '/^CapBnd/{print $2}' /proc/self/status)" "$(docker run --rm --privileged busybox awk '/^CapEff/{print $2}' /proc/self/status)"
check "kernel files are masked" 0 "$(docker run --rm busybox sh -c 'cat /proc/kcore | wc -c')"
check "memory limit" 137 "$(code docker run --rm -m 16m --memory-swap 16m busybox sh -c 'dd if=/dev/zero of=/dev/shm/x bs=1M count=40; head -c 60m /dev/zero | tail')"
check "pids limit" 5 "$(docker run --rm --pids-limit 5 busybox sh -c 'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max')"
check "ulimit" 100 "$(docker run --rm --ulimit nofile=100 busybox sh -c 'ulimit -n')"
check "shm size" 1 "$(docker run --rm --shm-size 8m busybox df -k /dev/shm | grep -c ' 8192 ')"
check "pid 1" 1 "$(docker run --rm busybox sh -c 'echo $$')"

# --- terminals
check "a terminal is a terminal" 1 "$(terminal -- docker run --rm -it busybox tty | grep -c '^/dev/pts/0')"
check "terminal size" "33 99" "$(terminal size:33x99 -- docker run --rm -it busybox sh -c 'until [ "$(stty size 2>/dev/null)" = "33 99" ]; do sleep 0.05; done; stty size' | tr -d '\r')"
check "typing at a shell" 0 "$(code terminal 'expect:# ' 'send:echo $((40+2))\n' 'expect:42' 'send:exit\n' -- docker run --rm -it busybox sh)"
check "exit code through a terminal" 3 "$(code terminal -- docker run --rm -t busybox sh -c 'exit 3')"
terminal 'expect:# ' 'send:\x10\x11' -- docker run --name detach -it busybox sh >/dev/null 2>&1
check "detach keys leave it running" true "$(docker inspect -f '{{.State.Running}}' detach)"
check "attach again" 0 "$(code terminal 'send:echo $((40+2))\n' 'expect:42' 'send:exit\n' -- docker attach detach)"

# --- exec
docker run -d --name idle busybox sleep 1000 >/dev/null
check "exec prints" hi "$(docker exec idle echo hi)"
check "exec exits with the command's code" 5 "$(code docker exec idle sh -c 'exit 5')"
# Docker before 23 said 126.
check "exec of a missing command is 127" 127 "$(code docker exec idle nothere)"
check "exec keeps streams apart" err "$(docker exec idle sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
check "exec stdin" "$(sum <"$work/big")" "$(docker exec -i idle cat <"$work/big" | sum)"
check "exec environment, user, directory" "v 12 /tmp" "$(docker exec -e K=v -u 12 -w /tmp idle sh -c 'echo $K $(id -u) $(pwd)')"
check "exec on a terminal" 0 "$(code terminal 'expect:# ' 'send:echo $((40+2))\n' 'expect:42' 'send:exit\n' -- docker exec -it idle sh)"
wait_for_size='until [ "$(stty size)" = "41 87" ]; do sleep 0.05; done; echo $((40+2))\n'
check "exec follows the terminal's size" 0 "$(code terminal 'expect:# ' size:41x87 "send:$wait_for_size" 'expect:42' 'send:exit\n' -- docker exec -it idle sh)"
check "exit code of an exec on a terminal" 6 "$(code terminal -- docker exec -t idle sh -c 'exit 6')"
terminal 'expect:# ' 'send:\x10\x11' -- docker exec -it idle sh -c 'echo $$ >/left; exec sh' >/dev/null 2>&1
check "detach keys leave an exec running" 0 "$(code docker exec idle sh -c 'kill -0 $(cat /left) && kill -9 $(cat /left)')"
check "exec -d" 0 "$(code docker exec -d idle touch /detached)"
check "it did run" 0 "$(until_ docker exec idle test -e /detached; echo $?)"
check "exec is filtered too" 2 "$(docker exec idle awk '/^Seccomp:/{print $2}' /proc/self/status)"
check "top shows the command" 1 "$(docker top idle | grep -c 'sleep 1000')"

# --- cp
mkdir -p "$work/tree/sub"; echo data >"$work/tree/file"; ln -s file "$work/tree/link"; chmod 751 "$work/tree/sub"; echo deep >"$work/tree/sub/deep"
holds "cp a tree in" docker cp "$work/tree" idle:/root
check "content" data "$(docker exec idle cat /root/tree/file)"
check "links stay links" file "$(docker exec idle readlink /root/tree/link)"
check "modes stay" 751 "$(docker exec idle stat -c %a /root/tree/sub)"
holds "cp it out" docker cp idle:/root/tree "$work/back"
check "the same tree came back" "" "$(diff -r "$work/tree" "$work/back")"
check "cp out to standard output" data "$(docker cp idle:/root/tree/file - | tar xO)"
holds "cp in from standard input" bash -c "tar c -C '$work' tree/file | docker cp - idle:/tmp"
check "it is there" data "$(docker exec idle cat /tmp/tree/file)"
check "cp of a missing file fails" 1 "$(code docker cp idle:/nothere "$work")"
holds "cp into a stopped container" bash -c "docker create --name unstarted busybox cat /in/file >/dev/null && docker cp '$work/tree' unstarted:/in"
check "which then sees it" data "$(docker start -a unstarted)"
docker run -d --name mounted --tmpfs /scratch -v c1:/vol busybox sleep 1000 >/dev/null
docker cp "$work/tree/file" mounted:/scratch/; docker cp "$work/tree/file" mounted:/vol/
# Docker's own cp writes below the tmpfs, where the container cannot see it.
check "cp into a tmpfs" data "$(docker exec mounted cat /scratch/file)"
check "cp into a volume" data "$(docker exec mounted cat /vol/file)"
check "the volume outlives it" data "$(docker rm -f mounted >/dev/null; docker run --rm -v c1:/x busybox cat /x/file)"
check "a bind shows the host's file" data "$(docker run --rm -v "$work/tree:/b:ro" busybox cat /b/file)"
check "a read-only bind refuses" 1 "$(code docker run --rm -v "$work/tree:/b:ro" busybox touch /b/new)"

# --- diff and export
docker exec idle sh -c 'echo new >/new; rm /bin/yes; chmod 700 /root'
check "diff" "A /new C /bin C /root D /bin/yes" "$(docker diff idle | grep -E ' /(new|bin|root|bin/yes)$' | sort | tr '\n' ' ' | sed 's/ $//')"
check "export is a tar with the change" 1 "$(docker export idle | tar t | grep -cx new)"
check "import it again" "sha256:" "$(docker export idle | docker import - again | cut -c1-7)"
check "and run it" new "$(docker run --rm again cat /new)"
docker rmi again >/dev/null

# --- logs and attach
docker run --name lines busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done; echo err >&2' >/dev/null 2>&1
docker run --name counted busybox sh -c 'for i in 1 2 3 4 5; do echo line $i; done' >/dev/null
check "logs" 5 "$(docker logs lines 2>/dev/null | wc -l)"
check "logs keep streams apart" err "$(docker logs lines 2>&1 >/dev/null)"
check "logs --tail" "line 4 line 5" "$(docker logs --tail 2 counted | tr '\n' ' ' | sed 's/ $//')"
check "logs -t has a time" 1 "$(docker logs -t --tail 1 lines 2>&1 | grep -cE '^20[0-9-]+T[0-9:.]{18}Z ')"
check "logs -f ends with the container" 3 "$(docker run -d --name following busybox sh -c 'for i in 1 2 3; do echo $i; sleep 0.2; done' >/dev/null; docker logs -f following | wc -l)"
check "start -a" 5 "$(docker start -a lines 2>/dev/null | wc -l)"
docker run -d -i --name fed busybox sh -c 'read x; echo got $x; exit 9' >/dev/null
# Not StdinOnce: the end of the client's stdin would end its output too.
check "attach feeds and shows" "got word" "$( (echo word; docker wait fed >/dev/null) | docker attach fed)"
check "wait tells the code" 9 "$(docker wait fed)"

docker run -d -it --name keys busybox cat >/dev/null
terminal 'send:one\n' 'expect:one' 'send:ab' -- docker attach --detach-keys a,b keys >/dev/null 2>&1
check "detach keys of the client's own" true "$(docker inspect -f '{{.State.Running}}' keys)"
docker run -d -i --name quiet busybox sh -c 'read x; echo got $x' >/dev/null
docker attach --no-stdin quiet </dev/null >"$work/quiet" & watcher=$!
# Not before it is attached: an event tells.
until_ sh -c "docker events --since 0 --until \$(date +%s) --filter container=quiet --filter event=attach --format x | grep -q x"
(echo word; docker wait quiet >/dev/null) | docker attach quiet >/dev/null; wait $watcher
check "attach --no-stdin shows what others said" "got word" "$(cat "$work/quiet")"
docker run -d --name proxied busybox sh -c 'trap "exit 8" TERM; touch /ready; while :; do sleep 0.05; done' >/dev/null
until_ docker exec proxied test -e /ready
docker attach proxied </dev/null & attached=$!
until_ sh -c "docker events --since 0 --until \$(date +%s) --filter container=proxied --filter event=attach --format x | grep -q x"
kill -TERM $attached; wait $attached
check "a signal to attach is the container's" 8 "$(docker wait proxied)"

# --- life
check "ps shows running ones" 1 "$(docker ps --filter name='^idle$' -q | wc -l)"
check "ps -a with a status" 1 "$(docker ps -a --filter name='^lines$' --format '{{.Status}}' | grep -c '^Exited (0)')"
docker pause idle >/dev/null; check "pause" true "$(docker inspect -f '{{.State.Paused}}' idle)"
docker unpause idle >/dev/null; check "unpause" running "$(docker inspect -f '{{.State.Status}}' idle)"
docker run -d --name stops busybox sh -c 'trap "exit 4" TERM; touch /ready; while :; do sleep 0.05; done' >/dev/null
until_ docker exec stops test -e /ready; docker stop stops >/dev/null
check "stop by SIGTERM" 4 "$(docker inspect -f '{{.State.ExitCode}}' stops)"
check "stop -t 0 kills" 137 "$(docker stop -t 0 idle >/dev/null; docker inspect -f '{{.State.ExitCode}}' idle)"
docker start idle >/dev/null; check "start again" true "$(docker inspect -f '{{.State.Running}}' idle)"
docker kill -s KILL idle >/dev/null; check "kill" 137 "$(docker wait idle)"
docker restart -t 0 idle >/dev/null; check "restart" running "$(docker inspect -f '{{.State.Status}}' idle)"
docker rename idle renamed; check "rename" /renamed "$(docker inspect -f '{{.Name}}' renamed)"
check "a name is taken once" 125 "$(code docker run --name renamed busybox true)"
check "rm of a running one fails" 1 "$(code docker rm renamed)"
check "inspect of a missing one says so" 1 "$(docker inspect nothere 2>&1 | grep -ci 'no such object: nothere')"
check "inspect formats" "[sleep 1000] busybox" "$(docker inspect -f '{{.Config.Cmd}} {{.Config.Image}}' renamed)"
holds "rm -f" docker rm -f renamed

# --- health and init
docker run -d --name checked --init --network none --health-cmd 'test -e /tmp/ready' --health-interval 50ms --health-retries 1 busybox sleep 1000 >/dev/null
unhealthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' checked)" == unhealthy ]; }
until_ unhealthy; check "unhealthy" 1 "$(docker inspect -f '{{(index .State.Health.Log 0).ExitCode}}' checked)"
docker exec checked touch /tmp/ready
healthy() { [ -n "$(docker ps -q --filter name=checked --filter health=healthy)" ]; }
until_ healthy; check "healthy" "(healthy)" "$(docker ps --filter name=checked --format '{{.Status}}' | grep -o '(.*)')"
check "an init comes first" docker-init "$(docker exec checked cat /proc/1/comm)"
docker stop checked >/dev/null; check "it passes the signal on" 143 "$(docker inspect -f '{{.State.ExitCode}}' checked)"
docker rm checked >/dev/null

# --- network
docker run -d --name web -p 127.0.0.1::80 busybox sh -c 'mkdir /w; echo page >/w/index.html; exec httpd -f -p 80 -h /w' >/dev/null
address=$(docker port web 80 | head -1)
until_ curl -sf "http://$address/"; check "a published port" page "$(curl -sf "http://$address/")"
check "its address" 1 "$(docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' web | grep -cE '^[0-9.]{7,}$')"
check "another container reaches it" page "$(docker run --rm busybox wget -qO- "http://$(docker inspect -f '{{.NetworkSettings.Networks.bridge.IPAddress}}' web)/")"
check "container: shares the network" page "$(docker run --rm --network container:web busybox wget -qO- http://127.0.0.1/)"
check "none has loopback alone" lo "$(docker run --rm --network none busybox ls /sys/class/net)"
check "host sees the host's" 1 "$(docker run --rm --network host busybox ls /sys/class/net | grep -c "$(ls /sys/class/net | grep -v '^lo$' | head -1)")"
docker run -d --name udp -p 127.0.0.1::53/udp busybox sleep 1000 >/dev/null
# This busybox has no server for udp: the host's answers from inside the network.
echo pong | timeout 10 nsenter -t "$(docker inspect -f '{{.State.Pid}}' udp)" -n nc -u -l -w 1 53 >"$work/heard" &
until_ docker exec udp grep -qE ':0035 ' /proc/net/udp
check "a published udp port" pong "$(echo ping | nc -u -w 1 127.0.0.1 "$(docker port udp 53/udp | head -1 | cut -d: -f2)")"
check "what it heard" ping "$(wait; cat "$work/heard")"
check "events tell what happened" "create start die destroy" "$(since=$(date +%s.%N); docker run --rm --network none busybox true; docker events --since "$since" --until "$(date +%s.%N)" --filter type=container --format '{{.Action}}' | grep -vE '^(attach|resize)' | tr '\n' ' ' | sed 's/ $//')"

docker rm -f $(docker ps -aq) >/dev/null
check "nothing is left" "" "$(docker ps -aq)"
summary
