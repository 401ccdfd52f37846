"""What a workspace is made of. Plain data: nothing here knows the network or the app's handlers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from . import walking
from .digest import EVERY_SCOPE, SUBSCRIPTIONS

HOME_TEAM = "T0ACME"
BOT_USER = "U0POINTSMAN"
ChannelKind = Literal["channel", "im", "mpim"]
_MENTION = re.compile(r"<(?:@([UW][A-Z0-9]+)|!(channel|here|everyone)|!subteam\^(S[A-Z0-9]+))(?:\|[^>]*)?>")


@dataclass(frozen=True, slots=True)
class User:
    """A person or a bot. A `team_id` other than the workspace's makes a stranger of Slack Connect."""

    id: str
    name: str
    real_name: str = ""
    title: str = ""
    email: str | None = None
    tz: str = "Europe/London"
    team_id: str = HOME_TEAM
    color: str = "4a6fa5"
    is_bot: bool = False
    is_admin: bool = False
    is_restricted: bool = False
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Usergroup:
    """A group such as @oncall that can be mentioned as `<!subteam^ID>`."""

    id: str
    handle: str
    users: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Command:
    """A slash command that the app has registered; `command` starts with a slash."""

    command: str
    description: str = ""
    usage_hint: str = ""
    should_escape: bool = False


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut that the app has registered: on a message, or global."""

    type: Literal["message", "global"]
    callback_id: str
    name: str


@dataclass(slots=True)
class Message:
    """A message as Slack keeps it. `ephemeral_to` is the only person who sees it, None for everybody."""

    ts: str
    channel: str
    user: str
    text: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    thread_ts: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    username: str | None = None
    edited_ts: str | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    ephemeral_to: str | None = None

    @property
    def all_blocks(self) -> list[dict[str, Any]]:
        """Its own blocks and those in its attachments, as shown from top to bottom."""
        return [*self.blocks, *(block for part in self.attachments for block in part.get("blocks") or [])]

    @property
    def shown(self) -> str:
        """All the words a reader sees: the blocks' when there are any (as in Slack), else the text."""
        parts = [] if self.blocks else [self.text]
        parts += walking.texts(self.all_blocks)
        parts += [str(part.get("text") or "") for part in self.attachments if not part.get("blocks")]
        return "\n".join(part for part in parts if part)

    @property
    def buttons(self) -> list[str]:
        """The texts of its buttons, in order."""
        return walking.button_texts(self.all_blocks)

    @property
    def mentions(self) -> list[str]:
        """Whom it wakes: user ids, group ids, `channel`, `here`, `everyone`. Plain text wakes nobody."""
        return list(_mentions([self.text, *walking.live_texts(self.all_blocks)]))


@dataclass(slots=True)
class Channel:
    """A channel, a direct message (`im`) or a group of them (`mpim`). `members` None: everybody at home."""

    id: str
    name: str
    members: list[str] | None = None
    is_private: bool = False
    is_archived: bool = False
    is_ext_shared: bool = False
    topic: str = ""
    kind: ChannelKind = "channel"
    messages: dict[str, Message] = field(default_factory=dict)
    threads: dict[str, list[str]] = field(default_factory=dict)

    @property
    def scope_kind(self) -> str:
        """The word that scopes and events use for this kind: channels, groups, im or mpim."""
        if self.kind != "channel":
            return self.kind
        return "groups" if self.is_private else "channels"

    @property
    def type(self) -> str:
        """The `channel_type` of message events."""
        return {"channels": "channel", "groups": "group"}.get(self.scope_kind, self.kind)

    def top_level(self) -> Iterator[Message]:
        """What is seen in the channel without opening threads, oldest first."""
        for message in self.messages.values():
            if message.thread_ts in (None, message.ts) or message.subtype == "thread_broadcast":
                yield message

    def thread(self, ts: str) -> list[Message]:
        """The root and its replies, oldest first; only replies when the root was deleted."""
        found = (self.messages.get(each) for each in (ts, *self.threads.get(ts, ())))
        return [message for message in found if message]


@dataclass(slots=True)
class View:
    """A modal or a Home. `content` is what the app sent, `values` is `view.state.values`."""

    id: str
    user: str
    content: dict[str, Any]
    hash: str
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    root_id: str = ""
    previous_id: str | None = None

    @property
    def type(self) -> str:
        """`modal` or `home`."""
        return str(self.content["type"])

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """Its blocks, each with a block_id."""
        return list(self.content["blocks"])

    @property
    def callback_id(self) -> str:
        """The app's name for it, "" when there is none."""
        return str(self.content.get("callback_id") or "")

    @property
    def private_metadata(self) -> str:
        """What the app hid in it, "" when nothing."""
        return str(self.content.get("private_metadata") or "")

    @property
    def title(self) -> str:
        """The words in its title bar, "" for a Home."""
        return str((self.content.get("title") or {}).get("text", ""))

    @property
    def shown(self) -> str:
        """All the words in its blocks."""
        return "\n".join(walking.texts(self.blocks))

    @property
    def buttons(self) -> list[str]:
        """The texts of the buttons in its blocks, in order."""
        return walking.button_texts(self.blocks)


@dataclass(frozen=True, slots=True)
class AppSettings:
    """The app as it is configured in Slack: who it is, its secrets, what it may do and hear.

    The tokens and the secret open nothing but the stand-in. `scopes` and `events` are what was granted and
    subscribed to; by default all that the stand-in knows, without chat:write.public.
    """

    bot_token: str = "xoxb-stand-in"  # noqa: S105
    signing_secret: str = "stand-in-signing-secret"  # noqa: S105
    app_token: str = "xapp-stand-in"  # noqa: S105
    scopes: frozenset[str] = EVERY_SCOPE - {"chat:write.public"}
    events: frozenset[str] = frozenset(SUBSCRIPTIONS)
    commands: tuple[Command, ...] = ()
    shortcuts: tuple[Shortcut, ...] = ()
    id: str = "A0POINTSMAN"
    bot_id: str = "B0POINTSMAN"
    bot_user: str = BOT_USER
    name: str = "Pointsman"
    messages_tab: bool = True


def _mentions(texts: list[str]) -> Iterator[str]:
    for text in texts:
        for match in _MENTION.finditer(text):
            yield next(group for group in match.groups() if group)
