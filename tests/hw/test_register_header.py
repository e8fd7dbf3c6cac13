"""Does the C header compile as C and C++, and give the values that the register map has?"""

import shutil
import subprocess

import pytest
from moefetch.hw.config import UNIT_PRESETS, UnitConfig
from moefetch.hw.counter_names import COUNTER_INDEX
from moefetch.hw.register_header import registers_header
from moefetch.hw.register_map import Access, register_map

CONFIG = UnitConfig(max_layers=7, predictors=("st_moe", "weights"))
COMPILERS = {"c": ("gcc", "-std=c99"), "c++": ("g++", "-std=c++11")}


def constants(registers):
    """Yield each macro as C, and its value."""
    for register in registers:
        argument = ["(0)", f"({register.count - 1})"] if register.count > 1 else [""]
        for index in argument:
            last = register.offset + (register.count - 1) * register.stride
            yield f"{register.name}_OFFSET{index}", register.offset if index in ("", "(0)") else last
        yield f"{register.name}_RESET", register.reset
        for field in register.fields:
            name = f"{register.name}_{field.name.upper()}"
            yield f"{name}_SHIFT", field.lsb
            yield f"{name}_MASK", ((1 << field.width) - 1) << field.lsb
            if field.access is Access.READ_WRITE:
                yield f"{name}_MIN", field.minimum
                yield f"{name}_MAX", field.maximum
    yield from ((f"COUNTER_INDEX_{name.upper()}", index) for name, index in COUNTER_INDEX.items())


@pytest.mark.parametrize("language", COMPILERS)
def test_compiled_values_are_those_of_the_map(language, tmp_path):
    compiler, standard = COMPILERS[language]
    if shutil.which(compiler) is None:
        pytest.skip(f"{compiler} is not installed")
    registers = register_map(CONFIG)
    (tmp_path / "registers.h").write_text(registers_header(registers, title="unit"))
    expected = dict(constants(registers))
    lines = "\n".join(f'  printf("%llu\\n", (unsigned long long)MOEFETCH_{name});' for name in expected)
    get = "MOEFETCH_GET(PREDICTION_ROW_ENTRIES, MOEFETCH_SET(PREDICTION_ROW_ENTRIES, 5u))"
    source = tmp_path / ("main.c" if language == "c" else "main.cpp")
    source.write_text(
        f'#include "registers.h"\n#include <stdio.h>\nint main(void) {{\n{lines}\n'
        f'  printf("%u\\n", (unsigned){get});\n  return 0;\n}}\n'
    )
    program = tmp_path / "main"
    subprocess.run([compiler, standard, "-Wall", "-Wextra", "-Werror", "-pedantic-errors", "-Wno-long-long",
                    source, "-o", program], check=True)  # fmt: skip
    printed = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    assert list(map(int, printed)) == [*expected.values(), 5]


def test_a_unit_without_weights_has_no_macros_for_them():
    assert "WEIGHT" not in registers_header(register_map(UNIT_PRESETS["tiny"]), title="unit")
