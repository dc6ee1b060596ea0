from search.results.plots import write_plots
from search.results.trials_table import in_dimensions


def test_a_study_is_drawn_as_png_files(scheduled, tmp_path):
    left_out = write_plots(in_dimensions(scheduled(0.5, 0.4, 0.45, 0.42)), tmp_path)
    drawn = {path.stem for path in tmp_path.glob("*.*")}
    assert {"history", "parallel_coordinates", "slices"} <= drawn
    assert drawn | set(left_out) == {"history", "parallel_coordinates", "slices", "importances"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.glob("*.*"))


def test_what_one_trial_can_not_show_is_named_and_not_drawn(scheduled, tmp_path):
    left_out = write_plots(in_dimensions(scheduled(0.5)), tmp_path)
    assert left_out == ["history", "parallel_coordinates", "slices", "importances"]
    assert list(tmp_path.glob("*.*")) == []
