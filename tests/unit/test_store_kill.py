"""Writers that are killed at any moment leave whole frames, whole films, or nothing."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latent_assets.media import inspect_file
from latent_assets.store import FrameStore
from latent_assets.store.retention import Policy, plan_removal, remove

pytestmark = pytest.mark.slow

WRITER = """
import hashlib, itertools, sys
import numpy as np
from latent_assets.store import FrameStore, Receipt, environment, pixel_digest
store = FrameStore(sys.argv[1])
for number in itertools.count(int(sys.argv[2])):
    key = hashlib.sha256(str(number).encode()).hexdigest()
    pixels = np.random.default_rng(number).integers(0, 256, (256, 256, 3), np.uint8)
    receipt = Receipt(key, {}, pixel_digest(pixels), environment(), (key,), 0, 1.0, "2026-01-01")
    store.write(key, pixels, receipt)
    print("ready", flush=True)
"""

FILM = """
import itertools, sys
from pathlib import Path
import numpy as np
from latent_assets.media import Provenance, write_animation
record = Provenance(walk={}, model={}, frame_digests=("a" * 64,)).as_dict()
frames = [np.random.default_rng(n).integers(0, 256, (32, 32, 3), np.uint8) for n in range(12)]
while True:
    path = Path(sys.argv[1], "film." + sys.argv[2])
    write_animation(lambda: frames, path, format=sys.argv[2], fps=10, provenance=record)
    print("ready", flush=True)
"""


def killed(code, *arguments, after_s):
    """Starts the program and kills it, without warning, so long after its first write."""
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def test_no_frame_is_lost_or_wrong_after_thirty_kills(tmp_path):
    chance = random.Random(5)
    store = FrameStore(tmp_path)
    seen: set[str] = set()
    for attempt in range(120):
        if attempt >= 30 and store.objects.leftovers(0):  # some kill has hit a write
            break
        killed(WRITER, str(tmp_path), str(attempt * 1000), after_s=chance.uniform(0, 0.15))
        keys = set(store.keys())
        assert seen <= keys  # nothing stored is lost
        assert store.check(keys) == {}  # and all of it is whole
        seen = keys
    assert len(seen) >= 30
    left = store.objects.leftovers(0)
    assert left, "no kill hit a write: the test shows nothing"
    plan = plan_removal(store.objects, Policy(grace_s=0))
    assert {each.why for each in plan.removals} == {"left behind"}
    remove(store.objects, plan)
    assert store.objects.leftovers(0) == []
    assert set(store.keys()) == seen


@pytest.mark.parametrize("name", ["gif", "webp", "mp4", "apng", "html"])
def test_no_partial_film_stands_under_its_name(tmp_path, name):
    chance = random.Random(7)
    path = Path(tmp_path, f"film.{name}")
    for _ in range(6):
        killed(FILM, str(tmp_path), name, after_s=chance.uniform(0, 0.4))
        assert inspect_file(path).frame_digests == ("a" * 64,)
        _assert_whole(path)


def _assert_whole(path):
    if path.suffix == ".html":
        assert path.read_text().rstrip().endswith("</html>")
        assert path.read_text().count('class="frame"') == 12
    elif path.suffix == ".mp4":
        import av  # noqa: PLC0415 - here alone

        with av.open(str(path)) as container:
            assert len(list(container.decode(video=0))) == 12
    else:
        from PIL import Image  # noqa: PLC0415 - here alone

        with Image.open(path) as image:
            assert image.n_frames == 12
            image.seek(11)
            image.load()
