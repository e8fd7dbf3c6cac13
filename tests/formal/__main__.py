"""Run proofs, and with --mutants the search for every seeded bug: `python -m tests.formal`, or `make formal`."""

import sys
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .catalogue import COVERS, PROOFS
from .cover import Cover
from .engine import ROOT, SOLVERS, ToolError
from .seeding import Seed


def main(
    only: Annotated[list[str] | None, typer.Option(help="Names of proofs; all if none is given.")] = None,
    mutants: Annotated[
        bool, typer.Option(help="Also show that each proof fails on its seeded bugs, and run its cover.")
    ] = False,
    solver: Annotated[str, typer.Option(help=f"SMT solver, {' or '.join(SOLVERS)}.")] = "yices",
) -> None:
    """Prove the unit's rules; status 1 if one does not hold, a seeded bug is not noticed, or a cover not reached."""
    unknown = set(only or ()) - set(PROOFS)
    if unknown or solver not in SOLVERS:
        known = ", ".join(SOLVERS if solver not in SOLVERS else PROOFS)
        print(
            f"error: {solver if solver not in SOLVERS else ', '.join(sorted(unknown))}: there are {known}",
            file=sys.stderr,
        )
        raise typer.Exit(2)
    table = Table("property", "method", "depth", "s", "seeded bug, or state", "at step", title="formal proofs")
    failures = []
    try:
        for cells, failure in _rows(only or list(PROOFS), mutants, solver):
            table.add_row(*cells)
            print(f"{' '.join(cells[:4])} {' '.join(cells[4:])}".strip(), file=sys.stderr, flush=True)
            if failure:
                failures.append(failure)
                print(failure, file=sys.stderr, flush=True)
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        print("interrupted: what is proven so far follows", file=sys.stderr)
        failures.append("interrupted")
    Console(highlight=False, width=None if sys.stdout.isatty() else 110).print(table)
    for failure in failures:
        print(failure)
    raise typer.Exit(1 if failures else 0)


def _rows(names: list[str], mutants: bool, solver: str) -> Iterator[tuple[list[str], str]]:
    """Yield a table row for each proof and each seeded bug, with a line if it failed."""
    for name in names:
        proof = PROOFS[name]
        result = proof.prove(solver=solver)
        failure = "" if result.holds else f"failed: {name}: {proof.claim}: {_counterexample(result)}"
        yield (
            [name, proof.method, str(proof.depth), f"{result.seconds:.1f}", "", "" if result.holds else "FAILED"],
            failure,
        )
        for seed in (*proof.seeds, *proof.step_seeds) if mutants else ():
            yield _seeded(proof, seed, solver)
        if mutants and name in COVERS:
            yield from _covered(COVERS[name], solver)


def _seeded(proof, seed: Seed, solver: str) -> tuple[list[str], str]:
    """Return a seeded bug's row, and a line if the proof does not notice it."""
    result = proof.search(seed, solver=solver)
    caught = "not caught" if result.holds else "induction" if result.step is None else str(result.step)
    within = f" within {proof.reach} cycles" if proof.reach and seed in proof.seeds else ""
    failure = f"failed: {proof.name}: seeded bug {seed.name} in {seed.module} is not noticed{within}"
    row = [proof.name, proof.method, str(proof.depth), f"{result.seconds:.1f}", seed.name, caught]
    return row, failure if result.holds else ""


def _covered(cover: Cover, solver: str) -> Iterator[tuple[list[str], str]]:
    """Yield a row for each state of a cover, with a line if it is not reached; the first has the seconds of all."""
    reached = cover.reach(solver=solver)
    seconds = f"{reached.seconds:.1f}"
    for state, step in reached.steps.items():
        failure = f"failed: {cover.name}: state {state} is not reached from reset within {cover.depth} cycles"
        yield (
            [cover.name, "cover", str(cover.depth), seconds, state, "not reached" if step is None else str(step)],
            failure if step is None else "",
        )
        seconds = ""


def _counterexample(result) -> str:
    """Say where it failed, when, and which trace shows it."""
    when = "the induction step" if result.step is None else f"cycle {result.step}"
    trace = f", see {result.trace.relative_to(ROOT)}" if result.trace else ""
    return f"{result.where} in {when}{trace}"


if __name__ == "__main__":
    typer.run(main)
