"""On a full disk Dagster's raw words do not stand before ours."""

import inspect
import sys

from dagster._core.instance import types

from latent_assets.orchestration.quiet import RAW, without_raw_words


def test_only_dagsters_raw_words_are_left_out(capsys):
    before = sys.stderr
    with without_raw_words():
        sys.stderr.write(f"{RAW}: (sqlite3.OperationalError) database or disk is full\n")
        sys.stderr.write("the disk is full\n")
        assert sys.stderr.isatty() is before.isatty()
    assert capsys.readouterr().err == "the disk is full\n"
    assert sys.stderr is before


def test_the_words_are_still_dagsters():
    """Else they would come through again."""
    assert f'"{RAW}: ' in inspect.getsource(types)


def test_a_log_handler_that_closes_what_it_was_given_does_not_close_standard_error(
    tmp_path, monkeypatch
):
    """As absl's, which TensorFlow brings: the next run, setting up its log, has it closed."""
    with (tmp_path / "err").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with without_raw_words():
            held = sys.stderr
        held.close()
        assert not stream.closed
        sys.stderr.write("the next walk\n")
    assert (tmp_path / "err").read_text() == "the next walk\n"
