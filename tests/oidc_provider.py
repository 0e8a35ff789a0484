"""A small OpenID Connect provider, as a process of its own: discovery, authorize, token, keys.

    python -m tests.oidc_provider

It writes its port to standard output. Whoever comes to /authorize is signed in at once. `POST /behave` takes a JSON
object that says what the next answers get wrong, such as {"nonce": "another"}; an empty one means that all is right.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT_ID, CLIENT_SECRET = "code-services", "the client's secret"
_KEYS = {"good": rsa.generate_private_key(65537, 2048), "other": rsa.generate_private_key(65537, 2048)}
_behaviour: dict[str, Any] = {}
_grants: dict[str, dict[str, str]] = {}


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _number(value: int) -> str:
    return _b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _jwk(name: str) -> dict[str, str]:
    public = _KEYS[name].public_key().public_numbers()
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": name, "n": _number(public.n), "e": _number(public.e)}


def _signed(claims: dict[str, Any]) -> str:
    algorithm = _behaviour.get("alg", "RS256")
    header = _b64(json.dumps({"alg": algorithm, "kid": _behaviour.get("kid", "good")}).encode())
    body = f"{header}.{_b64(json.dumps(claims).encode())}"
    if algorithm == "none":
        return f"{body}."
    if algorithm == "HS256":  # signed with what everybody can read: the public key
        public = json.dumps(_jwk("good")).encode()
        return f"{body}.{_b64(hmac.new(public, body.encode(), hashlib.sha256).digest())}"
    key = _KEYS[_behaviour.get("signed_by", "good")]
    return f"{body}.{_b64(key.sign(body.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/.well-known/openid-configuration":
            time.sleep(_behaviour.get("slow_seconds", 0))
            self._say(
                {
                    "issuer": _behaviour.get("issuer", self.issuer),
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    "response_types_supported": ["code"],
                    "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        elif address.path == "/keys":
            self._say({"keys": [_jwk("good")]})
        elif address.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(address.query).items()}
            code = secrets.token_urlsafe(16)
            _grants[code] = asked
            answer = {"code": code, "state": _behaviour.get("state", asked["state"])}
            if "error" in _behaviour:
                answer = {"error": _behaviour["error"], "state": asked["state"]}
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer)}")
            self.end_headers()
        else:
            self._say({"error": "not_found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/behave":
            _behaviour.clear()
            _behaviour.update(json.loads(body))
            self._say({})
            return
        form = {name: values[0] for name, values in parse_qs(body).items()}
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        grant = _grants.pop(form.get("code", ""), None)
        challenge = _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if self.headers.get("Authorization") != f"Basic {expected}":
            self._say({"error": "invalid_client"}, 401)
        elif grant is None or grant["redirect_uri"] != form.get("redirect_uri"):
            self._say({"error": "invalid_grant"}, 400)
        elif grant.get("code_challenge_method") != "S256" or grant.get("code_challenge") != challenge:
            self._say({"error": "invalid_grant", "error_description": "the code verifier does not fit"}, 400)
        else:
            now = int(time.time())
            claims = {
                "iss": self.issuer,
                "sub": "subject-1",
                "aud": CLIENT_ID,
                "iat": now,
                "exp": now + 300,
                "nonce": grant["nonce"],
                "preferred_username": "alice",
                "email": "alice@example.org",
                **_behaviour.get("claims", {}),
            }
            claims = {name: value for name, value in claims.items() if value is not None}
            answer = {"access_token": "opaque", "token_type": "Bearer", "expires_in": 300, "id_token": _signed(claims)}
            if _behaviour.get("no_id_token"):
                del answer["id_token"]
            self._say(answer)

    def _say(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
