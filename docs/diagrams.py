"""Timing diagrams of the manual: runs parts of the unit in Amaranth's simulator and draws what their signals did.

`python docs/diagrams.py` writes docs/img/timing-*.svg. A test draws them again and compares, so that a diagram
never shows what the hardware no longer does.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator
from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.dma import DmaController
from moefetch.hw.prefetch_core import PrefetchCore
from moefetch.hw.records import Class, GrantStatus, Kind
from moefetch.hw.replay_memory import ReplayMemory
from moefetch.predictor_rtl.st_moe_paper import StMoePaperPredictor
from wave_svg import Diagram, Lane, draw

IMAGES = Path(__file__).parent / "img"
TINY = UNIT_PRESETS["tiny"].replace(predictors=("st_moe_paper",))


def simulate(parts: dict[str, Any], drive: Callable, probes: Iterable[tuple], *, cycles: int) -> list[Lane]:
    """Run `drive` beside the connected parts, and return a lane for each (name, valid, values, label, style)."""
    module = Module()
    for name, part in parts.items():
        module.submodules[name] = part
    if "memory" in parts:
        connect(module, next(part for part in parts.values() if hasattr(part, "axi")).axi, parts["memory"].axi)
    simulator = Simulator(module)
    simulator.add_clock(1e-8)
    probes = list(probes)
    rows: list[tuple] = []

    async def watch(ctx):
        signals = [signal for _, valid, values, _, _ in probes for signal in (valid, *values)]
        while True:
            rows.append((await ctx.tick().sample(*signals))[2:])

    simulator.add_process(watch)
    simulator.add_testbench(drive, background=True)
    simulator.run_until(cycles * 1e-8)
    lanes, at = [], 0
    for name, _, values, label, style in probes:
        end = at + 1 + len(values)
        cells = [row[at:end] for row in rows]
        lanes.append(Lane(name, [label(*cell[1:]) if cell[0] else None for cell in cells], style))
        at = end
    return lanes


def cut(lanes: list[Lane], first: int) -> list[Lane]:
    """Return the lanes from cycle `first` on."""
    return [lane._replace(values=lane.values[first:]) for lane in lanes]


def level(name: str, signal) -> tuple:
    """Probe of a one-bit signal."""
    return name, signal, (), lambda: "", "wave"


def boxes(name: str, valid, values, label: Callable[..., str]) -> tuple:
    """Probe of values, in boxes while `valid`."""
    return name, valid, values, label, "boxes"


def marks(name: str, valid, values, label: Callable[..., str]) -> tuple:
    """Probe of moments, one word each."""
    return name, valid, values, label, "marks"


def memory_settings(ctx, memory, *, latency: int, outstanding: int):
    """Make the replay's memory one with a beat a cycle."""
    for name, value in {"latency": latency, "cycles_per_beat": 1, "outstanding": outstanding}.items():
        ctx.set(getattr(memory, name), value)


async def send(ctx, stream, payload: dict):
    """Send one payload on a stream."""
    ctx.set(stream.payload, payload)
    ctx.set(stream.valid, 1)
    while not (await ctx.tick().sample(stream.ready))[-1]:
        pass
    ctx.set(stream.valid, 0)


def dma_probes(dma) -> list[tuple]:
    """Lanes that both scenes of the DMA show."""
    axi = dma.axi
    return [
        marks("AR: burst of a", axi.arvalid & axi.arready, (axi.arid,), lambda i: "demand" if i else "prefetch"),
        boxes("R beats", axi.rvalid, (axi.rid,), lambda i: "demand" if i else "prefetch"),
        level("RLAST", axi.rvalid & axi.rlast),
        boxes("sink slot", dma.sink.valid, (dma.sink.slot,), str),
        marks("status", dma.status.valid, (dma.status.payload.slot,), lambda slot: f"slot {slot}"),
    ]


def dma_scene(drive: Callable, *, latency: int, cycles: int) -> list[Lane]:
    """Simulate the DMA controller with two outstanding bursts of 8 beats."""
    config = TINY
    dma, memory = DmaController(config=config), ReplayMemory(config=config)

    async def start(ctx):
        memory_settings(ctx, memory, latency=latency, outstanding=8)
        for name, value in {"outstanding": 2, "burst_beats": 8, "retries": 1}.items():
            ctx.set(getattr(dma, name), value)
        ctx.set(dma.status.ready, 1)
        await ctx.tick().repeat(4)
        await drive(ctx, dma)

    requests = [
        marks("descriptor", port.valid & port.ready, (), lambda text=text: text)
        for port, text in ((dma.prefetch, "prefetch"), (dma.demand, "demand"))
    ]
    shown = dma_probes(dma)
    lanes = simulate({"dma": dma, "memory": memory}, start, [*requests, *shown], cycles=cycles)
    merged = [early or late for early, late in zip(lanes[0].values, lanes[1].values, strict=True)]
    return cut([Lane("descriptor", merged, "marks"), *lanes[2:]], 4)


def outstanding_bursts() -> Diagram:
    """Two bursts under way, and a latency that they do not cover."""

    async def drive(ctx, dma):
        await send(ctx, dma.demand, {"address": 0, "beats": 32, "slot": 1})

    title = "One expert of 32 beats: bursts of 8, 2 outstanding, latency 16 cycles"
    return Diagram(title, dma_scene(drive, latency=16, cycles=70))


def preemption() -> Diagram:
    """A demand overtakes a prefetch at a burst boundary."""

    async def drive(ctx, dma):
        await send(ctx, dma.prefetch, {"address": 0, "beats": 32, "slot": 1})
        await ctx.tick().repeat(12)
        await send(ctx, dma.demand, {"address": 4096, "beats": 16, "slot": 2})

    title = "A demand (slot 2) overtakes a prefetch (slot 1) at a burst boundary; latency 6 cycles"
    return Diagram(title, dma_scene(drive, latency=6, cycles=68))


def one_event() -> Diagram:
    """A hit and a miss, from the router's beats to the end."""
    config = TINY.replace(commit_log=True)
    core, memory = PrefetchCore(config=config), ReplayMemory(config=config)
    settings = {
        "n_layers": 1, "n_experts": 8, "n_slots": 8, "expert_beats": 8, "expert_stride": 4096, "layer_stride": 4096,
        "row_entries": 2, "outstanding": 2, "burst_beats": 8,
    }  # fmt: skip

    async def event(ctx, experts):
        for place, expert in enumerate(experts):
            last = place == len(experts) - 1
            await send(ctx, core.route, {"expert": expert, "token_last": last, "last": last})
        for _ in experts:
            ctx.set(core.grant.ready, 1)
            grant = (await ctx.tick().sample(core.grant.payload).until(core.grant.valid))[0]
            ctx.set(core.grant.ready, 0)
            await ctx.tick().repeat(6)
            await send(ctx, core.release, {name: grant[name] for name in ("layer", "expert", "slot", "status")})

    async def drive(ctx):
        memory_settings(ctx, memory, latency=6, outstanding=8)
        ctx.set(core.topk_value, 2)
        ctx.set(core.settings, settings)
        await ctx.tick().repeat(2)
        await event(ctx, (1,))
        while ctx.get(core.state.event_open):
            await ctx.tick()
        await ctx.tick().repeat(8)
        await event(ctx, (1, 3))

    lanes = simulate({"core": core, "memory": memory}, drive, core_probes(core), cycles=118)
    second = [cycle for cycle, beat in enumerate(lanes[0].values) if beat is not None][1]
    title = "One event: expert 1 is resident, expert 3 is not; 8 beats an expert, latency 6 cycles"
    return Diagram(title, cut(lanes, second - 2))


def core_probes(core) -> list[tuple]:
    """Lanes of an event's life."""
    record, beat, grant = core.record, core.route.payload, core.grant
    return [
        boxes("router beat", core.route.valid & core.route.ready, (beat.expert,), str),
        level("event open", core.state.event_open),
        marks("commit log", core.record_valid, (record.kind, record.outcome, record.expert), record_word),
        marks("grant", grant.valid & grant.ready, (grant.payload.status, grant.payload.expert),
              lambda status, expert: f"{GrantStatus(status).name.lower()} {expert}"),
        marks("AR", core.axi.arvalid & core.axi.arready, (), lambda: "burst"),
        level("R beats", core.axi.rvalid),
        marks("release (expert)", core.release.valid & core.release.ready, (core.release.payload.expert,), str),
    ]  # fmt: skip


def record_word(kind: int, outcome: int, expert: int) -> str:
    """Name a record in a word or two."""
    if kind == Kind.CLASSIFY:
        return f"{Class(outcome).name.split('_')[0].lower()} {expert}"
    name = Kind(kind).name.lower()
    return name if kind in (Kind.CLOSE, Kind.END) else f"{name} {expert}"


def paper_hold() -> Diagram:
    """st_moe_paper holds its set after its event's end."""
    hold = 16
    predictor = StMoePaperPredictor(config=TINY)

    async def drive(ctx):
        for name, value in {
            "n_layers": 4, "n_experts": 8, "row_entries": 2, "min_score": 2, "enable": 1, "hold_cycles": hold,
        }.items():  # fmt: skip
            ctx.set(getattr(predictor, name), value)
        ctx.set(predictor.candidate.ready, 1)
        table = predictor.table
        for entry, expert in enumerate((4, 6)):
            values = {"layer": 0, "row": 1, "entry": entry, "expert": expert, "confidence": 2, "write": 1}
            for name, value in values.items():
                ctx.set(getattr(table, name), value)
            await ctx.tick()
        ctx.set(table.write, 0)
        await ctx.tick().repeat(4)
        for place, expert in enumerate((1, 2)):
            await send(
                ctx, predictor.event, {"event": 0, "layer": 0, "expert": expert, "member": 1, "last": place == 1}
            )
        await ctx.tick().repeat(18)
        ctx.set(predictor.event_end, 1)
        await ctx.tick()
        ctx.set(predictor.event_end, 0)

    event, candidate = predictor.event, predictor.candidate
    probes = [
        boxes("event beat", event.valid & event.ready, (event.payload.expert,), str),
        level("tables busy", ~event.ready),
        marks("event end", predictor.event_end, (), lambda: "end"),
        marks("candidate (expert)", candidate.valid & candidate.ready, (candidate.payload.expert,), str),
    ]
    lanes = simulate({"predictor": predictor}, drive, probes, cycles=60)
    return Diagram(
        f"st_moe_paper: the set is ready early, and is released {hold} cycles after the event's end", cut(lanes, 4)
    )


SCENES = {
    "event": one_event,
    "outstanding": outstanding_bursts,
    "preemption": preemption,
    "hold": paper_hold,
}
"""Name of the file (timing-NAME.svg) -> scene."""


def render() -> dict[str, str]:
    """Simulate every scene and return file name -> SVG."""
    return {f"timing-{name}.svg": draw(scene()) for name, scene in SCENES.items()}


def main() -> None:
    """Write the diagrams."""
    IMAGES.mkdir(exist_ok=True)
    for name, text in render().items():
        (IMAGES / name).write_text(text, encoding="utf-8")
        print(IMAGES / name)


if __name__ == "__main__":
    main()
