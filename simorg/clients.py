"""The apps that may log in: client id and secret, callbacks, and the switches of their OAuth settings."""

from dataclasses import dataclass, field

CLIENT_ID = "3MVG9simorg.demo.client"
CLIENT_SECRET = "simorg-demo-secret"  # of a simulated org, so no secret


@dataclass(slots=True)
class Client:
    """A connected app. `run_as` is the user of the client-credentials flow (None: the flow has no user yet)."""

    client_id: str = CLIENT_ID
    secret: str = CLIENT_SECRET
    run_as: str | None = None
    scopes: str = "api refresh_token id openid"
    redirect_uris: tuple[str, ...] = ()  # empty: any
    public_key: str | None = None  # PEM, for the JWT flow
    rotate_refresh_tokens: bool = False
    approved: bool = True  # the JWT flow needs a pre-authorised user


@dataclass(slots=True)
class Clients:
    """All connected apps; there is one from the start."""

    admin_id: str
    by_id: dict[str, Client] = field(init=False)

    def __post_init__(self) -> None:
        self.by_id = {CLIENT_ID: Client(run_as=self.admin_id)}

    @property
    def first(self) -> Client:
        """The app that exists from the start."""
        return next(iter(self.by_id.values()))

    def rename_first(self, client_id: str, secret: str) -> Client:
        """Give the first app another id and secret."""
        app = self.first
        app.client_id, app.secret = client_id, secret
        self.by_id = {one.client_id: one for one in self.by_id.values()}
        return app

    def add(self, client: Client) -> Client:
        """Register another app."""
        self.by_id[client.client_id] = client
        return client
