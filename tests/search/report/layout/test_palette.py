import pytest

from search.report.layout.palette import DARK, LIGHT


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK])
def test_everything_stands_out_from_the_paper(palette):
    assert contrast(palette.ink, palette.paper) > 7
    assert contrast(palette.faint, palette.paper) > 4.5
    for colour in (palette.model, palette.baseline, palette.third):
        assert contrast(colour, palette.paper) > 3
