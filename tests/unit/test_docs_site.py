"""The website holds the same pages, links that lead somewhere, and nothing of another host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(target)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target


def test_every_page_is_in_it(site: Path) -> None:
    missing = [
        page.name
        for page in (ROOT / "docs").rglob("*.md")
        if not (site / page.relative_to(ROOT / "docs").with_suffix("") / "index.html").exists()
    ]
    assert missing == []


def test_the_first_page_links_to_pages_of_the_site(site: Path) -> None:
    links = re.findall(r'href="([^"#]+)"', (site / "index.html").read_text())
    assert {"architecture/", "install/", "method/tasks/"} <= set(links)
    assert not [link for link in links if link.endswith(".md")]


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert re.findall(r'(?:src|rel="stylesheet" href)="https?:[^"]*', page.read_text()) == []
