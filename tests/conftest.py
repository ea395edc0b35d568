from hypothesis import settings

# Timing depends on the machine, so no example has a deadline. Few examples keep the suite fast;
# .ci/run tries more of them with --hypothesis-profile=thorough.
settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("thorough", deadline=None, max_examples=100)
settings.load_profile("quick")
