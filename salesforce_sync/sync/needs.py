"""What each change of the outbox waits for: the records that it refers to, and those that refer to its own. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored

PRICES = "PricebookEntry"
"""The object of products' prices."""

References = Mapping[str, tuple[str, ...]]
"""Of records that are deleted or undeleted here: the ids that their rows refer to."""


class Need(Struct, frozen=True):
    """A change has to wait for the one of this number, because of its `field` (empty: because of its record)."""

    number: int
    field: str = ""


class Outbox:
    """All changes, with the needs of each."""

    def __init__(
        self,
        changes: Sequence[Change],
        schemas: Mapping[str, ObjectSchema],
        references: References,
        standard_books: Collection[str],
    ) -> None:
        self.schemas = schemas
        self.references = references
        self.by_number = {each.number: each for each in sorted(changes, key=lambda each: each.number)}
        self.creates = _by_record(changes, Operation.CREATE)
        self._undeletes = _by_record(changes, Operation.UNDELETE)
        self._deletes = _by_record(changes, Operation.DELETE)
        self._leaving = self._who_leaves()
        self._standard_prices = {
            _priced(each): each.number
            for each in new_prices(changes)
            if each.values.get("Pricebook2Id") in standard_books
        }
        self.needs = {number: tuple(self._needs(each)) for number, each in self.by_number.items()}

    def schema(self, change: Change) -> ObjectSchema:
        return self.schemas[change.object_name]

    def pointers(self, change: Change) -> Iterator[Edit]:
        """The edits of reference fields."""
        references = self.schema(change).references
        return (each for each in change.edits if each.field in references)

    def _who_leaves(self) -> Mapping[str, list[int]]:
        """By deleted record: the changes that have to be sent before it goes.

        Its children's deletions, and what refers to it no longer: the org might take them along.
        """
        leaving: defaultdict[str, list[int]] = defaultdict(list)
        if not self._deletes:
            return leaving
        for change in self.by_number.values():
            if change.operation is Operation.DELETE:
                left: Iterable[Stored] = self.references.get(change.record_id, ())
            else:
                left = [edit.base for edit in self.pointers(change)]
            for each in left:
                if isinstance(each, str) and each in self._deletes and each != change.record_id:
                    leaving[each].append(change.number)
        return leaving

    def _needs(self, change: Change) -> Iterator[Need]:
        if change.operation is Operation.DELETE:
            yield from (Need(number) for number in self._leaving.get(change.record_id, ()))
        elif change.operation is Operation.UNDELETE:
            for each in self.references.get(change.record_id, ()):
                if each in self._undeletes and each != change.record_id:
                    yield Need(self._undeletes[each])
        if change.operation is not Operation.CREATE and change.record_id in self.creates:
            yield Need(self.creates[change.record_id])
        for edit in self.pointers(change):
            found = self.creates.get(str(edit.value), self._undeletes.get(str(edit.value)))
            if found is not None and (found != change.number or change.operation is Operation.CREATE):
                yield Need(found, edit.field)
        for price in new_prices((change,)) if self._standard_prices else ():
            standard = self._standard_prices.get(_priced(price), price.number)
            if standard != price.number:
                yield Need(standard)


def new_prices(changes: Iterable[Change]) -> Iterator[Change]:
    """The new prices of products: the org takes one only where the product has a standard price already."""
    return (each for each in changes if each.object_name == PRICES and each.operation is Operation.CREATE)


def _priced(price: Change) -> tuple[Stored, Stored]:
    """What has one standard price: a product, in a currency."""
    return price.values.get("Product2Id"), price.values.get("CurrencyIsoCode")


def _by_record(changes: Sequence[Change], operation: Operation) -> dict[str, int]:
    return {each.record_id: each.number for each in changes if each.operation is operation}


def parents(schema: ObjectSchema, values: Mapping[str, Stored]) -> tuple[str, ...]:
    """The ids that a row's reference fields hold, of records that it may be a child of; a required one comes first."""
    found = (values.get(name) for name in schema.parents)
    return tuple(each for each in found if isinstance(each, str) and each)
