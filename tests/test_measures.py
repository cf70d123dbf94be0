"""The table of measures: each is found by its name, and its rows have every column."""

import pytest

from disprop.errors import UsageError
from disprop.measures import MEASURES, measure
from disprop.results import COLUMNS
from tests.invent import (
    EVERYWHERE,
    with_force_used,
    with_places,
    with_possession,
    with_video,
)
from tests.kent import counted, kent


def test_every_result_has_every_column_in_order():
    some = with_force_used(with_video(with_possession(with_places(kent(500)))))
    for spec in (spec for spec in MEASURES.values() if spec.kind == "search"):
        tally = counted(some, *spec.axes)
        arguments = [tally, EVERYWHERE] if spec.population else [tally]
        options = {"by": ["force", "ethnicity_self"]} if "by" in spec.parameters else {"vintage": "2021_22"}
        frame = spec(*arguments, **options)
        assert list(frame.columns[-len(COLUMNS) :]) == [column.name for column in COLUMNS]
        assert len(frame)


def test_an_unknown_measure_is_named():
    with pytest.raises(UsageError, match="did you mean 'rate_ratio'"):
        measure("rate_rato")
