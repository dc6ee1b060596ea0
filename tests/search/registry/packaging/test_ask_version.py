import numpy as np
import pytest

from pipeline.exceptions import RecordError
from search import api
from search.registry.packaging.ask_version import ask_version
from search.tracking.stores import resolve_stores


@pytest.fixture
def shop(logged):
    """The stores that hold the logged package."""
    *_, home, _, _, uri = logged
    return resolve_stores(uri, f"sqlite:///{home}/optuna.db")


@pytest.fixture
def add(logged):
    """Register what lies somewhere as a version."""
    client, run_id, *_ = logged

    def create(source):
        if not client.search_registered_models("name = 'asked'"):
            client.create_registered_model("asked")
        return client.create_model_version("asked", source, run_id)

    return create


@pytest.mark.slow
@pytest.mark.lesson("L17")
def test_a_version_forecasts_what_its_weights_say(logged, shop, add):
    client, _, model_uri, _, frame, expected, _ = logged
    version = add(client.get_logged_model(model_uri.removeprefix("models:/")).artifact_location)
    answer = ask_version(shop, version, frame)
    assert np.abs(answer.p.loc[expected["date"]].to_numpy() - expected["p"].to_numpy()).max() < 1e-6
    assert answer.facts.study == "S"
    model = api.load(f"asked/{version.version}", tracking_uri=shop.tracking_uri, storage=shop.storage_uri)
    here = api.ask(model, frame, days="all").set_index("date")["probability"]
    assert (here.reindex(expected["date"]) - answer.p.reindex(expected["date"])).abs().max() < 1e-6


@pytest.mark.lesson("L34")
def test_a_version_whose_files_are_gone_is_named_in_one_line_with_the_remedy(logged, shop, add, tmp_path):
    version = add(str(tmp_path / "gone"))
    with pytest.raises(
        RecordError, match=r"^asked/\d+ must load as MLflow serves it, got .*; register it again$"
    ) as caught:
        ask_version(shop, version, logged[4])
    with pytest.raises(RecordError, match=r"register it again$"):
        api.load(f"asked/{version.version}", tracking_uri=shop.tracking_uri, storage=shop.storage_uri)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_version_that_is_no_package_is_named_as_well(logged, shop, add, tmp_path):
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "weights.bin").write_bytes(b"?")
    with pytest.raises(RecordError, match=r"^asked/\d+ must load as MLflow serves it"):
        ask_version(shop, add(str(tmp_path / "strange")), logged[4])
