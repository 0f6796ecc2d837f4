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
