"""Options of log drivers: what is refused, in Docker's words, and what becomes of the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from drayman.engine.log_drivers import NAMES, check, with_defaults
from drayman.engine.log_settings import log_settings
from drayman.engine.log_tags import as_journal_field, attributes, tag
from drayman.errors import InvalidParameter
from drayman.model.container import Container, ContainerConfig, HostConfig, LogConfig
from drayman.storage.paths import Paths

GELF = {"gelf-address": "udp://h:1"}


@pytest.mark.parametrize(
    ("driver", "options", "text"),
    [
        ("x", {}, "logger: no log driver named 'x' is registered"),
        ("json-file", {"a": "b"}, "unknown log opt 'a' for json-file log driver"),
        ("local", {"a": "b"}, "unknown log opt 'a' for log driver local"),
        ("syslog", {"a": "b"}, "unknown log opt 'a' for syslog log driver"),
        ("journald", {"max-size": "1m"}, "unknown log opt 'max-size' for journald log driver"),
        ("fluentd", {"a": "b"}, "unknown log opt 'a' for fluentd log driver"),
        ("gelf", {"a": "b"} | GELF, 'unknown log opt "a" for gelf log driver'),
        ("json-file", {"mode": "x"}, "logger: logging mode not supported: x"),
        (
            "json-file",
            {"max-buffer-size": "1m"},
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
        (
            "local",
            {"mode": "non-blocking", "max-buffer-size": "x"},
            "error parsing option max-buffer-size: invalid size: 'x'",
        ),
        ("syslog", {"cache-disabled": "x"}, "invalid value for option cache-disabled: x"),
        (
            "json-file",
            {"compress": "true", "max-size": "1m"},
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
        (
            "json-file",
            {"compress": "true", "max-file": "2"},
            "compress cannot be true when max-file is less than 2 or max-size is not set",
        ),
        ("json-file", {"max-file": "0"}, "max-file cannot be less than 1"),
        ("json-file", {"max-file": "x"}, 'strconv.Atoi: parsing "x": invalid syntax'),
        ("json-file", {"max-size": "0"}, "max-size must be a positive number"),
        ("json-file", {"compress": "x"}, 'strconv.ParseBool: parsing "x": invalid syntax'),
        ("local", {"max-file": "1"}, "compression cannot be enabled when max file count is 1"),
        (
            "syslog",
            {"syslog-address": "h:1"},
            "syslog-address should be in form proto://address, got h:1",
        ),
        ("syslog", {"syslog-address": "unix:///nowhere"}, "stat /nowhere: no such file"),
        ("syslog", {"syslog-address": "tcp+tls://h"}, "tcp+tls is not built"),
        ("syslog", {"syslog-facility": "24"}, "invalid syslog facility"),
        ("syslog", {"syslog-format": "x"}, "Invalid syslog format"),
        ("fluentd", {"fluentd-address": "h:x"}, "invalid fluentd-address h:x"),
        ("fluentd", {"fluentd-async": "x"}, "invalid syntax"),
        ("fluentd", {"fluentd-retry-wait": "1"}, 'time: invalid duration "1"'),
        ("fluentd", {"fluentd-async": "1", "fluentd-async-connect": "1"}, "conflicting options"),
        ("gelf", {}, "gelf-address is a required parameter"),
        ("gelf", {"gelf-address": "unix:///s"}, "gelf: endpoint needs to be TCP or UDP"),
        ("gelf", {"gelf-address": "udp://h"}, "gelf: please provide gelf-address as proto"),
        ("gelf", GELF | {"gelf-compression-type": "x"}, 'unknown value "x" for log opt'),
        ("gelf", GELF | {"gelf-compression-level": "10"}, 'unknown value "10" for log opt'),
        ("gelf", GELF | {"gelf-tcp-max-reconnect": "1"}, "is only valid for TCP"),
        (
            "gelf",
            {"gelf-address": "tcp://h:1", "gelf-compression-type": "none"},
            "compression is only supported on UDP",
        ),
        ("json-file", {"tag": "{{.Nothing}}"}, "{{.Nothing}} is not understood"),
        ("json-file", {"tag": "{{.ID"}, "an action is not closed"),
        ("json-file", {"env-regex": "("}, "error parsing regexp"),
    ],
)
def test_what_is_refused(driver: str, options: dict[str, str], text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        check(LogConfig(type=driver, config=options))
    assert text in str(caught.value)


def test_defaults_are_good() -> None:
    for driver in NAMES:
        check(LogConfig(type=driver, config=GELF if driver == "gelf" else {}))
    check(LogConfig(type="none", config={"whatever": "x"}))


def test_the_engines_own_options_are_for_its_own_driver() -> None:
    own = LogConfig(type="local", config={"max-file": "3", "cache-disabled": "true"})
    filled = with_defaults(LogConfig(), own)
    assert filled == own
    filled = with_defaults(LogConfig(type="local", config={"max-file": "9"}), own)
    assert (filled.config or {})["max-file"] == "9"
    filled = with_defaults(LogConfig(type="syslog"), own)
    assert filled.config == {"cache-disabled": "true"}


def record(driver: str = "json-file", **options: str) -> Container:
    return Container(
        id="0123456789abcdef" * 4,
        name="box",
        created_at_ns=0,
        image_id="sha256:" + "f" * 64,
        config=ContainerConfig(
            image="busybox:1", cmd=["echo", "hi"], env=["VER=1", "P=a=b"], labels={"app.x": "web"}
        ),
        host_config=HostConfig(log_config=LogConfig(type=driver, config=options)),
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", "0123456789ab"),
        ("{{.ImageName}}/{{ .Name }}/{{.ID}}", "busybox:1/box/0123456789ab"),
        ("{{.FullID}}", "0123456789abcdef" * 4),
        ("{{.ImageID}}", "f" * 12),
        ("{{.ImageFullID}}", "sha256:" + "f" * 64),
        ("{{.DaemonName}}: {{.Command}}", "docker: echo hi"),
        ("{{(.ExtraAttributes nil).VER}}", "1"),
        ("{{(.ExtraAttributes nil).NONE}}", "<no value>"),
        ("plain", "plain"),
    ],
)
def test_tags(template: str, text: str) -> None:
    assert tag({"tag": template, "env": "VER"}, record()) == text


def test_labels_and_variables() -> None:
    options = {"labels": "app.x,none", "env": "P", "env-regex": "^V"}
    found = {"app.x": "web", "P": "a=b", "VER": "1"}
    assert attributes(options, record()) == found
    assert attributes(options, record(), as_journal_field) == {
        "APP_X": "web",
        "P": "a=b",
        "VER": "1",
    }
    assert as_journal_field("_é-9") == "9"


def settings(driver: str, **options: str) -> dict[str, Any]:
    options = {name.replace("_", "-"): value for name, value in options.items()}
    paths = Paths(Path("/root"), Path("/run"))
    one = record(driver, **options)
    return log_settings(one, paths.container(one.id))


def test_files() -> None:
    assert settings("json-file", max_size="10m", tag="t") == {
        "file": {
            "path": f"/root/containers/{record().id}/log/{record().id}-json.log",
            "max_size_bytes": 10_000_000, "max_files": 1, "compress": False, "attrs": {"tag": "t"},
            "beside": False,
        },
        "delivery": None,
    }  # fmt: skip
    local = settings("local")["file"]
    assert (local["max_size_bytes"], local["max_files"], local["compress"]) == (20 << 20, 5, True)
    cached = settings("journald", cache_max_size="1m")["file"]
    assert (cached["max_size_bytes"], cached["max_files"]) == (1_000_000, 5)
    assert settings("journald", cache_disabled="true")["file"] is None
    assert settings("none") == {"file": None, "delivery": None}
    beside = settings("local", mode="non-blocking", max_buffer_size="64k")
    assert beside["file"]["beside"]
    assert (beside["delivery"]["receiver"], beside["delivery"]["queue_bytes"]) == (None, 64 << 10)


def test_receivers() -> None:
    told = settings(
        "fluentd", fluentd_address="h", fluentd_retry_wait="1m0.5s", mode="non-blocking"
    )
    assert told["delivery"]["receiver"]["address"] == {"tcp": "h:24224"}
    assert told["delivery"]["receiver"]["retry_wait_ms"] == 60_500
    assert (told["delivery"]["queue_bytes"], told["delivery"]["may_lose"]) == (1 << 20, True)
    told = settings("syslog", syslog_address="udp://[::1]", syslog_facility="local7")
    assert told["delivery"]["receiver"]["address"] == {"udp": "[::1]:514"}
    assert told["delivery"]["receiver"]["facility"] == 23
