"""The register map as Markdown: a summary, then the fields of each register."""

from collections.abc import Iterable

from .markdown import code, table
from .register_map import Access, Register, RegisterField

ACCESS = {
    Access.READ: "read",
    Access.READ_WRITE: "read, write",
    Access.CLEAR: "read, write 1 to clear",
    Access.PULSE: "write 1 to start",
}


def registers_markdown(registers: Iterable[Register]) -> str:
    """Return the registers' summary and their sections, in the order given."""
    registers = list(registers)
    summary = table(
        ("offset", "register", "bits", "reset", "meaning"),
        [(offset_text(r), code(r.name), r.width, f"`0x{r.reset:X}`", r.description) for r in registers],
    )
    return "\n\n".join([summary, *(register_section(register) for register in registers)])


def register_section(register: Register) -> str:
    """Return the fields of one register."""
    index = f", i = 0 to {register.count - 1}" if register.count > 1 else ""
    rows = [
        (bits_text(field), code(field.name), ACCESS[field.access], range_text(field), field.description)
        for field in register.fields
    ]
    heading = table(("bits", "field", "access", "range", "meaning"), rows)
    return f"### {register.name}\n\nOffset {offset_text(register)}{index}. {register.description}\n\n{heading}"


def offset_text(register: Register) -> str:
    """Return a register's offset, or those of an array."""
    return f"`0x{register.offset:03X}`" + (f" + {register.stride} i" if register.count > 1 else "")


def bits_text(field: RegisterField) -> str:
    """Return the place of a field in its register."""
    return str(field.lsb) if field.width == 1 else f"{field.lsb + field.width - 1}:{field.lsb}"


def range_text(field: RegisterField) -> str:
    """Return what may be written to a field."""
    if field.access is not Access.READ_WRITE:
        return ""
    if field.byte_address:
        return f"multiples of {field.unit}"
    return f"{field.minimum} to {field.maximum}"
