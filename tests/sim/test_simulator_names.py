"""Do the lists of simulators follow from the types that say which there are?"""

from moefetch.cli.replay import Simulator
from moefetch.sim.simulator_names import RTL_SIMULATORS, SIMULATORS


def test_native_runs_replays_and_no_cocotb():
    assert SIMULATORS == ("verilator", "icarus")
    assert (*SIMULATORS, "native") == RTL_SIMULATORS


def test_the_command_line_knows_the_same():
    assert tuple(Simulator) == RTL_SIMULATORS
