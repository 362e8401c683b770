"""All empirical claims of both papers, in the order of the scorecard."""

from twophase.analysis import fork_claims, kernel_claims, linearized_claims

CLAIMS = (
    fork_claims.same_noise,
    fork_claims.fall_of_c,
    fork_claims.smallest_c_before,
    fork_claims.smallest_growth_before,
    fork_claims.growth_after,
    fork_claims.largest_c_after,
    fork_claims.barrier_inside,
    fork_claims.barrier_elsewhere,
    fork_claims.disagreement_inside,
    fork_claims.disagreement_elsewhere,
    kernel_claims.slowing,
    kernel_claims.elbow_over_inflection,
    fork_claims.place_for_resnet20,
    fork_claims.place_for_vgg16,
    kernel_claims.late_step,
    kernel_claims.bound_over_bound,
    kernel_claims.largest_late_growth,
    kernel_claims.narrowing,
    linearized_claims.gain_of_switch,
    linearized_claims.gain_past_2000,
    linearized_claims.lead_of_standard,
    linearized_claims.lead_of_cone,
    kernel_claims.elbow,
    kernel_claims.slowing_over_halves,
    kernel_claims.growth_from_start,
)
