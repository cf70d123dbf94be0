"""From mapped parts to tallies in one pass: meaning bound late, rules folded into the look-ups, parts skipped.

`plan` says what is read and added up where, `arrays` says it to the kernels, `count` counts. The slow road
(`disprop.plan`, batch by batch) is the truth that this one is tested against: every tally here equals the one counted
there from the same source, to the last cell, part and note of the account.
"""

from disprop.fused.count import count_fused, describe
from disprop.fused.plan import FORCE_RULE, PERIOD_RULE, VEHICLE_RULE, FusedPlan, plan_fused

__all__ = ["FORCE_RULE", "PERIOD_RULE", "VEHICLE_RULE", "FusedPlan", "count_fused", "describe", "plan_fused"]
