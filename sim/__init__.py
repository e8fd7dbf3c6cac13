"""Golden models, workloads, replays and reports; free of Amaranth."""
