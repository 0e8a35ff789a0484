"""Static files as they are served, and under names that hold a digest of their content."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import AsyncClient, Client

IMPORT = re.compile(r'^import .* from "\./([^"]+)";$', re.MULTILINE)


def test_a_static_file_comes_whole_with_its_type(client: Client):
    response = client.get("/static/css/tokens.css")
    assert response.status_code == 200
    assert response["Content-Type"].startswith("text/css")
    assert b"@layer" in response.content


def test_a_part_of_a_static_file_can_be_asked_for(client: Client):
    response = client.get("/static/css/tokens.css", headers={"Range": "bytes=0-3"})
    assert response.status_code == 206
    assert len(response.content) == 4


def test_static_files_are_answered_under_asgi_without_a_warning():
    response = async_to_sync(AsyncClient().get)("/static/css/tokens.css")
    assert (response.status_code, response.streaming) == (200, False)


def test_a_file_outside_is_not_served(client: Client, db):
    assert client.get("/static/../manage.py").status_code in (302, 404)


def test_scripts_import_one_another_by_hashed_names(settings: Any, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "codeservices.static_files.HashedFiles"}}
    call_command("collectstatic", interactive=False, verbosity=0)
    imported = set()
    for script in (settings.BASE_DIR / "static/js").glob("*.js"):
        names = IMPORT.findall(script.read_text())
        served = tmp_path / staticfiles_storage.stored_name(f"js/{script.name}")
        assert served.name != script.name
        found = IMPORT.findall(served.read_text())
        assert found == [Path(staticfiles_storage.stored_name(f"js/{name}")).name for name in names]
        assert all((tmp_path / "js" / name).is_file() for name in found)
        imported.update(names)
    assert "log_line.js" in imported
