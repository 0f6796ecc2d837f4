"""The Dagster glue, and nothing else.

Here belong assets, checks, jobs, schedules, sensors, the IO manager and what they show in the
web UI. An asset's body loads, makes one call into the rest of the project, and reports. What a
walk, a frame or a file *is* does not belong here.

No module here uses `from __future__ import annotations`: Dagster reads annotations at run time.
"""

import warnings

import dagster as dg

# Partitioned checks and observable sources are marked beta in Dagster; we know, users need not.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
