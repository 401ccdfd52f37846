"""Slack on this machine: one workspace with its people, one app, one server."""

from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from aiohttp import web

from . import clock, delivery, events
from .acts import Acts
from .delivery import Delivery
from .faults import Call, Faults
from .hands import Hands
from .limits import Limits
from .people import People
from .responding import ResponseUrls
from .server import MOST_BYTES, Api
from .socket_mode import Sockets
from .state import HOME_TEAM, AppSettings, Channel, Message, User, Usergroup, View
from .ui import Page
from .workspace import Change, Team, Workspace

ACME = Team(HOME_TEAM, "Acme", "acme")


class SlackStandIn:
    """A Slack workspace as a server on 127.0.0.1, used with `async with`, or `start` and `stop`.

    The app reaches it at `api_url`. It reaches the app over Socket Mode when the app has connected, else at
    `request_url`. People do things with `post`, `click`, `submit`…; what they see is in `messages`, `dms`,
    `views`…; `until` waits for something to become true; `faults` makes it fail. Before it is started,
    `web_app` may be given more routes.

    `limits` turns Slack's rate limits on. `now` gives epoch seconds for timestamps, `monotonic` the seconds
    by which triggers, response URLs and limits age. `retry_delays` are the seconds before each retry of an
    event, `ack_seconds` is how long the app has to acknowledge.
    """

    def __init__(
        self,
        *,
        users: Iterable[User],
        channels: Iterable[Channel],
        usergroups: Iterable[Usergroup] = (),
        app: AppSettings | None = None,
        team: Team = ACME,
        limits: bool = False,
        now: Callable[[], float] = clock.wall,
        monotonic: Callable[[], float] = clock.monotonic,
        retry_delays: Sequence[float] = delivery.RETRY_DELAYS,
        ack_seconds: float = delivery.ACK_SECONDS,
        port: int = 0,
    ) -> None:
        self.app = app or AppSettings()
        self.workspace = workspace = Workspace(
            team, self.app, users=users, channels=channels, usergroups=usergroups, now=now, monotonic=monotonic
        )
        self.faults = Faults()
        self.sockets = Sockets(self.app.id, workspace.new_id, workspace.wake)
        self.delivery = Delivery(
            self.app.signing_secret, self.sockets, workspace.wake, retry_delays=retry_delays, ack_seconds=ack_seconds
        )
        self.web_app = web.Application(client_max_size=MOST_BYTES)
        self._port, self._runner = port, web.AppRunner(self.web_app, access_log=None, shutdown_timeout=1)
        self._connect(Limits(monotonic) if limits else None)
        workspace.observers.append(self._send_events)

    def _connect(self, limits: Limits | None) -> None:
        workspace = self.workspace
        urls = ResponseUrls(workspace, lambda: self.url)
        people, hands = People(workspace, self.delivery, urls), Hands(workspace, self.delivery, urls)
        self.post, self.edit, self.delete = people.post, people.edit, people.delete
        self.react, self.unreact = people.react, people.unreact
        self.join, self.leave = people.join, people.leave
        self.command, self.shortcut = people.command, people.shortcut
        self.open_home, self.run_step = people.open_home, people.run_step
        self.click, self.act = hands.click, hands.act
        self.submit, self.close = hands.submit, hands.close
        self.options, self.until, self.settle = hands.options, workspace.until, self.delivery.settle
        self._api = Api(workspace, self.sockets, urls, faults=self.faults, limits=limits)
        self._page = Page(workspace, people, Acts(workspace, people, hands))
        self._api.add_to(self.web_app)
        self._page.add_to(self.web_app)
        self.push, self.wake = self._page.push, workspace.wake

    # --- running

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen on 127.0.0.1, on a free port unless one was given."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """End deliveries and connections and stop listening."""
        await self.delivery.close()
        await self.sockets.close()
        await self._page.close()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The server's address, where a browser finds the page."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def api_url(self) -> str:
        """What a Slack client takes as its base_url."""
        return f"{self.url}/api/"

    @property
    def request_url(self) -> str | None:
        """Where the app hears over HTTP when no socket is connected; None when nowhere."""
        return self.delivery.request_url

    @request_url.setter
    def request_url(self, url: str | None) -> None:
        self.delivery.request_url = url

    # --- looking

    @property
    def calls(self) -> list[Call]:
        """The latest requests to the Web API, oldest first."""
        return self._api.calls

    def called(self, method: str) -> list[Call]:
        """The latest requests to one method, oldest first."""
        return [call for call in self.calls if call.method == method]

    def messages(self, channel: str) -> list[Message]:
        """What stands in a channel outside threads, oldest first."""
        return list(self.workspace.channels[channel].top_level())

    def message(self, channel: str, ts: str) -> Message:
        """One message. Raises KeyError when it is not there."""
        return self.workspace.channels[channel].messages[ts]

    def thread(self, channel: str, ts: str) -> list[Message]:
        """The root and its replies, oldest first."""
        return self.workspace.channels[channel].thread(ts)

    def ephemerals(self, user: str, channel: str | None = None) -> list[Message]:
        """What only this user sees, oldest first."""
        shown = self.workspace.ephemerals.get(user, [])
        return [message for message in shown if channel in (None, message.channel)]

    def dms(self, user: str) -> list[Message]:
        """What the bot sent to this user directly, oldest first, threads included."""
        bot = self.app.bot_user
        said = self.workspace.direct(user, bot).messages.values()
        return [message for message in said if message.user == bot]

    def views(self, user: str) -> list[View]:
        """The forms this user has open, the one on top last."""
        return list(self.workspace.stacks.get(user, ()))

    def home(self, user: str) -> View | None:
        """The user's Home, None when the app never published it."""
        return self.workspace.homes.get(user)

    def _send_events(self, change: Change) -> None:
        for envelope in events.events(self.workspace, change):
            self.delivery.send_event(envelope)
