from moefetch.traces.importers.known_models import KNOWN_MODELS, known_model


def test_a_geometry_names_one_model():
    geometries = [(len(model.layers), model.top_k) for model in KNOWN_MODELS]
    assert len(set(geometries)) == len(geometries)
    for model in KNOWN_MODELS:
        assert known_model(None, len(model.layers), model.top_k) is model


def test_a_stated_name_or_layers_must_fit():
    assert known_model("olmoe-1b-7b", 16, 8, tuple(range(16)))
    assert known_model("another", 16, 8) is None
    assert known_model(None, 16, 8, tuple(range(1, 17))) is None
    assert known_model(None, 17, 8) is None
