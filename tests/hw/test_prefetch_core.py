"""Does the core do, event after event, what the rules say? Its commit log against the golden unit model."""

import random

import pytest
from moefetch.hw.commands import Command
from moefetch.hw.records import AbortPolicy, Filter, GrantStatus, Issue, Kind, VictimPolicy

from .core_bench import CoreBench, Surroundings, hint_beats, router_beats


def random_tokens(rng, top_k, n_experts):
    """Return experts of 1 to 3 tokens, the low ones more often."""
    tokens = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        token = []
        while len(token) < top_k:
            expert = min(rng.randrange(n_experts), rng.randrange(n_experts))
            if expert not in token:
                token.append(expert)
        tokens.append(token)
    return tokens


async def play(bench, ctx, *, seed, n_events, hint_quality=0.6, commands=0.0, gap=0.2, attention=(5, 60)):
    rng = random.Random(f"events {seed}")
    n_layers, n_experts = bench.live["n_layers"], bench.live["n_experts"]
    events = [random_tokens(rng, bench.top_k[e % n_layers], n_experts) for e in range(n_events + 8)]
    for number in range(n_events):
        layer = number % n_layers
        await ctx.tick().repeat(rng.randint(*attention))
        if rng.random() < commands:
            await give_command(bench, ctx, rng)
        await bench.send_event(ctx, router_beats(layer, events[number], sequence_start=layer == 0), gap=gap)
        for ahead in range(1, rng.choice((1, 2, 3, 4))):
            coming = {e for token in events[number + ahead] for e in token}
            named = [e for e in range(n_experts) if rng.random() < (hint_quality if e in coming else 0.15)]
            rng.shuffle(named)
            await bench.send_hints(ctx, hint_beats((layer + ahead) % n_layers, named, rng), gap=gap)
        await bench.wait_end(ctx)
    await bench.quiet(ctx)
    await ctx.tick().repeat(100)


async def give_command(bench, ctx, rng):
    kind = rng.choice((Command.FLUSH, Command.INVALIDATE_ALL, Command.PIN_KEY, Command.UNPIN_KEY))
    if kind == Command.INVALIDATE_ALL:
        await bench.quiet(ctx, 0)
    await bench.command(ctx, kind, rng.randrange(bench.live["n_layers"]), rng.randrange(3))


SCENES = {
    "calm": ({}, Surroundings(), 0.0),
    "few slots": ({"n_slots": 3}, Surroundings(compute=(1, 20)), 0.0),
    "least stale": ({"n_slots": 5, "victim_policy": VictimPolicy.LEAST_STALE}, Surroundings(latency=(3, 20)), 0.0),
    "evict": ({"evict_at_event_end": 1, "abort_policy": AbortPolicy.HALF}, Surroundings(latency=(10, 80)), 0.0),
    "abort": ({"abort_policy": AbortPolicy.ALWAYS, "n_slots": 4}, Surroundings(latency=(10, 80)), 0.0),
    "errors": ({"retries": 1, "hints_first": 1}, Surroundings(error=0.3, arready=0.5, rvalid=0.5), 0.0),
    "commands": ({"budget": 2, "n_layers": 3}, Surroundings(latency=(3, 40)), 0.6),
}


@pytest.mark.parametrize("scene", SCENES)
def test_log_of_random_events(scene):
    settings, around, commands = SCENES[scene]
    seed = f"{scene} 1"
    print(f"seed {seed}")
    rng = random.Random(seed)
    bench = CoreBench(settings=settings, around=around, top_k=(2, 1, 2, 2), seed=seed)
    bench.run(lambda ctx: play(bench, ctx, seed=seed, n_events=30, commands=commands))
    counters = bench.finish()
    assert counters["hit"] and counters["miss"] and counters["issued"]
