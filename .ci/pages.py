"""Writes the gallery and all that it links to as web pages, beside explore.html: python .ci/pages.py FOLDER"""

import re
import shutil
import sys
from pathlib import Path

import markdown

ROOT = Path(__file__).resolve().parents[1]
INDEX = """# pegasus-acai

Winged horses from CIFAR-10.

- [Drag wings onto a horse, or mix two images](explore.html)
- [Gallery](docs/gallery.md)

[![64 winged horses](docs/pegasus.png)](docs/gallery.md)
"""
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ max-width: 60em; margin: auto; padding: 1em; font-family: sans-serif; line-height: 1.5 }}
img {{ max-width: 100% }}
pre {{ overflow-x: auto; background: #f3f3f3; padding: 0.5em }}
td, th {{ padding: 0.2em 1em 0.2em 0; text-align: left; vertical-align: top }}
</style>
{body}
</html>
"""


def write_site(out):
    """Writes index.html and, at the same relative paths as in the repository, all files that it leads to.

    Links to explore.html, which generate.py writes, are left as they are.
    """
    pages, written = [(Path("index.md"), INDEX)], {Path("index.md"), Path("explore.html")}
    for path, text in pages:  # grows while it is read
        text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)  # the cards' front matter
        body = markdown.markdown(text, extensions=["tables", "fenced_code", "toc", "sane_lists"])
        for target in relative_targets(body):
            linked = (ROOT / path.parent / target).resolve().relative_to(ROOT)
            if linked in written:
                continue
            written.add(linked)
            (out / linked).parent.mkdir(parents=True, exist_ok=True)
            if linked.suffix == ".md":
                pages.append((linked, (ROOT / linked).read_text(encoding="utf-8")))
            else:
                shutil.copy(ROOT / linked, out / linked)
        title = re.search("^# (.*)", text, flags=re.MULTILINE)[1]
        body = re.sub(r'(href="[^":]*)\.md(["#])', r"\1.html\2", body)
        (out / path.with_suffix(".html")).write_text(PAGE.format(title=title, body=body), encoding="utf-8")


def relative_targets(body):
    """Returns the targets of links and pictures in HTML that are files beside it, without #fragments."""
    return re.findall(r'(?:href|src)="([^":#]+)', body)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_site(folder)
    print(folder / "index.html")
