"""Coordinates -> local authority, with boundaries that the user gives.

Files of data.police.uk name no area. A file of boundaries (TopoJSON or GeoJSON, longitude and latitude in degrees, as
the Office for National Statistics publishes them) turns the place of a search into the area that it lies in. Places
in public files are not where a search was made: the publisher moves each to the nearest of a fixed list of points.
So a search near the edge of an area may belong to the next one, and the share of such searches is counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from disprop.codelists import UNMAPPED
from disprop.errors import InputRefused, UsageError
from disprop.provenance import Account

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

NEAR_METRES = 50.0
"""Within this distance of another area a place is near an edge."""

EARTH_METRES = 6_384_000.0
"""Mean radius of curvature of the Earth at the latitudes of England and Wales: distances here are good to 0.3%."""
MERIDIAN = -2.0

NO_PLACE_NOTE = "area: no coordinates"
OUTSIDE_NOTE = "area: coordinates in no area"
PLACED_NOTE = "area: placed in an area"
NEAR_NOTE = "area: placed within 50 m of another area"

_ONS_CODE = re.compile(r"[EWSNKJ]\d{8}")
_HEXAGON = 7
"""Points of a closed ring of six sides."""


# Boundaries --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Boundaries:
    """Areas and their outlines: code, name and shape of each, in order of code; `digest` is that of the file.

    Shapes are in metres on a plane, see `metres`.
    """

    codes: tuple[str, ...]
    names: tuple[str, ...]
    shapes: np.ndarray
    digest: str

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"<Boundaries of {len(self)} areas, {self.codes[0]} to {self.codes[-1]}>"


def read_boundaries(path: str | PathLike[str], *, code: str | None = None) -> Boundaries:
    """Areas from a TopoJSON or GeoJSON file of boundaries in degrees (WGS 84).

    Refused, each by its reason: another format; coordinates in metres (British National Grid: the Office for National
    Statistics offers the same boundaries in degrees); a map of hexagons, on which no place is where it is; two areas
    of one code. Features without an outline are left out. Outlines that cross themselves are mended.

    code: the property that holds the area's code; without it, the one property in which every feature has an ONS code
    of its own (such as `LAD22CD`). The name is the property whose name differs by `NM` for `CD`, else the code.

    Needs shapely: `pip install disprop[areas]`. Raises InputRefused for a file that is not usable, UsageError for a
    property that is not there, or where several could be the code.

    >>> import json, pathlib, tempfile
    >>> square = {"type": "Polygon", "coordinates": [[[-2, 52], [-1, 52], [-1, 53], [-2, 53], [-2, 52]]]}
    >>> feature = {"type": "Feature", "properties": {"LAD22CD": "E08000025", "LAD22NM": "Birmingham"}}
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "areas.geojson"
    >>> _ = file.write_text(json.dumps({"type": "FeatureCollection", "features": [{**feature, "geometry": square}]}))
    >>> read_boundaries(file)
    <Boundaries of 1 areas, E08000025 to E08000025>
    """
    name, raw = Path(path).name, _bytes(path)
    try:
        document = json.loads(raw)
        features = [feature for feature in _features(document, name) if feature[1]]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputRefused(f"{name} cannot be read as TopoJSON or GeoJSON: {error!r:.120}") from error
    if not features:
        raise InputRefused(f"{name} holds no area with an outline; give a file of boundaries")
    _check_coordinates([polygons for _, polygons in features], name)
    properties = [properties for properties, _ in features]
    column = _code_property(properties, name) if code is None else code
    codes, names = _labels(properties, column, name)
    order = sorted(range(len(codes)), key=codes.__getitem__)
    shapes = _shapes([features[i][1] for i in order])
    return Boundaries(tuple(codes[i] for i in order), tuple(names[i] for i in order), shapes, sha256(raw).hexdigest())


def _bytes(path: str | PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputRefused(f"{path} cannot be read: {error.strerror}; give a file of boundaries") from error


Ring = np.ndarray
"""Points of a closed line, shape (n, 2): longitude, latitude."""
Polygons = list[list[Ring]]
"""Polygons of an area: each an outer ring, then its holes."""


def _features(document: Any, name: str) -> Iterator[tuple[Mapping[str, Any], Polygons]]:
    """Properties and polygons of each area."""
    kind = document.get("type") if isinstance(document, dict) else type(document).__name__
    if kind == "Topology":
        arcs = _arcs(document)
        for each in document["objects"].values():
            for geometry in each.get("geometries", [each]):
                yield geometry.get("properties") or {}, _of_arcs(geometry, arcs)
    elif kind == "FeatureCollection":
        _check_reference_system(document, name)
        for feature in document["features"]:
            yield feature.get("properties") or {}, _of_points(feature.get("geometry"))
    else:
        raise InputRefused(f"{name} is {kind!r}; give TopoJSON (Topology) or GeoJSON (FeatureCollection)")


def _arcs(document: Mapping[str, Any]) -> list[Ring]:
    """The lines that outlines are made of, in degrees: each is a first point and steps from it, in whole units."""
    arcs = [np.array(arc, dtype=np.float64)[:, :2] for arc in document["arcs"]]
    transform = document.get("transform")
    if transform is None:
        return arcs
    return [np.cumsum(arc, axis=0) * transform["scale"] + transform["translate"] for arc in arcs]


def _of_arcs(geometry: Mapping[str, Any], arcs: Sequence[Ring]) -> Polygons:
    kind = geometry.get("type")
    if kind not in ("Polygon", "MultiPolygon"):
        return []
    several = geometry["arcs"] if kind == "MultiPolygon" else [geometry["arcs"]]
    return [[_ring(indices, arcs) for indices in polygon] for polygon in several]


def _ring(indices: Sequence[int], arcs: Sequence[Ring]) -> Ring:
    """Arcs end to end; index -1 - i is arc i run backwards. The first point of each further arc stands already."""
    lines = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in indices]
    return np.concatenate([lines[0], *(line[1:] for line in lines[1:])])


def _of_points(geometry: Mapping[str, Any] | None) -> Polygons:
    kind = geometry.get("type") if geometry else None
    if geometry is None or kind not in ("Polygon", "MultiPolygon"):
        return []
    several = geometry["coordinates"] if kind == "MultiPolygon" else [geometry["coordinates"]]
    return [[np.array(ring, dtype=np.float64)[:, :2] for ring in polygon] for polygon in several]


# What is refused


def _check_reference_system(document: Mapping[str, Any], name: str) -> None:
    given = str(document.get("crs") or "")
    if "27700" in given:
        raise InputRefused(_in_metres(name))


def _check_coordinates(areas: Sequence[Polygons], name: str) -> None:
    points = np.concatenate([ring for polygons in areas for polygon in polygons for ring in polygon])
    if not np.isfinite(points).all():
        raise InputRefused(f"{name} has coordinates that are not numbers; download the boundaries again")
    if (np.abs(points) > (180, 90)).any():
        raise InputRefused(_in_metres(name))
    if len(areas) > 1 and all(len(ring) == _HEXAGON for polygons in areas for polygon in polygons for ring in polygon):
        raise InputRefused(
            f"{name} is a map of hexagons: it shows each area once, not where it is; give boundaries of areas"
        )


def _in_metres(name: str) -> str:
    return (
        f"{name} has coordinates that are not degrees: British National Grid? "
        "Places of searches are longitude and latitude: download the same boundaries in degrees (WGS 84)"
    )


def _code_property(properties: Sequence[Mapping[str, Any]], name: str) -> str:
    """The one property that holds an ONS code of its own for every area."""
    found = [key for key in properties[0] if _is_code_of_each([of.get(key) for of in properties])]
    if len(found) != 1:
        why = f"{' and '.join(found)} could all be" if found else f"none of {', '.join(properties[0])} holds"
        raise UsageError(f"{name}: {why} the ONS code of every area; name the property with code=")
    return found[0]


def _is_code_of_each(values: Sequence[Any]) -> bool:
    return len(set(map(str, values))) == len(values) and all(_ONS_CODE.fullmatch(str(value)) for value in values)


def _labels(properties: Sequence[Mapping[str, Any]], column: str, name: str) -> tuple[list[str], list[str]]:
    """Codes and names of the areas."""
    if any(column not in of for of in properties):
        raise UsageError(f"{name}: not every area has {column!r}; it has {', '.join(properties[0])}")
    codes = [str(of[column]) for of in properties]
    twice = sorted({code for code in codes if codes.count(code) > 1})
    if twice:
        raise InputRefused(f"{name}: {column} is {twice[0]} for two areas; each area wants a code of its own")
    named = re.sub("cd$", "nm", column, flags=re.IGNORECASE).casefold()
    return codes, [str(next((v for k, v in of.items() if k.casefold() == named), of[column])) for of in properties]


# Shapes and distances ----------------------------------------------------------------------------------------------


def metres(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Points on a plane in metres, shape (n, 2): east and north, by the transverse Mercator projection of a sphere.

    The middle meridian is 2 degrees west. Up to 300 km from it a distance between near points is true to 0.3%, that is
    15 cm in 50 m.

    >>> here, there = metres(np.array([-1.9, -1.9]), np.array([52.48, 52.49]))
    >>> round(float(np.hypot(*(there - here))))
    1114
    """
    east, north = np.radians(np.asarray(longitude) - MERIDIAN), np.radians(latitude)
    slope = np.cos(north) * np.sin(east)
    return EARTH_METRES * np.stack([np.arctanh(slope), np.arctan2(np.tan(north), np.cos(east))], axis=-1)


def _shapes(areas: Sequence[Polygons]) -> np.ndarray:
    shapely = _shapely()
    shapes = shapely.make_valid(np.array([_shape(polygons) for polygons in areas], dtype=object))
    shapely.prepare(shapes)
    return np.asarray(shapes)


def _shape(polygons: Polygons) -> Any:
    shapely = _shapely()
    planes = [[metres(ring[:, 0], ring[:, 1]) for ring in polygon] for polygon in polygons]
    return shapely.MultiPolygon([(outer, holes) for outer, *holes in planes])


def _shapely() -> Any:
    try:
        import shapely
    except ImportError as error:
        raise UsageError("boundaries need shapely; install it with: pip install 'disprop[areas]'") from error
    return shapely


# Places ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Placed:
    """Area of each place (its position in the boundaries, -1 for none), and whether another area is within 50 m."""

    area: np.ndarray
    near: np.ndarray


def place(boundaries: Boundaries, *, latitude: np.ndarray, longitude: np.ndarray) -> Placed:
    """The area that each place lies in, and whether it is near another.

    Corner cases first. A missing coordinate (NaN) lies in no area. On the line between two areas the one whose code
    comes first has the place. A place in no area but within 50 m of one (a pier, a coast drawn too straight) belongs to
    the nearest. The edge towards the sea is not an edge: near means within 50 m of another area.

    latitude, longitude: degrees, one-dimensional, of one length. Returns arrays of that length. Distances are in
    metres on the plane of `metres`. Each distinct place is looked up once.

    >>> import shapely
    >>> west, east = (shapely.MultiPolygon([shapely.box(x, 5_500_000, x + 1_000, 6_500_000)]) for x in (-500, 500))
    >>> two = Boundaries(("E01", "E02"), ("West", "East"), np.array([west, east]), "")
    >>> place(two, latitude=np.array([52.0, 52.0, 52.0]), longitude=np.array([-2.0, -1.99273, 4.0]))
    Placed(area=array([ 0,  0, -1]), near=array([False,  True, False]))
    """
    pairs, back = np.unique(np.stack([longitude, latitude], axis=-1), axis=0, return_inverse=True)
    known = np.flatnonzero(np.isfinite(pairs).all(axis=1))
    area, near = np.full(len(pairs), -1), np.zeros(len(pairs), dtype=bool)
    area[known], near[known] = _nearest(boundaries, metres(pairs[known, 0], pairs[known, 1]))
    return Placed(area[back.reshape(-1)], near[back.reshape(-1)])


def _nearest(boundaries: Boundaries, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Area of each point on the plane, and whether two are within reach."""
    shapely = _shapely()
    dots = shapely.points(points)
    of_area, of_dot = shapely.STRtree(dots).query(boundaries.shapes, predicate="dwithin", distance=NEAR_METRES)
    away = np.round(shapely.distance(boundaries.shapes[of_area], dots[of_dot]), 3)  # on a line is at a tie
    order = np.lexsort((of_area, away, of_dot))
    dot, first = np.unique(of_dot[order], return_index=True)
    area = np.full(len(points), -1)
    area[dot] = of_area[order][first]
    return area, np.bincount(of_dot, minlength=len(points)) > 1


# A source with areas -----------------------------------------------------------------------------------------------


def with_areas(source: Any, boundaries: Boundaries) -> SourceWithAreas:
    """A source of records that says in which area each search was made, found from its coordinates.

    The column `area` holds the area's code; it is blank without coordinates and `unmapped` where they lie in no area.
    How many records have a place, have none, lie in no area, and lie within 50 m of another area, is noted in the
    account. A source that names areas itself needs no boundaries: tally it by `area`.

    source: a `records.Source` with `latitude` and `longitude`. boundaries: see `read_boundaries`.

    >>> import json, pathlib, tempfile, disprop as dp
    >>> square = {"type": "Polygon", "coordinates": [[[1, 54], [1.1, 54], [1.1, 55], [1, 55], [1, 54]]]}
    >>> feature = {"type": "Feature", "properties": {"AREACD": "E08000025"}, "geometry": square}
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "areas.geojson"
    >>> _ = file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    >>> records = dp.read_frame(dp.synthetic.make_records(months=["2023-04"]))
    >>> searches = dp.tally(with_areas(records, read_boundaries(file)), by=["area"])
    >>> dict(zip(searches.axis("area").codes, searches.project(["area"]).counts.tolist()))
    {'E08000025': 442, 'blank': 246, 'unmapped': 906}
    """
    return SourceWithAreas(source, boundaries)


@dataclass
class SourceWithAreas:
    """The records of `source`, with the column `area`; a `records.Source`."""

    source: Any
    boundaries: Boundaries
    _notes: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.kind, self.unit = self.source.kind, self.source.unit
        self.dataset, self.scheme = self.source.dataset, self.source.scheme

    def batches(self, columns: set[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The source's record batches, with `area` where it is wanted."""
        wanted = columns is None or "area" in columns
        more = {"latitude", "longitude"} if wanted else set()
        notes: dict[str, int] = {}
        for batch in self.source.batches(None if columns is None else (columns - {"area"}) | more):
            yield self._placed(batch, notes) if wanted else batch
        if wanted:
            self._notes = notes

    def _placed(self, batch: pa.RecordBatch, notes: dict[str, int]) -> pa.RecordBatch:
        import pyarrow as pa

        latitude, longitude = (_degrees(batch, name) for name in ("latitude", "longitude"))
        found = place(self.boundaries, latitude=latitude, longitude=longitude)
        blank, outside = np.isnan(latitude + longitude), found.area < 0
        for note, n in (
            (NO_PLACE_NOTE, blank.sum()),
            (OUTSIDE_NOTE, (outside & ~blank).sum()),
            (PLACED_NOTE, (~outside).sum()),
            (NEAR_NOTE, found.near.sum()),
        ):
            notes[note] = notes.get(note, 0) + int(n)
        position = np.where(outside, len(self.boundaries), found.area).astype(np.int32)
        column = pa.DictionaryArray.from_arrays(pa.array(position, mask=blank), self._vocabulary)
        if "area" in batch.schema.names:
            batch = batch.drop_columns(["area"])
        return batch.append_column("area", column)

    @cached_property
    def _vocabulary(self) -> Any:
        import pyarrow as pa

        return pa.array([*self.boundaries.codes, UNMAPPED], pa.string())

    @property
    def parts(self) -> np.ndarray:
        """The source's parts: finding areas makes no new ones."""
        parts: np.ndarray = self.source.parts
        return parts

    def intake_table(self) -> pd.DataFrame | None:
        """The source's table of files, where it has one."""
        return self.source.intake_table() if hasattr(self.source, "intake_table") else None

    @property
    def account(self) -> Account:
        """The source's account, with what became of the places in the last complete read."""
        account: Account = self.source.account
        return account + Account(notes={note: n for note, n in self._notes.items() if n})


def _degrees(batch: pa.RecordBatch, name: str) -> np.ndarray:
    """A column of degrees, missing as NaN; a source without the column has no places."""
    if name not in batch.schema.names:
        return np.full(batch.num_rows, np.nan)
    return np.asarray(batch[name].to_numpy(zero_copy_only=False), dtype=np.float64)


def places_summary(account: Account) -> str:
    """What became of the places of a read, in a sentence.

    >>> places_summary(Account(notes={PLACED_NOTE: 980, NEAR_NOTE: 20, NO_PLACE_NOTE: 15, OUTSIDE_NOTE: 5}))
    'of 1,000 records 980 lie in an area (20 of them within 50 m of another), 5 lie in none and 15 have no place'
    """
    placed, near, outside, blank = (
        account.notes.get(note, 0) for note in (PLACED_NOTE, NEAR_NOTE, OUTSIDE_NOTE, NO_PLACE_NOTE)
    )
    return (
        f"of {placed + outside + blank:,} records {placed:,} lie in an area ({near:,} of them within 50 m of another), "
        f"{outside:,} lie in none and {blank:,} have no place"
    )
