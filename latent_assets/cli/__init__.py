"""The command line `latent-assets`.

Importing it loads neither Dagster nor TensorFlow: `--help` answers at once.
"""

import os
import sys

from latent_assets.errors import LatentAssetsError


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    # TensorFlow's build notes are no news to a person; its errors still come through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from latent_assets.cli.app import app

    try:
        app()
    except LatentAssetsError as error:
        print(f"latent-assets: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
