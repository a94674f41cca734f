"""Log drivers: what collectors receive, what `docker logs` still reads, and bad receivers."""

from __future__ import annotations

import gzip
import json
import re
import socket
import subprocess
import zlib
from pathlib import Path
from typing import Any

import msgpack
import pytest
from tests.engine.engines import EngineServer, until
from tests.engine.receivers import datagrams, streams, wait_for

MANY = "yes 0123456789012345678901234567890 | head -n 200000"
SAYS = "echo out; echo err >&2"
LONG = "head -c 40000 /dev/zero | tr '\\0' x; echo; echo short"


def logging(driver: str, **options: str) -> dict[str, Any]:
    config = {key.replace("_", "-"): value for key, value in options.items()}
    return {"LogConfig": {"Type": driver, "Config": config}}


def run(engine: EngineServer, script: str, host_config: dict[str, Any], **body: Any) -> str:
    container = engine.running("sh", "-c", script, HostConfig=host_config, **body)
    engine.api("POST", f"/containers/{container}/wait")
    return container


def test_syslog_datagrams(engine_server: EngineServer, tmp_path: Path) -> None:
    with datagrams(tmp_path / "log") as receiver, datagrams() as network:
        for one in (receiver, network):
            host_config = logging("syslog", syslog_address=one.address, tag="{{.Name}}/{{.ID}}")
            container = run(engine_server, SAYS, host_config)
            name = engine_server.api("GET", f"/containers/{container}/json")[1]["Name"][1:]
            head = rb"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d %s/%s\[\d+\]: (.*)\n" % (
                name.encode(),
                container[:12].encode(),
            )
            came = [re.fullmatch(head, one.receive()) for _ in range(2)]
            # The facility daemon, informational and error.
            assert sorted(match.groups() for match in came if match) == [
                (b"27", b"err"),
                (b"30", b"out"),
            ]


def test_what_is_sent_away_is_read_back(engine_server: EngineServer, tmp_path: Path) -> None:
    with datagrams(tmp_path / "log") as receiver:
        host_config = logging("syslog", syslog_address=receiver.address)
        container = run(engine_server, SAYS, host_config)
        done = engine_server.docker("logs", container)
        assert (done.stdout, done.stderr) == (b"out\n", b"err\n")
        assert engine_server.api("GET", f"/containers/{container}/json")[1]["LogPath"] == ""
        host_config["LogConfig"]["Config"]["cache-disabled"] = "true"
        container = run(engine_server, SAYS, host_config)
        assert engine_server.api("GET", f"/containers/{container}/logs?stdout=1") == (
            501,
            {"message": "configured logging driver does not support reading"},
        )


def test_rsyslog_understands_it(engine_server: EngineServer, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = tmp_path / "told"
    template = "%syslogfacility-text%.%syslogseverity-text% %programname% %msg%\\n"
    (tmp_path / "conf").write_text(
        f'global(workDirectory="{tmp_path}")\nmodule(load="imtcp")\n'
        f'input(type="imtcp" address="127.0.0.1" port="{port}")\n'
        f'template(name="t" type="string" string="{template}")\n'
        f'action(type="omfile" file="{told}" template="t")\n'
    )
    command = ["rsyslogd", "-n", "-f", str(tmp_path / "conf"), "-i", str(tmp_path / "pid")]
    with subprocess.Popen(command) as rsyslog:
        try:
            until(lambda: listens(port), lambda: "rsyslogd does not listen")
            for syslog_format in ("rfc3164", "rfc5424", "rfc5424micro"):
                run(engine_server, SAYS, logging(
                    "syslog", syslog_address=f"tcp://localhost:{port}", tag=syslog_format,
                    syslog_format=syslog_format, syslog_facility="local3",
                ))  # fmt: skip
                # To rsyslog, the blank after the colon is a part of RFC 3164's message.
                blank = " " if syslog_format == "rfc3164" else ""
                wanted = {
                    f"local3.{severity} {syslog_format} {blank}{text}"
                    for severity, text in (("info", "out"), ("err", "err"))
                }
                until(lambda wanted=wanted: wanted <= set(lines(told)), told.read_text)  # type: ignore[misc]
        finally:
            rsyslog.terminate()


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_fluentd_records(engine_server: EngineServer, tmp_path: Path) -> None:
    options = {"labels": "app", "env-regex": "^V", "tag": "docker.{{.Name}}"}
    for path in (None, tmp_path / "s"):
        with streams(path) as receiver:
            host_config = logging("fluentd", fluentd_address=receiver.address, **options)
            container = run(
                engine_server, SAYS, host_config, Labels={"app": "web"}, Env=["V1=a", "W=b"]
            )
            until(lambda: receiver.data.count(b"container_name") == 2, lambda: str(receiver.data))
            messages = list(unpacked(bytes(receiver.data)))
            name = engine_server.api("GET", f"/containers/{container}/json")[1]["Name"]
            records = {message[2]["source"]: message[2] for message in messages}
            assert records["stderr"] == {
                "container_id": container, "container_name": name, "source": "stderr",
                "log": "err", "app": "web", "V1": "a",
            }  # fmt: skip
            assert {message[0] for message in messages} == {f"docker.{name[1:]}"}
            assert all(isinstance(message[1], int) for message in messages)


def unpacked(data: bytes) -> Any:
    unpacker = msgpack.Unpacker()
    unpacker.feed(data)
    return unpacker


def test_pieces_of_a_line_and_acknowledgements(engine_server: EngineServer) -> None:
    with streams() as receiver:
        receiver.answer = lambda data: b"".join(
            msgpack.packb({"ack": message[3]["chunk"]}) for message in unpacked(rest(data))
        )
        seen = bytearray()

        def rest(data: bytes) -> bytes:
            """The message, once it is whole: each is answered before the next one comes."""
            seen.extend(data)
            if list(unpacked(bytes(seen))):
                whole = bytes(seen)
                seen.clear()
                return whole
            return b""

        options = {"fluentd_request_ack": "true", "fluentd_sub_second_precision": "true"}
        host_config = logging("fluentd", fluentd_address=receiver.address, **options)
        run(engine_server, LONG, host_config)
        messages = list(unpacked(bytes(receiver.data)))
    pieces = [message[2] for message in messages]
    assert [piece.get("partial_ordinal") for piece in pieces] == ["1", "2", "3", None]
    assert [piece.get("partial_last") for piece in pieces] == ["false", "false", "true", None]
    assert len({piece["partial_id"] for piece in pieces[:3]}) == 1
    assert "".join(piece["log"] for piece in pieces) == "x" * 40000 + "short"
    assert len({messages[at][1] for at in range(3)}) == 1
    assert isinstance(messages[0][1], msgpack.ExtType)


@pytest.mark.parametrize("compression", ["gzip", "zlib", "none"])
def test_gelf_datagrams(engine_server: EngineServer, compression: str) -> None:
    unpack = {"gzip": gzip.decompress, "zlib": zlib.decompress, "none": bytes}[compression]
    noise = "i=0; while [ $i -lt 60 ]; do echo -n $i | sha512sum; i=$((i+1)); done | tr -d '\\n'"
    with datagrams() as receiver:
        options = {"gelf_compression_type": compression, "tag": "t"}
        host_config = logging("gelf", gelf_address=receiver.address, **options)
        container = run(engine_server, f"{noise}; echo; echo err >&2", host_config)
        messages = [json.loads(unpack(assembled(receiver))) for _ in range(2)]
    long, short = sorted(messages, key=lambda message: -len(message["short_message"]))
    assert re.fullmatch(r"([0-9a-f]{128}  -){60}", long["short_message"])
    assert (short["version"], short["level"], long["level"]) == ("1.1", 3, 6)
    assert short["_container_id"] == container
    assert short["_tag"] == "t"
    assert short["_image_name"] == "busybox"
    assert short["_command"].startswith("sh -c i=0;")


def assembled(receiver: Any) -> bytes:
    """A message, of one datagram or of several."""
    first = receiver.receive()
    if first[:2] != b"\x1e\x0f":
        return bytes(first)
    parts = {first[10]: first}
    while len(parts) < first[11]:
        part = receiver.receive()
        assert part[:10] == first[:10]
        parts[part[10]] = part
    return b"".join(parts[number][12:] for number in range(first[11]))


def test_gelf_streams(engine_server: EngineServer) -> None:
    with streams() as receiver:
        run(engine_server, f"echo; {SAYS}", logging("gelf", gelf_address=receiver.address))
        until(lambda: receiver.data.count(b"\0") == 2, lambda: str(receiver.data))
        messages = map(json.loads, receiver.data.split(b"\0")[:2])
        assert {one["short_message"]: one["level"] for one in messages} == {"out": 6, "err": 3}


@pytest.mark.parametrize("driver", ["syslog", "fluentd", "gelf"])
def test_nobody_there(engine_server: EngineServer, driver: str) -> None:
    with streams() as receiver:
        address = receiver.address
    container = engine_server.create(
        "true", HostConfig=logging(driver, **{f"{driver}_address": address})
    )
    status, answer = engine_server.api("POST", f"/containers/{container}/start")
    assert status == 500
    told = "failed to create task for container: failed to initialize logging driver: dial tcp"
    assert answer["message"].startswith(told), answer
    assert engine_server.state(container)["ExitCode"] == 128


def test_fluentd_async_waits_for_nobody(engine_server: EngineServer) -> None:
    with streams() as receiver:
        address = receiver.address
    options = {"fluentd_address": address, "fluentd_async": "true", "fluentd_retry_wait": "50ms"}
    container = engine_server.running(
        "sh", "-c", "echo early; sleep 1000", HostConfig=logging("fluentd", **options)
    )
    receiver.open()
    wait_for(receiver, b"early")
    engine_server.api("DELETE", f"/containers/{container}?force=1")
    receiver.close()


def test_a_receiver_that_vanishes_and_returns(engine_server: EngineServer) -> None:
    """What was queued meanwhile comes in order, each line once."""
    with streams() as receiver:
        container = engine_server.running(
            "sh", "-c", "echo 0; i=1; while read x; do echo $i; i=$((i+1)); done", OpenStdin=True,
            HostConfig=logging("syslog", syslog_address=receiver.address),
        )  # fmt: skip
        wait_for(receiver, b": 0\n")
        receiver.close()
        connection, _ = engine_server.hijack(f"/containers/{container}/attach?stream=1&stdin=1")
        with connection:
            connection.sendall(b"x\n" * 500)
            shown = lambda: engine_server.docker("logs", container).stdout.split()  # noqa: E731
            until(lambda: len(shown()) == 501, lambda: str(shown()[-1:]))
            receiver.open()
            data = wait_for(receiver, b": 500\n")
    numbers = [line.rsplit(b" ", 1)[1] for line in data.splitlines()]
    assert numbers == [str(number).encode() for number in range(501)]


def test_a_receiver_that_stalls_holds_up_the_container_alone(engine_server: EngineServer) -> None:
    with streams() as receiver:
        receiver.reads.clear()
        container = engine_server.running(
            "sh", "-c", f"{MANY}; echo end",
            HostConfig=logging("syslog", syslog_address=receiver.address),
        )  # fmt: skip
        read = lambda: len(engine_server.docker("logs", container).stdout)  # noqa: E731
        until(lambda: read() > 1 << 20 and read() == read(), lambda: str(read()))
        assert engine_server.docker("exec", container, "echo", "here").stdout == b"here\n"
        assert engine_server.state(container)["Running"]
        receiver.reads.set()
        wait_for(receiver, b": end\n")
        engine_server.api("POST", f"/containers/{container}/wait")
        assert receiver.data.count(b"\n") == 200_001
        assert read() == 200_000 * 32 + 4


def test_non_blocking_loses_and_tells(engine_server: EngineServer) -> None:
    with streams() as receiver:
        receiver.reads.clear()
        options = {"mode": "non-blocking", "max_buffer_size": "64k"}
        host_config = logging("syslog", syslog_address=receiver.address, **options)
        container = engine_server.running(
            "sh", "-c", f"{MANY}; echo end; sleep 1000",
            HostConfig=host_config,
        )  # fmt: skip
        tail = lambda: engine_server.docker("logs", "-n", "1", container).stdout  # noqa: E731
        until(lambda: tail() == b"end\n", lambda: str(tail()))
        receiver.reads.set()
        told = lambda: engine_server.log.read_text()  # noqa: E731
        mark = rf"log of {container[:12]}: (\d+) records were lost"
        lost = lambda: sum(map(int, re.findall(mark, told())))  # noqa: E731
        came = lambda: receiver.data.count(b"\n")  # noqa: E731
        until(lambda: came() + lost() == 200_001, lambda: f"{came()} came, {lost()} were lost")
        assert lost() > 0
        engine_server.api("DELETE", f"/containers/{container}?force=1")


def test_a_container_ends_though_its_receiver_stalls(engine_server: EngineServer) -> None:
    """After as long as Docker gives its loggers, ten seconds; the loss is counted."""
    with streams() as receiver:
        receiver.reads.clear()
        container = run(
            engine_server,
            "yes 0123456789012345678901234567890 | head -n 9000",
            logging("gelf", gelf_address=receiver.address),
        )
        assert engine_server.state(container)["Status"] == "exited"
        mark = rf"log of {container[:12]}: \d+ records were lost at its end"
        assert re.search(mark, engine_server.log.read_text())


def test_local_is_read_and_rotated(engine_server: EngineServer) -> None:
    script = "yes 0123456789012345678901234567890 | head -n 30000; echo end"
    options = {"max_size": "500k", "max_file": "3", "compress": "false"}
    container = run(engine_server, script, logging("local", **options))
    done = engine_server.docker("logs", container)
    assert done.stdout.endswith(b"end\n")
    document = engine_server.api("GET", f"/containers/{container}/json")[1]
    assert (document["LogPath"], document["HostConfig"]["LogConfig"]["Type"]) == ("", "local")
    files = {path.name: path.stat().st_size for path in logs(engine_server, container)}
    name = f"{container}-local.log"
    assert set(files) == {name, f"{name}.1", f"{name}.2"}
    assert max(files.values()) < 600_000


def logs(engine: EngineServer, container: str) -> list[Path]:
    return list((engine.root / "containers" / container / "log").iterdir())


def test_rotated_files_are_compressed(engine_server: EngineServer) -> None:
    # Slower than gzip: a file that is begun while another is compressed grows on.
    script = "for k in 1 2 3 4; do yes $k | head -n 20000; sleep 0.5; done; echo end"
    options = {"max_size": "1m", "max_file": "9", "compress": "true", "tag": "{{.Name}}"}
    container = run(engine_server, script, logging("json-file", **options))
    document = engine_server.api("GET", f"/containers/{container}/json")[1]
    current = Path(document["LogPath"])
    until(
        lambda: not list(current.parent.glob("*.new")), lambda: str(logs(engine_server, container))
    )
    packed = sorted(current.parent.glob("*.gz"), reverse=True)
    assert len(packed) >= 3
    assert not list(current.parent.glob("*.[0-9]"))
    text = b"".join(gzip.decompress(path.read_bytes()) for path in packed) + current.read_bytes()
    records = [json.loads(line) for line in text.splitlines()]
    written = "".join(f"{k}\n" * 20000 for k in (1, 2, 3, 4)) + "end\n"
    assert "".join(record["log"] for record in records) == written
    assert engine_server.docker("logs", container).stdout == written.encode()
    assert {record["attrs"]["tag"] for record in records} == {document["Name"][1:]}
    # The field that Docker's reader looks at: the time of the last record.
    head = packed[0].read_bytes()[:256]
    extra = json.loads(head[12 : 12 + int.from_bytes(head[10:12], "little")])
    last = gzip.decompress(packed[0].read_bytes()).splitlines()[-1]
    assert extra == {"lastTime": json.loads(last)["time"]}


def test_defaults_of_the_engine() -> None:
    engine = EngineServer(log_driver="local", log_opts="max-size=1m,max-file=2")
    try:
        engine.load_busybox()
        assert engine.api("GET", "/info")[1]["LoggingDriver"] == "local"
        for host_config, wanted in [
            ({}, {"Type": "local", "Config": {"max-size": "1m", "max-file": "2"}}),
            (
                logging("local", max_file="3"),
                {"Type": "local", "Config": {"max-size": "1m", "max-file": "3"}},
            ),
            (logging("json-file"), {"Type": "json-file", "Config": {}}),
        ]:
            container = engine.create("true", HostConfig=host_config)
            document = engine.api("GET", f"/containers/{container}/json")[1]
            assert document["HostConfig"]["LogConfig"] == wanted
    finally:
        engine.close()
