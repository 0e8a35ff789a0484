"""An app of the tests alone: `flush`, which runs after each test that commits, puts back what migrations wrote.

Django's own empties every table (on PostgreSQL it truncates all of them, whether or not they hold anything) and then
has each app write its first rows again, some hundred queries for content types, permissions and managed policies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import OperationalError, connection, transaction

MOST_TRIES: Final = 5


@dataclass(frozen=True)
class Table:
    """A table's quoted name and columns, and the rows it began with."""

    name: str
    columns: str
    rows: list[tuple[Any, ...]]

    def read(self, cursor: Any) -> list[tuple[Any, ...]]:
        """The rows that it holds now."""
        cursor.execute(f"SELECT {self.columns} FROM {self.name} ORDER BY 1")
        return cursor.fetchall()

    def write(self, cursor: Any) -> None:
        """Make it hold the rows it began with, and no others."""
        cursor.execute(f"DELETE FROM {self.name}")
        if self.rows:
            values = ", ".join(["%s"] * len(self.rows[0]))
            cursor.executemany(f"INSERT INTO {self.name} ({self.columns}) VALUES ({values})", self.rows)


_tables: list[Table] = []


def remember() -> None:
    """Keep the rows of all tables: what a database that was just made holds."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        for table in connection.introspection.django_table_names(only_existing=True):
            cursor.execute(f"SELECT * FROM {quote(table)} ORDER BY 1")
            columns = ", ".join(quote(column[0]) for column in cursor.description)
            _tables.append(Table(quote(table), columns, cursor.fetchall()))


def put_back() -> None:
    """Make all tables hold the rows that were kept, and no others.

    What a test leaves at work, such as a request whose browser has gone, may write at the same time: PostgreSQL ends
    one of two that wait for each other, and where that is this one, it begins again.
    """
    for tries_left in reversed(range(MOST_TRIES)):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                _wait_for_others(cursor)
                changed = [table for table in _tables if table.rows and table.read(cursor) != table.rows]
                for table in _filled(cursor) + changed:
                    table.write(cursor)
            return
        except OperationalError:
            if not tries_left:
                raise


def _wait_for_others(cursor: Any) -> None:
    """Let those who write end, and nobody begin, as TRUNCATE would; SQLite has one writer at a time anyhow."""
    if connection.vendor == "postgresql":
        cursor.execute(f"LOCK TABLE {', '.join(table.name for table in _tables)} IN SHARE ROW EXCLUSIVE MODE")


def _filled(cursor: Any) -> list[Table]:
    """The tables that were empty and are no more, by one query."""
    empty = [table for table in _tables if not table.rows]
    holds_any = (f"SELECT {place} WHERE EXISTS (SELECT 1 FROM {table.name})" for place, table in enumerate(empty))
    cursor.execute(" UNION ALL ".join(holds_any))
    return [empty[place] for (place,) in cursor.fetchall()]
