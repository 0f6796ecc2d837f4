"""Renders a walk by the workers of a fake cluster: `python fake_run.py WALK`."""

import json
import sys

from dagster._core.utils import make_new_run_id

from latent_assets.orchestration.cluster.handler import WAITS_IN
from latent_assets.orchestration.cluster.overseeing import oversee
from latent_assets.orchestration.failures import words_of
from latent_assets.orchestration.instance import open_instance
from latent_assets.settings import Settings


def tell(event):
    if event.is_engine_event and WAITS_IN in event.engine_event_data.metadata:
        sys.stdout.write(event.message + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run_id = make_new_run_id()
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    with open_instance(Settings.from_environment()) as instance:
        result = oversee(
            instance, sys.argv[1], quiet, run_id=run_id, on_event=tell, module="fake_cluster"
        )
    said = {
        "run": run_id,
        "success": result.success,
        "why": [words_of(event) for event in result.all_events if event.is_step_failure],
        "returned": [
            event.step_retry_data.error.message if event.step_retry_data.error else ""
            for event in result.all_events
            if event.is_step_up_for_retry
        ],
        "frames": len(result.asset_value("frames")["keys"]) if result.success else 0,
    }
    sys.stdout.write("\n" + json.dumps(said) + "\n")
    sys.exit(0 if result.success else 1)
