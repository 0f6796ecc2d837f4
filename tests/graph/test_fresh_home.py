"""A fresh DAGSTER_HOME under `latent-assets ui`: its tables are there before the code server is."""

import sqlite3
from contextlib import closing

import pytest

from latent_assets.settings import Settings
from latent_assets.ui import app


class StartedError(Exception):
    """The code server would start now."""


class Family:
    def start(self, *_):
        raise StartedError


def test_the_tables_of_a_fresh_home_are_made_before_another_process_opens_it(tmp_path):
    settings = Settings(data=tmp_path)
    for _ in range(2):
        with pytest.raises(StartedError), app._dagster(settings, Family(), "no_module"):
            pass
        home = settings.dagster_home
        for name in ("schedules/schedules.db", "history/runs.db", "history/runs/index.db"):
            with closing(sqlite3.connect(home / name)) as database:
                versions = database.execute("SELECT * FROM alembic_version").fetchall()
            assert len(versions) == 1, name


def test_a_home_that_was_opened_before_is_not_opened_first(tmp_path, monkeypatch):
    """That costs seconds at each start."""
    settings = Settings(data=tmp_path)
    app._open_once(settings)
    monkeypatch.setattr(app, "_open_once", lambda _settings: pytest.fail("opened again"))
    with pytest.raises(StartedError), app._dagster(settings, Family(), "no_module"):
        pass
