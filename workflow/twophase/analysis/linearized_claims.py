"""Claims about linearized training, which follows the tangent of the network from a switch on."""

from math import inf, nan

from twophase.analysis.claim import claim, trained_for
from twophase.analysis.statistics import Means

BETTER = 0.005  # share of the test set by which one accuracy is above another


@claim(
    name="later switch, higher accuracy",
    text="The later the switch, the higher the accuracy of linearized training.",
    definition="test accuracy from the last switch minus that from the first",
    paper="Figure 6",
    holds=(BETTER, inf),
    unit="of the test set",
    figure="fig6",
    needs=("linearized",),
    after_inflection=False,
)
def gain_of_switch(m: Means) -> float:
    return m.accuracy[-1] - m.accuracy[0]


@claim(
    name="above all past 2000",
    text="Accuracy rises most once the switch is past iteration 2000.",
    definition="test accuracy from the last switch minus that from the last switch up to iteration 2000",
    paper="Figure 6; workshop paper, Figure 2",
    holds=(BETTER, inf),
    unit="of the test set",
    figure="wfig2",
    needs=("linearized",),
    after_inflection=False,
    decidable=trained_for(4000),
)
def gain_past_2000(m: Means) -> float:
    before, after = m.accuracy[m.switches <= 2000], m.accuracy[m.switches > 2000]
    return after[-1] - before[-1] if len(before) and len(after) else nan


@claim(
    name="nonlinear beats linearized",
    text="Standard training beats training linearized at initialisation.",
    definition="test accuracy of the base run minus that from the first switch",
    paper="Figure 6",
    holds=(BETTER, inf),
    unit="of the test set",
    figure="fig6",
    needs=("linearized", "standard"),
    after_inflection=False,
)
def lead_of_standard(m: Means) -> float:
    return m.standard - m.accuracy[0]


@claim(
    name="cone beats linearized",
    text="Training within the cone still beats linearized training.",
    definition="test accuracy of the base run minus that from the first switch after t*",
    paper="Figure 6",
    holds=(BETTER, inf),
    unit="of the test set",
    figure="fig6",
    needs=("chaos", "linearized", "standard"),
)
def lead_of_cone(m: Means) -> float:
    late = m.accuracy[m.switches > m.inflection]
    return m.standard - late[0] if len(late) else nan
