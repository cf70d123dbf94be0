"""Many figures side by side: forces, months, small cells. Array functions; nothing here knows a tally.

Each takes keyword arguments only and returns a small named result.
"""

from disprop.screening.adjusted import adjusted_p, rate_ratio_p
from disprop.screening.alarms import Alarm, false_alarm_level, rate_alarm, share_alarm
from disprop.screening.breaks import ChangePoint, change_point
from disprop.screening.change import months_to_precision, ratio_change_interval
from disprop.screening.funnel import (
    FunnelLimits,
    Points,
    funnel_limits,
    natural,
    proportion_points,
    rate_points,
    rate_ratio_points,
)
from disprop.screening.lines import Lines, sd_lines
from disprop.screening.ranks import Ranks, rank_interval
from disprop.screening.shrinkage import Shrunken, shrunken_proportion_interval, shrunken_rate_interval

__all__ = [
    "Alarm",
    "ChangePoint",
    "FunnelLimits",
    "Lines",
    "Points",
    "Ranks",
    "Shrunken",
    "adjusted_p",
    "change_point",
    "false_alarm_level",
    "funnel_limits",
    "months_to_precision",
    "natural",
    "proportion_points",
    "rank_interval",
    "rate_alarm",
    "rate_points",
    "rate_ratio_p",
    "rate_ratio_points",
    "ratio_change_interval",
    "sd_lines",
    "share_alarm",
    "shrunken_proportion_interval",
    "shrunken_rate_interval",
]
