"""The verdict in words at the top of the page."""

from ..compare import ON_DEMAND
from .folder import Compared


def verdict_lines(compared: Compared) -> list[str]:
    """Return the sentences: the best unit's policy against on-demand and the oracle, energy, and where it loses."""
    lines = []
    if compared.best is not None:
        lines += [_best(compared, compared.best), *_energy(compared, compared.best)]
    slots, cycle = compared.document["slots"], compared.token_cycle
    lines.append(f"The cache holds {slots:,} experts; a token selects {cycle:,} over all layers, one token cycle.")
    return [*lines, *compared.document["verdict"]]


def _best(compared: Compared, policy: str) -> str:
    speed_up, interval = compared.value(policy, "speed_up") or 0, compared.interval(policy, "speed_up")
    times = [_microseconds(compared.value(name, "tpot_mean_us")) for name in (policy, ON_DEMAND)]
    between = "" if interval is None else f", 95 % interval {interval[0]:.3f} to {interval[1]:.3f}"
    closed = compared.value(policy, "gap_closed")
    gap = "" if closed is None else f" It closes {closed:.0%} of the gap from on-demand to the oracle."
    word = "faster" if speed_up > 1 else "slower"
    change = abs(speed_up - 1)
    return (
        f"The best prefetching policy of a unit is {policy}: {times[0]} a step against {times[1]} on demand, "
        f"{change:.1%} {word} (speed-up {speed_up:.3f}{between}).{gap}"
    )


def _energy(compared: Compared, policy: str) -> list[str]:
    energy, ratio = compared.value(policy, "energy_per_token"), compared.value(policy, "energy_ratio")
    product, wasted = compared.value(policy, "edp_ratio"), compared.value(policy, "wasted_energy_per_token")
    if energy is None or ratio is None or product is None or wasted is None:
        return []
    return [
        f"Moving its experts takes {energy:,.4g} uJ a token, {ratio:.2f} times that of on-demand "
        f"({wasted / energy:.0%} wasted); its energy-delay product is {product:.2f} times that of on-demand (modelled)."
    ]


def _microseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1000:,.3g} ms" if value >= 1000 else f"{value:,.3g} us"
