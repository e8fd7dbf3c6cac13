import pytest
from moefetch.traces import writer
from moefetch.traces.errors import UserError
from moefetch.traces.validate import FINDINGS_KEPT, validate_file, validate_trace
from moefetch.traces.writer import write_trace


def broken(trace):
    trace.experts[1, 2] = [4, 4, 77]
    trace.experts[:, 3] = trace.experts[:, 0]
    return trace


def test_every_rule_is_applied_in_memory_and_by_batches(tmp_path, make_trace, monkeypatch):
    trace = broken(make_trace())
    monkeypatch.setattr(writer, "ROW_GROUP_BYTES", 100)
    write_trace(tmp_path / "t", trace)
    told = []
    for report in (validate_trace(trace), validate_file(tmp_path / "t", lambda *rows: told.append(rows))):
        assert not report.valid
        assert report.rows == 32
        assert list(report.counts) == ["expert id out of range", "duplicate expert", "repeated layer"]
        assert len(report.findings) == 3
    assert told[-1] == (32, 32)
    summary = "expert id out of range (1), duplicate expert (1), repeated layer (1); first: sequence 0, token 1, "
    assert report.summary().startswith(summary)


def test_a_recording_is_valid(tmp_path, make_trace):
    write_trace(tmp_path / "t", make_trace(full=True))
    assert validate_file(tmp_path / "t").valid


def test_all_findings_are_counted_and_the_first_kept(make_trace):
    trace = make_trace()
    trace.experts[:, 1, 0] = 16
    report = validate_trace(trace)
    assert report.counts["expert id out of range"] == 32
    assert len(report.findings) == FINDINGS_KEPT


def test_what_is_no_trace_is_a_user_error(tmp_path):
    (tmp_path / "t").write_text("x")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        validate_file(tmp_path / "t")
