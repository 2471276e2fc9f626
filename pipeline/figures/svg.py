"""A figure as SVG that stands in a page: text stays text, nothing in it is of a moment or a machine."""

import io
import re
from html import escape

import matplotlib.pyplot as plt
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

NAMED = re.compile(r'(?<= id=")[^"]+(?=")')
LONG = re.compile(r"(?<![\w#.])-?\d+\.\d{3,}")


def inline(figure: Figure, name: str, described: str) -> str:
    """The figure's SVG element.

    Args:
        name: what the names in it begin with, no other figure's of the page.
        described: its text for who does not see it.
    """
    text = io.StringIO()
    for part in figure.findobj(lambda one: bool(one.get_rasterized())):  # a colour bar, else a picture in pixels
        part.set_rasterized(False)
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        FigureCanvasSVG(figure)
        if engine := figure.get_layout_engine():
            engine.execute(figure)
            figure.set_layout_engine("none")  # done: else savefig draws all of it twice
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    whole = text.getvalue()
    drawn = whole[whole.index("<svg") :]
    drawn = re.sub(r"\s*<metadata>.*?</metadata>", "", drawn, count=1, flags=re.DOTALL)
    drawn = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg \1 role="img" aria-label="{escape(described)}">', drawn
    )
    return _renamed(LONG.sub(lambda number: f"{float(number[0]):.2f}".replace("-0.00", "0.00"), drawn), name)


def _renamed(drawn: str, name: str) -> str:
    """Names in the order of their places, where matplotlib takes a digest; those that nobody asks for are left out."""
    asked = set(re.findall(r"#([\w-]+)", drawn))
    drawn = re.sub(r' id="([^"]+)"', lambda one: one[0] if one[1] in asked else "", drawn)
    for number, old in enumerate(dict.fromkeys(NAMED.findall(drawn))):
        drawn = re.sub(rf'(id="|#){re.escape(old)}(?=[")])', rf"\g<1>{name}-{number}", drawn)
    return drawn
