"""What makes events takes its time: fewer of them do."""

from hypothesis import settings

settings.register_profile("fewer", max_examples=60)
settings.load_profile("fewer")
