"""The platform that stands for Verilog emission, so that parts can tell it from simulation."""


class VerilogPlatform:
    """Passed to `elaborate` when Verilog is emitted: memories become instances of named wrapper modules."""
