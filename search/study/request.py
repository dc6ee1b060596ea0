"""The request: what a user asks of a study, and the one list of its options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from model.spec.architecture import HEADS, INSTANCE_NORMS
from model.spec.budget import DEFAULT_TOLERANCE, Budget
from model.spec.choices import BLEND_RULE, INITS, NONE, OFFSETS, WIDTH_RATES, read_blend
from model.training.device import known_device
from pipeline.accepted import read_accepted
from pipeline.exceptions import InputError
from pipeline.sources import known_source
from pipeline.splits.ends import read_ends
from pipeline.splits.target import Target
from search.space.axes import ALL_AXES, MIN_HEAD_DIM, WINDOW_AXES, Axes, read_axis
from search.space.ranges import AUTO as AUTO
from search.space.ranges import LIMITS, Range, parse_range, read_range
from search.study.values import (
    any_text,
    duration,
    fraction,
    gpu_share,
    kept_trials,
    one_of,
    optional_whole_number,
    process_count,
    rise,
    study_name,
    tickers,
    whole_number,
)

MEDIAN, WILCOXON, NO_PRUNER = "median", "wilcoxon", "none"
USUAL_PATIENCE = 2
Reader = Callable[[str, str], Any]
counted: Reader = partial(whole_number, least=1)
days_ahead: Reader = partial(whole_number, least=1, largest=10**24)  # the series says how many there can be


def split_text(name: str, text: str) -> str:
    """Take the text of a split that has the form of one; its days are known with the data."""
    read_ends(name, text)
    return text


def blended(name: str, text: str) -> str:
    """Take a blend as a spec writes it."""
    if text != NONE and read_blend(text) is None:
        raise InputError(f"{name} must be {BLEND_RULE}, got {text!r}")
    return text


def option(default: object, help: str, read: Reader = any_text) -> Any:
    """Declare an option: its default as users would type it, what it says of itself, how its text is read."""
    text = str(default)
    return field(default=read("default", text), metadata={"default": text, "help": help, "read": read})


@dataclass(frozen=True, kw_only=True)
class HpoRequest:
    """What was asked of ``hpo``, not yet checked against data.

    Each field is an option of ``hpo``, in the order of its help, and stands nowhere else: the options of the
    commands and the MLproject's entry points are made from these fields.

    Raises
    ------
    InputError
        Naming the first rule that a value breaks.

    Examples
    --------
    >>> request = HpoRequest(budget="50K", n_layers=(2, 3))
    >>> request.sampler, request.axes.n_layers, request.target.name
    ('tpe', (2, 3), 'h1')
    """

    budget: str = option("2M", "Parameter budget: 2M, 20M, 200M, 2B, 350K, 1.5B.")
    d_model: tuple[int, ...] = option(
        "", "Widths to try, separated by commas; empty is the standard axis of the budget.", read_axis
    )
    n_layers: tuple[int, ...] = option("", "Depths to try, separated by commas: 160,180.", read_axis)
    n_heads: tuple[int, ...] = option("", "Head counts to try, separated by commas.", read_axis)
    ff_ratio: tuple[int, ...] = option(
        "", "Feed-forward widths to try, as multiples of d_model, separated by commas.", read_axis
    )
    context_length: tuple[int, ...] = option(
        "",
        "Days that a model sees, to try, separated by commas: 20,30,60; one fixes, empty is 60, or 30 of s40, s33.",
        read_axis,
    )
    patch_length: tuple[int, ...] = option(
        "", "Days in a patch, to try: 5,10; one value fixes, empty is 10 (5 below 1M of s40, s33).", read_axis
    )
    stride: tuple[int, ...] = option(
        "",
        "Days between the starts of two patches, to try; one value fixes, empty is 5 (10 from 1M on of s40, s33).",
        read_axis,
    )
    min_head_dim: int = option(MIN_HEAD_DIM, "Narrowest attention head, d_model / n_heads.", counted)
    tolerance: float = option(
        DEFAULT_TOLERANCE, "Allowed deviation from the budget, a fraction: 0.25 is ±25 %.", fraction
    )
    trials: int = option(50, "Finished trials that make the study complete; more extends it.", counted)
    horizon: int = option(1, "Days ahead.", days_ahead)
    threshold: float = option(0.01, "Rise to be reached, a fraction: 0.01 is 1 %, 0 is direction alone.", rise)
    source: str = option(
        "sample",
        "Where bars come from: sample, yahoo, or csv:DIRECTORY?adjusted=yes (or no; &dates=dmy, &decimal=comma).",
        known_source,
    )
    ticker: str = option("", "Symbol; empty is the source's own, ^GSPC for sample.")
    train_tickers: tuple[str, ...] = option(
        AUTO,
        "Further tickers whose rows are trained on too, separated by commas; auto is SPY, DIA, QQQ, ^DJI, ^IXIC where "
        "the source has them and a distribution forecasts one of their kind; none is the ticker alone.",
        tickers,
    )
    tier: str = option(
        AUTO,
        "Feature set; auto is s40 (s33 without a ^VIX) for a distribution, r25 for a binary head.",
        one_of(AUTO, "a25", "r25", "r33", "r55", "s33", "s40"),
    )
    head: str = option(
        AUTO,
        "distribution: how far the price goes, for every threshold and horizon at once; or binary, one bit a day. auto "
        "is distribution, unless tier or offset are those of a binary head.",
        one_of(AUTO, *HEADS),
    )
    accept: tuple[str, ...] = option(
        "",
        "Findings of data check that are right: missing_sessions:2010-05-06, separated by commas; kept on the dataset.",
        read_accepted,
    )
    split: str = option("auto", "auto, or TRAIN_END/VALIDATION_END/TEST_END in ISO dates.", split_text)
    folds: int = option(
        0,
        "Whole years before the test on which trials are judged together, each forecast by a model of the years before "
        "it, for max_epochs; 0 is the split's validation days and early stopping.",
        partial(whole_number, least=0),
    )
    seeds: int = option(
        1, "Models of a trial, of this seed and those after it, whose probabilities are averaged.", counted
    )
    sampler: str = option(
        "tpe",
        "What proposes trials after the extremes: tpe, gp or random; may change when a study is continued.",
        one_of("tpe", "gp", "random"),
    )
    workers: str = option("auto", "Processes, one thread each; auto is one per core.", process_count)
    pruner: str = option(
        AUTO,
        "Which trials are stopped early, extremes never: median, after an epoch that is worse than the median; "
        "wilcoxon, after a fold, if worse than the best trial on the same days; none. auto is median, or wilcoxon of "
        "folds.",
        one_of(AUTO, MEDIAN, WILCOXON, NO_PRUNER),
    )
    timeout: float | None = option(
        "", "Stop after the epochs that run then, as in 90s, 30m, 8h or 1h30m; empty is no limit.", duration
    )
    seed: int = option(0, "Of the sampler and of every trial.", partial(whole_number, least=0, most=2**63 - 1))
    max_epochs: int = option(6, "Most epochs of a trial.", counted)
    patience: int | None = option(
        "",
        "Epochs without a better validation loss before a trial stops; 0 trains all and keeps the last. Empty is 2, or "
        "0 with folds.",
        optional_whole_number,
    )
    learning_rate: str = option(
        AUTO,
        "Peak rate: a value fixes; a range LOW:HIGH, LOW:HIGH:log or LOW:HIGH:STEP searches (1e-5:1e-3:log), and so do "
        "choices (1e-4,1e-3); auto is 3e-5:3e-3:log.",
        read_range,
    )
    weight_decay: str = option(
        AUTO,
        "Value, range or choices; auto is 1e-3:0.3:log of a binary head, 0.01:1:log of a distribution.",
        read_range,
    )
    warmup_fraction: str = option(
        AUTO, "Share of all steps that warm up: value, range or choices; auto is 0:0.3, or 0:0.5.", read_range
    )
    dropout: str = option(AUTO, "Value, range (0.1:0.5) or choices; auto is 0:0.5, or 0.1:0.6.", read_range)
    batch_size: str = option(
        AUTO, "Value, choices (64,128) or range with a step; auto is 64:256:64, or 128:512:128.", read_range
    )
    attention_dropout: str = option(AUTO, "Value, range or choices; auto is 0.", read_range)
    label_smoothing: str = option(AUTO, "Value, range or choices; auto is 0.", read_range)
    weight_average: str = option(
        AUTO, "Decay a step of the moving average of weights: value, range or choices; auto is 0, or 0.99.", read_range
    )
    offset: str = option(
        AUTO,
        "Frozen baseline under the Transformer: none, logistic, boosting; of a distribution none, distribution_linear. "
        "auto is distribution_linear, or none of a binary head.",
        one_of(AUTO, *OFFSETS),
    )
    instance_norm: str = option(
        "none",
        "none, or revin: each window's features lose their own mean and scale; pair it with an offset.",
        one_of(*INSTANCE_NORMS),
    )
    blend: str = option("none", "none, or a baseline and its share in the logit of every model: boosting:0.5.", blended)
    first_epoch: str = option(
        AUTO,
        "First epoch that can be the best of a model with an offset: 0 is the model before it is trained; auto is 0.",
        one_of(AUTO, "0", "1"),
    )
    init: str = option(
        AUTO, "How weights start: fan_in, or normal (0.02 at any width); auto is fan_in.", one_of(AUTO, *INITS)
    )
    width_rates: str = option(
        AUTO,
        "Whether a matrix learns at the rate times 64 over its inputs: fan_in, or none; auto is fan_in of a "
        "distribution from 20M parameters on, or what a study has that is there.",
        one_of(AUTO, *WIDTH_RATES),
    )
    keep: str = option(
        AUTO,
        "Best finished trials whose weights stay, or all; those of others go as soon as they lose, records never. auto "
        "is 5, or what a study that is there has: all, if older code made it.",
        kept_trials,
    )
    finalists: int = option(
        0,
        "Trials, at most, that can't be told from the best and are trained again when the study is complete, with two "
        "further seeds (twice --seeds); the claim is made on them. 0 is none.",
        partial(whole_number, least=0),
    )
    study: str = option("", "Name; empty is made from ticker, target, budget, tier and dataset.", study_name)
    tracking_uri: str = option("", "MLflow's store; empty is MLFLOW_TRACKING_URI or mlruns/mlflow.db.")
    storage: str = option("", "Optuna's store; empty is PATCHSCALE_STORAGE or optuna.db beside MLflow's.")
    device: str = option("auto", "auto, cpu, cuda (NVIDIA) or mps (Apple); auto takes what is there.", known_device)
    engine: str = option(
        "local", "Where trials run: local, worker processes of this machine; or ray, a cluster.", one_of("local", "ray")
    )
    address: str = option(
        "", "Of the Ray cluster: auto, or HOST:PORT; empty is RAY_ADDRESS, else Ray is started on this machine alone."
    )
    gpus_per_trial: float = option(
        "0", "Share of a GPU that Ray keeps for each trial: 1, or 0.25 for four on one; 0 is the CPU.", gpu_share
    )

    def __post_init__(self) -> None:
        _ = self.size, self.axes, self.target, self.training, rise("threshold", str(self.threshold))
        _ = self.patience_epochs, self.pruner_name

    @property
    def size(self) -> Budget:
        """Budget with its tolerance."""
        return Budget(text=self.budget, tolerance=self.tolerance)

    @property
    def axes(self) -> Axes:
        """Axes of the grid; an empty one stands for the standard values of the budget."""
        return Axes(**{name: getattr(self, name) for name in ALL_AXES}, min_head_dim=self.min_head_dim)

    @property
    def patience_epochs(self) -> int:
        """Patience of every trial: none of folds, whose days may choose no epoch."""
        if self.folds and self.patience:
            raise InputError(
                f"patience must be 0 with folds, or their own days would choose the epoch, got {self.patience}; leave "
                "--patience out and name --max-epochs"
            )
        usual = 0 if self.folds else USUAL_PATIENCE
        return usual if self.patience is None else self.patience

    @property
    def pruner_name(self) -> str:
        """What stops trials early."""
        fitting = (WILCOXON, NO_PRUNER) if self.folds else (MEDIAN, NO_PRUNER)
        if self.pruner not in (AUTO, *fitting):
            what = "with folds" if self.folds else "without --folds"
            raise InputError(f"pruner must be one of {AUTO}, {', '.join(fitting)} {what}, got {self.pruner!r}")
        return fitting[0] if self.pruner == AUTO else self.pruner

    @property
    def named_settings(self) -> tuple[str, ...]:
        """Options that were given of those settings which a study that is there keeps if they are not."""
        rates = () if self.width_rates == AUTO else ("width_rates",)
        return (*(name for name in WINDOW_AXES if getattr(self, name)), *self.training, *rates)

    @property
    def training(self) -> dict[str, Range]:
        """What is asked of the training settings that can be searched."""
        asked = {name: getattr(self, name) for name in LIMITS}
        return {name: parse_range(name, text) for name, text in asked.items() if text != AUTO}

    @property
    def target(self) -> Target:
        """What is forecast."""
        return Target(horizon=self.horizon, threshold=self.threshold)
