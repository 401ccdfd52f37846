"""What a message may hold: text, blocks, attachments, metadata."""

import json
from dataclasses import dataclass
from typing import Any

from .. import block_kit
from ..arguments import Arguments
from ..errors import SlackError
from ..messages import copied
from ..workspace import Workspace

TEXT_CHARACTERS = 40_000
METADATA_BYTES = 16_000
ATTACHMENTS = 100


@dataclass(frozen=True, slots=True)
class Content:
    """The checked content of a message; None for what the call did not name."""

    text: str | None
    blocks: list[dict[str, Any]] | None
    attachments: list[dict[str, Any]] | None
    metadata: dict[str, Any] | None


def read(args: Arguments) -> Content:
    """Check and return a message's content.

    Raises SlackError: no_text, msg_too_long, invalid_blocks…, msg_blocks_too_long, too_many_attachments,
    invalid_attachments, metadata_too_large, invalid_metadata_format.
    """
    text = args.text("text") if "text" in args else None
    blocks = _blocks(args)
    attachments = _attachments(args)
    if args.text("markdown_text"):
        if text or blocks:
            raise SlackError("markdown_text_conflict")
        text = args.text("markdown_text")
    if not (text or blocks or attachments):
        raise SlackError("no_text")
    if len(text or "") > TEXT_CHARACTERS:
        raise SlackError("msg_too_long")
    return Content(text, blocks, attachments, metadata(args))


def metadata(args: Arguments) -> dict[str, Any] | None:
    """The message metadata of a call. Raises invalid_metadata_format, metadata_too_large."""
    found = args.parsed("metadata")
    if not found:
        return None if found is None else {}
    payload = found.get("event_payload") if isinstance(found, dict) else None
    if not isinstance(payload, dict) or not found.get("event_type"):
        raise SlackError("invalid_metadata_format")
    if len(json.dumps(found).encode()) > METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return dict(found)


def refuse_blocks(problems: list[block_kit.Problem]) -> None:
    """Raise invalid_blocks with Slack's messages when there are problems."""
    if problems:
        messages = [str(problem) for problem in problems]
        raise SlackError("invalid_blocks", errors=messages, response_metadata={"messages": messages})


def mentioned_users(workspace: Workspace, args: Arguments) -> list[str]:
    """The ids in a `users` argument. Raises user_not_found for one that does not exist."""
    return [workspace.user(user_id).id for user_id in args.names("users")]


def _blocks(args: Arguments) -> list[dict[str, Any]] | None:
    try:
        found = args.parsed("blocks")
    except SlackError:
        raise SlackError("invalid_blocks_format") from None
    if found is None:
        return None
    if not isinstance(found, list):
        raise SlackError("invalid_blocks_format")
    if block_kit.too_long(found):
        raise SlackError("msg_blocks_too_long")
    refuse_blocks(list(block_kit.block_problems(found, "message", "/blocks")))
    return copied(found)


def _attachments(args: Arguments) -> list[dict[str, Any]] | None:
    found = args.parsed("attachments")
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise SlackError("invalid_attachments")
    if len(found) > ATTACHMENTS:
        raise SlackError("too_many_attachments")
    for index, each in enumerate(found):
        if "blocks" in each:
            at = f"/attachments/{index}/blocks"
            refuse_blocks(list(block_kit.block_problems(each["blocks"], "message", at)))
    return copied(found)
