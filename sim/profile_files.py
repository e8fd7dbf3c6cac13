"""Profile files of either kind: read by content, checked against the model and the unit that they are for."""

import zipfile
from pathlib import Path

import numpy as np

from ..hw.weight_rules import WeightRules
from ..traces.errors import UserError
from .profile import Profile
from .weight_profile import WeightProfile

AnyProfile = Profile | WeightProfile


def load_profile(path: Path) -> AnyProfile:
    """Read what `moefetch profile` wrote; raises UserError for any other file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            kind = WeightProfile if "weight_tables" in file else Profile
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a profile: {error}") from error
    return kind.load(path)


def require_profile_fits(
    profile: AnyProfile, path: Path, *, n_layers: int, n_experts: int, top_k: int, rules: WeightRules
) -> None:
    """Raise UserError, naming the file, if a profile is for another geometry or for other weight tables."""
    if isinstance(profile, Profile):
        found, expected = profile.rows.shape, (n_layers, n_experts, top_k)
        what = "layers x experts x top-k"
    else:
        found, expected = profile.tables.shape[::3], (n_layers, n_experts)
        what = "layers x experts"
    if found != expected:
        text, wanted = (" x ".join(map(str, shape)) for shape in (found, expected))
        raise UserError(f"{path}: {what} = {text}: must be {wanted}")
    if isinstance(profile, WeightProfile) and profile.rules != rules:
        ours, theirs = (
            f"{rule.bits} bits, sources {list(rule.sources)}, {rule.ahead} ahead" for rule in (rules, profile.rules)
        )
        raise UserError(f"{path}: weights of {theirs}: must be {ours}, as the unit has")
