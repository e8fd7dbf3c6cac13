"""Is the HTML of the registers one well-formed page, complete and without anything from elsewhere?"""

from html.parser import HTMLParser

from moefetch.hw.config import UNIT_PRESETS
from moefetch.hw.register_html import registers_html
from moefetch.hw.register_map import register_map

REGISTERS = register_map(UNIT_PRESETS["tiny"])
VOID = ("meta",)


class Page(HTMLParser):
    """Follows the open elements; notes texts, identifiers and references."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.words = [], set(), set(), []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids |= {attributes["id"]} if "id" in attributes else set()
        self.links |= {value for name, value in attrs if name in ("href", "src")}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_page_is_whole_and_links_lead_to_registers():
    page = Page(registers_html(REGISTERS, title="unit <tiny>"))
    assert page.open == []
    assert page.ids == {register.name for register in REGISTERS}
    assert page.links == {f"#{name}" for name in page.ids}, "nothing comes from elsewhere"
    assert {field.name for register in REGISTERS for field in register.fields} <= set(page.words)
    assert "unit <tiny>" in page.words


def test_page_shows_ranges_and_offsets():
    text = registers_html(REGISTERS, title="")
    assert "<tr><td>15:0</td><td><code>n_layers</code></td><td>read, write</td><td>1 to 4</td>" in text
    assert "<code>0xC00</code> + 4 i, i = 0 to 3" in text
