import struct

import pandas as pd
import pytest

from search.report.layout.blocks import Figure
from search.report.layout.drawing import DOTS_PER_INCH, png
from search.report.layout.palette import DARK, LIGHT


@pytest.fixture
def figure():
    return Figure(
        name="line",
        alt="a line",
        caption="a line",
        data=pd.DataFrame({"x": [0, 1]}),
        draw=lambda canvas, palette: canvas.subplots().plot([0, 1], [0, 1], color=palette.model),
        height=3.0,
    )


def test_the_same_figure_is_the_same_bytes_and_each_scheme_has_its_own(figure):
    light, dark = png(figure, LIGHT), png(figure, DARK)
    assert light == png(figure, LIGHT)
    assert light != dark
    assert struct.unpack(">II", light[16:24])[1] == 3 * DOTS_PER_INCH
