"""How hypothesis looks, and what programs inherit that tests start.

Hypothesis takes the same examples each time, and with ``--hypothesis-profile=thorough`` other
ones all night.
"""

import signal

from hypothesis import settings

settings.register_profile("gate", derandomize=True)
settings.register_profile("thorough", max_examples=3000)
settings.load_profile("gate")

# A shell that puts pytest into the background has it ignore Ctrl-C, and all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
