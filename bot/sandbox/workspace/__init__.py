"""A stand-in for Slack as a real server: used by the sandbox in the browser and by the tests.

It knows nothing of Pointsman. Where it is in doubt it is as strict as Slack's reference.
"""

from .block_kit import check_blocks, check_view
from .delivery import Reply
from .errors import CannotDo
from .faults import Call
from .hands import Submitted
from .stand_in import SlackStandIn
from .state import BOT_USER, HOME_TEAM, AppSettings, Channel, Command, Message, Shortcut, User, Usergroup, View
from .workspace import Team

__all__ = [
    "BOT_USER",
    "HOME_TEAM",
    "AppSettings",
    "Call",
    "CannotDo",
    "Channel",
    "Command",
    "Message",
    "Reply",
    "Shortcut",
    "SlackStandIn",
    "Submitted",
    "Team",
    "User",
    "Usergroup",
    "View",
    "check_blocks",
    "check_view",
]
