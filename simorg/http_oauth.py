"""Log-in over OAuth 2.0: the endpoints under /services/oauth2 and the identity URL."""

import base64
import binascii
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from simorg import grants
from simorg.clients import Client
from simorg.grants import Denied
from simorg.http import JSON_TYPE, Call, Response, Route, encode_json, json_response
from simorg.times import rest_time

if TYPE_CHECKING:
    from simorg.org import SimOrg

ROOT = "/services/oauth2"
LOGIN_HOSTS = ("login.", "test.")  # client credentials work on the org's own host only
CONSENT = """<!doctype html><meta charset="utf-8"><title>Allow access?</title>
<h1>Allow access?</h1><p>The app asks for: {scope}</p>
<p><a id="approve" href="{approve}">Allow</a> <a id="deny" href="{deny}">Deny</a></p>
"""


def routes(org: "SimOrg") -> list[Route]:
    """Return the routes of this module; none of them needs a session of the REST kind."""
    return [
        Route(f"{ROOT}/token", {"POST": token}, auth=False),
        Route(f"{ROOT}/authorize", {"GET": authorize}, auth=False),
        Route(f"{ROOT}/revoke", {"POST": revoke, "GET": revoke}, auth=False),
        Route(f"{ROOT}/introspect", {"POST": introspect}, auth=False),
        Route(f"{ROOT}/userinfo", {"GET": userinfo, "POST": userinfo}, auth=False),
        Route("/id/keys", {"GET": keys}, auth=False),
        Route("/id/{org}/{user}", {"GET": identity}, auth=False),
        Route("/.well-known/openid-configuration", {"GET": discovery}, auth=False),
    ]


def form(call: Call) -> dict[str, str]:
    """Return the parameters of a form body and of the query."""
    sent = dict(parse_qsl(call.body.read().decode("utf-8", "replace"), keep_blank_values=True))
    return dict(call.query) | sent


def _denied(denied: Denied) -> Response:
    return json_response({"error": denied.error, "error_description": denied.description}, 400)


def credentials(call: Call, sent: dict[str, str]) -> tuple[str, str | None]:
    """Return client id and secret from HTTP Basic or from the body."""
    kind, _, rest = call.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return sent.get("client_id", ""), sent.get("client_secret")
    try:
        name, _, secret = base64.b64decode(rest).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise Denied("invalid_client", "invalid client credentials") from problem
    return name, secret


def token(call: Call) -> Response:
    """Give out an access token by one of the grant types."""
    sent = form(call)
    grant = grants.GRANTS.get(sent.get("grant_type", ""))
    try:
        if grant is None:
            raise Denied("unsupported_grant_type", "grant type not supported")
        if grant is grants.client_credentials and call.headers.get("host", "").startswith(LOGIN_HOSTS):
            raise Denied("invalid_grant", "request not supported on this domain")
        body = grant(call.org, sent, credentials(call, sent))
    except Denied as denied:
        return _denied(denied)
    if sent.get("format") == "urlencoded":
        return Response(200, urlencode(body).encode(), {"Content-Type": "application/x-www-form-urlencoded"})
    if sent.get("format") == "xml":
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in body.items())
        page = f'<?xml version="1.0" encoding="UTF-8"?><OAuth>{inner}</OAuth>'
        return Response(200, page.encode(), {"Content-Type": "application/xml;charset=UTF-8"})
    return Response(200, encode_json(body), {"Content-Type": JSON_TYPE})


def authorize(call: Call) -> Response:
    """Approve at once and send the browser back with a code; `prompt=consent` shows a page first."""
    asked = call.query
    client = call.org.clients.by_id.get(asked.get("client_id", ""))
    if client is None:
        return _denied(Denied("invalid_client_id", "client identifier invalid"))
    target = asked.get("redirect_uri", "")
    if client.redirect_uris and target not in client.redirect_uris:
        return _denied(Denied("redirect_uri_mismatch", "redirect_uri must match configuration"))
    if asked.get("response_type") != "code":
        return _redirect(target, {"error": "unsupported_response_type", "state": asked.get("state", "")})
    if "consent" in asked.get("prompt", "") and "approved" not in asked:
        return _consent(call, client, target)
    code = grants.new_code(call.org, client, dict(asked))
    answer = {"code": code} | ({"state": asked["state"]} if "state" in asked else {})
    return _redirect(target, answer)


def _redirect(target: str, answer: dict[str, str]) -> Response:
    joined = "&" if "?" in target else "?"
    return Response(302, b"", {"Location": target + joined + urlencode(answer)})


def _consent(call: Call, client: Client, target: str) -> Response:
    approve = f"{ROOT}/authorize?" + urlencode(dict(call.query) | {"approved": "1"})
    refused = {"error": "access_denied", "error_description": "end-user denied authorization"}
    deny = target + "?" + urlencode(refused | {"state": call.query.get("state", "")})
    scope = call.query.get("scope", client.scopes)
    page = CONSENT.format(scope=escape(scope), approve=escape(approve, quote=True), deny=escape(deny, quote=True))
    return Response(200, page.encode(), {"Content-Type": "text/html;charset=UTF-8"})


def revoke(call: Call) -> Response:
    """End a session, or a refresh token with all its sessions."""
    dead = form(call).get("token", "")
    refresh = call.org.sessions.refresh_token(dead)
    if refresh is not None and refresh.alive:
        call.org.sessions.kill_family(refresh.family)
    elif not call.org.sessions.end(dead):
        return _denied(Denied("invalid_token", "invalid token: " + dead))
    return Response(200)


def introspect(call: Call) -> Response:
    """Tell whether a token is good."""
    sent = form(call)
    try:
        client = grants.confidential(call.org, credentials(call, sent))
    except Denied as denied:
        return json_response({"error": denied.error, "error_description": denied.description}, 401)
    return json_response(grants.introspected(call.org, client, sent.get("token", "")))


def _user(call: Call) -> dict[str, Any] | None:
    bearer = call.headers.get("authorization", "").partition(" ")[2].strip()
    session = call.org.sessions.use(bearer or call.query.get("access_token", ""))
    if session is None:
        return None
    return call.org.database.get(call.org.objects["User"], session.user_id)


def _no_token() -> Response:
    return Response(403, b"Bad_OAuth_Token", {"Content-Type": "text/html;charset=UTF-8"})


def userinfo(call: Call) -> Response:
    """Tell who has logged in, as OpenID Connect does."""
    user = _user(call)
    if user is None:
        return _no_token()
    org = call.org
    picture = f"{org.url}/profilephoto/005/F"
    body = {
        "sub": f"{org.url}/id/{org.org_id}/{user['Id']}",
        "user_id": user["Id"],
        "organization_id": org.org_id,
        "preferred_username": user["Username"],
        "nickname": user["CommunityNickname"],
        "name": user["Name"],
        "email": user["Email"],
        "email_verified": True,
        "given_name": user["FirstName"],
        "family_name": user["LastName"],
        "zoneinfo": user["TimeZoneSidKey"],
        "photos": {"picture": picture, "thumbnail": picture},
        "active": bool(user["IsActive"]),
        "user_type": "STANDARD",
        "language": user["LanguageLocaleKey"],
        "locale": user["LocaleSidKey"],
        "utcOffset": 0,
        "updated_at": rest_time(int(str(user["SystemModstamp"]))),
    }
    return json_response(body)


def identity(call: Call) -> Response:
    """Tell who has logged in, and the URLs of the org, `{version}` left open."""
    user = _user(call)
    if user is None:
        return _no_token()
    root = call.org.url
    urls = {
        "rest": f"{root}/services/data/v{{version}}/",
        "sobjects": f"{root}/services/data/v{{version}}/sobjects/",
        "query": f"{root}/services/data/v{{version}}/query/",
        "custom_domain": root,
    }
    body = {
        "id": f"{root}/id/{call.org.org_id}/{user['Id']}",
        "asserted_user": True,
        "user_id": user["Id"],
        "organization_id": call.org.org_id,
        "username": user["Username"],
        "nick_name": user["CommunityNickname"],
        "display_name": user["Name"],
        "email": user["Email"],
        "first_name": user["FirstName"],
        "last_name": user["LastName"],
        "timezone": user["TimeZoneSidKey"],
        "urls": urls,
        "active": bool(user["IsActive"]),
        "user_type": "STANDARD",
        "language": user["LanguageLocaleKey"],
        "locale": user["LocaleSidKey"],
        "utcOffset": 0,
        "last_modified_date": rest_time(int(str(user["LastModifiedDate"]))),
    }
    return json_response(body)


def keys(call: Call) -> Response:
    """Publish the key that id_tokens are signed with."""
    return json_response(call.org.signing_key.published())


def discovery(call: Call) -> Response:
    """Tell where the OAuth endpoints are."""
    root = call.org.url
    names = {"authorization": "authorize", "token": "token", "revocation": "revoke", "introspection": "introspect"}
    body = {
        "issuer": root,
        "userinfo_endpoint": f"{root}{ROOT}/userinfo",
        "jwks_uri": f"{root}/id/keys",
        "scopes_supported": ["api", "refresh_token", "id", "openid"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    return json_response(body | {f"{name}_endpoint": f"{root}{ROOT}/{path}" for name, path in names.items()})
