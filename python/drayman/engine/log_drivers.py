"""Log drivers and the options that each of them takes, checked as Docker checks them.

The texts are those of moby's ``daemon/logger``; what Docker finds wrong only when a container
starts is said here when it is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from drayman.engine import log_addresses as addresses
from drayman.engine.log_tags import check_tag
from drayman.engine.log_values import boolean, duration_s, human_size, whole
from drayman.engine.sizes_in_words import parse_size
from drayman.errors import InvalidParameter
from drayman.model.container import LogConfig

Options = Mapping[str, str]

# Whatever the driver; a cache is kept of what cannot be read back.
_BUILT_IN = frozenset(("mode", "max-buffer-size")).union(
    ("cache-disabled", "cache-max-size", "cache-max-file", "cache-compress")
)
_ATTRIBUTES = frozenset(("labels", "labels-regex", "env", "env-regex", "tag"))
_FILE = frozenset(("max-size", "max-file", "compress"))
_OPTIONS = {
    "json-file": _FILE | _ATTRIBUTES,
    "local": _FILE | _ATTRIBUTES,
    "journald": _ATTRIBUTES,
    "syslog": _ATTRIBUTES
    | {"syslog-address", "syslog-facility", "syslog-format"}
    | {"syslog-tls-ca-cert", "syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify"},
    "fluentd": _ATTRIBUTES
    | {"fluentd-address", "fluentd-async", "fluentd-async-connect", "fluentd-buffer-limit"}
    | {"fluentd-max-retries", "fluentd-request-ack", "fluentd-retry-wait"}
    | {"fluentd-sub-second-precision"},
    "gelf": _ATTRIBUTES
    | {"gelf-address", "gelf-compression-type", "gelf-compression-level"}
    | {"gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"},
}
NAMES = sorted(_OPTIONS)
_MODES = ("", "blocking", "non-blocking")
FACILITIES = (
    *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news"),
    *("uucp", "cron", "authpriv", "ftp", "-", "-", "-", "-"),
    *(f"local{number}" for number in range(8)),
)
_FORMATS = ("", "rfc3164", "rfc5424", "rfc5424micro")


def with_defaults(asked: LogConfig, defaults: LogConfig) -> LogConfig:
    """The engine's own driver for none, its options where the driver is the same; those of
    caches always (moby's mergeAndVerifyLogConfig)."""
    driver = asked.type or defaults.type
    options = {
        option: value
        for option, value in (defaults.config or {}).items()
        if driver == defaults.type or option.startswith("cache-")
    }
    return replace(asked, type=driver, config=options | (asked.config or {}))


def check(log: LogConfig) -> None:
    """Raise InvalidParameter for a driver, an option or a value that is not known."""
    options = log.config or {}
    if log.type == "none":
        return
    _check_mode(options)
    if log.type not in _OPTIONS:
        raise InvalidParameter(f"logger: no log driver named '{log.type}' is registered")
    for option in options:
        if option not in _OPTIONS[log.type] | _BUILT_IN:
            raise InvalidParameter(_unknown(option, log.type))
    check_tag(options.get("tag", ""))
    for option in ("labels-regex", "env-regex"):
        _check_pattern(options.get(option, ""))
    check_driver = _CHECKS.get(log.type)
    if check_driver is not None:
        check_driver(options)


def _unknown(option: str, driver: str) -> str:
    if driver == "local":
        return f"unknown log opt '{option}' for log driver local"
    quoted = f'"{option}"' if driver == "gelf" else f"'{option}'"
    return f"unknown log opt {quoted} for {driver} log driver"


def _check_mode(options: Options) -> None:
    mode = options.get("mode", "")
    if mode not in _MODES:
        raise InvalidParameter(f"logger: logging mode not supported: {mode}")
    if "max-buffer-size" in options:
        if mode != "non-blocking":
            raise InvalidParameter(
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
            )
        try:
            parse_size(options["max-buffer-size"])
        except InvalidParameter as error:
            raise InvalidParameter(f"error parsing option max-buffer-size: {error}") from None
    if value := options.get("cache-disabled"):
        try:
            boolean(value)
        except InvalidParameter:
            raise InvalidParameter(f"invalid value for option cache-disabled: {value}") from None
    check_local({key.removeprefix("cache-"): value for key, value in options.items()
                 if key.startswith("cache-m") or key == "cache-compress"})  # fmt: skip


def _check_pattern(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise InvalidParameter(f"error parsing regexp: {error}: `{pattern}`") from None


def check_json_file(options: Options) -> None:
    """Sizes and numbers of ``json-file``."""
    if "max-size" in options and human_size(options["max-size"]) <= 0:
        raise InvalidParameter("max-size must be a positive number")
    count = whole(options.get("max-file", "1"))
    if count < 1:
        raise InvalidParameter("max-file cannot be less than 1")
    if boolean(options.get("compress", "false")) and (count == 1 or "max-size" not in options):
        raise InvalidParameter(
            "compress cannot be true when max-file is less than 2 or max-size is not set"
        )


def check_local(options: Options) -> None:
    """Sizes and numbers of ``local``, and of the caches that are logs of it."""
    for option, reads in (("max-size", human_size), ("max-file", whole)):
        try:
            reads(options.get(option, "1"))
        except InvalidParameter as error:
            raise InvalidParameter(
                f"invalid value for {option}: {options[option]}: {error}"
            ) from None
    try:
        compress = boolean(options.get("compress", "true"))
    except InvalidParameter as error:
        raise InvalidParameter(f"error reading compress log option: {error}") from None
    if human_size(options.get("max-size", "20m")) < 1:
        raise InvalidParameter("max size should be a positive number")
    count = whole(options.get("max-file", "5"))
    if count < 1:
        raise InvalidParameter("max file count cannot be less than 1")
    if compress and count == 1:
        raise InvalidParameter("compression cannot be enabled when max file count is 1")


def _check_syslog(options: Options) -> None:
    addresses.syslog(options.get("syslog-address", ""))
    facility(options.get("syslog-facility", ""))
    if options.get("syslog-format", "") not in _FORMATS:
        raise InvalidParameter("Invalid syslog format")


def facility(text: str) -> int:
    """A facility's number; ``daemon`` for none."""
    if text in FACILITIES and text != "-":
        return FACILITIES.index(text)
    if not text:
        return FACILITIES.index("daemon")
    if text.isdecimal() and int(text) < len(FACILITIES):
        return int(text)
    raise InvalidParameter("invalid syslog facility")


def _check_fluentd(options: Options) -> None:
    addresses.fluentd(options.get("fluentd-address", ""))
    if "fluentd-async" in options and "fluentd-async-connect" in options:
        raise InvalidParameter(
            "conflicting options: cannot specify both 'fluentd-async' and 'fluentd-async-connect"
        )
    for option in ("async", "async-connect", "sub-second-precision", "request-ack"):
        boolean(options.get(f"fluentd-{option}", "") or "false")
    parse_size(options.get("fluentd-buffer-limit", "") or "1")
    duration_s(options.get("fluentd-retry-wait", "") or "0")
    if whole(options.get("fluentd-max-retries", "") or "0") < 0:
        raise InvalidParameter("fluentd-max-retries cannot be negative")


def _check_gelf(options: Options) -> None:
    kind = next(iter(addresses.gelf(options.get("gelf-address", ""))))
    for option, value in options.items():
        unknown = f'unknown value "{value}" for log opt "{option}" for gelf log driver'
        if option.startswith("gelf-compression") and kind != "udp":
            raise InvalidParameter("compression is only supported on UDP")
        if option == "gelf-compression-level" and not re.fullmatch(r"-1|\d", value):
            raise InvalidParameter(unknown)
        if option == "gelf-compression-type" and value not in ("gzip", "zlib", "none"):
            raise InvalidParameter(unknown)
        if option.startswith("gelf-tcp-"):
            if kind != "tcp":
                raise InvalidParameter(f'"{option}" is only valid for TCP')
            if not value.isdecimal():
                raise InvalidParameter(f'"{option}" must be a positive integer')


_CHECKS: dict[str, Callable[[Options], None]] = {
    "json-file": check_json_file,
    "local": check_local,
    "syslog": _check_syslog,
    "fluentd": _check_fluentd,
    "gelf": _check_gelf,
}
