"""Structs that threads decode."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process that has not decoded anything: does msgspec still look at a struct while it
# decodes one, which is what threads must not do together?
PROGRAM = """
import sys
import msgspec
from drayman.engine import building
from drayman.model import container, structs
from drayman.runtime import seccomp

if {prepared}:
    structs.prepare()
looked = set()
sys.setprofile(lambda frame, event, _: looked.add(frame.f_code.co_name))
seccomp.default_profile()
msgspec.convert({{"Image": "busybox"}}, container.CreateRequest)
sys.setprofile(None)
print("get_class_annotations" in looked)
"""


@pytest.mark.parametrize("prepared", [True, False])
def test_a_prepared_struct_is_not_looked_at_again(prepared: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(prepared=prepared)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    # Without it, the test would find out.
    assert done.stdout.strip() == str(not prepared)
