"""What can run the RTL, by name: the one list that engines, Python and the command line ask."""

from typing import Literal, get_args

SimulatorName = Literal["verilator", "icarus"]
"""Simulators that run cocotb."""
SIMULATORS = get_args(SimulatorName)

RtlSimulator = Literal[SimulatorName, "native"]
"""What replays run on; `native` is Verilator's model driven by C++ instead of cocotb."""
RTL_SIMULATORS = get_args(RtlSimulator)
