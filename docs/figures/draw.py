"""Draws `raster.png` from the balanced network of the README: `python docs/figures/draw.py`."""

import pathlib
import re
import tempfile
from typing import Any

import matplotlib
from PIL import Image

FOLDER = pathlib.Path(__file__).parent
README = (FOLDER.parents[1] / "README.md").read_text(encoding="utf-8")


def main() -> None:
    """Run the block as it stands there, and keep its picture in 32 colors."""
    matplotlib.use("Agg")
    match = re.search(r"<!-- balanced -->\n```python\n(.*?)```", README, re.DOTALL)
    assert match is not None
    with tempfile.TemporaryDirectory() as folder:
        picture = pathlib.Path(folder) / "raster.png"
        namespace: dict[str, Any] = {}
        exec(match[1].replace('"raster.png"', repr(str(picture))), namespace)
        Image.open(picture).convert("RGB").quantize(32).save(FOLDER / "raster.png", optimize=True)


if __name__ == "__main__":
    main()
