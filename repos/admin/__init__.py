"""Repositories and what happens to them, as an operator sees them, a module a topic; importing registers them all.

They are made and removed through the product alone.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
