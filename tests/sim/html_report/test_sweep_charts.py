"""Are a sweep's points drawn with those on the front marked, and is a folder without any left alone?"""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moefetch.sim.html_report.sweep_charts import sweep_chart, sweep_rows
from moefetch.sim.point_store import METADATA_KEY
from moefetch.traces.errors import UserError


def test_points_that_nothing_beats_are_on_the_front(tmp_path):
    assert sweep_rows(tmp_path) == []
    rows = [
        {"policy": "st_moe", "tpot_mean_us": 10.0, "link_bytes_per_token": 2e6, "storage_bits": 5_000_000},
        {"policy": "none", "tpot_mean_us": 20.0, "link_bytes_per_token": 1e6, "storage_bits": 4_000_000},
        {"policy": "hints", "tpot_mean_us": 20.0, "link_bytes_per_token": 2e6, "storage_bits": 5_000_000},
        {"policy": "oracle", "tpot_mean_us": 5.0, "link_bytes_per_token": 1e6, "storage_bits": None},
    ]
    table = pa.Table.from_pylist(rows).replace_schema_metadata({METADATA_KEY: b"{}"})
    pq.write_table(table, tmp_path / "results.parquet")
    found = sweep_rows(tmp_path)
    assert [(row["policy"], row["on"]) for row in found] == [
        ("st_moe", "on the front"), ("none", "on the front"), ("hints", "beaten"),
    ]  # fmt: skip
    assert (found[0]["mb"], found[0]["mbit"]) == (2, 5)
    assert sweep_chart(found).to_dict()["mark"]["type"] == "circle"


def test_a_damaged_file_is_a_message(tmp_path):
    (tmp_path / "results.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(UserError, match=r"results\.parquet: cannot be read"):
        sweep_rows(tmp_path)
