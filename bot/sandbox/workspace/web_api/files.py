"""files.*: the three steps in which Slack takes a file (ask for an address, send the bytes, share it)."""

from typing import Any

from .. import messages
from ..arguments import Arguments, invalid
from ..errors import SlackError
from ..state import Message
from ..workspace import Workspace
from . import finding

Answer = dict[str, Any]


def get_upload_url(workspace: Workspace, args: Arguments) -> Answer:
    """files.getUploadURLExternal: the server adds `upload_url`."""
    length = args.number("length", 0)
    if length < 1:
        raise invalid("length must be more than 0", "/length")
    file_id = workspace.new_id("F")
    workspace.uploads[file_id] = {
        "id": file_id,
        "name": args.text("filename"),
        "size": length,
        "content": None,
    }
    return {"file_id": file_id}


def complete_upload(workspace: Workspace, args: Arguments) -> Answer:
    """files.completeUploadExternal: share what was uploaded, as a message when a channel is named."""
    given = args.parsed("files")
    if not isinstance(given, list) or not given:
        raise invalid("files must be an array", "/files")
    files = [_uploaded(workspace, each) for each in given]
    if args.text("channel_id"):
        channel = finding.writable_channel(workspace, args.text("channel_id"))
        message = Message(
            ts=workspace.next_ts(),
            channel=channel.id,
            user=workspace.app.bot_user,
            bot_id=workspace.app.bot_id,
            text=args.text("initial_comment"),
            thread_ts=args.text("thread_ts") or None,
            files=files,
            subtype="file_share",
        )
        messages.post(workspace, message)
    return {"files": files}


def _uploaded(workspace: Workspace, given: Any) -> Answer:
    file = workspace.uploads.get(str(given.get("id"))) if isinstance(given, dict) else None
    if file is None or file["content"] is None:
        raise SlackError("file_not_found")
    return {
        "id": file["id"],
        "title": given.get("title") or file["name"],
        "name": file["name"],
        "size": file["size"],
    }


METHODS = {"files.getUploadURLExternal": get_upload_url, "files.completeUploadExternal": complete_upload}
