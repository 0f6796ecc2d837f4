"""For all tests: property tests have no deadline, since the machine may be busy with others."""

import signal

from hypothesis import HealthCheck, settings

settings.register_profile(
    "latent-assets", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("latent-assets")

# A shell starts what runs in its background deaf to Ctrl-C, and so are all that it starts: the
# tests of interrupts would wait for ever.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
