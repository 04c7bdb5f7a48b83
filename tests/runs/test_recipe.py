import pytest

from glassformer.data import DATASETS
from glassformer.errors import UserError
from glassformer.runs.named import RUNS, TRANSLATION_RUNS, named_recipe
from glassformer.runs.recipe import as_dict, changed, from_dict, settings


@pytest.mark.parametrize("name", [*RUNS, *TRANSLATION_RUNS])
def test_every_named_run_names_a_data_set_and_itself(name: str) -> None:
    recipe = named_recipe(name)
    assert recipe.name == name
    assert recipe.data in DATASETS


def test_every_data_set_has_a_run() -> None:
    assert set(DATASETS) == {named_recipe(name).data for name in (*RUNS, *TRANSLATION_RUNS)}


def test_every_setting_can_be_changed_by_its_name_as_text() -> None:
    recipe = named_recipe("reverse")
    for name, value in settings(recipe).items():
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        assert settings(changed(recipe, {name: text}))[name] == value, name


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("embed-size", "96", 96),
        ("dropout", "0.25", 0.25),
        ("tie_embeddings", "none", "none"),
        ("decoder_layers", "none", None),
        ("joint", "true", True),
        ("max_minutes", "2.5", 2.5),
        ("betas", "0.8, 0.9", (0.8, 0.9)),
        ("decoding_beam", "4", 4),
        ("scores", "exact, per", ("exact", "per")),
        ("scores", "none", None),
    ],
)
def test_text_becomes_the_settings_type(name: str, text: str, value: object) -> None:
    recipe = changed(named_recipe("reverse"), {name: text})
    assert settings(recipe)[name.replace("-", "_")] == value


@pytest.mark.parametrize(
    ("changes", "steps", "minutes"),
    [
        ({"max_steps": "7"}, 7, None),
        ({"max_steps": "7", "max_minutes": "2"}, 7, 2.0),
        ({"max_minutes": "2"}, None, 2.0),
        ({"max_steps": "none"}, None, 5.0),
        ({"dropout": "0.2"}, None, 5.0),
    ],
)
def test_a_limit_takes_the_place_of_the_recipes_own(
    changes: dict[str, str], steps: int | None, minutes: float | None
) -> None:
    training = changed(named_recipe("pronounce-demo"), changes).training
    assert (training.max_steps, training.max_minutes) == (steps, minutes)


def test_a_misspelt_setting_is_answered_with_near_names() -> None:
    with pytest.raises(UserError, match=r"unknown setting of run 'reverse' 'lerning_rate'. Did you mean learning_rate"):
        changed(named_recipe("reverse"), {"lerning_rate": "1"})


@pytest.mark.parametrize(("name", "text"), [("heads", "four"), ("norm", "middle"), ("joint", "perhaps")])
def test_a_value_of_the_wrong_type_is_named(name: str, text: str) -> None:
    with pytest.raises(UserError, match=f"{name}='{text}' does not fit"):
        changed(named_recipe("reverse"), {name: text})


def test_at_least_one_validation_sentence_is_decoded() -> None:
    with pytest.raises(UserError, match="valid_sentences=0 is too small"):
        changed(named_recipe("reverse"), {"valid_sentences": "0"})


def test_a_recipe_survives_being_written_down() -> None:
    import json

    recipe = changed(named_recipe("pronounce"), {"heads": "2", "max_steps": "7"})
    assert from_dict(json.loads(json.dumps(as_dict(recipe)))) == recipe


def test_a_written_recipe_with_an_unknown_field_is_refused() -> None:
    broken = as_dict(named_recipe("copy")) | {"training": {"max_stepps": 3}}
    with pytest.raises(UserError, match="the saved run cannot be read: training"):
        from_dict(broken)


def test_an_unknown_fault_is_refused_before_any_data_is_prepared() -> None:
    with pytest.raises(UserError, match=r"unknown fault 'no-lok-ahead'. Did you mean no-look-ahead"):
        changed(named_recipe("reverse"), {"fault": "no-lok-ahead"})
    assert changed(named_recipe("reverse-cheating"), {"fault": "none"}).fault is None
