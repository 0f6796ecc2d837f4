"""A fresh DAGSTER_HOME under `latent-assets ui`: its tables are there before the code server is."""

import shutil
import sqlite3
from contextlib import closing

import dagster as dg
import pytest
from alembic.script import ScriptDirectory as Script

from latent_assets.orchestration import engines
from latent_assets.orchestration.instance import open_instance
from latent_assets.orchestration.tables import DATABASES
from latent_assets.settings import Settings
from latent_assets.ui import app


class StartedError(Exception):
    """The code server would start now."""


class Family:
    def start(self, *_):
        raise StartedError


def versions(path, then=""):
    with closing(sqlite3.connect(path)) as database, database:
        if then:
            database.execute(then)
        return database.execute("SELECT * FROM alembic_version").fetchall()


def test_tables_that_two_processes_made_at_once_are_mended(tmp_path):
    """Each noted a version; Dagster opens no such tables, and said so by a stack trace."""
    settings = Settings(data=tmp_path)
    with open_instance(settings):
        pass
    paths = [settings.dagster_home / name for name in DATABASES]
    before = [versions(path) for path in paths]
    for path in paths:
        versions(path, "INSERT INTO alembic_version VALUES ('5771160a95ad')")
    with open_instance(settings) as instance:
        assert instance.get_runs() == []
        assert instance.all_instigator_state() == []
        assert instance.get_asset_keys() == []
    assert [versions(path) for path in paths] == before


def test_the_tables_of_a_fresh_home_are_made_before_another_process_opens_it(tmp_path):
    settings = Settings(data=tmp_path)
    for _ in range(2):
        with pytest.raises(StartedError), app._dagster(settings, Family(), "no_module"):
            pass
        home = settings.dagster_home
        for name in DATABASES:
            assert len(versions(home / name)) == 1, name


def test_a_home_that_was_opened_before_is_not_opened_first(tmp_path, monkeypatch):
    """That costs seconds at each start."""
    settings = Settings(data=tmp_path)
    app._open_once(settings)
    monkeypatch.setattr(app, "_open_once", lambda _settings: pytest.fail("opened again"))
    with pytest.raises(StartedError), app._dagster(settings, Family(), "no_module"):
        pass


def test_statements_for_events_are_compiled_once_and_not_for_each_event(tmp_path):
    with open_instance(Settings(data=tmp_path)) as instance:
        storage = instance.event_log_storage
        with storage.index_connection() as first:
            pass
        with storage.run_connection("a-run") as other:
            pass
        with storage.index_connection() as second:
            assert second.engine is first.engine
        assert other.engine is not first.engine


def test_a_dagster_that_makes_its_engines_otherwise_goes_on_doing_so(monkeypatch):
    monkeypatch.delattr(engines.sqlite_event_log, "create_engine")
    with engines.engines_kept():
        assert not hasattr(engines.sqlite_event_log, "create_engine")


def test_the_log_of_a_database_is_not_cleaned_up_after_each_event(tmp_path):
    """SQLite does that when the last connection closes: most of the time that an event took."""
    settings = Settings(data=tmp_path)
    log = settings.dagster_home / "history" / "runs" / "index.db-wal"
    with open_instance(settings) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("a"))
        assert log.stat().st_size > 0
        assert instance.get_asset_keys() == [dg.AssetKey("a")]
    assert not log.exists()
    with open_instance(settings) as instance:
        assert instance.get_asset_keys() == [dg.AssetKey("a")]


def test_a_database_that_is_taken_away_meanwhile_is_made_anew_for_the_next_walk(tmp_path):
    settings = Settings(data=tmp_path)
    with open_instance(settings) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("a"))
        shutil.rmtree(settings.dagster_home / "history")
    with open_instance(settings) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("b"))
        assert instance.get_asset_keys() == [dg.AssetKey("b")]


def test_the_scripts_of_the_tables_are_read_once(tmp_path, monkeypatch):
    settings = Settings(data=tmp_path)
    with open_instance(settings):
        pass
    monkeypatch.setattr(Script, "_load_revisions", lambda _self: pytest.fail("read again"))
    with open_instance(settings) as instance:
        assert instance.get_runs() == []
