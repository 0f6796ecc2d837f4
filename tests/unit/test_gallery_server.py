"""The gallery's server shows what is there, to nobody more than that, and looks at it once."""

import html
import io
import json
import re
import zipfile

import numpy as np
import pytest
from fakes import fake_studio
from gallery import HOSTILE, WALKS, client, finish, render, write_walks
from PIL import Image

from latent_assets.catalogue import Catalogue
from latent_assets.enlarging import upscale_frames
from latent_assets.gallery import cards as cards_module
from latent_assets.gallery.cards import Shelf
from latent_assets.gallery.pages import FILES
from latent_assets.lastrun import Check, LastRun, write_last_run
from latent_assets.media.earlier import keep_earlier
from latent_assets.media.provenance import Provenance
from latent_assets.media.stills import write_png
from latent_assets.pacing import make_timeline
from latent_assets.rendering import render_frames
from latent_assets.walks.library import WalkLibrary


@pytest.fixture
def studio(tmp_path):
    studio = fake_studio(tmp_path)
    write_walks(studio)
    return studio


def data_of(answer):
    """What a script hands to the page."""
    found = re.fullmatch(r'gallery\.take\("(\w+)","([\w-]+)",(.*)\);\n', answer.text, re.DOTALL)
    assert found
    return json.loads(found[3])


# --- pages ------------------------------------------------------------------------------------


def test_the_index_shows_every_walk_and_how_much_of_it_is_there(studio):
    render(studio, "way", 4)
    page = client(studio).get("/").text
    for name in WALKS:
        assert f'id="card-{name}"' in page
        assert f'href="{name}/"' in page
    way = page.partition('id="card-way"')[2].partition("</li>")[0]
    assert re.search(r'class="stored">4</span> of 9 frames', way)
    assert "a boat → a house" in way
    assert "file changed since" in way
    assert 'class="flag changed" hidden' in way
    wrong = page.partition('id="card-wrong"')[2].partition("</li>")[0]
    assert "must have at least 2 items" in wrong


def test_the_walk_rendered_last_comes_first(studio):
    finish(studio, "way", "way.gif")
    page = client(studio).get("/").text
    names = re.findall(r'data-name="([\w-]+)"', page)
    assert names[0] == "way"
    assert names[1:] == sorted(set(WALKS) - {"way"})


def test_a_page_shows_the_walk_its_files_and_its_text(studio):
    render(studio, "way")
    finish(studio, "way", "way.gif", "way-sheet.png")
    page = client(studio, dagster="").get("/way/").text
    assert 'href="files/way.gif" download' in page
    assert "To the house." in page
    assert "frames: 9" in page
    assert "/assets/frames?view=partitions&amp;partition=way" in page
    assert "assets/frames" not in client(studio).get("/way/").text


def test_numbered_pictures_are_downloaded_in_one(studio):
    render(studio, "way")
    finish(studio, "way", "way.gif")
    folder = finish(studio, "way/way-frames", "way-0000.png", "way-0001.png")
    (folder / "secret.png").symlink_to(studio.settings.walks_dir / "way.yaml")
    server = client(studio)
    page = server.get("/way/").text
    assert 'href="files/way.gif" download' in page
    assert 'href="files/way-frames.zip" download' in page
    assert "2 pictures, 8 B" in page
    answer = server.get("/way/files/way-frames.zip")
    assert answer.headers["content-disposition"] == 'attachment; filename="way-frames.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["way-frames/way-0000.png", "way-frames/way-0001.png"]
    assert server.get("/loop/files/loop-frames.zip").status_code == 404
    assert server.get("/way/files/way-frames").status_code == 404


def test_larger_pictures_are_shown_once_they_are_made(studio):
    path = studio.settings.walks_dir / "way.yaml"
    path.write_text(f"{WALKS['way']}output: {{upscale: {{method: nearest, factor: 2}}}}\n")
    render(studio, "way")
    small = client(studio)
    assert data_of(small.get("/way/walk.js"))["pictures"] is None
    assert _size(small.get("/way/poster.webp")) == (32, 32)
    assert "<span>64 × 64 px from 32 × 32 px</span>" in small.get("/way/").text  # noqa: RUF001
    spec, keys = Catalogue(studio).read()["way"].spec, Catalogue(studio).read()["way"].keys
    digests = [studio.frames.read(key).receipt.pixel_digest for key in keys]
    upscale_frames(studio, spec.walk.output.upscale, list(keys), digests)
    large = client(studio)
    shown = data_of(large.get("/way/walk.js"))["pictures"]
    assert len(set(shown)) == len(keys)
    assert not set(shown) & set(keys)
    for picture in ("way/poster.webp", f"{FILES}/frames/{shown[4]}.webp"):
        assert _size(large.get(f"/{picture}")) == (64, 64)


def _size(answer):
    with Image.open(io.BytesIO(answer.content)) as image:
        return image.size


def test_the_portrait_knows_each_frame(studio):
    render(studio, "way", 5)
    told = data_of(client(studio).get("/way/walk.js"))
    listed = Catalogue(studio).read()["way"]
    assert told["keys"] == list(listed.keys)
    assert told["missing"] == [5, 6, 7, 8]
    assert told["keyframes"] == [[0, 0.0], [1, 8.0]]
    assert told["mixes"][2] == [[0, 0.75], [1, 0.25]]
    assert told["prompts"] == ["a boat", "a house"]
    grid = data_of(client(studio).get("/square/walk.js"))
    assert grid["columns"] == 4
    assert [grid["prompts"][corner] for corner in grid["corners"]] == ["a", "b", "c", "d"]
    sweep = data_of(client(studio).get("/sweep/walk.js"))
    assert sweep["scales"] == sweep["guidance"] == [1.0, 2.5, 7.0]


def test_a_paced_walk_is_shown_before_its_places_are_known_and_at_them_after(studio):
    text = "kind: interpolation\nprompts: [a boat, a house]\nframes: 9\npace: perceptual\n"
    (studio.settings.walks_dir / "paced.yaml").write_text(text)
    spec = studio.specify("paced", WalkLibrary(studio.settings.walks_dir).load("paced"))
    before = data_of(client(studio).get("/paced/walk.js"))
    assert before["missing"] == list(range(9))
    assert before["keyframes"] == [[0, 0.0], [1, 8.0]]
    timeline = make_timeline(studio, spec)
    recipes = spec.at(timeline.places(loop=False)).recipes()
    render_frames(studio, recipes, batch_size=4)
    told = data_of(client(studio).get("/paced/walk.js"))
    assert told["keys"] == [recipe.key for recipe in recipes] != before["keys"]
    assert told["missing"] == []
    assert client(studio).get("/paced/").status_code == 200


def test_details_hold_the_receipts_and_distances_of_frames_that_are_there(studio):
    render(studio, "way", 5)
    told = data_of(client(studio).get("/way/details.js"))
    keys = Catalogue(studio).read()["way"].keys
    first, second = (studio.frames.read(key) for key in keys[:2])
    apart = np.sqrt(np.mean((first.pixels.astype(float) - second.pixels) ** 2)) / 255
    assert told["distances"][0] == pytest.approx(apart, abs=1e-5)
    assert told["distances"][4:] == [None] * 4
    assert told["receipts"][0][0] == first.receipt.pixel_digest
    assert told["receipts"][5:] == [None] * 4
    assert len(told["environments"]) == 1


def test_why_a_run_failed_and_which_checks_do_not_hold_is_said(studio):
    render(studio, "way")
    problem = "the disk is full: <b>free</b> some space"
    checks = (Check("loop_closed", passed=False), Check("frames_move", passed=True))
    last = LastRun("run", "failed", 1.0, 2.0, problem, spec="another", checks=checks)
    write_last_run(studio.settings.data, "way", last)
    page = client(studio).get("/way/").text
    assert html.escape(problem) in page
    assert "loop_closed failed" in page
    assert 'id="flag-changed"' in page
    assert 'id="flag-changed" hidden' not in page
    assert "1 check failed" in client(studio).get("/").text


def test_a_wrong_walk_file_has_a_page_that_says_what_is_wrong(studio):
    page = client(studio).get("/wrong/").text
    assert "must have at least 2 items" in page
    assert "prompts: [alone]" in page
    for path in ("walk.js", "details.js", "preview.webp"):
        assert client(studio).get(f"/wrong/{path}").status_code == 404


def test_pictures_are_made_of_the_frames_that_are_there(studio):
    server = client(studio)
    assert server.get("/way/preview.webp").status_code == 404
    render(studio, "way")
    keys = Catalogue(studio).read()["way"].keys
    server = client(studio)
    key = keys[3]
    frame = server.get(f"/{FILES}/frames/{key}.webp")
    assert frame.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(frame.content)) as image:
        assert image.size == (32, 32)
    film = server.get("/way/preview.webp")
    with Image.open(io.BytesIO(film.content)) as image:
        assert image.size == (256, 256)
        assert image.n_frames == 9
        assert image.info["loop"] == 0
    assert server.get("/way/poster.webp").content[:4] == b"RIFF"
    original = server.get(f"/{FILES}/frames/{key}.png").content
    assert original == studio.frames.objects.read(studio.frames.name(key))


def test_a_walk_whose_file_has_changed_keeps_its_film_until_there_is_another(studio):
    """Its address stands in Dagster's tables: a broken picture otherwise."""
    render(studio, "way")
    keys = Catalogue(studio).read()["way"].keys
    record = Provenance({"name": "way"}, {"name": "m", "weights_digest": "0"}, keys, keys)
    path = finish(studio, "way", "way-sheet.txt") / "way.png"
    write_png(np.zeros((8, 8, 3), np.uint8), path, provenance=record.as_dict())
    (studio.settings.walks_dir / "way.yaml").write_text(WALKS["way"] + "seed: 77\n")
    film = client(studio).get("/way/preview.webp?v=old")
    with Image.open(io.BytesIO(film.content)) as image:
        assert image.n_frames > 1
    studio.frames.delete(keys[1])
    assert client(studio).get("/way/preview.webp").status_code == 404


# --- nothing more than that -------------------------------------------------------------------


def test_prompts_are_escaped_wherever_they_stand(studio):
    render(studio, "hostile")
    server = client(studio)
    for path in ("/", "/hostile/"):
        page = server.get(path).text
        assert HOSTILE not in page
        assert "<img src=x" not in page
        assert "<script>" not in page
        assert html.escape("<script>alert(1)</script>") in page
    script = server.get("/hostile/walk.js").text
    assert json.loads(script.partition('"hostile",')[2].rstrip(");\n"))["prompts"][0] == HOSTILE


@pytest.mark.parametrize(
    "path",
    [
        "/nobody/",
        "/nobody",
        "/nobody/walk.js",
        "/..%2f..%2fetc/",
        "/way/files/nothing.gif",
        "/way/files/..%2f..%2f..%2fwalks%2fway.yaml",
        "/way/files/%2fetc%2fpasswd",
        "/way/files/earlier",
        "/way/earlier/..%2fway.gif",
        f"/{FILES}/static/..%2f..%2f__init__.py",
        f"/{FILES}/static/nothing.css",
        f"/{FILES}/frames/{'0' * 64}.webp",
        f"/{FILES}/frames/..%2f..%2fx.webp",
        f"/{FILES}/frames/{'A' * 64}.png",
    ],
)
def test_what_is_not_there_is_answered_with_a_sentence(studio, path):
    finish(studio, "way", "way.gif")
    answer = client(studio).get(path)
    assert answer.status_code == 404
    assert "Traceback" not in answer.text


def test_a_link_out_of_the_folder_of_files_is_not_followed(studio):
    folder = finish(studio, "way", "way.gif")
    (folder / "secret.gif").symlink_to(studio.settings.walks_dir / "way.yaml")
    server = client(studio)
    assert server.get("/way/files/way.gif").content == b"file"
    assert server.get("/way/files/secret.gif").status_code == 404


@pytest.mark.parametrize("name", ["way.html", "way-smoothness.svg", "notes.xml"])
def test_what_could_hold_a_script_is_downloaded_not_shown(studio, name):
    finish(studio, "way", name)
    answer = client(studio).get(f"/way/files/{name}")
    assert answer.headers["content-disposition"].startswith("attachment")


def test_every_answer_forbids_what_it_does_not_need(studio):
    render(studio, "way")
    server = client(studio)
    paths = ["/", "/way/", "/way/walk.js", "/nobody/", f"/{FILES}/static/gallery.css"]
    for path in paths:
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert not re.search(
        r"<script(?![^>]* src=)|<style|\bon\w+=|\bstyle=", server.get("/way/").text
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(studio, method):
    assert client(studio).request(method, "/way/").status_code == 405


def test_no_page_names_another_host(studio):
    render(studio, "way")
    server = client(studio)
    for path in ("/", "/way/", "/way/walk.js", f"/{FILES}/static/gallery.css"):
        assert not re.search(r"(?:https?:)?//[a-z]", server.get(path).text.replace("/*", ""))


# --- one look at the disk ------------------------------------------------------------------------


def test_however_many_ask_the_disk_is_looked_at_once_a_second(studio, monkeypatch):
    looks = []
    now = [1000.0]
    monkeypatch.setattr(cards_module.time, "monotonic", lambda: now[0])
    shelf = Shelf(studio)
    read = shelf._catalogue.read
    monkeypatch.setattr(shelf._catalogue, "read", lambda: (looks.append(now[0]), read())[1])
    for tenth in range(35):
        now[0] = 1000 + tenth / 10
        for _ in range(20):
            shelf.look()
    assert looks == [1000, 1001, 1002, 1003]


def test_a_store_that_is_away_is_said_on_the_index(studio):
    (studio.settings.data / "store").mkdir(exist_ok=True)
    (studio.settings.data / "store" / "frames").write_text("a file where the folder would be")
    page = client(studio).get("/")
    assert page.status_code == 200
    assert "The frame store cannot be looked at" in page.text


def test_a_changed_walk_file_says_so_and_a_comment_does_not(studio):
    spec = Shelf(studio)
    card = spec.look().cards["way"]
    assert not card.changed
    walk = Catalogue(studio).read()["way"]
    version = walk.document["version"]
    write_last_run(studio.settings.data, "way", LastRun("r", "done", 1.0, 2.0, spec=version))
    path = studio.settings.walks_dir / "way.yaml"
    path.write_text("# a comment\n" + path.read_text())
    assert not Shelf(studio).look().cards["way"].changed
    path.write_text(path.read_text().replace("a house", "a tent"))
    assert Shelf(studio).look().cards["way"].changed


def test_what_was_tried_beside_a_walk_stands_on_its_page_and_nothing_else_does(studio):
    outputs = studio.settings.outputs_dir
    for folder in ("way@embedded-9", "way-too@embedded-9", "way@draft"):
        (outputs / folder).mkdir(parents=True)
        (outputs / folder / f"{folder}.gif").write_bytes(b"GIF89a")
    (outputs / "way@empty").mkdir()
    (outputs / "way@elsewhere").symlink_to(outputs / "way-too@embedded-9")
    server = client(studio)
    page = server.get("/way/").text
    assert set(re.findall(r"<h3>(way[^<]*)</h3>", page)) == {"way@embedded-9", "way@draft"}
    address = "/way/variants/way%40embedded-9.gif"
    assert address.removeprefix("/way/") in page
    assert server.get(address).content == b"GIF89a"
    assert server.get("/way/variants/way-too%40embedded-9.gif").status_code == 404
    assert server.get("/way/variants/..%2fway%40draft.gif").status_code == 404


# --- earlier versions ----------------------------------------------------------------------------


def test_files_of_the_same_frames_are_one_version_to_compare_with(studio):
    render(studio, "way")
    keys = Catalogue(studio).read()["way"].keys
    folder = studio.settings.outputs_dir / "way"
    folder.mkdir(parents=True)
    picture = np.zeros((8, 8, 3), np.uint8)
    for name, some in (("way", keys[:3]), ("way-sheet", keys[:3]), ("way", keys[1:4])):
        record = Provenance({"name": "way"}, {"name": "m", "weights_digest": "0"}, some, some)
        write_png(picture, folder / f"{name}.png", provenance=record.as_dict())
        keep_earlier(folder / f"{name}.png", 9)
        picture = picture + 1
    page = client(studio).get("/way/").text
    assert page.count('value="version:') == 2
    assert page.count('href="earlier/') == 3


def test_an_earlier_version_can_be_played_while_its_frames_are_stored(studio):
    render(studio, "way")
    keys = Catalogue(studio).read()["way"].keys
    folder = studio.settings.outputs_dir / "way"
    folder.mkdir(parents=True)
    record = Provenance({"name": "way"}, {"name": "m", "weights_digest": "0"}, keys[:3], keys[:3])
    picture = np.zeros((8, 8, 3), np.uint8)
    write_png(picture, folder / "way.png", provenance=record.as_dict())
    keep_earlier(folder / "way.png", 2)
    write_png(picture + 1, folder / "way.png")
    server = client(studio)
    (version,) = data_of(server.get("/way/walk.js"))["versions"]
    assert version["keys"] == list(keys[:3])
    assert server.get(f"/way/earlier/{version['name']}").headers["content-type"] == "image/png"
    assert "Earlier versions" in server.get("/way/").text
    studio.frames.delete(keys[1])
    assert data_of(client(studio).get("/way/walk.js"))["versions"] == []
    assert version["name"] in client(studio).get("/way/").text
