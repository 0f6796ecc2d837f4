"""For all tests: property tests have no deadline, since the machine may be busy with others."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "latent-assets", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("latent-assets")
