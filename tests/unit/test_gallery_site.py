"""The static site is whole, relative, and left alone where nothing has changed."""

import re
from pathlib import Path

import pytest
from fakes import fake_studio
from gallery import finish, render, write_walks

from latent_assets.catalogue import Catalogue
from latent_assets.errors import UsageError
from latent_assets.gallery.pages import FILES
from latent_assets.gallery.site import write_site


@pytest.fixture
def studio(tmp_path):
    studio = fake_studio(tmp_path / "data", settings=None)
    write_walks(studio)
    for name in ("way", "square", "hostile"):
        render(studio, name)
    finish(studio, "way", "way.gif", "way-sheet.png")
    return studio


def dates(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_site_has_a_page_for_each_walk_with_frames(studio, tmp_path):
    done = write_site(studio, tmp_path / "site")
    assert set(done.written) == {"way", "square", "hostile"}
    assert done.left_out == ("loop", "sweep", "wrong")
    assert (tmp_path / "site" / "way" / "files" / "way.gif").read_bytes() == b"file"


def test_every_link_leads_to_a_file_of_the_site(studio, tmp_path):
    site = tmp_path / "site"
    write_site(studio, site)
    linked = 0
    for page in site.rglob("*.html"):
        text = page.read_text()
        for link in re.findall(r'(?:href|src|srcset|data-still)="([^"#][^"]*)"', text):
            assert not link.startswith(("/", "http", "file:"))
            target = page.parent / link.partition("?")[0]
            assert target.resolve().is_relative_to(site)
            assert target.is_file(), f"{link} of {page}"
            linked += 1
    assert linked > 30
    keys = Catalogue(studio).read()["way"].keys
    assert all((site / FILES / "frames" / f"{key}.webp").is_file() for key in keys)


def test_nothing_is_written_again_where_nothing_has_changed(studio, tmp_path):
    site = tmp_path / "site"
    write_site(studio, site)
    before = dates(site)
    done = write_site(studio, site)
    assert set(done.unchanged) == {"way", "square", "hostile"}
    assert dates(site) == before


def test_numbered_pictures_are_published_in_one_file(studio, tmp_path):
    folder = finish(studio, "way/way-frames", "way-0000.png")
    site = tmp_path / "site"
    write_site(studio, site)
    before = dates(site)
    assert (site / "way" / "files" / "way-frames.zip").is_file()
    assert 'href="files/way-frames.zip"' in (site / "way" / "index.html").read_text()
    assert "way" in write_site(studio, site).unchanged
    assert dates(site) == before
    (folder / "way-0000.png").write_bytes(b"another")
    assert write_site(studio, site).written == ("way",)


def test_a_changed_walk_alone_is_written_again(studio, tmp_path):
    site = tmp_path / "site"
    write_site(studio, site)
    before = dates(site)
    path = studio.settings.walks_dir / "way.yaml"
    path.write_text(path.read_text().replace("a house", "a tent"))
    render(studio, "way")
    done = write_site(studio, site)
    assert done.written == ("way",)
    assert not any(
        before[file] != date
        for file, date in dates(site).items()
        if "way" not in file.parts and file in before and file.name != "index.html"
    )
    shown = {
        key for name in ("way", "square", "hostile") for key in Catalogue(studio).read()[name].keys
    }
    assert {path.stem for path in (site / FILES / "frames").iterdir()} == shown


def test_a_walk_that_is_gone_leaves_the_site(studio, tmp_path):
    site = tmp_path / "site"
    write_site(studio, site)
    (studio.settings.walks_dir / "square.yaml").unlink()
    write_site(studio, site)
    assert not (site / "square").exists()
    assert "square" not in (site / "index.html").read_text()


def test_a_folder_of_something_else_is_not_written_to(studio, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        write_site(studio, other)
    with pytest.raises(UsageError, match="is a file"):
        write_site(studio, other / "thesis.txt")
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]


def test_a_static_page_asks_no_server(studio, tmp_path):
    write_site(studio, tmp_path / "site")
    for page in (tmp_path / "site").rglob("*.html"):
        assert "data-events" not in page.read_text()
