"""Reproducible walks through the latent space of text-to-image models.

Data flows one way: walk file -> text encodings -> path and noise -> frames -> outputs -> report.

- `walks`: what a walk is and which frames it consists of. Pure: numpy, pydantic and YAML.
- `diffusion`: models behind one engine protocol, and the samplers.
- `store`: the content-addressed frame store.
- `media`: from frames to files, and what can be measured on them.
- `rendering`: recipes in, stored frames out: the one loop that everything that renders calls.
- `orchestration`: the Dagster asset graph. `cli`: the command line.
"""

__version__ = "0.1.0"
