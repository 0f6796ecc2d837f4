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


_AT_FIRST = {number: signal.getsignal(number) for number in SIGNALS}


def _do_what_they_did() -> None:
    for number, handler in _AT_FIRST.items():
        if signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture(autouse=True)
def _signals_do_what_they_did() -> Iterator[None]:
    """Whatever a command that runs in this process makes of them.

    Before a test too: a fixture of its whole module may have run one.
    """
    _do_what_they_did()
    yield
    _do_what_they_did()
