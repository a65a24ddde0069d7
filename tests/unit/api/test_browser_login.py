"""A browser login: what is asked, and what of all that comes back is taken for its answer."""

import base64
import hashlib
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from salesforce_sync.api.browser_login import App, app_for, begin, read_code
from salesforce_sync.errors import ConfigError, LoginRefused

BACK = "http://localhost:1717/OauthRedirect"
CODE = "aPrxAb_c-d=="


@pytest.fixture
def begun():
    return begin(App("3MVG9", "https://acme.my.salesforce.com", "s3cr3t"), BACK)


def test_what_is_asked_has_a_challenge_of_a_verifier_that_is_not_shown(begun):
    parts = urlsplit(begun.authorize_url)
    asked = {name: value for name, (value,) in parse_qs(parts.query).items()}
    digest = hashlib.sha256(begun.verifier.encode()).digest()

    assert (parts.netloc, parts.path) == ("acme.my.salesforce.com", "/services/oauth2/authorize")
    assert asked == {
        "response_type": "code",
        "client_id": "3MVG9",
        "redirect_uri": BACK,
        "scope": "api refresh_token id",
        "state": begun.state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    assert 43 <= len(begun.verifier) <= 128  # RFC 7636
    assert not [
        each for each in (begun.verifier, begun.state, "s3cr3t") if each in repr(begun).replace(begun.authorize_url, "")
    ]


def test_each_login_has_its_own_state_and_verifier():
    made = [begin(App("3MVG9", "https://acme.my.salesforce.com"), BACK) for _ in range(100)]

    assert len({each.state for each in made}) == len({each.verifier for each in made}) == 100


@pytest.mark.parametrize(
    "came_back",
    [
        "{back}?code={code}&state={state}",
        "{back}?state={state}&code={code}",
        "?code={code}&state={state}",
        "code={code}&state={state}",
        "  {back}?code={code}&state={state}\n",
        "{code}",
        "{bare}",
    ],
)
def test_the_code_is_read_from_what_a_person_pastes(begun, came_back):
    text = came_back.format(back=BACK, code=quote(CODE), state=quote(begun.state), bare=CODE)

    assert read_code(begun, text) == CODE


@pytest.mark.parametrize(
    ("came_back", "reason"),
    [
        ("{back}?code={code}&state=guessed", "state_mismatch"),
        ("{back}?code={code}&state=", "state_mismatch"),
        ("{back}?code={code}", "state_mismatch"),
        ("{back}?code={code}&state={state}x", "state_mismatch"),
        ("{back}?code={code}&state={state}&state=other", "state_mismatch"),
        ("{back}#code={code}&state={state}", "no_code"),
        ("{back}?state={state}", "no_code"),
        ("{back}?state={state}&code=", "no_code"),
        ("{back}?state={state}&error=access_denied&error_description=no", "access_denied"),
        ("{back}?state=guessed&error=access_denied", "state_mismatch"),
        ("{back}?state={state}&code={code}&error=access_denied", "access_denied"),
    ],
)
def test_what_is_not_the_answer_of_this_login_is_refused(begun, came_back, reason):
    with pytest.raises(LoginRefused) as refused:
        read_code(begun, came_back.format(back=BACK, code=quote(CODE), state=begun.state))

    assert refused.value.reason == reason
    assert CODE not in str(refused.value) and begun.state not in str(refused.value)


@pytest.mark.parametrize(
    ("client_id", "login_url", "said"),
    [
        (None, "https://acme.my.salesforce.com", "consumer key"),
        ("3MVG9", None, "address"),
        ("3MVG9", "http://acme.my.salesforce.com", "address"),
    ],
)
def test_what_is_missing_is_named(client_id, login_url, said):
    with pytest.raises(ConfigError, match=said):
        app_for(client_id, login_url)
