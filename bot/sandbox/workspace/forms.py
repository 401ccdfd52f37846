"""What is filled into a form: the state of views and messages, and how a plain value becomes Slack's."""

from typing import Any

from . import walking

Json = dict[str, Any]
Values = dict[str, dict[str, Json]]

# element type -> (key of the answer, key of the initial value)
_KEYS = {
    "button": ("value", ""),
    "overflow": ("selected_option", ""),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "checkboxes": ("selected_options", "initial_options"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "file_input": ("files", ""),
}
_TYPED = ("value", "initial_value")


def state(blocks: list[Json], *, before: Values | None = None) -> Values:
    """`state.values` of these blocks: what is shown at first, or what `before` had in the same place."""
    found: Values = {}
    for block, element in walking.elements(blocks):
        if element["type"] in ("button", "overflow"):
            continue
        kept = (before or {}).get(block["block_id"], {}).get(element["action_id"])
        if not kept or kept.get("type") != element["type"]:
            kept = _initial(element)
        found.setdefault(block["block_id"], {})[element["action_id"]] = kept
    return found


def filled(blocks: list[Json], values: Values, given: dict[str, Any]) -> Values:
    """`values` with what a person filled in.

    `given` maps a block_id or an action_id to a plain value (a text, an option's value, a user id, a list of
    them), or a block_id to Slack's own `{action_id: {"type": …}}`. Raises KeyError for names that are not
    in the form.
    """
    found = {block_id: dict(inside) for block_id, inside in values.items()}
    for name, value in given.items():
        block, element = _named(blocks, name)
        slot = found.setdefault(block["block_id"], {})
        if isinstance(value, dict) and element["action_id"] in value:
            slot |= {action_id: _emptied(held) for action_id, held in value.items()}
        else:
            slot[element["action_id"]] = answer(element, value)
    return found


def answer(element: Json, value: Any) -> Json:
    """What an element holds in `state.values` after `value` was put into it."""
    if isinstance(value, dict) and value.get("type") == element["type"]:
        return value
    key = _KEYS.get(element["type"], _TYPED)[0]
    if key == "selected_option" and value is not None:
        value = option(element, value)
    elif key == "selected_options":
        value = [option(element, each) for each in value or ()]
    return _emptied({"type": element["type"], key: value})


def option(element: Json, value: Any) -> Json:
    """The option object that has this value or these words. Raises KeyError when there is none."""
    if isinstance(value, dict):
        return value
    groups = element.get("option_groups") or [{"options": element.get("options") or []}]
    for each in (each for group in groups for each in group["options"]):
        if value in (each.get("value"), each["text"]["text"]):
            return dict(each)
    if "external" in element["type"]:
        return {"text": {"type": "plain_text", "text": str(value)}, "value": str(value)}
    raise KeyError(f"{element['action_id']} has no option {value!r}")


def missing(blocks: list[Json], values: Values) -> dict[str, str]:
    """The block ids that Slack's own form would not let through, each with its sentence."""
    found = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        held = values.get(block["block_id"], {}).get(element["action_id"], {})
        sentence = _complaint(element, held, optional=bool(block.get("optional")))
        if sentence:
            found[block["block_id"]] = sentence
    return found


def _emptied(held: Json) -> Json:
    return {key: None if value == "" else value for key, value in held.items()}


def _complaint(element: Json, held: Json, *, optional: bool) -> str:
    value = held.get(_KEYS.get(element["type"], _TYPED)[0])
    if value in (None, "", []):
        return "" if optional else "Please complete this required field."
    if element["type"] == "plain_text_input":
        return _length_complaint(element, str(value))
    return ""


def _length_complaint(element: Json, value: str) -> str:
    if len(value) < element.get("min_length", 0):
        return f"Please enter at least {element['min_length']} characters."
    if len(value) > element.get("max_length", 3000):
        return f"Please enter no more than {element.get('max_length', 3000)} characters."
    return ""


def _initial(element: Json) -> Json:
    key, initial = _KEYS.get(element["type"], _TYPED)
    empty: Any = [] if key in ("selected_options", "files") or key.endswith("s") else None
    return {"type": element["type"], key: element.get(initial, empty) if initial else empty}


def _named(blocks: list[Json], name: str) -> tuple[Json, Json]:
    for block, element in walking.elements(blocks):
        if name in (block["block_id"], element["action_id"]):
            return block, element
    known = [f"{block['block_id']}/{element['action_id']}" for block, element in walking.elements(blocks)]
    raise KeyError(f"the form has no {name!r}, only {', '.join(known)}")
