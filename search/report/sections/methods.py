"""Section: what the page does not show, how it was made, and with which versions."""

from __future__ import annotations

from search.evidence.difference import errors_to_detect
from search.evidence.long_run import difference_cosines, level_in_words
from search.report.inputs.study_inputs import StudyInputs
from search.report.layout.blocks import Section, Text
from search.report.statistics.measure import Statistics, blocks_in_words
from search.results.class_counts import MIN_CLASS_DAYS

REFERENCES = (
    "Lazarus, Lewis, Stock and Watson (2018), HAR inference, JBES 36. Diebold and Mariano (1995), Comparing predictive "
    "accuracy, JBES 13. DeLong, DeLong and Clarke-Pearson (1988), Comparing the areas, Biometrics 44. "
    "Politis and Romano (1994), The stationary bootstrap, JASA 89. Politis and White (2004) and Patton, Politis and "
    "White (2009), Automatic block-length selection for the dependent bootstrap, Econometric Reviews 23 and 28. Hansen "
    "(2005), A test for superior predictive ability, JBES 23. Romano and Wolf (2005), Stepwise multiple testing as "
    "formalized data snooping, Econometrica 73. Hansen, Lunde and Nason (2011), The model confidence set, Econometrica "
    "79. Tsamardinos, Greasidou and Borboudakis (2018), Bootstrapping the out-of-sample predictions, Machine Learning "
    "107. Bailey, Borwein, López de Prado and Zhu (2017), The probability of backtest overfitting, Journal of "
    "Computational Finance 20. Watanabe, Bansal and Hutter (2023), PED-ANOVA, IJCAI. Hutter, Hoos and Leyton-Brown "
    "(2014), An efficient approach for assessing hyperparameter importance, ICML. Murphy (1973), A new vector "
    "partition of the probability score. Wilson (1927), Probable inference."
)

COVERAGE = (
    "Where the log-odds of forecasts and outcomes remember a month (autocorrelation 0.97 a day), nominal 95 % "
    "intervals held the truth in 92 to 95 % of simulations on 502 days and in 95 % on 2,000; on 250 days those of the "
    "log loss in 89 %, so read them as narrower than they should be. A block bootstrap's, which stood here before, "
    "held it in 76 to 86 % on 502 days. Intervals of shares, thresholds and shapes are still a bootstrap's."
)


def methods_section(inputs: StudyInputs, measured: Statistics) -> Section:
    """Say what is not shown, and list methods and versions."""
    plan = inputs.plan
    n_days = len(inputs.forecasts.y_D)
    n_cosines = difference_cosines(n_days, plan.target.horizon)
    versions = ", ".join(f"{library} {version}" for library, version in sorted(inputs.libraries.items()))
    blocks = (
        Text(
            text=f"This page does not show: the test split from {plan.split.test_start} on, which only patchscale "
            "evaluate opens; other seeds of the same setting, so the luck of initial weights is part of every figure; "
            "costs of trading, or whether a probability can be earned with; days after the validation split; settings "
            "that were tried in other studies on the same days."
        ),
        Text(
            text=f"Bootstrap: stationary, days drawn {blocks_in_words(measured.block)} (block length optimal for the "
            f"outcomes, at least a month and the horizon of {plan.target.horizon}), for shares of days, "
            f"thresholds and shapes {measured.n_resamples:,} resamples, for tests of many models at most 1,000; seed 0."
            " Log loss is in nats a day.",
            tone="method",
        ),
        Text(
            text=f"Intervals of scores: {level_in_words(n_days)}; of paired differences, and their p-values, by "
            f"{n_cosines} cosines. They depend on a model's own days and outcomes, not on which others stand beside "
            f"it; none below {MIN_CLASS_DAYS} days of a class. Smallest detectable: {errors_to_detect(n_cosines):.2f} "
            f"standard errors, as Student's t with {n_cosines} degrees of freedom asks.",
            tone="method",
        ),
        Text(text=COVERAGE, tone="method"),
        Text(text=f"References: {REFERENCES}", tone="method"),
        Text(text=f"Versions that the trials were made with: {versions}.", tone="method"),
        *([Text(text=f"Nothing here needs them: {inputs.weights}.", tone="method")] if inputs.weights else []),
    )
    return Section(
        slug="methods", title="What this page does not show, and how it was made", short="Methods", blocks=blocks
    )
