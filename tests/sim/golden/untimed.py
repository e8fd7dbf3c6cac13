"""A naive unit without time: it plays random events by the rules and writes a legal commit log.

Written apart from `moefetch.sim.golden` and for plainness only, so that the two check each other. What takes
time in the unit (fills, releases, candidates, issues) comes in random order.
"""

from random import Random

from moefetch.hw.records import Class, Expiry, Fill, Filter, GrantStatus, Issue, Kind, Record, Source, Sweep
from moefetch.sim.golden.candidates import HintBeat
from moefetch.sim.golden.event import RouterBeat
from moefetch.sim.golden.settings import UnitSettings
from moefetch.sim.predictors.interface import Candidate

CALM = {"fill_fails": 0.0, "commands": 0.0, "quiet_close": 0.5}
ROUGH = {"fill_fails": 0.15, "commands": 0.05, "quiet_close": 0.2}


class RandomPredictor:
    """Names random experts for coming events, some too late or too far; scores are even, hints' are odd."""

    def __init__(self, settings, seed):
        self.settings = settings
        self.seed = seed

    def step(self, event):
        rng = Random(f"{self.seed} {event.event}")
        settings = self.settings
        ahead = rng.choice([1, 1, 1, 2, settings.horizon, settings.horizon + 1, 0])
        layer = (event.layer + ahead) % settings.n_layers
        experts = rng.sample(range(settings.n_experts), rng.randint(0, min(6, settings.n_experts)))
        return [
            Candidate(event.event + ahead, layer, expert, 2 * rng.randint(0, 127), Source.PREDICTOR, False)
            for expert in experts
        ]


class UntimedUnit:
    """Plays `n_events` random events; `script` holds ("event" | "hints" | "record" | .. , payload) in order."""

    def __init__(self, settings: UnitSettings, seed: int, n_events: int, mode=CALM):
        self.settings = settings
        self.rng = Random(seed)
        self.predictor = RandomPredictor(settings, seed)
        self.mode = mode
        self.script: list[tuple[str, object]] = []
        self.grants: list[tuple[int, int, int, int]] = []
        self.slots = [self.empty_slot(index) for index in range(settings.n_slots)]
        self.places: dict[tuple[int, int], int] = {}
        self.queue: list[dict] = []
        self.spent: dict[int, int] = {}
        self.lists: dict[Source, list] = {Source.PREDICTOR: [], Source.HINT: []}
        self.ticks = 0
        self.current = -1
        self.layer = -1
        self.members: list[int] | None = None
        self.misses: list[int] = []
        self.asleep = False
        self.out: dict[int, tuple[int, int]] = {}
        self.left = 0
        self.request: int | None = None
        self.run(n_events)

    @staticmethod
    def empty_slot(index):
        return {"index": index, "state": "free", "pinned": False, "released": False, "sticky": False,
                "unused": False, "stamp": 0, "tick": 0, "layer": 0, "expert": 0}  # fmt: skip

    def log(self, kind, **fields):
        self.script.append(("record", Record(kind, **{name: int(value) for name, value in fields.items()})))

    def log_slot(self, kind, slot, outcome):
        self.log(kind, outcome=outcome, layer=slot["layer"], expert=slot["expert"], slot=slot["index"])

    # Time

    def run(self, n_events):
        for number in range(n_events):
            self.close(*self.new_event(number))
            while self.members is not None or self.rng.random() > self.mode["quiet_close"]:
                if not self.act() and self.members is None:
                    break
        while any(slot["state"] in ("filling", "draining") for slot in self.slots):
            self.act()

    def new_event(self, number):
        settings, rng = self.settings, self.rng
        layer = number % settings.n_layers
        beats, members = [], {}
        for _ in range(rng.choice([1, 1, 2])):
            chosen = rng.sample(range(settings.n_experts), settings.top_k[layer])
            beats += [RouterBeat(layer, expert, token_last=expert == chosen[-1]) for expert in chosen]
            members |= dict.fromkeys(chosen)
        if rng.random() < 0.05:
            beats, members = [RouterBeat(layer, settings.n_experts, token_last=True)], {}
        beats[-1] = beats[-1]._replace(last=True)
        start = rng.random() < 0.1
        self.script.append(("event", [beat._replace(sequence_start=start) for beat in beats]))
        hints = []
        if settings.hints:
            following = (layer + rng.choice([1, 1, 2])) % settings.n_layers
            hints = [HintBeat(following, rng.randrange(settings.n_experts), 2 * rng.randint(0, 127) + 1)
                     for _ in range(rng.randint(0, 4))]  # fmt: skip
            self.script.append(("hints", hints))
        return layer, list(members), start, hints

    def act(self):
        """Commit one record, or none if there is nothing to do."""
        filling = [slot for slot in self.slots if slot["state"] == "filling"]
        draining = [slot for slot in self.slots if slot["state"] == "draining"]
        actions = [(self.fill, slot) for slot in filling] + [(self.drain, slot) for slot in draining]
        actions += [(self.release, expert) for expert in self.out]
        actions += [(self.candidate, source) for source, waiting in self.lists.items() if waiting] * 2
        if self.misses and not self.asleep:
            actions += [(self.issue_demand, None)] * 3
        if self.queue and not self.misses:
            actions += [(self.issue_prefetch, None)] * 3
        if not actions:
            return False
        if self.rng.random() < self.mode["commands"]:
            self.command()
        else:
            action, about = self.rng.choice(actions)
            action(about) if about is not None else action()
        return True

    # Events

    def find(self, layer, expert):
        index = self.places.get((layer, expert))
        if index is None:
            return None
        slot = self.slots[index]
        same = (slot["layer"], slot["expert"]) == (layer, expert)
        return slot if same and slot["state"] in ("filling", "resident") else None

    def close(self, layer, members, start, hints):
        self.current += 1
        self.layer, self.members, self.left = layer, members, len(members)
        self.log(Kind.CLOSE, outcome=start, layer=layer, expert=len(members), deadline=self.current)
        self.lists[Source.PREDICTOR] = []
        event = type("Event", (), {"event": self.current, "layer": layer})
        self.lists[Source.PREDICTOR] = self.predictor.step(event)
        for hint in hints:
            ahead = (hint.layer - layer) % self.settings.n_layers or self.settings.n_layers
            target = self.current + ahead
            self.lists[Source.HINT].append(Candidate(target, hint.layer, hint.expert, hint.score, Source.HINT, False))
        for expert in members:
            self.classify(expert)
        for entry in [entry for entry in self.queue if entry["deadline"] <= self.current]:
            promoted = entry["layer"] == layer and entry["expert"] in members
            self.log(Kind.EXPIRE, outcome=Expiry.PROMOTED if promoted else Expiry.EXPIRED, **entry)
            self.queue.remove(entry)
        self.abort_wrong()
        if not members:
            self.end()

    def classify(self, expert):
        slot = self.find(self.layer, expert)
        if slot is None:
            self.log(Kind.CLASSIFY, outcome=Class.MISS, layer=self.layer, expert=expert)
            self.misses.append(expert)
            return
        if slot["state"] == "filling":
            found = Class.LATE
        elif slot["unused"]:
            found = Class.HIT_ON_TARGET if slot["stamp"] == self.current else Class.HIT_LATER_USE
        else:
            found = Class.HIT_REUSE
        self.log_slot(Kind.CLASSIFY, slot, found)
        slot["pinned"], slot["unused"], slot["grant"] = True, False, GrantStatus.LATE
        if found != Class.LATE:
            self.grant(slot, GrantStatus.HIT)

    def abort_wrong(self):
        slot = None if self.request is None else self.slots[self.request]
        if slot is None or self.settings.abort_policy == 0 or self.rng.random() < 0.3:
            return
        if slot["state"] == "filling" and not slot["pinned"] and slot["stamp"] <= self.current:
            self.abort(slot, Sweep.WRONG)

    def grant(self, slot, status):
        self.out[slot["expert"]] = slot["index"], int(status)
        self.grants.append((self.layer, slot["expert"], slot["index"], int(status)))

    def release(self, expert):
        index, status = self.out.pop(expert)
        self.log(Kind.RELEASE, outcome=status, expert=expert, slot=index)
        if status != GrantStatus.ERROR:
            self.slots[index]["released"] = True
            self.slots[index]["tick"] = self.ticks
        self.ticks += 1
        self.asleep = False
        self.left -= 1
        if self.left == 0:
            self.end()

    def end(self):
        self.log(Kind.END, deadline=self.current)
        self.members = None
        for slot in self.slots:
            slot["pinned"] = slot["released"] = False
        if self.settings.evict_at_event_end:
            self.sweep(lambda slot: not slot["sticky"] and slot["stamp"] <= self.current, Sweep.EVENT_END)

    def sweep(self, goes, reason):
        for slot in self.slots:
            if goes(slot) and not slot["pinned"] and slot["state"] == "resident":
                self.log_slot(Kind.FREE, slot, reason)
                self.slots[slot["index"]] = self.empty_slot(slot["index"])
                self.asleep = False
            elif goes(slot) and not slot["pinned"] and slot["state"] == "filling":
                self.abort(slot, reason)

    def abort(self, slot, reason):
        self.log_slot(Kind.ABORT, slot, reason)
        slot["state"], slot["unused"] = "draining", False

    def command(self):
        command = self.rng.choice(["flush", "pin", "unpin", "pin", "unpin", "invalidate"])
        if command == "flush":
            self.script.append(("flush", ()))
            self.log(Kind.FLUSH, expert=len(self.queue))
            self.queue = []
        elif command == "invalidate":
            self.script.append(("invalidate", ()))
            self.sweep(lambda slot: True, Sweep.INVALIDATE)
        else:
            slot = self.rng.choice(self.slots)
            if sum(slot["sticky"] for slot in self.slots) == len(self.slots) - 1:
                command = "unpin"  # with every slot sticky a miss would wait for ever
            self.script.append((command, (slot["layer"], slot["expert"])))
            if slot["state"] == "resident" and self.find(slot["layer"], slot["expert"]) is slot:
                self.log_slot(Kind.PIN, slot, Sweep[command.upper()])
                slot["sticky"] = command == "pin"

    # Candidates

    def candidate(self, source):
        target, layer, expert, score, _, _ = self.lists[source].pop(0)
        found = self.find(layer, expert)
        entry = dict(layer=layer, expert=expert, score=score, source=int(source), deadline=target)
        if target <= self.current or target > self.current + self.settings.horizon:
            outcome, found = Filter.EXPIRED, None
        elif found:
            outcome = Filter.RESIDENT if found["state"] == "resident" else Filter.IN_FLIGHT
            found["stamp"] = target
        elif any((queued["layer"], queued["expert"]) == (layer, expert) for queued in self.queue):
            outcome = Filter.IN_QUEUE
        elif self.spent.get(target, 0) == self.settings.budget:
            outcome = Filter.OVER_BUDGET
        else:
            self.queue.append(entry)
            self.queue.sort(key=lambda queued: (queued["deadline"], -queued["score"], queued["expert"]))
            outcome = Filter.QUEUED
            if len(self.queue) > self.settings.queue_depth:
                outcome = Filter.OVERFLOW if self.queue.pop() is entry else Filter.QUEUED_DROPPING
            self.spent[target] = self.spent.get(target, 0) + (outcome != Filter.OVERFLOW)
        self.log(Kind.CANDIDATE, outcome=outcome, slot=found["index"] if found else 0, **entry)

    # Transfers

    def evictable(self):
        return [s for s in self.slots if s["state"] == "resident" and not s["pinned"] and not s["sticky"]]

    def victim_order(self, slot):
        ahead = (slot["layer"] - self.layer) % self.settings.n_layers if self.settings.victim_policy else 0
        return -ahead, slot["tick"], slot["index"]

    def seek(self, least_stamp):
        coming = [slot for slot in self.evictable() if slot["stamp"] > self.current]
        ranked = [("FREE", [slot for slot in self.slots if slot["state"] == "free"], lambda s: s["index"])]
        past = [slot for slot in self.evictable() if slot["stamp"] <= self.current]
        ranked += [("EVICT", past, self.victim_order)]
        ranked += [("EVICT", [slot for slot in coming if slot["stamp"] >= least_stamp], self.victim_order)]
        return ranked

    def issue_demand(self):
        expert = self.misses[0]
        own = [s for s in self.slots if s["pinned"] and s["released"] and not s["sticky"]]
        undemanded = [s for s in self.slots if s["state"] == "filling" and not s["pinned"]]
        ranked = [
            *self.seek(0),
            ("OWN_RELEASED", own, lambda s: s["tick"]),
            ("ABORT", undemanded, lambda s: (-s["stamp"], s["index"])),
        ]
        outcome, slot = self.first(ranked, "WAIT")
        fields = dict(layer=self.layer, expert=expert, source=0, deadline=self.current)
        self.log(Kind.ISSUE, outcome=Issue[outcome], slot=slot["index"] if slot else 0, **fields)
        if outcome in ("ABORT", "WAIT"):
            self.asleep = True
            if slot:
                slot["state"], slot["unused"] = "draining", False
            return
        self.misses.pop(0)
        self.allocate(slot, self.layer, expert, self.current, pinned=True, grant=GrantStatus.MISS)

    def issue_prefetch(self):
        entry = self.queue.pop(0)
        fields = dict(layer=entry["layer"], expert=entry["expert"], source=1, deadline=entry["deadline"])
        present = self.find(entry["layer"], entry["expert"])
        if present:
            self.log(Kind.ISSUE, outcome=Issue.PRESENT, slot=present["index"], **fields)
            present["stamp"] = entry["deadline"]
            return
        outcome, slot = self.first(self.seek(entry["deadline"]), "NO_VICTIM")
        self.log(Kind.ISSUE, outcome=Issue[outcome], slot=slot["index"] if slot else 0, **fields)
        if slot:
            self.allocate(slot, entry["layer"], entry["expert"], entry["deadline"], unused=True)
            self.request = slot["index"]

    @staticmethod
    def first(ranked, otherwise):
        for outcome, slots, order in ranked:
            if slots:
                return outcome, min(slots, key=order)
        return otherwise, None

    def allocate(self, slot, layer, expert, stamp, **flags):
        fresh = self.empty_slot(slot["index"])
        fresh |= dict(state="filling", layer=layer, expert=expert, stamp=stamp, tick=self.ticks, **flags)
        self.slots[slot["index"]] = fresh
        self.places[layer, expert] = slot["index"]
        self.ticks += 1

    def fill(self, slot):
        failed = self.rng.random() < self.mode["fill_fails"]
        self.log_slot(Kind.FILL, slot, Fill.FAILED if failed else Fill.DONE)
        self.asleep = False
        slot["state"] = "resident"
        if slot["pinned"]:
            self.grant(slot, GrantStatus.ERROR if failed else slot["grant"])
        if failed:
            self.slots[slot["index"]] = self.empty_slot(slot["index"])

    def drain(self, slot):
        self.log(Kind.DRAIN, slot=slot["index"])
        self.slots[slot["index"]] = self.empty_slot(slot["index"])
        self.asleep = False


def play(model, script, cycles=False):
    """Offer and check a script's items in order."""
    for index, (what, payload) in enumerate(script):
        if what == "record":
            model.check(payload, index if cycles else None)
        elif what == "event":
            model.offer_event(payload)
        elif what == "hints":
            model.offer_hints(payload)
        else:
            getattr(model, f"offer_{what}")(*payload)
    return model
