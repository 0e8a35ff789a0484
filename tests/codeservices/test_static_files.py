from __future__ import annotations

from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client


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
