"""A store whose disk is this process's memory. What was committed survives the store, not the process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from leveret.storage.base import Batch, Definition, Line, Page, Store, StoredMessage, Totals


@dataclass
class StoredLine:
    """messages: by position, rising."""

    messages: dict[int, StoredMessage] = field(default_factory=dict)
    next_position: int = 0
    suspect_before: int = 0

    @property
    def totals(self) -> Totals:
        may_expire = any(message.expires_at is not None for message in self.messages.values())
        return Totals(len(self.messages), self.next_position, may_expire)


@dataclass
class Contents:
    """What takes the place of the disk."""

    definitions: dict[tuple[str, str], bytes] = field(default_factory=dict)
    lines: dict[int, StoredLine] = field(default_factory=dict)
    is_clean: bool = True


class MemoryStore(Store):
    """Opened on what another one has left, if that is given."""

    def __init__(self, contents: Contents | None = None) -> None:
        super().__init__()
        self.contents = contents if contents is not None else Contents()
        for line_id, stored in self.contents.lines.items():
            if not self.contents.is_clean:
                stored.suspect_before = stored.next_position
            self.lines[line_id] = Line(self, line_id, stored.totals, stored.suspect_before)
            self._next_line_id = max(self._next_line_id, line_id + 1)
        self.contents.is_clean = False

    def definitions(self) -> Iterator[Definition]:
        for (kind, name), value in sorted(self.contents.definitions.items()):
            yield Definition(kind, name, value)

    def close(self) -> None:
        self.contents.is_clean = self._is_all_written

    def check_place(self) -> None:
        """Nobody can."""

    def _write(self, batch: Batch) -> None:
        for key, value in batch.definitions.items():
            if value is None:
                self.contents.definitions.pop(key, None)
            else:
                self.contents.definitions[key] = value
        for changes in batch.changes:
            line_id = changes.line.id
            if changes.is_drop:
                self.contents.lines.pop(line_id, None)
                continue
            stored = self.contents.lines.setdefault(line_id, StoredLine())
            stored.next_position = max(stored.next_position, changes.position_after)
            messages = stored.messages
            for position in changes.settled:
                messages.pop(position, None)
            if changes.purge is not None:
                for position in [position for position in messages if not changes.purge.spares(position)]:
                    del messages[position]
            for position, (payload, expires_at, _) in changes.added.items():
                messages[position] = StoredMessage(position, bytes(payload), expires_at)
            for position, (return_count, failed_count) in changes.marks.items():
                if position in messages:
                    messages[position] = messages[position]._replace(
                        redelivered=True, return_count=return_count, failed_count=failed_count
                    )

    def _read_stored(self, line: Line, page: Page, after: int, before: int | None, gone: set[int]) -> None:
        page.fill(self._between(line, after, before, gone))

    def _between(self, line: Line, after: int, before: int | None, gone: set[int]) -> Iterator[StoredMessage]:
        stored = self.contents.lines.get(line.id)
        for position, message in stored.messages.items() if stored else ():
            if before is not None and position >= before:
                return
            if position > after and position not in gone and not (line.purged and not line.purged.spares(position)):
                is_suspect = position < line.suspect_before and not message.redelivered
                yield message._replace(redelivered=True) if is_suspect else message
