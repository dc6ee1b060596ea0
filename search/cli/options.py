"""Options of commands, made from the fields of the request, and added to a command by decorators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

import click

from search.study.request import HpoRequest
from search.tracking.address import PASSWORD_FILE, STORAGE_VARIABLE, has_secret
from search.tracking.stores import resolve_stores

ADDRESSES = {"storage": STORAGE_VARIABLE, "tracking_uri": "MLFLOW_TRACKING_URI"}
"""Options that name a store, with the variable that does so without being read by others."""
FIELDS = {each.name: each.metadata for each in fields(HpoRequest)}
ENGINE = ("workers", "device", "engine", "address", "gpus_per_trial")
"""Options of who works."""
F = TypeVar("F", bound=Callable[..., None])


def request_options(*names: str, **helps: str) -> Callable[[F], F]:
    """Make a decorator that adds options of a request to a command, which is given their values, read.

    Parameters
    ----------
    *names : str
        Fields of :class:`search.study.request.HpoRequest`.
    **helps : str
        Help of those that mean something else here.
    """

    def decorate(function: F) -> F:
        for name in reversed(names):
            function = _option(name, helps.get(name, FIELDS[name]["help"]))(function)
        return function

    return decorate


def question_options(function: F) -> F:
    """Add what a model is asked, horizon and threshold: None where one is left out."""
    texts = {
        "threshold": "Rise as a fraction, 0.01 is 1 %; empty is the model's own, with --ticker 0.01.",
        "horizon": "Sessions ahead; empty is the model's own, with --ticker 1.",
    }
    for name, text in texts.items():
        function = _option(name, text, optional=True)(function)
    return function


def _option(name: str, text: str, *, optional: bool = False) -> Callable[[F], F]:
    """Option of a field; an empty text stands for the default, as MLflow passes it, or for None."""
    default, read = "" if optional else FIELDS[name]["default"], FIELDS[name]["read"]

    def value(context: click.Context, parameter: click.Parameter, given: str) -> Any:
        if name in ADDRESSES:
            _warn_of_secret(name, given)
        return None if optional and not given else read(name, given or default)

    return click.option(
        "--" + name.replace("_", "-"),
        name,
        default=default,
        show_default=bool(default),
        help=text,
        callback=value,
    )


def _warn_of_secret(name: str, address: str) -> None:
    """Say that everybody on this machine reads a password that stands on a command line."""
    if has_secret(address):
        option, variable = name.replace("_", "-"), ADDRESSES[name]
        click.echo(
            f"note: everybody on this machine can read the password in --{option}; give it in {variable}, or leave it "
            f"to {PASSWORD_FILE}",
            err=True,
        )


def store_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the options of the two stores to a command, which is given what they say as ``stores``."""

    @wraps(function)
    def command(*, tracking_uri: str, storage: str, **others: Any) -> None:
        function(stores=resolve_stores(tracking_uri, storage), **others)

    return request_options("tracking_uri", "storage")(command)
