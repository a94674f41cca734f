"""How the shim logs: the section ``log`` of its settings, with everything decided."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from drayman.engine import log_addresses as addresses
from drayman.engine.log_drivers import facility
from drayman.engine.log_tags import as_journal_field, attributes, gelf_extra, tag
from drayman.engine.log_values import boolean, duration_s, human_size, whole
from drayman.engine.naming import short_id
from drayman.engine.sizes_in_words import parse_size
from drayman.model.container import Container
from drayman.storage.paths import ContainerPaths

JOURNAL_SOCKET = "/run/systemd/journal/socket"
# Docker's own for `local`, and so for what is kept of logs that are sent away.
LOCAL_SIZE_BYTES = 20 << 20
LOCAL_FILES = 5
# What may wait for a receiver: the default of max-buffer-size, and as much where nothing is lost.
BUFFER = "1m"
# fluentd-async counts records, of which a million may be large.
ASYNC_BUFFER_BYTES = 16 << 20
FLUENTD_RECORDS = "1048576"
FLUENTD_RETRIES = 2**31 - 1


def log_path(record: Container, paths: ContainerPaths) -> Path | None:
    """The file that `docker logs` reads; None when the driver keeps none."""
    log = record.host_config.log_config
    match log.type:
        case "none":
            return None
        case "json-file":
            return paths.log
        case "local":
            return paths.local_log
    if boolean((log.config or {}).get("cache-disabled") or "false"):
        return None
    return paths.cached_log


def log_settings(record: Container, paths: ContainerPaths) -> dict[str, Any]:
    """The section of a container."""
    log = record.host_config.log_config
    options = log.config or {}
    path = log_path(record, paths)
    deliver = _RECEIVERS.get(log.type)
    # Nothing may hold it up, not even a disk: then it is written by a process beside the shim.
    beside = deliver is None and path is not None and options.get("mode") == "non-blocking"
    file = path and {"path": str(path), **_file(log.type, options, record), "beside": beside}
    receiver = deliver and {"driver": log.type, **deliver(options, record)}
    delivered = receiver or beside
    return {"file": file, "delivery": _delivery(options, record, receiver) if delivered else None}


def _file(driver: str, options: dict[str, str], record: Container) -> dict[str, Any]:
    if driver == "json-file":
        size = options.get("max-size")
        return {
            "max_size_bytes": None if size is None else human_size(size),
            "max_files": whole(options.get("max-file", "1")),
            "compress": boolean(options.get("compress", "false")),
            "attrs": _attrs(options, record),
        }
    prefix = "" if driver == "local" else "cache-"
    size = options.get(f"{prefix}max-size")
    return {
        "max_size_bytes": LOCAL_SIZE_BYTES if size is None else human_size(size),
        "max_files": whole(options.get(f"{prefix}max-file", str(LOCAL_FILES))),
        "compress": boolean(options.get(f"{prefix}compress", "true")),
        "attrs": _attrs(options, record),
    }


def _attrs(options: dict[str, str], record: Container) -> dict[str, str]:
    tagged = {"tag": tag(options, record)} if options.get("tag") else {}
    return attributes(options, record) | tagged


def _delivery(
    options: dict[str, str], record: Container, receiver: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "receiver": receiver,
        "container_id": record.id,
        "queue_bytes": ASYNC_BUFFER_BYTES
        if receiver and receiver.get("is_async")
        else parse_size(options.get("max-buffer-size", BUFFER)),
        "may_lose": options.get("mode") == "non-blocking",
    }


def _syslog(options: dict[str, str], record: Container) -> dict[str, Any]:
    return {
        "address": addresses.syslog(options.get("syslog-address", "")),
        "facility": facility(options.get("syslog-facility", "")),
        "format": options.get("syslog-format") or "unix",
        "tag": tag(options, record),
        "hostname": os.uname().nodename,
    }


def _journald(options: dict[str, str], record: Container) -> dict[str, Any]:
    named = tag(options, record)
    return {
        "socket": JOURNAL_SOCKET,
        "fields": {
            "CONTAINER_ID": short_id(record.id),
            "CONTAINER_ID_FULL": record.id,
            "CONTAINER_NAME": record.name,
            "CONTAINER_TAG": named,
            "IMAGE_NAME": record.config.image,
            "SYSLOG_IDENTIFIER": named,
            # Another one for each run, within which records are counted.
            "CONTAINER_LOG_EPOCH": secrets.token_hex(32),
            **attributes(options, record, as_journal_field),
        },
    }


def _fluentd(options: dict[str, str], record: Container) -> dict[str, Any]:
    given = {name.removeprefix("fluentd-"): value for name, value in options.items() if value}
    return {
        "address": addresses.fluentd(given.get("address", "")),
        "tag": tag(options, record),
        "container_id": record.id,
        "container_name": f"/{record.name}",
        "extra": attributes(options, record),
        "is_async": boolean(given.get("async", given.get("async-connect", "false"))),
        "buffer_limit": parse_size(given.get("buffer-limit", FLUENTD_RECORDS)),
        "max_retries": min(whole(given.get("max-retries", str(FLUENTD_RETRIES))), FLUENTD_RETRIES),
        "retry_wait_ms": round(duration_s(given.get("retry-wait", "1s")) * 1000),
        "sub_second_precision": boolean(given.get("sub-second-precision", "false")),
        "request_ack": boolean(given.get("request-ack", "false")),
    }


def _gelf(options: dict[str, str], record: Container) -> dict[str, Any]:
    given = {name.removeprefix("gelf-"): value for name, value in options.items()}
    return {
        "address": addresses.gelf(given["address"]),
        "hostname": os.uname().nodename,
        "extra": gelf_extra(options, record),
        "compression": given.get("compression-type", "gzip"),
        # go-gelf's: speed.
        "level": int(given.get("compression-level", "1")),
        "tcp_max_reconnect": int(given.get("tcp-max-reconnect", "3")),
        "tcp_reconnect_delay_s": int(given.get("tcp-reconnect-delay", "1")),
    }


_RECEIVERS = {"syslog": _syslog, "journald": _journald, "fluentd": _fluentd, "gelf": _gelf}
