"""Import, write and read: what comes out of the file is what went into the source, whatever its geometry."""

import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moefetch.traces import writer
from moefetch.traces.format import Trace
from moefetch.traces.importers import base
from moefetch.traces.importers.base import ImportOptions
from moefetch.traces.importers.table import IMPORTERS, import_file

from .fixtures import ONE_SEQUENCE, SCORED, SOURCES, expected_experts, prompted


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("identity")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Rows cross the borders of parts and of row groups."""
    monkeypatch.setattr(writer, "ROW_GROUP_BYTES", 200)
    for module in (base, *(__import__(i.read.__module__, fromlist=["x"]) for i in IMPORTERS)):
        if hasattr(module, "CHUNK_TOKENS"):
            monkeypatch.setattr(module, "CHUNK_TOKENS", 7)


@pytest.mark.parametrize("name", SOURCES)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_import_write_read_is_the_identity(folder, make_trace, name, data):
    if name == "sglang-recorder":
        pytest.importorskip("torch", reason="torch writes the recorder's file")
    extra = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    n_experts = data.draw(st.integers(2, 20))
    top_k = data.draw(st.integers(1, n_experts))
    trace = prompted(
        make_trace(
            lengths=tuple(5 + 2 * i + more for i, more in enumerate(extra)),
            n_layers=data.draw(st.integers(2, 5)),
            n_experts=n_experts,
            top_k=top_k,
            seed=data.draw(st.integers(0, 1000)),
        )
    )
    shutil.rmtree(folder / "in", ignore_errors=True)
    (folder / "in").mkdir()
    source = SOURCES[name](folder / "in", trace)
    out = folder / "out.parquet"
    meta, report = import_file([source], out, name, ImportOptions(n_experts=n_experts, top_k=top_k), force=True)
    found = Trace.read(out)
    assert report.rows == len(found) == len(trace)
    assert found.meta == meta
    order = np.argsort(found.sequence, kind="stable")
    np.testing.assert_array_equal(found.experts[order], expected_experts(name, trace))
    if name not in ONE_SEQUENCE:
        np.testing.assert_array_equal(found.sequence[order], trace.sequence)
        np.testing.assert_array_equal(found.position[order], trace.position)
    assert (found.scores is not None) == (name in SCORED)
