"""One Slack workspace in memory, and whom to tell when it changes."""

import asyncio
import itertools
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from . import clock
from .errors import CannotDo, SlackError
from .state import AppSettings, Channel, Message, User, Usergroup, View

T = TypeVar("T")
TRIGGER_SECONDS = 3.0
SLACKBOT = "USLACKBOT"
TRIGGERS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened in the workspace: observers turn it into events and page updates."""

    kind: str
    channel: str = ""
    user: str = ""
    message: Message | None = None
    previous: Message | None = None
    view: View | None = None
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Trigger:
    """A `trigger_id` that was handed out: whose, when, and from which modal."""

    user: str
    made_at: float
    view_id: str | None = None
    used: bool = False


@dataclass(frozen=True, slots=True)
class Team:
    """The workspace's own name and address."""

    id: str
    name: str
    domain: str


class Workspace:
    """People, channels, messages, views. Single-threaded: used from one event loop.

    `now` gives epoch seconds for timestamps; `monotonic` gives the seconds by which triggers and response
    URLs age, so that a test can move them.
    """

    def __init__(
        self,
        team: Team,
        app: AppSettings,
        *,
        users: Iterable[User],
        channels: Iterable[Channel],
        usergroups: Iterable[Usergroup] = (),
        now: Callable[[], float] = clock.wall,
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self.team, self.app, self.now, self.monotonic = team, app, now, monotonic
        self.users = {user.id: user for user in users}
        self.users.setdefault(app.bot_user, _bot(app, team))
        self.users.setdefault(SLACKBOT, User(SLACKBOT, "slackbot", "Slackbot", team_id=team.id, is_bot=True))
        self.usergroups = {group.id: group for group in usergroups}
        self.channels: dict[str, Channel] = {}
        for channel in channels:
            self.add_channel(channel)
        self.ephemerals: dict[str, list[Message]] = defaultdict(list)
        self.stacks: dict[str, list[View]] = defaultdict(list)
        self.homes: dict[str, View] = {}
        self.triggers: dict[str, Trigger] = {}
        self.uploads: dict[str, dict[str, Any]] = {}
        self.executions: dict[str, dict[str, Any]] = {}
        self.step_tokens: set[str] = set()
        self.observers: list[Callable[[Change], None]] = []
        self._direct: dict[tuple[str, ...], Channel] = {}
        self._last_ts = 0
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()

    # --- names and numbers

    def next_ts(self) -> str:
        """A timestamp that no other message of the workspace has, later than all before it."""
        self._last_ts = max(int(self.now() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        """An id such as V0000000A that was never given before."""
        return f"{prefix}{next(self._numbers):09X}"

    def new_trigger(self, user: str, view_id: str | None = None) -> str:
        """A `trigger_id` for what `user` just did; it is good once, for three seconds."""
        number = next(self._numbers)
        trigger_id = f"{number}.{self.team.id}.{secrets.token_hex(16)}"
        self.triggers[trigger_id] = Trigger(user, self.monotonic(), view_id)
        if len(self.triggers) > TRIGGERS_KEPT:
            del self.triggers[next(iter(self.triggers))]
        return trigger_id

    def take_trigger(self, trigger_id: object) -> Trigger:
        """Use up a trigger. Raises SlackError: invalid_trigger_id, exchanged_…, expired_…."""
        trigger = self.triggers.get(str(trigger_id))
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self.monotonic() - trigger.made_at > TRIGGER_SECONDS:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    # --- finding

    def user(self, user_id: str) -> User:
        """The user with this id. Raises SlackError user_not_found."""
        if user_id not in self.users:
            raise SlackError("user_not_found")
        return self.users[user_id]

    def person(self, user_id: str) -> User:
        """Somebody who can act. Raises CannotDo for unknown and deactivated ones."""
        user = self.users.get(user_id)
        if user is None or user.deleted:
            raise CannotDo(f"{user_id} is not an active user of this workspace.")
        return user

    def is_member(self, channel: Channel, user_id: str) -> bool:
        """Whether the user is in the conversation."""
        return user_id in (channel.members or ())

    def can_see(self, channel: Channel, user_id: str) -> bool:
        """Whether the user can read it: a member, or anybody at home for public channels."""
        if self.is_member(channel, user_id):
            return True
        user = self.users.get(user_id)
        at_home = user is not None and user.team_id == self.team.id and not user.is_restricted
        return at_home and channel.scope_kind == "channels"

    def direct(self, *user_ids: str) -> Channel:
        """The direct conversation of exactly these users, opened when it is new."""
        members = tuple(sorted(set(user_ids)))
        if members in self._direct:
            return self._direct[members]
        if len(members) <= 2:
            opened = Channel(self.new_id("D"), "directmessage", list(members), is_private=True, kind="im")
        else:
            name = "mpdm-" + "--".join(members)
            opened = Channel(self.new_id("G"), name, list(members), is_private=True, kind="mpim")
        self.channels[opened.id] = self._direct[members] = opened
        self.changed(Change("conversation", opened.id))
        return opened

    def view(self, view_id: str) -> View | None:
        """An open modal or a Home by its id."""
        open_views = itertools.chain(*self.stacks.values(), self.homes.values())
        return next((view for view in open_views if view.id == view_id), None)

    def add_channel(self, channel: Channel) -> None:
        """Add a channel; without `members` it holds everybody at home but guests, and the bot."""
        if channel.members is None:
            channel.members = [
                user.id
                for user in self.users.values()
                if user.team_id == self.team.id and not (user.is_restricted or user.deleted)
            ]
        self.channels[channel.id] = channel

    # --- telling

    def changed(self, change: Change) -> None:
        """Tell everybody who watches that this happened."""
        for observer in list(self.observers):
            observer(change)
        self.wake()

    def wake(self) -> None:
        """Let everybody in `until` look again."""
        happened, self._changed = self._changed, asyncio.Event()
        happened.set()

    async def until(self, predicate: Callable[[], T], timeout: float = 5.0) -> T:
        """Wait until `predicate()` is true and return what it gave; looked at after every change.

        Raises TimeoutError after `timeout` seconds.
        """
        async with asyncio.timeout(timeout):
            while not (found := predicate()):
                await self._changed.wait()
            return found


def _bot(app: AppSettings, team: Team) -> User:
    return User(app.bot_user, app.name.lower(), app.name, "App", team_id=team.id, color="1d1c1d", is_bot=True)
