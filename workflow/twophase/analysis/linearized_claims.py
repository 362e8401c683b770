"""Claims about linearized training, which follows the tangent of the network from a switch on."""

from math import inf, nan

import numpy as np

from twophase.analysis import gains
from twophase.analysis.claim import claim, trained_for
from twophase.analysis.statistics import Means


@claim(
    name="later switch, higher accuracy",
    text="The later the switch, the higher the accuracy of linearized training.",
    definition="Kendall's rank correlation of test accuracy with the switch, over all switches",
    paper="Figure 6",
    holds=(gains.GENERALLY, inf),
    bound=gains.WHY_GENERALLY,
    figure="fig6",
    needs=("linearized",),
)
def order_of_accuracy(m: Means) -> float:
    return gains.kendall(m.switches, m.accuracy)


@claim(
    name="later switch, lower loss",
    text="The later the switch, the lower the loss of linearized training.",
    definition="Kendall's rank correlation of test loss with the switch, over all switches",
    paper="Figure 6",
    holds=(-inf, -gains.GENERALLY),
    bound=gains.WHY_GENERALLY,
    figure="fig6",
    needs=("linearized",),
)
def order_of_loss(m: Means) -> float:
    return gains.kendall(m.switches, m.loss)


@claim(
    name="above all past 2000",
    text="Accuracy rises most once the switch is past iteration 2000.",
    definition="share of the gain in test accuracy from the first switch to the last that comes past iteration 2000",
    paper="Figure 6; workshop paper, Figure 2",
    holds=(gains.ESPECIALLY, inf),
    bound="more than before it",
    unit="of the gain",
    figure="wfig2",
    needs=("linearized",),
    decidable=trained_for(4000),
)
def gain_past_2000(m: Means) -> float:
    return gains.share_of_gain_past(m.switches, m.accuracy)


@claim(
    name="nonlinear beats linearized",
    text="Standard training beats training linearized at initialisation.",
    definition="test accuracy of the base run minus that from the first switch",
    paper="Figure 6",
    holds=(gains.BETTER, inf),
    bound=gains.WHY_BETTER,
    unit="of the test set",
    figure="fig6",
    needs=("linearized", "standard"),
)
def lead_of_standard(m: Means) -> float:
    return m.standard - m.accuracy[0]


@claim(
    name="cone beats linearized",
    text="Training within the cone still beats linearized training.",
    definition="test accuracy of the base run minus that from the first switch after the kernel's bend",
    paper="Figure 6",
    holds=(gains.BETTER, inf),
    bound=gains.WHY_BETTER,
    unit="of the test set",
    figure="fig6",
    needs=("S", "linearized", "standard"),
)
def lead_of_cone(m: Means) -> float:
    late = m.accuracy[m.switches > m.kernel_elbow]
    return m.standard - late[0] if len(late) else nan


@claim(
    name="linearized training learns",
    text="Linearized training past the transition still improves the network that it starts from.",
    definition="test accuracy in the end less that at the switch; mean over switches past the kernel's bend",
    paper="Figure 6, assumed",
    holds=(gains.BETTER, inf),
    bound=gains.WHY_BETTER,
    unit="of the test set",
    figure="fig6",
    needs=("S", "linearized", "standard"),
)
def gain_over_switch(m: Means) -> float:
    gained = m.gains_over_switches()[m.switches > m.kernel_elbow]
    return float(np.nanmean(gained)) if np.isfinite(gained).any() else nan
