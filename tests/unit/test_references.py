"""Names of images are read exactly as Docker's clients write them."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drayman.engine.image_references import (
    Reference,
    familiar_or_as_is,
    matches,
    missing_text,
    parse,
    parse_for_tag,
)
from drayman.errors import InvalidParameter

A64 = "a" * 64
DIGEST = f"sha256:{A64}"


@pytest.mark.parametrize(
    ("text", "domain", "path", "tag", "digest", "familiar"),
    [
        ("busybox", "docker.io", "library/busybox", "", "", "busybox"),
        ("busybox:1.36", "docker.io", "library/busybox", "1.36", "", "busybox:1.36"),
        ("library/busybox", "docker.io", "library/busybox", "", "", "busybox"),
        ("docker.io/busybox", "docker.io", "library/busybox", "", "", "busybox"),
        ("index.docker.io/a/b:c", "docker.io", "a/b", "c", "", "a/b:c"),
        ("library/a/b", "docker.io", "library/a/b", "", "", "library/a/b"),
        ("localhost/x", "localhost", "x", "", "", "localhost/x"),
        ("localhost:5000/x:y", "localhost:5000", "x", "y", "", "localhost:5000/x:y"),
        ("localhost:5000", "docker.io", "library/localhost", "5000", "", "localhost:5000"),
        ("Registry/x", "Registry", "x", "", "", "Registry/x"),
        ("[::1]:5000/x", "[::1]:5000", "x", "", "", "[::1]:5000/x"),
        (f"x@{DIGEST}", "docker.io", "library/x", "", DIGEST, f"x@{DIGEST}"),
        (f"q.io/a/x:t@{DIGEST}", "q.io", "a/x", "t", DIGEST, f"q.io/a/x:t@{DIGEST}"),
        ("a__b--c.d", "docker.io", "library/a__b--c.d", "", "", "a__b--c.d"),
    ],
)
def test_names(text: str, domain: str, path: str, tag: str, digest: str, familiar: str) -> None:
    reference = parse(text)
    assert reference == Reference(domain, path, tag, digest)
    assert reference.familiar == familiar


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        (":x", "invalid reference format"),
        ("x:", "invalid reference format"),
        ("x:-a", "invalid reference format"),
        ("x:" + "a" * 129, "invalid reference format"),
        ("a//b", "invalid reference format"),
        ("a___b", "invalid reference format"),
        ("x@", "invalid reference format"),
        ("x@sha256:abc", "invalid reference format"),
        ("x y", "invalid reference format"),
        ("x\n", "invalid reference format"),
        ("-x", "invalid reference format"),
        ("../x", "invalid reference format"),
        ("X", "invalid reference format: repository name (library/X) must be lowercase"),
        (A64, f"invalid repository name ({A64}), cannot specify 64-byte hexadecimal strings"),
        ("a" * 256, "repository name must not be more than 255 characters"),
        ("x@md5:" + "a" * 32, "unsupported digest algorithm"),
        ("x@sha256:" + "a" * 32, "invalid checksum digest length"),
        ("x@sha256:" + "A" * 64, "invalid checksum digest format"),
    ],
)  # fmt: skip
def test_what_is_no_name(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse(text)
    assert str(caught.value) == message


def test_names_to_give() -> None:
    assert parse_for_tag("x", "").familiar == "x:latest"
    assert parse_for_tag("x:a", "").familiar == "x:a"
    assert parse_for_tag("x:a", "b").familiar == "x:b"
    for repository, tag, message in (
        ("x", "no good", "invalid tag format"),
        (f"x@{DIGEST}", "", "refusing to create a tag with a digest reference"),
        ("sha256", "abc", "refusing to create an ambiguous tag using digest algorithm as name"),
    ):
        with pytest.raises(InvalidParameter, match=f"^{message}$"):
            parse_for_tag(repository, tag)


def test_what_is_missing() -> None:
    assert missing_text("x") == "x:latest"
    assert missing_text("docker.io/library/x:y") == "x:y"
    assert missing_text("a" * 64) == "sha256:" + "a" * 64
    assert missing_text(DIGEST) == DIGEST
    assert missing_text(f"x@{DIGEST}") == f"x@{DIGEST}"
    assert familiar_or_as_is("docker.io/x:y") == "x"
    assert familiar_or_as_is("NO NAME") == "NO NAME"


@pytest.mark.parametrize(
    ("pattern", "tag", "fits"),
    [
        ("busybox", "busybox:latest", True),
        ("busy*", "busybox:latest", True),
        ("busybox:l?test", "busybox:latest", True),
        ("*", "busybox:latest", True),
        ("*", "a/busybox:latest", False),
        ("*/*", "a/busybox:latest", True),
        ("*:latest", "busybox:latest", True),
        ("[a-c]usybox", "busybox:latest", True),
        ("*a" * 40 + "z", "a" * 200 + ":latest", False),
        ("[^a-c]usybox", "busybox:latest", False),
        ("\\busybox", "busybox:latest", True),
        ("localhost:5000/x", "localhost:5000/x:y", True),
        ("busybo", "busybox:latest", False),
    ],
)
def test_globs(pattern: str, tag: str, fits: bool) -> None:
    assert matches(pattern, tag) is fits


@pytest.mark.parametrize("pattern", ["[", "[a", "\\", "[z-a]"])
def test_bad_globs(pattern: str) -> None:
    with pytest.raises(InvalidParameter, match="syntax error in pattern"):
        matches(pattern, "x:y")


@given(st.text(alphabet=string.ascii_letters + string.digits + "./:@-_[]\\*? \n\x00é", max_size=80))
def test_anything_is_a_name_or_an_error(text: str) -> None:
    try:
        reference = parse(text)
    except InvalidParameter:
        return
    # The familiar form means the same thing.
    assert parse(reference.familiar) == reference
    assert reference.tagged().tag or reference.digest


@given(st.text(max_size=30))
def test_any_glob_is_read_or_refused(pattern: str) -> None:
    with contextlib.suppress(InvalidParameter):
        assert matches(pattern, "a/b:c") in (True, False)
