"""Questions to the database that nearly every request asks: Django writes their statements once a process.

It takes ten times as long to write such a statement as the database takes to answer it, and from one request to the
next they differ in a key or two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, models
from django.db.models.query import get_related_populators
from django.db.models.sql.compiler import SQLCompiler

Model = TypeVar("Model", bound=models.Model)


class Parameter(models.Expression):
    """Stands in a queryset for a text or a number that is given each time the statement is asked.

    Args:
        place: Which of the values it is, from 0.
    """

    def __init__(self, place: int = 0) -> None:
        super().__init__()
        self.place = place

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        """A place for a value, which `Statement` puts there."""
        return "%s", [self]


def aggregated(rows: models.QuerySet[Any, Any], **aggregates: models.Aggregate) -> models.QuerySet[Any, Any]:
    """A queryset of one row: these aggregates over all rows of another."""
    alike = rows.order_by().annotate(alike=models.Value(1)).values("alike")
    return alike.annotate(**aggregates).values_list(*aggregates)


class Statement(Generic[Model]):
    """One question.

    Args:
        write: Gives the queryset, with `Parameter`s in it. With `select_related`, what is related comes with it.
    """

    def __init__(self, write: Callable[[], models.QuerySet[Model, Any]]) -> None:
        self._written = cache(lambda vendor: _write(write()))

    def rows(self, *values: str | int) -> list[Any]:
        """The rows of a queryset of `values_list`, as tuples.

        Args:
            values: For each `Parameter`, by its place.
        """
        return [tuple(row) for row in self._written(connection.vendor).ask(values)]

    def first(self, *values: str | int) -> Model | None:
        """The first object of the queryset, or None."""
        written = self._written(connection.vendor)
        for row in written.ask(values):
            found: Model = written.made(row)
            return found
        return None


class _Written(NamedTuple):
    """What Django makes of a queryset before it asks; its own iterables over rows and objects do so each time."""

    compiler: SQLCompiler
    sql: str
    params: tuple[Any, ...]
    converters: Any

    def ask(self, values: tuple[str | int, ...]) -> Iterable[Any]:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, [values[one.place] if isinstance(one, Parameter) else one for one in self.params])
            rows = cursor.fetchall()
        return self.compiler.apply_converters(rows, self.converters) if self.converters else rows

    def made(self, row: Any) -> Any:
        """The object of a row, with those related to it."""
        selected, columns = self.compiler.select, self.compiler.klass_info
        start, end = columns["select_fields"][0], columns["select_fields"][-1] + 1
        names = [column[0].target.attname for column in selected[start:end]]
        found = columns["model"].from_db(DEFAULT_DB_ALIAS, names, row[start:end])
        for related in get_related_populators(columns, selected, DEFAULT_DB_ALIAS):  # type: ignore[call-arg]
            related.populate(row, found)
        return found


def _write(queryset: models.QuerySet[Any, Any]) -> _Written:
    compiler = queryset.query.get_compiler(connection=connection)
    sql, params = compiler.as_sql()
    return _Written(compiler, sql, params, compiler.get_converters([column[0] for column in compiler.select]))
