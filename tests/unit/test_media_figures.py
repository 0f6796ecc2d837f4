"""The figure of a walk's smoothness: the same bytes each time, and any prompt as it was written."""

import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest

from latent_assets.errors import MediaError
from latent_assets.media import Provenance, inspect_file
from latent_assets.media.figures import _DARK, smoothness_figure, write_smoothness

STEPS = [0.02, 0.03, 0.05, 0.02]
KEYFRAMES = [("a red apple", 0.0), ("犬 & <b> $x_2$ in a very long and winding prompt", 4.0)]


def texts(path):
    return ["".join(each.itertext()) for each in ET.parse(path).iter() if _is_text(each)]


def _is_text(element):
    return element.tag.endswith("}text")


def test_the_same_call_gives_the_same_bytes_whatever_the_users_style(tmp_path):
    first = write_smoothness(STEPS, tmp_path / "a.svg", title="w", keyframes=KEYFRAMES)
    with mpl.rc_context({"axes.facecolor": "black", "svg.fonttype": "path", "font.size": 30}):
        write_smoothness(STEPS, tmp_path / "b.svg", title="w", keyframes=KEYFRAMES)
        assert mpl.rcParams["font.size"] == 30
    assert first.read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_it_says_what_it_shows(tmp_path):
    path = write_smoothness(STEPS, tmp_path / "w.svg", title="my-walk", keyframes=KEYFRAMES)
    shown = texts(path)
    assert {"my-walk", "frame", "rms distance to the next frame", "a red apple"} <= set(shown)
    assert "median 0.025" in shown
    (short,) = [text for text in shown if text.startswith("犬 & <b> $x_2$ in a")]
    assert short.endswith("…")
    assert len(short) <= 24


def test_it_has_a_name_and_other_colours_where_the_systems_are_dark(tmp_path):
    """Each colour that matplotlib wrote is named: one that is not would stay as it is."""
    path = write_smoothness(STEPS, tmp_path / "w.svg", title="a<b", seam=0.1, keyframes=KEYFRAMES)
    svg = path.read_text(encoding="utf-8")
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == "How smooth a<b is: the distance from each frame to the next"
    used = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", svg.partition("</style>")[2]))
    assert used
    assert used <= set(_DARK)


def test_a_loop_shows_the_way_back_to_its_first_frame(tmp_path):
    path = write_smoothness(STEPS, tmp_path / "w.svg", title="w", seam=0.11)
    assert "median 0.025; last to first 0.11" in texts(path)
    figure = smoothness_figure(STEPS, title="w", seam=0.11, keyframes=[])
    assert figure.axes[0].get_xlim() == (0, 5)


def test_of_many_keyframes_those_are_named_that_have_room(tmp_path):
    many = [(f"prompt {number}", 10.0 * number) for number in range(200)]
    path = write_smoothness([0.1] * 1990, tmp_path / "w.svg", title="w", keyframes=many)
    named = [text for text in texts(path) if text.startswith("prompt")]
    assert named[0] == "prompt 0"
    assert 12 <= len(named) <= 25


@pytest.mark.parametrize("steps", [[0.0], [0.0] * 9, [0.3]])
def test_short_walks_and_still_ones_have_a_figure_too(tmp_path, steps):
    assert "frame" in texts(write_smoothness(steps, tmp_path / "w.svg", title="w", seam=0.0))


def test_it_carries_its_record_or_none(tmp_path):
    prompts = ["</dc:description> & <b>", "犬"]
    record = Provenance(walk={"prompts": prompts}, model={}, frame_digests=("a" * 64,)).as_dict()
    path = write_smoothness(STEPS, tmp_path / "w.svg", title="w", provenance=record)
    assert inspect_file(path).as_dict() == record
    write_smoothness(STEPS, path, title="w")
    with pytest.raises(MediaError, match="no record"):
        inspect_file(path)
