"""A sweep of the toy trace, small enough for the cycle model in plain Python."""

from pathlib import Path

from moefetch.sim.sweep_points import points_of, read_traces
from moefetch.sim.sweep_spec import read_sweep_spec

from .model_in_python import measured
from .replay_fixtures import write_specs, write_toy_trace

MEASURE = "moefetch.sim.design_point.measure_on_model"
"""What a test replaces by `measured`, the cycle model in plain Python."""


def write_sweep(
    folder: Path, text: str = "", *, policy: str = '["none", "st_moe"]', trace: str = "toy.parquet"
) -> Path:
    """Write a sweep of `folder`'s toy trace, which is made; `text` goes behind the top-level lines."""
    model, platform = write_specs(folder)
    write_toy_trace(folder / trace, tokens=12, sequences=3)
    path = folder / "spec.toml"
    path.write_text(
        f'trace = "{folder / trace}"\npolicy = {policy}\nscale = 1\n{text}\n'
        f'[model]\nbase = "{model}"\n[platform]\nbase = "{platform}"\nslots = [6, 8]\n'
    )
    return path


def points_in(path: Path):
    """Return the spec, the traces and the points of a sweep file."""
    spec = read_sweep_spec(path)
    traces = read_traces(spec.parameters["trace"])
    return spec, traces, points_of(spec, traces)


def logged_measure(log: Path, wait=lambda: None):
    """Return `measured` that notes each call, of whatever process, as a line of `log`."""

    def measure(job, at):
        with log.open("a") as file:
            file.write(f"{job.policy}\n")
        wait()
        return measured(job, at)

    return measure
