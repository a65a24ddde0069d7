"""The token endpoint and its neighbours."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simorg.clients import CLIENT_ID, CLIENT_SECRET
from simorg.org import SimOrg

TOKEN = "/services/oauth2/token"
APP = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
CALLBACK = "http://127.0.0.1:1717/OauthRedirect"


@pytest.fixture(autouse=True)
def first_settings(org: SimOrg) -> None:
    """Give the app the settings that each test begins with."""
    app = org.clients.first
    app.rotate_refresh_tokens, app.run_as, app.approved, app.public_key = False, org.user_id, True, None


def log_in(outside: httpx2.Client, **more: str) -> httpx2.Response:
    return outside.post(TOKEN, data={"grant_type": "client_credentials", **APP, **more})


def code_of(outside: httpx2.Client, **more: str) -> str:
    asked = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK, "state": "s 1", **more}
    answer = outside.get("/services/oauth2/authorize", params=asked)
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def exchange(outside: httpx2.Client, code: str, **more: str) -> httpx2.Response:
    sent = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, **APP, **more}
    return outside.post(TOKEN, data=sent)


def refresh(outside: httpx2.Client, token: str) -> httpx2.Response:
    return outside.post(TOKEN, data={"grant_type": "refresh_token", "refresh_token": token, **APP})


def works(outside: httpx2.Client, token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return outside.get("/services/data/v58.0/limits", headers=headers).status_code == 200


def test_client_credentials_answer_exactly_these_keys(outside: httpx2.Client, org: SimOrg) -> None:
    body = log_in(outside).json()

    assert set(body) == {
        "access_token",
        "signature",
        "scope",
        "instance_url",
        "id",
        "token_type",
        "issued_at",
        "api_instance_url",
    }
    assert body["token_type"] == "Bearer"
    assert body["instance_url"] == org.url
    assert body["id"] == f"{org.url}/id/{org.org_id}/{org.user_id}"
    assert isinstance(body["issued_at"], str) and abs(int(body["issued_at"]) - org.clock.now_ms()) < 10_000
    assert body["access_token"].startswith(org.org_id[:15] + "!")
    assert works(outside, body["access_token"])


def test_client_credentials_come_by_http_basic_too(outside: httpx2.Client) -> None:
    answer = outside.post(TOKEN, data={"grant_type": "client_credentials"}, auth=(CLIENT_ID, CLIENT_SECRET))

    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()


@pytest.mark.parametrize(
    ("sent", "error", "description"),
    [
        ({"client_id": "nobody"}, "invalid_client_id", "client identifier invalid"),
        ({"client_secret": "wrong"}, "invalid_client", "invalid client credentials"),
        ({"grant_type": "magic"}, "unsupported_grant_type", "grant type not supported"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "invalid_grant", "authentication failure"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant", "expired access/refresh token"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_grant", "invalid authorization code"),
    ],
)
def test_refusals_are_an_object_with_status_400(
    outside: httpx2.Client, sent: dict[str, str], error: str, description: str
) -> None:
    answer = log_in(outside, **sent)

    assert answer.status_code == 400
    assert answer.json() == {"error": error, "error_description": description}


def test_an_app_without_a_run_as_user_cannot_use_client_credentials(outside: httpx2.Client, org: SimOrg) -> None:
    org.clients.first.run_as = None

    assert log_in(outside).json()["error_description"] == "no client credentials user enabled"


def test_the_code_of_the_browser_gives_tokens_once(outside: httpx2.Client) -> None:
    code = code_of(outside)
    first, second = exchange(outside, code), exchange(outside, code)

    assert code.endswith("==")
    assert {"refresh_token", "access_token", "instance_url"} <= set(first.json())
    assert second.json() == {"error": "invalid_grant", "error_description": "invalid authorization code"}


def test_a_code_dies_after_fifteen_minutes(outside: httpx2.Client, org: SimOrg) -> None:
    code = code_of(outside)
    org.clock.advance(901)

    assert exchange(outside, code).json()["error_description"] == "expired authorization code"


def test_pkce_wants_the_right_verifier(outside: httpx2.Client) -> None:
    verifier = "v" * 64
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {"code_challenge": challenge, "code_challenge_method": "S256"}

    wrong = exchange(outside, code_of(outside, **asked), code_verifier="w" * 64)
    missing = exchange(outside, code_of(outside, **asked))
    public = {"grant_type": "authorization_code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK}
    right = outside.post(TOKEN, data={**public, "code": code_of(outside, **asked), "code_verifier": verifier})

    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_request")
    assert missing.json()["error"] == "invalid_grant"
    assert right.status_code == 200


def test_the_state_comes_back_and_consent_shows_a_page(outside: httpx2.Client) -> None:
    asked = {"response_type": "code", "client_id": CLIENT_ID, "redirect_uri": CALLBACK, "state": "x&y"}

    sent_back = outside.get("/services/oauth2/authorize", params=asked).headers["location"]
    page = outside.get("/services/oauth2/authorize", params={**asked, "prompt": "login consent"})

    assert parse_qs(urlsplit(sent_back).query)["state"] == ["x&y"]
    assert sent_back.startswith(CALLBACK + "?code=") and "%3D%3D" in sent_back
    assert page.status_code == 200
    assert 'id="approve"' in page.text


def test_a_refresh_token_gives_new_sessions_and_stays_good(outside: httpx2.Client) -> None:
    token = exchange(outside, code_of(outside)).json()["refresh_token"]
    first, second = refresh(outside, token).json(), refresh(outside, token).json()

    assert "refresh_token" not in first
    assert first["access_token"] != second["access_token"]
    assert works(outside, first["access_token"]) and works(outside, second["access_token"])


def test_rotation_gives_a_new_token_and_ends_the_session_before(outside: httpx2.Client, org: SimOrg) -> None:
    org.clients.first.rotate_refresh_tokens = True
    begun = exchange(outside, code_of(outside)).json()
    turned = refresh(outside, begun["refresh_token"]).json()

    assert turned["refresh_token"] != begun["refresh_token"]
    assert not works(outside, begun["access_token"])
    assert works(outside, turned["access_token"])


def test_reuse_of_a_rotated_token_kills_the_whole_family(outside: httpx2.Client, org: SimOrg) -> None:
    org.clients.first.rotate_refresh_tokens = True
    begun = exchange(outside, code_of(outside)).json()
    turned = refresh(outside, begun["refresh_token"]).json()

    again = refresh(outside, begun["refresh_token"])

    assert again.json() == {"error": "invalid_grant", "error_description": "expired access/refresh token"}
    assert not works(outside, turned["access_token"])
    assert refresh(outside, turned["refresh_token"]).status_code == 400


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """A key pair of an app."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def assertion(org: SimOrg, key: rsa.RSAPrivateKey, **changed: Any) -> dict[str, str]:
    now = org.clock.now_ms() // 1000
    claims = {"iss": CLIENT_ID, "sub": "admin@simorg.example", "aud": "https://login.salesforce.com", "exp": now + 120}
    signed = jwt.encode(claims | changed, key, algorithm="RS256")
    return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": signed}


def trust(org: SimOrg, key: rsa.RSAPrivateKey) -> None:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    org.clients.first.public_key = key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def test_a_signed_assertion_logs_in_without_a_refresh_token(
    outside: httpx2.Client, org: SimOrg, key: rsa.RSAPrivateKey
) -> None:
    trust(org, key)
    body = outside.post(TOKEN, data=assertion(org, key)).json()

    assert set(body) == {"access_token", "scope", "instance_url", "id", "token_type"}
    assert works(outside, body["access_token"])


def test_bad_assertions_are_told_apart(outside: httpx2.Client, org: SimOrg, key: rsa.RSAPrivateKey) -> None:
    trust(org, key)
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    past = org.clock.now_ms() // 1000 - 10

    def told(sent: dict[str, str]) -> str:
        return str(outside.post(TOKEN, data=sent).json()["error_description"])

    assert told(assertion(org, key, aud="https://elsewhere.example")) == "Audience validation failed"
    assert told(assertion(org, key, sub="nobody@simorg.example")) == "user hasn't approved this consumer"
    assert told(assertion(org, key, iss="nobody")) == "client identifier invalid"
    assert told(assertion(org, key, exp=past)) == "expired authorization code"
    assert told(assertion(org, key, exp=past + 3600)) == "expired authorization code"
    assert told(assertion(org, stranger)) == "invalid assertion"


def test_the_assertions_life_goes_by_the_orgs_clock(
    outside: httpx2.Client, org: SimOrg, key: rsa.RSAPrivateKey
) -> None:
    trust(org, key)
    sent = assertion(org, key)
    org.clock.advance(500)

    assert outside.post(TOKEN, data=sent).status_code == 400


def test_revoke_ends_a_session_and_introspect_tells(outside: httpx2.Client) -> None:
    token = log_in(outside).json()["access_token"]

    before = outside.post("/services/oauth2/introspect", data={"token": token, **APP}).json()
    revoked = outside.post("/services/oauth2/revoke", data={"token": token})
    after = outside.post("/services/oauth2/introspect", data={"token": token, **APP}).json()

    assert before["active"] is True
    assert (before["username"], before["token_type"]) == ("admin@simorg.example", "access_token")
    assert (revoked.status_code, revoked.content) == (200, b"")
    assert after == {"active": False}
    assert not works(outside, token)


def test_revoking_a_refresh_token_ends_its_sessions(outside: httpx2.Client) -> None:
    begun = exchange(outside, code_of(outside)).json()
    outside.post("/services/oauth2/revoke", data={"token": begun["refresh_token"]})

    assert not works(outside, begun["access_token"])
    assert refresh(outside, begun["refresh_token"]).status_code == 400


def test_userinfo_and_the_id_url_tell_who_it_is(outside: httpx2.Client, org: SimOrg) -> None:
    body = log_in(outside).json()
    headers = {"Authorization": f"Bearer {body['access_token']}"}

    info = outside.get("/services/oauth2/userinfo", headers=headers).json()
    identity = outside.get(body["id"], headers=headers).json()

    assert (info["user_id"], info["organization_id"]) == (org.user_id, org.org_id)
    assert info["preferred_username"] == identity["username"] == "admin@simorg.example"
    assert identity["urls"]["rest"] == f"{org.url}/services/data/v{{version}}/"
    assert outside.get("/services/oauth2/userinfo").status_code == 403


def test_an_unfit_scope_is_another_401(outside: httpx2.Client, org: SimOrg) -> None:
    session = org.sessions.open(org.user_id, scope="id openid")
    answer = outside.get("/services/data/v58.0/limits", headers={"Authorization": f"Bearer {session.token}"})

    assert answer.status_code == 401
    assert answer.json()[0]["message"] == "This session is not valid for use with the REST API"


def test_client_credentials_do_not_work_on_the_login_host(outside: httpx2.Client) -> None:
    sent = {"grant_type": "client_credentials", **APP}
    answer = outside.post(TOKEN, data=sent, headers={"Host": "login.simorg.example"})

    assert answer.json() == {"error": "invalid_grant", "error_description": "request not supported on this domain"}


def test_the_reply_may_be_a_form_or_xml(outside: httpx2.Client) -> None:
    form, xml = log_in(outside, format="urlencoded"), log_in(outside, format="xml")

    assert parse_qs(form.text)["token_type"] == ["Bearer"]
    assert xml.text.startswith('<?xml version="1.0" encoding="UTF-8"?><OAuth><access_token>00D')
