"""The memory's channel: service cycles, and how many of them background traffic leaves.

Service time counts the cycles in which the link may serve: all of them, or those that periodic background traffic does
not take. Bursts that follow each other without a gap are evenly spaced in it, whatever the background.
"""

from .compiled import compiled
from .fields import C_BACKGROUND_LENGTH, C_BACKGROUND_PERIOD


@compiled
def quotient(number, divisor):
    """Return `number` // `divisor`, neither negative; a processor takes long to divide, and here mostly need not."""
    if number < divisor:
        return 0
    return number if divisor == 1 else number // divisor


@compiled
def service_before(mem, cycle):
    """Return how many service cycles lie before `cycle`."""
    taken = mem[C_BACKGROUND_LENGTH]
    if taken == 0:
        return cycle
    period = mem[C_BACKGROUND_PERIOD]
    periods = cycle // period
    return periods * (period - taken) + max(0, cycle - periods * period - taken)


@compiled
def cycle_of(mem, service):
    """Return the cycle of service cycle number `service`, counted from 0."""
    taken = mem[C_BACKGROUND_LENGTH]
    if taken == 0:
        return service
    period = mem[C_BACKGROUND_PERIOD]
    periods = service // (period - taken)
    return periods * period + taken + service - periods * (period - taken)
