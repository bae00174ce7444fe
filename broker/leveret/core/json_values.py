"""JSON from outside, before it is kept: everything that is done with it later must be possible."""

import json
from typing import Any

from leveret_protocol.constants import TABLE_DEPTH_MAX

DEPTH_MAX = TABLE_DEPTH_MAX  # RabbitMQ has no limit; whoever goes through a value here needs stack for each level


def read_json(text: str, errors: str = "strict") -> Any:
    """Raises ValueError: it is no JSON, or `check_json` refuses it."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None
    check_json(value, errors)
    return value


def check_json(value: object, errors: str = "strict") -> None:
    """Has it bytes, which halves of characters have not, finite numbers, and no more than DEPTH_MAX levels?

    errors: as of `str.encode`. Raises ValueError.
    """
    level = [value]
    for _ in range(DEPTH_MAX):
        level = [item for one in level for item in _items(one) if isinstance(item, dict | list)]
        if not level:
            break
    else:
        raise ValueError(f"nested deeper than {DEPTH_MAX}")
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", errors)


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
