"""What all tests share: property tests may take their time on a busy machine."""

from hypothesis import settings

settings.register_profile("beamsift", deadline=None)
settings.load_profile("beamsift")
