"""What comes with the project: the walks, the embedded model, the upscaler, Dagster's settings.

In a checkout they are in its `data/`, in an installed package in its own folder `shipped/`; the
wheel is built so (`pyproject.toml`). The pages of the documentation are in `docs/` of either.
"""

from __future__ import annotations

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
CHECKOUT = (PROJECT_ROOT / "pyproject.toml").is_file() and (PROJECT_ROOT / "data").is_dir()
"""Whether this is the project's own folder, and not a place where packages are installed."""
SHIPPED = PROJECT_ROOT / "data" if CHECKOUT else Path(__file__).resolve().parent / "shipped"
SHIPPED_MODELS = SHIPPED / "models"
SHIPPED_WALKS = SHIPPED / "walks"
SHIPPED_DOCS = PROJECT_ROOT / "docs" if CHECKOUT else SHIPPED / "docs"


def page_names() -> list[str]:
    """Names of the pages of the documentation."""
    return sorted(file.stem for file in SHIPPED_DOCS.glob("*.md"))
