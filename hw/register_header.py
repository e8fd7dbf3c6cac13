"""The register map as a C header: constants only, C99 and C++."""

from collections.abc import Iterable, Iterator

from .counter_names import COUNTER_INDEX
from .register_map import WORD_BITS, Access, Register, RegisterField

PREFIX = "MOEFETCH"

_HEAD = """\
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * {title}
 *
 * For register R: R_OFFSET (bytes; of an array R_OFFSET(i), with R_COUNT) and R_RESET. For its field F: R_F_SHIFT and
 * R_F_MASK, and for fields that can be written R_F_MIN and R_F_MAX, of the shifted-down value. A 64-bit register is two
 * words, the low one first.
 */
#ifndef MOEFETCH_REGISTERS_H
#define MOEFETCH_REGISTERS_H

#include <stdint.h>

/* MOEFETCH_GET(N_LAYERS_N_LAYERS, word) is the field's value in a word, MOEFETCH_SET(.., value) the word with it. */
#define MOEFETCH_GET(field, word) (((word) & MOEFETCH_##field##_MASK) >> MOEFETCH_##field##_SHIFT)
#define MOEFETCH_SET(field, value) (((value) << MOEFETCH_##field##_SHIFT) & MOEFETCH_##field##_MASK)
"""


def registers_header(registers: Iterable[Register], *, title: str) -> str:
    """Return the header's text."""
    parts = [_HEAD.format(title=title)]
    parts += ["\n".join(_register(register)) + "\n" for register in registers]
    indices = [_define(f"COUNTER_INDEX_{name.upper()}", f"{index}u") for name, index in COUNTER_INDEX.items()]
    parts += ["/* Elements of COUNTER. */\n" + "\n".join(indices) + "\n", "#endif\n"]
    return "\n".join(parts)


def _register(register: Register) -> Iterator[str]:
    name = register.name
    yield f"/* {register.description} */"
    if register.count > 1:
        yield _define(f"{name}_OFFSET(i)", f"(0x{register.offset:03X}u + {register.stride}u * (uint32_t)(i))")
        yield _define(f"{name}_COUNT", f"{register.count}u")
    else:
        yield _define(f"{name}_OFFSET", f"0x{register.offset:03X}u")
    yield _define(f"{name}_RESET", _constant(register.reset, register))
    for field in register.fields:
        yield from _field(field, register)


def _field(field: RegisterField, register: Register) -> Iterator[str]:
    name = f"{register.name}_{field.name.upper()}"
    yield _define(f"{name}_SHIFT", f"{field.lsb}u")
    yield _define(f"{name}_MASK", _constant(((1 << field.width) - 1) << field.lsb, register))
    if field.access is Access.READ_WRITE:
        yield _define(f"{name}_MIN", _constant(field.minimum, register))
        yield _define(f"{name}_MAX", _constant(field.maximum, register))


def _define(name: str, value: str) -> str:
    return f"#define {PREFIX}_{name} {value}"


def _constant(value: int, register: Register) -> str:
    return f"UINT64_C(0x{value:X})" if register.width > WORD_BITS else f"UINT32_C(0x{value:X})"
