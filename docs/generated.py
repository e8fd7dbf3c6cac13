"""Tables of the manual that come from the code: `python docs/generated.py` writes them into the pages.

A page holds each between `<!-- begin NAME -->` and `<!-- end NAME -->`. A test renders them again and compares, so
that no table says what the code no longer does.
"""

import re
import sys
from pathlib import Path

from area_tables import AREA_TABLES
from bank_conflicts import MAPPING_TABLES
from energy_tables import ENERGY_TABLES
from paging_tables import PAGING_TABLES
from recorder_tables import RECORDER_TABLES
from report_tables import REPORT_TABLES
from self_test_tables import SELF_TEST_TABLES
from spec_tables import SPEC_TABLES
from unit_tables import UNIT_TABLES

DOCS = Path(__file__).parent
PLACE = re.compile(r"(<!-- begin ([\w-]+) -->\n).*?(<!-- end \2 -->)", re.DOTALL)
TABLES = {
    **AREA_TABLES,
    **ENERGY_TABLES,
    **MAPPING_TABLES,
    **PAGING_TABLES,
    **RECORDER_TABLES,
    **REPORT_TABLES,
    **SELF_TEST_TABLES,
    **SPEC_TABLES,
    **UNIT_TABLES,
}
"""Name in a page -> what renders it."""


def rendered(text: str) -> str:
    """Return a page with its tables as the code has them now."""
    return PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]()}\n{place[3]}", text)


def main() -> int:
    """Write the tables into the pages."""
    for page in sorted(DOCS.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        new = rendered(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
