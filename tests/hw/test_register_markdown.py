"""Does the Markdown of the registers name each register and field, with its place and range?"""

from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.register_map import register_map
from moefetch.hw.register_markdown import registers_markdown

REGISTERS = register_map(UNIT_PRESETS["tiny"])


def test_every_register_has_a_row_and_a_section_with_all_its_fields():
    text = registers_markdown(REGISTERS)
    summary, *sections = text.split("\n### ")
    assert [section.split("\n")[0] for section in sections] == [register.name for register in REGISTERS]
    for register, section in zip(REGISTERS, sections, strict=True):
        assert f"| `0x{register.offset:03X}`" in summary and f"| `{register.name}` |" in summary
        assert all(f"| `{field.name}` |" in section for field in register.fields)


def test_a_field_says_where_it_lies_and_what_it_takes():
    text = registers_markdown(REGISTERS)
    assert "| 15:0 | `n_layers` | read, write | 1 to 4 | Layers. |" in text
    assert "| 63:12 | `base` | read, write | multiples of 4096 | Byte address. |" in text
    assert "| 4 | `config_error` | read, write 1 to clear |  | A write was rejected. |" in text
    assert "Offset `0xC00` + 4 i, i = 0 to 3." in text
