"""The cycle model: the RTL's exact cycles and counters, from event to event instead of cycle to cycle."""
