"""Places to areas: files decoded, places looked up, distances in metres, records with areas, and what is refused."""

import json
import random
import sys

import numpy as np
import pyarrow as pa
import pytest

import disprop as dp
from disprop.areas import (
    NEAR_NOTE,
    NO_PLACE_NOTE,
    OUTSIDE_NOTE,
    PLACED_NOTE,
    Boundaries,
    metres,
    place,
    read_boundaries,
    with_areas,
)
from disprop.errors import InputRefused, UsageError
from tests.invent import many
from tests.sources import Rows
from tests.strata import naive

# Three areas about 52.5 north: two squares side by side, and a far one with a hole in which a fourth area lies.
LEFT = [(-1.95, 52.50), (-1.90, 52.50), (-1.90, 52.53), (-1.95, 52.53), (-1.95, 52.50)]
RIGHT = [(-1.90, 52.50), (-1.85, 52.50), (-1.85, 52.53), (-1.90, 52.53), (-1.90, 52.50)]
ROUND = [(-3.2, 51.4), (-3.0, 51.4), (-3.0, 51.6), (-3.2, 51.6), (-3.2, 51.4)]
INSIDE = [(-3.15, 51.45), (-3.05, 51.45), (-3.10, 51.55), (-3.15, 51.45)]
OUTLINES = {"E01000001": [LEFT], "E01000002": [RIGHT], "W06000001": [ROUND, INSIDE], "W06000002": [INSIDE]}
NAMES = {"E01000001": "Left", "E01000002": "Right", "W06000001": "Round", "W06000002": "Inside"}


def feature(code, rings, **properties):
    named = {"LAD22CD": code, "LAD22NM": NAMES[code], **properties}
    return {"type": "Feature", "properties": named, "geometry": {"type": "Polygon", "coordinates": rings}}


def geojson(**more):
    features = [feature(code, rings) for code, rings in OUTLINES.items()]
    return {"type": "FeatureCollection", "features": features, **more}


def topojson():
    """The same outlines, the side shared by left and right stored once, in whole steps of a hundredth of a degree."""
    shared = [(-1.90, 52.50), (-1.90, 52.53)]
    west = [(-1.90, 52.53), (-1.95, 52.53), (-1.95, 52.50), (-1.90, 52.50)]
    east = [(-1.90, 52.50), (-1.85, 52.50), (-1.85, 52.53), (-1.90, 52.53)]
    polygons = {"E01000001": [[2, 0]], "E01000002": [[3, ~0]], "W06000001": [[4], [~1]], "W06000002": [[1]]}
    geometries = [
        {"type": "Polygon", "arcs": arcs, "properties": {"areacd": code, "areanm": NAMES[code]}}
        for code, arcs in polygons.items()
    ]
    geometries[3] |= {"type": "MultiPolygon", "arcs": [geometries[3]["arcs"]]}
    geometries.append({"type": None, "properties": {"areacd": "E01000009", "areanm": "No outline"}})
    return {
        "type": "Topology",
        "transform": {"scale": [0.01, 0.01], "translate": [-4.0, 51.0]},
        "arcs": [steps(arc) for arc in (shared, INSIDE, west, east, ROUND)],
        "objects": {"areas": {"type": "GeometryCollection", "geometries": geometries}},
    }


def steps(arc):
    whole = [(round((x + 4.0) * 100), round((y - 51.0) * 100)) for x, y in arc]
    return [list(whole[0])] + [[b[0] - a[0], b[1] - a[1]] for a, b in zip(whole, whole[1:])]


def written(tmp_path, document):
    path = tmp_path / "areas.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture
def boundaries(tmp_path):
    return read_boundaries(written(tmp_path, geojson()))


def looked_up(boundaries, points):
    longitude, latitude = np.array(points, dtype=float).T
    found = place(boundaries, latitude=latitude, longitude=longitude)
    return [boundaries.codes[i] if i >= 0 else None for i in found.area], found.near.tolist()


# reading


def test_codes_and_names(boundaries):
    assert dict(zip(boundaries.codes, boundaries.names)) == NAMES
    assert len(boundaries) == 4
    assert len(boundaries.digest) == 64


def test_topojson_gives_the_same_shapes(boundaries, tmp_path):
    decoded = read_boundaries(written(tmp_path, topojson()))
    assert decoded.codes == boundaries.codes
    assert decoded.names == boundaries.names
    for one, other in zip(decoded.shapes, boundaries.shapes):
        assert one.symmetric_difference(other).area < 1e-3 * one.length


def test_a_topology_without_a_transform_and_with_one_geometry(tmp_path):
    geometry = {"type": "Polygon", "arcs": [[0]], "properties": {"AREACD": "E01000001"}}
    document = {"type": "Topology", "arcs": [LEFT], "objects": {"only": geometry}}
    found = read_boundaries(written(tmp_path, document))
    assert (found.codes, found.names) == (("E01000001",), ("E01000001",))


def test_the_property_with_the_code_may_be_named(tmp_path):
    document = geojson()
    for i, one in enumerate(document["features"]):
        one["properties"]["old"] = f"E0900000{i}"
    with pytest.raises(UsageError, match="LAD22CD and old could all be"):
        read_boundaries(written(tmp_path, document))
    assert read_boundaries(written(tmp_path, document), code="old").codes[0] == "E09000000"
    assert read_boundaries(written(tmp_path, document), code="LAD22CD").names[0] == "Left"


@pytest.mark.parametrize(
    ("document", "error", "message"),
    [
        ("{", InputRefused, "cannot be read as TopoJSON or GeoJSON"),
        ("[]", InputRefused, "'list'"),
        ({"type": "Feature"}, InputRefused, "'Feature'; give TopoJSON"),
        ({"type": "FeatureCollection", "features": []}, InputRefused, "no area with an outline"),
        ({"type": "Topology", "arcs": [], "objects": {"a": {"type": "Polygon", "arcs": [[3]]}}}, InputRefused, "Index"),
        (geojson(crs={"properties": {"name": "urn:ogc:def:crs:EPSG::27700"}}), InputRefused, "British National Grid"),
    ],
)
def test_what_is_not_boundaries_in_degrees_is_refused(tmp_path, document, error, message):
    with pytest.raises(error, match=message):
        read_boundaries(written(tmp_path, document))


def test_metres_are_refused(tmp_path):
    document = geojson()
    document["features"][0]["geometry"]["coordinates"] = [[(400_000, 290_000), (410_000, 290_000), (400_000, 300_000)]]
    with pytest.raises(InputRefused, match="in degrees"):
        read_boundaries(written(tmp_path, document))


def test_numbers_that_are_none_are_refused(tmp_path):
    text = json.dumps(geojson()).replace("-1.95", "NaN", 1)
    with pytest.raises(InputRefused, match="not numbers"):
        read_boundaries(written(tmp_path, text))


def test_a_map_of_hexagons_is_refused(tmp_path):
    document = geojson()
    for i, one in enumerate(document["features"]):
        turn = np.linspace(0, 2 * np.pi, 7)
        one["geometry"]["coordinates"] = [np.column_stack([np.cos(turn) + 2 * i, np.sin(turn)]).tolist()]
    with pytest.raises(InputRefused, match="hexagons"):
        read_boundaries(written(tmp_path, document))


def test_codes_that_are_missing_or_there_twice_are_refused(tmp_path):
    document = geojson()
    with pytest.raises(UsageError, match=r"not every area has 'LAD23CD'; it has LAD22CD, LAD22NM"):
        read_boundaries(written(tmp_path, document), code="LAD23CD")
    document["features"][1]["properties"]["LAD22CD"] = "E01000001"
    with pytest.raises(UsageError, match="none of LAD22CD, LAD22NM holds"):
        read_boundaries(written(tmp_path, document))
    with pytest.raises(InputRefused, match="E01000001 for two areas"):
        read_boundaries(written(tmp_path, document), code="LAD22CD")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputRefused, match=r"nowhere\.json cannot be read"):
        read_boundaries(tmp_path / "nowhere.json")


def test_without_shapely_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(UsageError, match=r"disprop\[areas\]"):
        read_boundaries(written(tmp_path, geojson()))


# looking up


def test_places_against_turning_round_them(boundaries):
    rng = random.Random(1)
    points = [(rng.uniform(-1.96, -1.84), rng.uniform(52.49, 52.54)) for _ in range(300)]
    points += [(rng.uniform(-3.25, -2.95), rng.uniform(51.35, 51.65)) for _ in range(300)]
    wanted, near = zip(*(slow_place(point) for point in points))
    assert looked_up(boundaries, points) == (list(wanted), list(near))
    assert {*wanted} == {*OUTLINES, None}
    assert sum(near) > 3


def slow_place(point):
    """Area by the angles under which its outline is seen, else the nearest within 50 m; and whether two are so near."""
    away = {}
    for code, (outer, *holes) in OUTLINES.items():
        inside = naive.winding(point, outer) and not any(naive.winding(point, hole) for hole in holes)
        away[code] = 0.0 if inside else min(to_ring(point, ring) for ring in (outer, *holes))
    reach = {code: metres for code, metres in away.items() if metres <= 50}
    return (min(reach, key=reach.get) if reach else None), len(reach) > 1


def to_ring(point, ring):
    if min(naive.metres_between(point, corner) for corner in ring) > 30_000:
        return 30_000.0
    return min(naive.metres_to_segment(point, one, other) for one, other in zip(ring, ring[1:]))


def test_distances_are_those_of_the_sphere_to_3_in_1000():
    rng = np.random.default_rng(2)
    longitude, latitude = rng.uniform(-5.7, 1.75, 200), rng.uniform(49.9, 55.8, 200)
    other = longitude + rng.uniform(-1e-3, 1e-3, 200), latitude + rng.uniform(-1e-3, 1e-3, 200)
    ours = np.hypot(*(metres(*other) - metres(longitude, latitude)).T)
    theirs = [
        naive.metres_between((x, y), (u, v)) for x, y, u, v in zip(longitude, latitude, *other)
    ]  # a sphere of 6,371 km
    assert ours == pytest.approx(np.array(theirs) * 6_384 / 6_371, rel=1e-3)


def test_corners_decided_in_prose(boundaries):
    metre = 1 / 67_900  # of longitude, about 52.5 north
    points = [
        (-1.90, 52.51),  # on the line: the first code has it
        (-1.90 - 49 * metre, 52.51),
        (-1.90 - 51 * metre, 52.51),
        (-1.95 - 49 * metre, 52.51),  # off the coast, within reach
        (-1.95 - 51 * metre, 52.51),
        (np.nan, 52.51),
        (-1.92, np.nan),
        (-1.95 + 10 * metre, 52.51),  # near the sea is not near an edge
    ]
    left = "E01000001"
    assert looked_up(boundaries, points) == (
        [left, left, left, left, None, None, None, left],
        [True, True, False, False, False, False, False, False],
    )
    assert looked_up(boundaries, np.empty((0, 2))) == ([], [])


def test_each_distinct_place_is_looked_up_once(boundaries, monkeypatch):
    import disprop.areas

    seen = []
    monkeypatch.setattr(disprop.areas, "metres", lambda x, y: seen.append(len(x)) or metres(x, y))
    looked_up(boundaries, [(-1.92, 52.51), (-1.93, 52.51)] * 500)
    assert seen == [2]


# records with areas


class Places(Rows):
    """Rows that also bring coordinates."""

    def batches(self, columns=None):
        start = 0
        for batch in super().batches(columns):
            rows = self.rows[start : start + batch.num_rows]
            start += batch.num_rows
            for name in ("latitude", "longitude"):
                batch = batch.append_column(name, pa.array([row.get(name) for row in rows], pa.float64()))
            yield batch


PLACES = [(-1.92, 52.51), (-1.9001, 52.51), (-1.88, 52.51), (0.5, 52.0), (None, None)]


def records(n=60):
    rows = many(n, search_type="Person search", force=("kent", "west-midlands"))
    return [
        {**row, "longitude": PLACES[i % 5][0], "latitude": PLACES[i % 5][1], "area": "E99999999"}
        for i, row in enumerate(rows)
    ]


def test_records_get_the_area_of_their_place(boundaries):
    tally = dp.tally(with_areas(Places(records(), batch_rows=7), boundaries), by=["area"])
    assert tally.axis("area").codes == ("E01000001", "E01000002", "blank", "unmapped")
    assert tally.project(["area"]).counts.tolist() == [24, 12, 12, 12]
    assert tally.axis("area").groups == ("E01000001", "E01000002")
    assert dict(tally.account.notes) == {PLACED_NOTE: 36, NEAR_NOTE: 12, OUTSIDE_NOTE: 12, NO_PLACE_NOTE: 12}


def test_nothing_else_changes(boundaries):
    plain, placed = Places(records()), with_areas(Places(records()), boundaries)
    assert dp.tally(placed, by=["gender"]) == dp.tally(plain, by=["gender"])
    assert (placed.kind, placed.unit, placed.dataset, placed.scheme) == ("search", "searches", "police.uk", "police.uk")
    assert placed.intake_table() is None
    assert all("area" in batch.schema.names for batch in placed.batches())


def test_batches_do_not_change_areas(boundaries):
    whole = dp.tally(with_areas(Places(records()), boundaries), by=["area", "gender"])
    assert dp.tally(with_areas(Places(records(), batch_rows=3), boundaries), by=["area", "gender"]) == whole


def test_a_source_without_coordinates_has_no_places(boundaries):
    tally = dp.tally(with_areas(Rows(records()), boundaries), by=["area"])
    assert tally.axis("area").codes == ("blank",)


def test_boundaries_show_what_they_are(boundaries):
    assert repr(boundaries) == "<Boundaries of 4 areas, E01000001 to W06000002>"
    assert isinstance(boundaries, Boundaries)
