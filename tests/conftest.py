"""How hypothesis looks: the same examples each time, and ``--hypothesis-profile=thorough`` for
other ones all night."""

from hypothesis import settings

settings.register_profile("gate", derandomize=True)
settings.register_profile("thorough", max_examples=3000)
settings.load_profile("gate")
