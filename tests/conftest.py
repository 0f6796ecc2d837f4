"""For all tests: property tests have no deadline, since the machine may be busy with others."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from latent_assets.interrupts import SIGNALS

settings.register_profile(
    "latent-assets", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("latent-assets")

# A shell starts what runs in its background deaf to Ctrl-C, and so are all that it starts: the
# tests of interrupts would wait for ever.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _signals_do_what_they_did() -> Iterator[None]:
    """Whatever a command that runs in this process makes of them."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)
