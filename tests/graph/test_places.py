"""The Dagster of a data folder, wherever that folder lies."""

import errno
import fcntl
import os
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from latent_assets.errors import LatentAssetsError, UsageError
from latent_assets.orchestration.instance import ALIVE, bury_dead_runs, open_instance, show_life
from latent_assets.settings import Settings
from latent_assets.store import locks
from latent_assets.store.plain import plain_name

ODD = ["a [b] c", "50%20", "what?x=y&z", "#1", "*", "ein Ört 書", "a::b", "a;b", "a\\b", "'\"", "~"]


@pytest.fixture(autouse=True)
def _home(monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", "")  # put back in the end


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).parts[0] for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ODD)
def test_settings_and_databases_of_a_folder_with_an_odd_name_are_its_own(tmp_path, name):
    with open_instance(Settings(data=tmp_path / name)) as instance:
        assert instance.telemetry_enabled is False
        assert instance.event_log_storage.get_pool_config().default_pool_limit == 1
        create_run_for_test(instance)
    home = tmp_path / name / "dagster"
    assert (home / "history" / "runs.db").stat().st_size
    assert (home / "schedules" / "schedules.db").stat().st_size
    assert files(tmp_path) == {name}


def test_two_folders_of_names_that_mean_the_same_in_an_address_have_runs_of_their_own(tmp_path):
    with open_instance(Settings(data=tmp_path / "my walks")) as instance:
        create_run_for_test(instance)
    with open_instance(Settings(data=tmp_path / "my%20walks")) as instance:
        assert instance.get_runs() == []


def test_a_path_that_is_plain_stays_as_it_is(tmp_path):
    assert plain_name(tmp_path) == str(tmp_path)


def test_where_a_path_can_have_no_other_name_it_is_refused_in_words(tmp_path, monkeypatch):
    folder = tmp_path / "50%"
    folder.mkdir()
    monkeypatch.setattr(os.path, "isdir", lambda _path: False)
    with pytest.raises(UsageError, match="because of %"):
        plain_name(folder)


def nfs(file, operation: int) -> None:
    """As Linux emulates it there: fcntl(2) locks, which want the right access."""
    descriptor = file if isinstance(file, int) else file.fileno()
    if operation & fcntl.LOCK_EX and fcntl.fcntl(descriptor, fcntl.F_GETFL) & 3 == os.O_RDONLY:
        raise OSError(errno.EBADF, "Bad file descriptor")


def without_locks(_file, _operation: int) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


@pytest.mark.parametrize("flock", [nfs, without_locks])
def test_a_network_drive_holds_the_records(tmp_path, monkeypatch, caplog, flock):
    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(locks, "_told", set())
    settings = Settings(data=tmp_path)
    with open_instance(settings) as instance:
        run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED)
        show_life(settings.dagster_home, run.run_id)
        if flock is without_locks:
            assert list((settings.dagster_home / ALIVE).iterdir()) == []
            # Nobody knows who is dead there, so nobody is buried.
            (settings.dagster_home / ALIVE / run.run_id).touch()
            assert bury_dead_runs(instance, settings.dagster_home) == []
    told = [record.message.partition(":")[0] for record in caplog.records]
    once = f"The file system of {settings.dagster_home} has no locks"
    assert told == ([] if flock is nfs else [once])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\0garbage: [", "is no YAML"),
        ("just words", "holds no settings of Dagster"),
        ("storage: {bogus: 1}", "is refused by Dagster"),
        ("run_queue: 3", "is refused by Dagster"),
        ("#" * 2**20 + "##", "is larger than 1 MiB"),
    ],
)
def test_settings_that_are_garbage_are_told_in_words(tmp_path, text, words):
    settings = Settings(data=tmp_path)
    settings.dagster_home.mkdir()
    (settings.dagster_home / "dagster.yaml").write_text(text)
    with pytest.raises(UsageError, match=words) as caught, open_instance(settings):
        pass
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("name", ["history/runs.db", "schedules/schedules.db"])
def test_records_that_are_garbage_are_told_with_the_way_out(tmp_path, name):
    settings = Settings(data=tmp_path)
    with open_instance(settings):
        pass
    (settings.dagster_home / name).write_text("garbage")
    told = pytest.raises(LatentAssetsError, match=r"records in .* are damaged")
    with told, open_instance(settings):
        pass
    for folder in ("history", "schedules"):
        (settings.dagster_home / folder).rename(tmp_path / folder)
    with open_instance(settings) as instance:
        assert instance.get_runs() == []
