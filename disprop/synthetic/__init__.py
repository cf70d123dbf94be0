"""Invented forces with known truth: records in the public format, made from a seed.

Everything made here is SYNTHETIC: the dataset is named `synthetic`, the force's label says that it is invented, and the
truth that the records were drawn from is exported beside them.
"""

from disprop.synthetic.expected import implied
from disprop.synthetic.records import NOTICE, YEAR, make_records, write_police_uk
from disprop.synthetic.residents import population
from disprop.synthetic.truth import Reason, Truth, default_truth, make_forces

__all__ = [
    "NOTICE",
    "YEAR",
    "Reason",
    "Truth",
    "default_truth",
    "implied",
    "make_forces",
    "make_records",
    "population",
    "write_police_uk",
]
