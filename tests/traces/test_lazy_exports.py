"""Are names of a package imported at first use, and others refused?"""

import pytest
from moefetch.traces.lazy_exports import lazy_exports


def test_a_name_is_what_its_module_has():
    from moefetch.traces.errors import UserError

    find = lazy_exports("moefetch.traces", {"UserError": "errors"})
    assert find("UserError") is UserError


def test_another_name_is_no_attribute():
    find = lazy_exports("moefetch.traces", {"UserError": "errors"})
    with pytest.raises(AttributeError, match=r"module moefetch\.traces has no attribute Trace"):
        find("Trace")
