"""Optuna's plots of a study, as PNG files."""

from __future__ import annotations

import warnings
from pathlib import Path

import optuna

MIN_TRIALS = 2
SIZE_INCHES = (11, 6)


def write_plots(study: optuna.Study, directory: Path) -> list[str]:
    """Draw history, parallel coordinates, slices and importances.

    Parameters
    ----------
    study : optuna.Study
        With parameters in the form that people read, see :func:`search.results.trials_table.in_dimensions`.
    directory : Path
        Where the PNG files go.

    Returns
    -------
    list of str
        Names of the plots that need more trials, or more variety, than there is.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from optuna.visualization import matplotlib as draw

    axes = ["d_model", "n_layers", "n_heads", "d_ff", "learning_rate"]
    plots = {
        "history": lambda: draw.plot_optimization_history(study),
        "parallel_coordinates": lambda: draw.plot_parallel_coordinate(study, params=axes),
        "slices": lambda: draw.plot_slice(study, params=axes),
        "importances": lambda: draw.plot_param_importances(study),
    }
    left_out = []
    for name, plot in plots.items():
        if len(study.trials) < MIN_TRIALS:
            left_out.append(name)
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                plot()
                figure = plt.gcf()
                figure.set_size_inches(*SIZE_INCHES)
                figure.savefig(directory / f"{name}.png", dpi=110, bbox_inches="tight")
        except (RuntimeError, ValueError):
            left_out.append(name)
        finally:
            plt.close("all")
    return left_out
