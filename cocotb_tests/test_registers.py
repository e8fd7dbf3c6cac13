"""Can a bus master of a third party write and read back every field of every unit that can be generated?"""

import pytest
from moefetch.hw.register_map import SOURCE, register_map
from systemrdl.compiler import RDLCompiler

from .unit_builds import UNITS, simulate

KINDS = ("tiny", "segmented", "paged", "cached", "guarded")
"""The units that differ in their registers."""
N_TESTS = 10


@pytest.mark.parametrize(("simulator", "unit"), [("verilator", "tiny"), *(("icarus", unit) for unit in KINDS)])
def test_registers(simulator, unit, tmp_path):
    """Its last test requires that every field of this unit was met by one before."""
    assert len(simulate(simulator, unit, "registers_bench", tmp_path, {}).cases) == N_TESTS


def test_the_units_have_every_field():
    """Is each field of the source, whatever capacity it depends on, one of these units'?"""
    compiler = RDLCompiler()
    compiler.compile_file(str(SOURCE))
    (bank,) = compiler.elaborate(top_def_name="moefetch").children()
    known = {
        (register.inst_name, field.inst_name)
        for register in bank.registers(unroll=False, skip_not_present=False)
        for field in register.fields(skip_not_present=False)
    }
    found = {
        (register.name, field.name)
        for unit in KINDS
        for register in register_map(UNITS[unit])
        for field in register.fields
    }
    assert found == known
