"""What is true of an invented force: the probabilities that its records are drawn from.

Nothing here describes a real place or a real force. The sizes are of the order met in public records, so that a
report made from them looks like a report, and every value is exported beside the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from disprop.errors import UsageError

DRUGS = "Controlled drugs"
SECTION_60 = "Criminal Justice and Public Order Act 1994 (section 60)"
_PACE = "Police and Criminal Evidence Act 1984 (section 1)"
_DRUGS = "Misuse of Drugs Act 1971 (section 23)"

NOT_STATED_LABEL = "Other ethnic group - Not stated"
NO_ACTION = "A no further action disposal"
ROMA, OTHER_WHITE = "White: Roma", "White - Any other White background"

RATIO_SPREAD = 0.25
"""Standard deviation of the log rate ratio between invented forces (`make_forces`)."""


@dataclass(frozen=True)
class Reason:
    """One way to be searched: the item looked for, the power, its share, and how its find rate compares.

    Shares add to 1 over the reasons under suspicion, and again over those under section 60.
    """

    object: str
    legislation: str
    share: float
    find_factor: float


@dataclass(frozen=True)
class Truth:
    """The full truth of one invented force. Probabilities lie between 0 and 1; shares add to 1.

    force, name: code and label; the label says that the force is invented.
    residents: people by ethnic group, then by the label under which police.uk publishes their self-defined ethnicity
        (for Roma people the Census label, as police.uk has none).
    rate: searches of a person per 1,000 residents and year, by group, whether or not the record states the group.
    season: factor by calendar month, January first, mean 1.
    month_dispersion: d in Var(count) = mu + d mu^2 of each group's month (gamma month effects, apart for each group).
    vehicle_only: share of all searches in which no person was searched; `vehicle_only_with_person` of these carry
        details of a person all the same, as some real ones do.
    with_vehicle: share of searches of a person in which a vehicle was searched too.
    not_stated: probability that the self-defined ethnicity is not stated, by *true* group: it is not at random.
    perceived: officer-defined ethnicity by true group, among those filled in.
    gender, age_band, hour: shares, the same for every group; `hour` is of the local clock, midnight first.
    section_60: share of each group's searches made without suspicion under section 60.
    reasons: see Reason.
    find_rate: probability that the item searched for is found, by group, where the reason's factor is 1.
    found_no_action: share of finds that end in no further action all the same.
    other_outcome: probability of a positive outcome though the item searched for was not found.
    outcomes_found, outcomes_other: shares of the positive outcomes after a find, and otherwise.
    linked_blank_positive, linked_blank_no_action: probability that the linked flag is blank where the record has a
        positive outcome, and where it has none.
    more_thorough: probability that more than outer clothing was removed, by group, times `more_thorough_age`.
    on_video: probability that the search was recorded on video, by group (known values).
    possession_only: probability that a search for controlled drugs was for possession alone (known values); whether
        anything is found does not hang on it.
    operation: probability that the search was part of a policing operation (known values).
    blank: probability that a column is blank, at random, apart from what is said above; `place` is the coordinates.
    """

    force: str
    name: str
    residents: Mapping[str, Mapping[str, int]]
    rate: Mapping[str, float]
    season: tuple[float, ...]
    month_dispersion: float
    vehicle_only: float
    vehicle_only_with_person: float
    with_vehicle: float
    not_stated: Mapping[str, float]
    perceived: Mapping[str, Mapping[str, float]]
    gender: Mapping[str, float]
    age_band: Mapping[str, float]
    hour: tuple[float, ...]
    section_60: Mapping[str, float]
    reasons: tuple[Reason, ...]
    find_rate: Mapping[str, float]
    found_no_action: float
    other_outcome: float
    outcomes_found: Mapping[str, float]
    outcomes_other: Mapping[str, float]
    linked_blank_positive: float
    linked_blank_no_action: float
    more_thorough: Mapping[str, float]
    more_thorough_age: Mapping[str, float]
    on_video: Mapping[str, float]
    possession_only: float
    operation: float
    blank: Mapping[str, float]

    @property
    def groups(self) -> tuple[str, ...]:
        """The ethnic groups, the reference group first."""
        return tuple(self.residents)

    def group_residents(self, group: str) -> int:
        return sum(self.residents[group].values())

    def reason_shares(self, group: str) -> tuple[float, ...]:
        """Share of each reason among the group's searches."""
        without = self.section_60[group]
        return tuple(r.share * (without if r.legislation == SECTION_60 else 1 - without) for r in self.reasons)

    def self_defined_shares(self, group: str) -> dict[str, float]:
        """Share of each published label among the group's stated ones.

        police.uk publishes no label for Roma people: their records carry the label for any other White background.
        """
        shares: dict[str, float] = {}
        for label, residents in self.residents[group].items():
            published = OTHER_WHITE if label == ROMA else label
            shares[published] = shares.get(published, 0.0) + residents / self.group_residents(group)
        return shares


def default_truth() -> Truth:
    """Syntheticshire: about 20,000 searches a year.

    As recorded, the rate ratio against White is about 3 for Black, 2 for Mixed, 1.6 for Asian and 1 for Other people,
    the last with few records. About one search in eight states no ethnicity, more often for Black people, so that the
    true ratios are higher than the recorded ones.

    >>> truth = default_truth()
    >>> truth.name, truth.group_residents("Black")
    ('Syntheticshire (invented)', 96000)
    """
    return Truth(
        force="synthetic-shire",
        name="Syntheticshire (invented)",
        residents=_RESIDENTS,
        rate={"White": 7.8, "Mixed": 16.0, "Asian": 13.1, "Black": 25.4, "Other": 8.3},
        season=(1.02, 1.0, 1.08, 0.98, 1.04, 1.0, 0.97, 0.93, 0.96, 1.04, 1.06, 0.92),
        month_dispersion=0.004,
        vehicle_only=0.024,
        vehicle_only_with_person=0.08,
        with_vehicle=0.22,
        not_stated={"White": 0.10, "Mixed": 0.12, "Asian": 0.14, "Black": 0.17, "Other": 0.15},
        perceived=_PERCEIVED,
        gender={"Male": 0.893, "Female": 0.105, "Other": 0.002},
        age_band={"under 10": 0.001, "10-17": 0.195, "18-24": 0.345, "25-34": 0.245, "over 34": 0.214},
        hour=_HOUR,
        section_60={"White": 0.004, "Mixed": 0.012, "Asian": 0.010, "Black": 0.020, "Other": 0.006},
        reasons=_REASONS,
        find_rate={"White": 0.228, "Mixed": 0.223, "Asian": 0.220, "Black": 0.214, "Other": 0.222},
        found_no_action=0.04,
        other_outcome=0.05,
        outcomes_found=_OUTCOMES_FOUND,
        outcomes_other=_OUTCOMES_OTHER,
        linked_blank_positive=0.06,
        linked_blank_no_action=0.30,
        more_thorough={"White": 0.036, "Mixed": 0.042, "Asian": 0.040, "Black": 0.050, "Other": 0.036},
        more_thorough_age={"under 10": 0.0, "10-17": 0.5, "18-24": 1.2, "25-34": 1.15, "over 34": 0.95},
        on_video={"White": 0.962, "Mixed": 0.955, "Asian": 0.958, "Black": 0.948, "Other": 0.960},
        possession_only=0.85,
        operation=0.03,
        blank=_BLANK,
    )


def make_forces(k: int) -> tuple[Truth, ...]:
    """`k` invented forces with known rate ratios that differ between them; the first is `default_truth()`.

    Sizes, levels and group shares are log-normal (standard deviations 0.5, 0.3 and 0.4 on the log scale); rate ratios
    against the reference group scatter about those of the first with RATIO_SPREAD. Force number i is the same
    whatever `k` is. Raises UsageError when k is below 1.

    >>> [truth.force for truth in make_forces(3)]
    ['synthetic-shire', 'synthetic-shire-2', 'synthetic-shire-3']
    """
    if k < 1:
        raise UsageError(f"{k} forces asked for; ask for at least 1")
    return (default_truth(), *(_variant(default_truth(), i) for i in range(2, k + 1)))


def _variant(truth: Truth, i: int) -> Truth:
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([i])))
    size, level = np.exp(rng.normal(0, (0.5, 0.3)))
    share = np.exp(rng.normal(0, 0.4, len(truth.groups)))
    ratio = np.exp(rng.normal(0, RATIO_SPREAD, len(truth.groups)))
    share[0], ratio[0] = 1.0, 1.0
    residents = {
        group: {label: round(n * float(size * s)) for label, n in labels.items()}
        for (group, labels), s in zip(truth.residents.items(), share)
    }
    rate = {group: float(level * r) * truth.rate[group] for group, r in zip(truth.groups, ratio)}
    force, name = f"{truth.force}-{i}", truth.name.replace(" (", f" {i} (")
    return replace(truth, force=force, name=name, residents=residents, rate=rate)


_RESIDENTS = {
    "White": {
        "White - English/Welsh/Scottish/Northern Irish/British": 1_460_000,
        "White - Irish": 20_000,
        "White - Gypsy or Irish Traveller": 2_000,
        ROMA: 3_000,
        OTHER_WHITE: 115_000,
    },
    "Mixed": {
        "Mixed/Multiple ethnic groups - White and Black Caribbean": 22_000,
        "Mixed/Multiple ethnic groups - White and Black African": 9_000,
        "Mixed/Multiple ethnic groups - White and Asian": 16_000,
        "Mixed/Multiple ethnic groups - Any other Mixed/Multiple ethnic background": 15_000,
    },
    "Asian": {
        "Asian/Asian British - Indian": 88_000,
        "Asian/Asian British - Pakistani": 106_000,
        "Asian/Asian British - Bangladeshi": 36_000,
        "Asian/Asian British - Chinese": 18_000,
        "Asian/Asian British - Any other Asian background": 42_000,
    },
    "Black": {
        "Black/African/Caribbean/Black British - Caribbean": 26_000,
        "Black/African/Caribbean/Black British - African": 54_000,
        "Black/African/Caribbean/Black British - Any other Black/African/Caribbean background": 16_000,
    },
    "Other": {
        "Other ethnic group - Arab": 4_500,
        "Other ethnic group - Any other ethnic group": 7_500,
    },
}

_PERCEIVED = {
    "White": {"White": 0.974, "Black": 0.006, "Asian": 0.009, "Other": 0.010, "Mixed": 0.001},
    "Mixed": {"White": 0.22, "Black": 0.48, "Asian": 0.15, "Other": 0.12, "Mixed": 0.03},
    "Asian": {"White": 0.03, "Black": 0.02, "Asian": 0.90, "Other": 0.049, "Mixed": 0.001},
    "Black": {"White": 0.017, "Black": 0.957, "Asian": 0.009, "Other": 0.013, "Mixed": 0.004},
    "Other": {"White": 0.35, "Black": 0.12, "Asian": 0.15, "Other": 0.375, "Mixed": 0.005},
}

_REASONS = (
    Reason(DRUGS, _DRUGS, 0.605, 1.11),
    Reason("Offensive weapons", _PACE, 0.150, 0.62),
    Reason("Stolen goods", _PACE, 0.090, 1.25),
    Reason("Article for use in theft", _PACE, 0.070, 0.85),
    Reason("Articles for use in criminal damage", _PACE, 0.025, 0.50),
    Reason("Evidence of offences under the Act", _PACE, 0.020, 1.00),
    Reason("Anything to threaten or harm anyone", _PACE, 0.016, 0.70),
    Reason("Firearms", "Firearms Act 1968 (section 47)", 0.009, 0.60),
    Reason("Fireworks", _PACE, 0.006, 0.50),
    Reason("Psychoactive substances", "Psychoactive Substances Act 2016 (s36(2))", 0.006, 1.00),
    Reason("Game or poaching equipment", "Poaching Prevention Act 1862 (section 2)", 0.003, 1.20),
    Reason("Offensive weapons", SECTION_60, 0.60, 0.22),
    Reason("Anything to threaten or harm anyone", SECTION_60, 0.40, 0.22),
)

_OUTCOMES_FOUND = {
    "Arrest": 0.46,
    "Community resolution": 0.27,
    "Khat or Cannabis warning": 0.10,
    "Summons / charged by post": 0.09,
    "Penalty Notice for Disorder": 0.05,
    "Caution (simple or conditional)": 0.03,
}

_OUTCOMES_OTHER = {
    "Arrest": 0.72,
    "Community resolution": 0.12,
    "Summons / charged by post": 0.08,
    "Penalty Notice for Disorder": 0.05,
    "Caution (simple or conditional)": 0.03,
}

_BLANK = {
    "operation": 0.02,
    "gender": 0.01,
    "age_band": 0.05,
    "ethnicity_self": 0.015,
    "ethnicity_officer": 0.03,
    "legislation": 0.008,
    "object": 0.012,
    "outcome": 0.008,
    "more_thorough": 0.05,
    "video_recorded": 0.03,
    "possession_only": 0.04,
    "place": 0.16,
}

_HOUR = (
    0.066, 0.054, 0.035, 0.020, 0.013, 0.008, 0.006, 0.007, 0.009, 0.016, 0.031, 0.040,
    0.047, 0.053, 0.058, 0.055, 0.056, 0.060, 0.058, 0.055, 0.062, 0.061, 0.064, 0.066,
)  # fmt: skip
