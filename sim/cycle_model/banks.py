"""Reads of the expert SRAM: who gets a bank, and when a processing element has read its slot.

In a bank the writer goes first, then the lowest element; the others lose the cycle. So the lowest reader of a bank, its
leader, reads in every cycle that the writer leaves, and the others not at all until it has finished.
"""

from . import fields as f
from .compiled import compiled, inlined
from .elements import find_first_done
from .stalls import apply_change, count_cycles, count_lost, next_change
from .trains import first_write, retire_trains, writes_of


@inlined
def advance(mem, cycle):
    """Account for all cycles before `cycle`, and apply what changes up to it."""
    if mem[f.R_PLANNED]:
        follow_plan(mem)
    while True:
        while next_change(mem) <= mem[f.R_ACCOUNTED]:
            _apply_next(mem)
        now, finish = mem[f.R_ACCOUNTED], mem[f.R_FIRST_FINISH]
        if now >= cycle:
            break
        until = min(cycle, finish, next_change(mem))
        mem[f.R_ACCOUNTED] = until
        if finish == until:
            _end_reads(mem, until)
    if mem[f.R_TRAIN_FIRST] < mem[f.R_TRAINS] and mem[f.TRAIN + mem[f.R_TRAIN_FIRST], f.T_DONE] <= cycle:
        _bring_up_to_date(mem)
        retire_trains(mem, cycle)


@compiled
def settle(mem, cycle):
    """Bring all counters up to `cycle`, the reads' and the cycles' included."""
    advance(mem, cycle)
    _count_up(mem)


@inlined
def _count_up(mem):
    """Count what has been accounted for and not counted: while all that decides it is as it was."""
    if mem[f.R_HOT]:
        _bring_up_to_date(mem)
    count_cycles(mem)


@inlined
def _apply_next(mem):
    row = f.CHANGE + mem[f.R_CHANGE_FIRST]
    mem[f.R_CHANGE_FIRST] += 1
    _count_up(mem)
    apply_change(mem, mem[row, f.A_KIND], mem[row, f.A_VALUE])
    if mem[row, f.A_KIND] == f.CHANGE_GRANTED:
        _begin_read(mem, mem[row, f.A_VALUE])


@compiled
def _begin_read(mem, element):
    _bring_up_to_date(mem)
    mem[element, f.P_READING] = 1
    mem[element, f.P_REST] = mem[f.C_EXPERT_BEATS]
    mem[f.R_READERS] += 1
    _foresee(mem)


@compiled
def _end_reads(mem, cycle):
    """End the reads that finish in `cycle`."""
    ended = False
    for element in range(f.ELEMENT, f.ELEMENT + mem[f.C_ELEMENTS]):
        if mem[element, f.P_READING] and mem[element, f.P_FINISH] == cycle:
            if not ended:
                _bring_up_to_date(mem)
            mem[element, f.P_READING] = 0
            mem[f.R_READERS] -= 1
            ended = True
    if ended:
        _foresee(mem)


@compiled
def follow_plan(mem):
    """Foresee the reads anew: bursts have been planned or taken back."""
    mem[f.R_PLANNED] = 0
    if mem[f.R_READERS]:
        _bring_up_to_date(mem)
        _foresee(mem)


@inlined
def _bring_up_to_date(mem):
    """Count the words read since the reads were looked at last; nothing that decides them has changed since."""
    begin, now = mem[f.R_READ_AT], mem[f.R_ACCOUNTED]
    mem[f.R_READ_AT] = now
    if mem[f.R_HOT]:
        if begin < now:
            count_lost(mem, _read(mem, begin, now))
        return
    for element in range(f.ELEMENT, f.ELEMENT + mem[f.C_ELEMENTS]):
        if mem[element, f.P_READING]:
            mem[element, f.P_REST] -= now - begin


@inlined
def _foresee(mem):
    """Find out when each read will finish, INF for those that wait for a bank's leader."""
    hot, led, first = 0, 0, f.INF
    now = mem[f.R_ACCOUNTED]
    for element in range(f.ELEMENT, f.ELEMENT + mem[f.C_ELEMENTS]):
        if mem[element, f.P_READING] == 0:
            continue
        bank = mem[element, f.P_BANK]
        if led >> bank & 1:
            mem[element, f.P_FINISH] = f.INF
            hot = 1
            continue
        led |= 1 << bank
        if mem[f.BANK + bank, 0] > now:
            hot = 1
            mem[element, f.P_FINISH] = _leader_finish(mem, bank, now, mem[element, f.P_REST])
        else:
            mem[element, f.P_FINISH] = now + mem[element, f.P_REST]
        first = min(first, mem[element, f.P_FINISH])
    mem[f.R_HOT] = hot
    mem[f.R_FIRST_FINISH] = first
    find_first_done(mem)


@compiled
def _leader_finish(mem, bank, now, rest):
    """Return the first cycle before which `rest` cycles from `now` on are free of writes to `bank`."""
    for row in range(f.TRAIN + mem[f.R_TRAIN_FIRST], f.TRAIN + mem[f.R_TRAINS]):
        end = mem[row, f.T_DONE]
        if mem[row, f.T_BANK] != bank or end <= now:
            continue
        begin = max(now, first_write(mem, row))
        if now + rest <= begin:
            return now + rest
        rest -= begin - now
        written = writes_of(mem, row, begin)
        free = end - begin - (writes_of(mem, row, end) - written)
        if rest <= free:
            return _free_cycle(mem, row, begin, end, written, rest)
        rest -= free
        now = end
    return now + rest


@compiled
def _free_cycle(mem, row, begin, end, written, rest):
    """Return the first cycle before which a train leaves `rest` cycles from `begin` on to the reader."""
    low, high = begin + rest, end
    while low < high:
        middle = (low + high) // 2
        if middle - begin - (writes_of(mem, row, middle) - written) >= rest:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _writes_between(mem, bank, begin, end):
    found = 0
    for row in range(f.TRAIN + mem[f.R_TRAIN_FIRST], f.TRAIN + mem[f.R_TRAINS]):
        if mem[row, f.T_BANK] == bank and mem[row, f.T_DONE] > begin:
            found += writes_of(mem, row, end) - writes_of(mem, row, begin)
    return found


@inlined
def _read(mem, begin, end):
    """Let the elements read from `begin` to `end`; return in how many cycles one or more of them lost its bank."""
    lost, all_lost, led = 0, False, 0
    for element in range(f.ELEMENT, f.ELEMENT + mem[f.C_ELEMENTS]):
        if mem[element, f.P_READING] == 0:
            continue
        bank = mem[element, f.P_BANK]
        if led >> bank & 1:
            missed = end - begin
            all_lost = True
        else:
            led |= 1 << bank
            missed = 0
            if mem[f.BANK + bank, 0] > begin:
                missed = _writes_between(mem, bank, begin, end)
            lost += missed
        mem[element, f.P_REST] -= end - begin - missed
        mem[f.K_BANK_CONFLICTS] += missed
    return end - begin if all_lost else lost
