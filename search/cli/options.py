"""Options of commands, made from the fields of the request, and added to a command by decorators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TypeVar

import click

from search.study.request import HpoRequest

FIELDS = {each.name: each.metadata for each in fields(HpoRequest)}
F = TypeVar("F", bound=Callable[..., None])


def request_options(*names: str, **helps: str) -> Callable[[F], F]:
    """Make a decorator that adds options of a request to a command.

    Parameters
    ----------
    *names : str
        Fields of :class:`search.study.request.HpoRequest`.
    **helps : str
        Help of those that mean something else here.
    """

    def decorate(function: F) -> F:
        for name in reversed(names):
            default, text = FIELDS[name]["default"], helps.get(name, FIELDS[name]["help"])
            flag = "--" + name.replace("_", "-")
            function = click.option(flag, name, default=default, show_default=bool(default), help=text)(function)
        return function

    return decorate


store_options = request_options("tracking_uri", "storage")
