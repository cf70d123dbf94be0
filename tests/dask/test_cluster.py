"""A real cluster of separate processes on loopback: the same tallies, whatever dies meanwhile."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import disprop as dp
from disprop import cluster, plan
from disprop.errors import BalanceError, InputRefused, UsageError
from disprop.partial import Cells, Partial, merged, pack, unpack, unpacked

distributed = pytest.importorskip("distributed", reason="the extra `dask` is not installed")

HERE = Path(__file__).resolve().parent
WANTED = [["ethnicity_self", "linked"], ["gender"], ["area", "ethnicity_self_19"]]


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory) -> Iterator[str]:
    """The address of a scheduler with two workers of one thread, each a process of its own."""
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    folder = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))  # workers that are started later import `cluster_tasks` too
        with distributed.LocalCluster(**settings, local_directory=str(folder)) as running:
            yield running.scheduler_address


@pytest.fixture(scope="module")
def client(scheduler):
    with distributed.Client(scheduler, set_as_default=False) as connected:
        yield connected


@pytest.fixture(scope="module")
def months():
    return dp.synthetic.make_records(months=("2023-04", "2023-05", "2023-06"))


@pytest.fixture(scope="module")
def parquet_folder(months, tmp_path_factory):
    """The records in no order over several files of several row groups, areas in another order in each file."""
    folder = tmp_path_factory.mktemp("parquet")
    shuffled = months.take(pa.array(np.random.default_rng(3).permutation(len(months))))
    for i in range(4):
        table = shuffled.slice(i * 1300, 1300)
        areas = pa.array([f"E{(j * j + 37 * i) % 400:08d}" if j % 50 else None for j in range(len(table))])
        at = table.schema.get_field_index("area")
        table = table.append_column("area", areas) if at < 0 else table.set_column(at, "area", areas)
        parquet.write_table(table, folder / f"{i}.parquet", row_group_size=300)
    return folder


@pytest.fixture(scope="module")
def csv_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("csv")
    dp.synthetic.write_police_uk(folder)
    return folder


def equal(several, others):
    return [one.difference(other) for one, other in zip(several, others, strict=True)] == [None] * len(WANTED)


def test_parquet_on_a_cluster(client, parquet_folder):
    asked = {"period": ("2023-04", "2023-05")}
    assert equal(dp.scan(parquet_folder, WANTED, client=client, **asked), dp.scan(parquet_folder, WANTED, **asked))
    assert dp.tally(parquet_folder, by=["gender"], client=client) == dp.tally(parquet_folder, by=["gender"])


def test_csv_on_a_cluster(client, csv_folder):
    assert equal(dp.scan(csv_folder, WANTED, client=client), dp.scan(csv_folder, WANTED))


def test_an_archive_on_a_cluster(client, csv_folder, tmp_path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in sorted(csv_folder.rglob("*.csv"))[:3]:
            archive.write(file, file.relative_to(csv_folder))
    assert equal(dp.scan(tmp_path / "all.zip", WANTED, client=client), dp.scan(tmp_path / "all.zip", WANTED))


def test_areas_on_a_cluster(client, parquet_folder):
    """Codes of an open list come to each task in an order of their own; the tally is the same to the last cell."""
    tally = dp.tally(parquet_folder, by=["area", "gender"], client=client)
    assert len(tally.axis("area")) > 100
    assert tally == dp.tally(parquet_folder, by=["area", "gender"])


@pytest.mark.parametrize("fan_in", [cluster.FAN_IN, 2], ids=["merged here", "merged in a tree of workers"])
def test_a_worker_killed_in_the_middle(fan_in, client, parquet_folder, tmp_path, monkeypatch):
    """It dies with a task counted and not yet delivered; another counts it again, and it stands once in the tally."""
    from functools import partial

    from cluster_tasks import die_once

    monkeypatch.setattr(cluster, "FAN_IN", fan_in)
    monkeypatch.setattr(cluster, "TASKS_A_THREAD", 4)
    mark = tmp_path / "killed"
    before = set(client.nthreads())
    monkeypatch.setattr(plan, "_count_piece", partial(die_once, mark=str(mark)))
    counted = dp.scan(parquet_folder, WANTED, client=client)
    monkeypatch.undo()
    assert mark.exists()
    client.wait_for_workers(2, timeout=30)
    assert set(client.nthreads()) != before, "a worker died and another took its place"
    assert equal(counted, dp.scan(parquet_folder, WANTED))


def test_an_error_of_a_task_is_the_error_of_the_run(client, parquet_folder, tmp_path):
    for file in parquet_folder.glob("*.parquet"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    source = dp.read_parquet(tmp_path)
    (tmp_path / "2.parquet").unlink()
    with pytest.raises(InputRefused, match=r"2\.parquet: no such file"):
        dp.tally(source, by=[], client=client)


def test_only_tallies_come_back(parquet_folder):
    """What a task returns has no column of a record in it, and is smaller than its records."""
    (piece, *_) = dp.read_parquet(parquet_folder).split(2)
    specs = [(plan.axis_spec("gender"),)]
    packed = plan._count_piece(0, piece, specs=specs, request=plan.make_request(None, None, False))
    assert packed.keys() == {"tallies", "rules", "found"}
    assert packed["tallies"][0].keys() == {"keys", "shape", "steps", "counts", "unmapped"}
    (found,) = packed["found"].values()
    assert {type(one).__name__ for one in found.values()} == {"Found"}
    assert sum(unpack(packed).tallies[0].counts.values()).sum() > 1000


def test_what_cannot_go_to_a_cluster_is_refused(client, months, parquet_folder, tmp_path):
    with pytest.raises(UsageError, match="paths of CSV or Parquet"):
        dp.tally(months, by=[], client=client)
    with pytest.raises(UsageError, match="quarantine"):
        dp.tally(dp.read_parquet(parquet_folder, quarantine=tmp_path / "aside.csv"), by=[], client=client)


@pytest.mark.parametrize("tasks", [1, 3, 100])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_pieces_hold_everything_once(tasks, kind, parquet_folder, csv_folder):
    source = dp.read_parquet(parquet_folder) if kind == "parquet" else dp.read_police_uk(csv_folder)
    pieces = source.split(tasks)
    assert sum(batch.num_rows for piece in pieces for batch in piece.batches()) == sum(
        batch.num_rows for batch in source.batches()
    )
    whole = source.account, source.parts.tolist()
    source.gather(piece.found() for piece in pieces)
    assert (source.account.read, source.parts.tolist()) == (whole[0].read, whole[1])


def a_partial(task, n):
    return pack(Partial([Cells({("kent", 591, ""): np.array([[0, n]])}, {"gender: Robot": n})], {"rule": n}, {task: n}))


def test_merging_in_any_grouping():
    one, two, three = (a_partial(task, n) for task, n in enumerate((1, 70_000, 3_000_000_000)))
    left, right = unpack(merged([merged([one, two]), three])), unpack(merged([one, merged([three, two])]))
    for whole in (left, right):
        assert whole.tallies[0].counts["kent", 591, ""].tolist() == [[0, 3_000_070_001]]
        assert whole.tallies[0].unmapped == {"gender: Robot": 3_000_070_001}
        assert whole.rules == {"rule": 3_000_070_001}
        whole.check(range(3))


def test_counts_that_32_bits_do_not_hold_are_added_up():
    several = [a_partial(task, n) for task, n in enumerate((1, 3, 1 << 40))]
    for whole in (unpacked(several), unpack(merged([merged(several[1:]), several[0]]))):
        assert whole.tallies[0].counts["kent", 591, ""].tolist() == [[0, (1 << 40) + 4]]


def test_a_few_results_are_added_up_as_they_are_merged():
    several = [a_partial(task, n) for task, n in enumerate((1, 70_000, 3_000_000_000))]
    several.append(pack(Partial([Cells({("surrey", 590, ""): np.array([[5, 0]])})], {}, {3: 1})))
    one, other = unpacked(several), unpack(merged(several))
    assert (one.rules, one.found, one.tallies[0].unmapped) == (other.rules, other.found, other.tallies[0].unmapped)
    counts = {key: cells.tolist() for key, cells in one.tallies[0].counts.items()}
    assert counts == {("kent", 591, ""): [[0, 3_000_070_001]], ("surrey", 590, ""): [[5, 0]]}
    assert counts == {key: cells.tolist() for key, cells in other.tallies[0].counts.items()}


def test_a_task_is_never_counted_twice_or_left_out():
    with pytest.raises(BalanceError, match="task 1 was counted twice"):
        merged([a_partial(0, 1), a_partial(1, 1), a_partial(1, 1)])
    with pytest.raises(BalanceError, match="1 of 2 tasks"):
        unpack(merged([a_partial(0, 1)])).check(range(2))


def test_an_empty_partial():
    empty = unpack(merged([pack(Partial([Cells()], {}, {0: None})), a_partial(1, 2)]))
    assert empty.tallies[0].counts["kent", 591, ""].tolist() == [[0, 2]]


def test_the_command_line(scheduler, csv_folder):
    command = [sys.executable, "-m", "disprop", "tally", str(csv_folder), "--by", "gender", "--format", "csv"]
    local = subprocess.run(command, capture_output=True, text=True, check=True)
    remote = subprocess.run([*command, "--scheduler", scheduler], capture_output=True, text=True, check=True)
    assert remote.stdout == local.stdout


def test_no_scheduler_there(csv_folder, monkeypatch):
    from click.testing import CliRunner

    from disprop.cli import cli

    monkeypatch.setattr(cluster, "PATIENCE", "1s")
    done = CliRunner().invoke(cli, ["tally", str(csv_folder), "--by", "gender", "--scheduler", "tcp://127.0.0.1:1"])
    assert isinstance(done.exception, UsageError)
    assert "no scheduler answers" in str(done.exception)
