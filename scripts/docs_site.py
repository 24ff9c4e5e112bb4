"""The website's pages that lie outside docs/, and links to files that are no pages.

A hook of mkdocs (mkdocs.yml). README.md becomes the first page. A link from a page to a source file
keeps its words and loses its target, since the site holds pages only.
"""

import posixpath
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "ARCHITECTURE.md": "architecture.md",
    "SPECIFICATION.md": "specification.md",
    "GLOSSARY.md": "glossary.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
_LINK = re.compile(r"\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of the repository's root."""
    for name, uri in OUTSIDE.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, files: Files, **_: Any) -> str:
    """Point the links of `markdown` at the site's pages."""
    place = places()[page.file.src_uri]
    return _LINK.sub(lambda link: relinked(link, place, page.file.src_uri, files), markdown)


def places() -> dict[str, PurePosixPath]:
    """Return where each page of the site lies in the repository."""
    docs = {
        path.relative_to(ROOT / "docs").as_posix(): PurePosixPath(path.relative_to(ROOT).as_posix())
        for path in (ROOT / "docs").rglob("*.md")
    }
    return docs | {uri: PurePosixPath(name) for name, uri in OUTSIDE.items()}


def relinked(link: re.Match[str], place: PurePosixPath, uri: str, files: Files) -> str:
    """Return one link as it reads in the site: to a page or figure of it, or its words alone."""
    words, target, anchor = link[1], link[2], link[3] or ""
    file = posixpath.normpath((place.parent / target).as_posix())
    in_site = OUTSIDE.get(file, file.removeprefix("docs/") if file.startswith("docs/") else "")
    if in_site and files.get_file_from_path(in_site) is not None:
        return f"[{words}]({posixpath.relpath(in_site, posixpath.dirname(uri) or '.')}{anchor})"
    return words if (ROOT / file).exists() else link[0]  # mkdocs reports those
