"""Is everything that is written made of one document that can be read back?"""

from moefetch.sim.shootout_document import ShootoutDocument

from .shootout_fixtures import made_replays, made_shootout

DOCUMENT = ShootoutDocument(
    command="a command", traces=(made_shootout(),), domains=({"none": {"toy": 0.5}},), replays=(made_replays(),)
)


def test_what_is_read_back_gives_the_same_files():
    files = DOCUMENT.files()
    again = ShootoutDocument.model_validate_json(files["predictors.json"])
    assert again == DOCUMENT and again.files() == files
    assert all("<!-- a command -->" in text for name, text in files.items() if name.endswith(".md"))


def test_without_replays_there_are_none_of_their_files():
    files = DOCUMENT.model_copy(update={"replays": ()}).files()
    assert set(DOCUMENT.files()) - set(files) == {"gap-summary.md", "replays.md", "gaps.svg"}
