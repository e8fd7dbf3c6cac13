"""The self-test of an FPGA: the replay harness with a trace, expectations and a serial line, for a board."""
