"""SUMO's own FCD output, in all its formats, replays as traffic."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from traffic import check_invariants, digest, frames_of

from cosim.errors import InputError, RunError
from cosim.mobility.catalog import resolve_map
from cosim.mobility.connect import connect
from cosim.mobility.programs import run_program
from cosim.mobility.sumo import sumo_options
from cosim.scenario.traffic import LibsumoMobility, ReplayMobility

HEAD = "timestep_time;vehicle_id;vehicle_x;vehicle_y;vehicle_angle;vehicle_type;vehicle_speed\n"
LAST_S = 89.0


@pytest.fixture(scope="module")
def fcd(tmp_path_factory):
    """FCD of the intersection in each format, the first one with every attribute."""
    home = tmp_path_factory.mktemp("fcd")
    files = resolve_map("intersection", Path())
    for name in ("all.xml", "all.csv", "all.parquet", "few.xml.gz", "few.csv.gz", "few.parquet"):
        options = [*sumo_options(files, LibsumoMobility(), 1), "--end", "90", "--fcd-output", str(home / name)]
        if name.startswith("few"):
            options += ["--fcd-output.attributes", "x,y,speed,angle,type"]
        run_program("sumo", options, "fcd")
    return home


def replay(file, folder, duration_s=LAST_S, **options):
    mobility = ReplayMobility(kind="replay", file=str(file), **options)
    return connect(mobility, "intersection", folder, 1, duration_s)


def written(folder, rows, **options):
    (folder / "rows.csv").write_text(HEAD + rows)
    mobility = ReplayMobility(kind="replay", file="rows.csv", **options)
    return connect(mobility, "synthetic", folder, 1, 2.0)


@pytest.mark.parametrize("name", ["all.xml", "all.csv", "all.parquet", "few.xml.gz", "few.csv.gz", "few.parquet"])
def test_formats_agree(name, fcd):
    """XML, CSV and Parquet of the same run give the same frames, and these keep what every source promises."""
    check_invariants(frames_of(replay(name, fcd), 90), 1.0)
    assert digest(frames_of(replay(name, fcd), 90)) == digest(frames_of(replay("all.xml", fcd), 90))


def test_fcd_is_one_step_early(fcd):
    """SUMO writes under time t what libsumo shows at t + step: the same vehicles at the same places."""
    live = list(frames_of(connect(LibsumoMobility(), "intersection", Path(), 1, 90), 91))
    recorded = list(frames_of(replay("all.csv", fcd), 90))
    for shown, read in zip(live[1:], recorded, strict=True):
        assert [entry.vehicle_id for entry in shown.entered] == [entry.vehicle_id for entry in read.entered]
        np.testing.assert_allclose(shown.xy_m, read.xy_m, atol=0.0101)


def test_gap_is_a_teleport(tmp_path):
    """A vehicle enters at its first row, is being teleported where a row lacks, and leaves after its last."""
    rows = "0;a;1;2;90;bus;5\n0;b;7;7;0;car;1\n1;b;7;8;0;car;1\n2;a;9;2;90;bus;5\n3;;;;;;\n"
    frames = list(frames_of(written(tmp_path, rows), 4))
    check_invariants(frames, 1.0)
    assert [(entry.vehicle_id, entry.vehicle_type) for entry in frames[0].entered] == [("a", "bus"), ("b", "car")]
    assert frames[1].on_road.tolist() == [False, True]
    assert frames[2].left.tolist() == [1]
    assert frames[2].xy_m.tolist() == [[9.0, 2.0]]
    assert frames[3].left.tolist() == [0]


def test_begin_and_coarser_step(tmp_path):
    """begin_s and a step twice that of the recording take every second row from there on."""
    rows = "".join(f"{t};a;{t};0;90;car;1\n" for t in range(10))
    source = written(tmp_path, rows, begin_s=3, step_s=2)
    assert [frame.xy_m[0, 0] for frame in frames_of(source, 4)] == [3.0, 5.0, 7.0, 9.0]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ("0;a;1;2;90;car;5\n1;a;1;2;90;car\n", "Expected 7 columns, got 6"),
        ("0;a;1;2;90;car;5\n1;a;far;2;90;car;5\n", "Row #3.*far"),
        ("0;a;1;2;90;car;5\n1;a;1;inf;90;car;5\n2;a;1;2;90;car;5\n", "row 2: y=inf of vehicle a"),
        ("0;a;1;2;90;car;5\n1;a;;2;90;car;5\n", "row 2: x=nan"),
        ("0;a;1;2;90;car;5\n0;a;1;2;90;car;5\n1;a;1;2;90;car;5\n", "vehicle a has two rows at t=0 s"),
        ("0;a;1;2;90;car;5\n", "ends 0 s after mobility.begin_s and the run takes 2 s"),
        ("0;a;1;2;90;car;5\n5;a;1;2;90;car;5\n", "a row each 5 s; set mobility.step_s"),
        ("", "no row at or after mobility.begin_s"),
    ],
)
def test_malformed_csv(rows, reason, tmp_path):
    """A malformed CSV is refused in one line that names the file and what is wrong."""
    with pytest.raises(InputError, match=reason) as error:
        written(tmp_path, rows)
    assert str(error.value).startswith("mobility.file=rows.csv: ")
    assert "\n" not in str(error.value)


def test_missing_column(tmp_path):
    """A CSV without speeds is refused and the column is named."""
    (tmp_path / "few.csv").write_text("timestep_time;vehicle_id;vehicle_x;vehicle_y;vehicle_angle\n0;a;1;2;3\n")
    with pytest.raises(InputError, match="column vehicle_speed is missing"):
        replay("few.csv", tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<fcd><timestep time='0'><vehicle id='a' x='1' y='2' angle='3'/></timestep></fcd>", "line 1: .*speed"),
        ("<fcd>\n<timestep time='0'>\n<vehicle id='a' x='far'", "broken XML"),
        ("<net/>", "no <timestep>"),
    ],
)
def test_malformed_xml(text, reason, tmp_path):
    """Malformed FCD is refused in one line that names file and line."""
    (tmp_path / "fcd.xml").write_text(text)
    with pytest.raises(InputError, match=reason) as error:
        replay("fcd.xml", tmp_path)
    assert "fcd.xml" in str(error.value)


@pytest.mark.parametrize("name", ["rows.parquet", "fcd.xml.gz", "fcd.csv.gz"])
def test_not_that_format(name, tmp_path):
    """A file that is not what its name says is refused in one line."""
    (tmp_path / name).write_bytes(b"no such thing")
    with pytest.raises(InputError, match=name) as error:
        replay(name, tmp_path)
    assert "\n" not in str(error.value)


def test_cut_gzip(fcd, tmp_path):
    """A gzipped CSV that ends in the middle is refused."""
    whole = (fcd / "few.csv.gz").read_bytes()
    (tmp_path / "cut.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.csv\.gz"):
        replay("cut.csv.gz", tmp_path)
    assert gzip.decompress(whole).startswith(b"timestep_time")


def test_missing_recording(tmp_path):
    """A recording that does not exist is refused and the field is named."""
    with pytest.raises(InputError, match=r"mobility\.file=gone\.parquet: there is no file"):
        replay("gone.parquet", tmp_path)


def test_run_past_the_end(fcd):
    """Asked for more than it holds, a replay ends the run instead of an empty map."""
    source = replay("all.csv", fcd)
    with pytest.raises(RunError, match="ends before t=90 s"):
        source.advance(90)
