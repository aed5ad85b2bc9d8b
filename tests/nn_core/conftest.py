from hypothesis import settings

# A shared machine may be slow; how slow is no property of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
