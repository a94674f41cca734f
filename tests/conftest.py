"""How long hypothesis looks: ``--hypothesis-profile=thorough`` is for a night."""

from hypothesis import settings

settings.register_profile("thorough", max_examples=3000)
