"""Invented forces with known truth: records in the public format, made from a seed, and encounters with all their
records.

Everything made here is SYNTHETIC: the dataset is named `synthetic`, the force's label says that it is invented, and the
truth that the records were drawn from is exported beside them.
"""

from disprop.synthetic.encounters import Encounters, EncounterTruth, make_encounters
from disprop.synthetic.expected import implied
from disprop.synthetic.extracts import write_encounters
from disprop.synthetic.inspected import make_inspected
from disprop.synthetic.noise import CLEAN, MILD, Noise
from disprop.synthetic.records import NOTICE, YEAR, make_records, write_police_uk
from disprop.synthetic.residents import population
from disprop.synthetic.truth import Reason, Truth, default_truth, make_forces

__all__ = [
    "CLEAN",
    "MILD",
    "NOTICE",
    "YEAR",
    "EncounterTruth",
    "Encounters",
    "Noise",
    "Reason",
    "Truth",
    "default_truth",
    "implied",
    "make_encounters",
    "make_forces",
    "make_inspected",
    "make_records",
    "population",
    "write_encounters",
    "write_police_uk",
]
