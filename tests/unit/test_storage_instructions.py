"""``--change``: Dockerfile instructions that change a configuration."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.errors import InvalidParameter
from drayman.model import go_duration
from drayman.model.container import HealthConfig
from drayman.model.image import ImageConfig
from drayman.storage.instructions import apply

S = 1_000_000_000


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], ImageConfig()),
        (['CMD ["a","b c"]'], ImageConfig(cmd=["a", "b c"])),
        (["CMD a b"], ImageConfig(cmd=["/bin/sh", "-c", "a b"])),
        (["CMD [a, b]"], ImageConfig(cmd=["/bin/sh", "-c", "[a, b]"])),
        (["CMD []"], ImageConfig(cmd=[])),
        (['entrypoint ["x"]', "CMD []"], ImageConfig(entrypoint=["x"], cmd=[])),
        (["ENV A=1 B=\"x y\" C=a\\ b", "ENV A=2"], ImageConfig(env=["A=2", "B=x y", "C=a b"])),
        (["ENV A b c"], ImageConfig(env=["A=b c"])),
        (["EXPOSE 80 81/udp 8000-8001"],
         ImageConfig(exposed_ports={"80/tcp": {}, "81/udp": {}, "8000/tcp": {}, "8001/tcp": {}})),
        (["LABEL a=b \"c d\"='e f'"], ImageConfig(labels={"a": "b", "c d": "e f"})),
        (["USER nobody:nogroup"], ImageConfig(user="nobody:nogroup")),
        (["VOLUME /a /b"], ImageConfig(volumes={"/a": {}, "/b": {}})),
        (['VOLUME ["/a b"]'], ImageConfig(volumes={"/a b": {}})),
        (["WORKDIR a", "WORKDIR ../b"], ImageConfig(working_dir="/b")),
        (["ONBUILD RUN x", "ONBUILD CMD y"], ImageConfig(on_build=["RUN x", "CMD y"])),
        (["STOPSIGNAL SIGINT"], ImageConfig(stop_signal="SIGINT")),
        (["HEALTHCHECK NONE"], ImageConfig(healthcheck=HealthConfig(test=["NONE"]))),
        (["HEALTHCHECK --interval=1m30s --retries=4 CMD curl x"],
         ImageConfig(healthcheck=HealthConfig(
             test=["CMD-SHELL", "curl x"], interval=90 * S, retries=4))),
        (['HEALTHCHECK --start-period=1s CMD ["a"]'],
         ImageConfig(healthcheck=HealthConfig(test=["CMD", "a"], start_period=S))),
        (["# a comment\n\nUSER a\nUSER b"], ImageConfig(user="b")),
    ],
)  # fmt: skip
def test_instructions(changes: list[str], expected: ImageConfig) -> None:
    assert apply(ImageConfig(), changes) == expected


def test_an_entrypoint_drops_the_arguments_of_another() -> None:
    before = ImageConfig(cmd=["old"])
    assert apply(before, ['ENTRYPOINT ["x"]']).cmd is None
    assert apply(before, ['CMD ["new"]', 'ENTRYPOINT ["x"]']).cmd == ["new"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("RUN x", "RUN is not a valid change command"),
        ("CMD", "CMD requires at least one argument"),
        ("ENV A", "ENV must have two arguments"),
        ("ENV A=1 B", "Syntax error - can't find = in 'B'. Must be of the form: name=value"),
        ("ENV =1", "ENV names can not be blank"),
        ('LABEL a="b', 'No closing quotation: a="b'),
        ("EXPOSE 0", "invalid containerPort: 0"),
        ("EXPOSE 70000", "invalid containerPort: 70000"),
        ("EXPOSE 9-8", "invalid containerPort: 9-8"),
        ("EXPOSE 80/icmp", "invalid containerPort: 80/icmp"),
        ("USER a b", "USER requires exactly one argument"),
        ('VOLUME [""]', "VOLUME specified can not be an empty string"),
        ("ONBUILD ONBUILD x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
        ("HEALTHCHECK x", "Unknown type 'x' in HEALTHCHECK (try CMD)"),
        ("HEALTHCHECK --x=1 NONE", "Unknown flag: x"),
        ("HEALTHCHECK --interval=1 NONE", 'time: invalid duration "1"'),
    ],
)
def test_what_cannot_be(change: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        apply(ImageConfig(), [change])
    assert str(caught.value) == message


@given(
    st.sampled_from(["CMD", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "USER", "VOLUME"]),
    st.text(max_size=40),
)
def test_any_text_is_taken_or_refused(instruction: str, rest: str) -> None:
    with contextlib.suppress(InvalidParameter):
        apply(ImageConfig(), [f"{instruction} {rest}"])


@pytest.mark.parametrize(
    ("text", "expected_ns"),
    [("0", 0), ("1s", S), ("1.5s", 1_500_000_000), ("-2m", -120 * S),
     ("1h2m3s4ms", 3723_004_000_000),
     (".5s", S // 2), ("1µs", 1000), ("+1ns", 1)],
)  # fmt: skip
def test_durations(text: str, expected_ns: int) -> None:
    assert go_duration.parse_ns(text) == expected_ns


@pytest.mark.parametrize("text", ["", "1", "s", "1x", "1s ", "--1s", "9999999999h", ".s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid duration"):
        go_duration.parse_ns(text)
