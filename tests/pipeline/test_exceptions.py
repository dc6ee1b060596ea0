import ast
import inspect
from pathlib import Path

from pipeline import exceptions
from pipeline.exceptions import InputError, PatchscaleError

ROOT = Path(__file__).parents[2]
KINDS = {kind for _, kind in inspect.getmembers(exceptions, inspect.isclass)}


def raised_names():
    """Names of everything that the three packages raise."""
    for package in ("pipeline", "model", "search"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                    yield getattr(node.exc.func, "id", "")


def test_a_users_mistake_ends_with_2_and_what_a_run_came_to_with_1():
    assert all(issubclass(kind, PatchscaleError) for kind in KINDS)
    assert {kind.__name__: kind.exit_code for kind in KINDS - {PatchscaleError}} == {
        "InputError": 2,
        "DataError": 2,
        "SealedError": 2,
        "StoreError": 2,
        "StoreLostError": 2,
        "LostLeaseError": 2,
        "RecordError": 1,
        "TrainingError": 1,
        "StudyError": 1,
    }


def test_who_expects_a_value_error_catches_a_users_mistake():
    assert [kind for kind in KINDS if issubclass(kind, ValueError) != issubclass(kind, InputError)] == []


def test_every_type_is_raised_and_the_base_class_never():
    assert {kind.__name__ for kind in KINDS} - set(raised_names()) == {"PatchscaleError"}
