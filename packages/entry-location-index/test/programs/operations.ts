/**
 * A long row of operations on an index, of which each is known by its number.
 */
import { EntryId, type EntryLocationIndex, LedgerId, Location } from "../../src/index.ts"

/** An operation: entries to add, or a ledger to delete. */
export interface Operation {
  readonly added: ReadonlyArray<EntryLocationIndex.EntryLocation>
  readonly deleted: LedgerId.LedgerId | undefined
}

/** The operation with a number. */
export const operation = (number: number): Operation =>
  number % 7 === 6
    ? { added: [], deleted: LedgerId.make(BigInt((number * 3) % 5)) }
    : {
        deleted: undefined,
        added: Array.from({ length: 1 + ((number * 13) % 90) }, (_, at) => ({
          ledgerId: LedgerId.make(BigInt((number + at) % 5)),
          entryId: EntryId.make(BigInt((number * 37 + at * 3) % 3000)),
          location: Location.make(BigInt(number) * 1000n + BigInt(at))
        }))
      }

/** What an index holds after the operations before a number, as `ledger:entry` and location. */
export const stateAfter = (count: number): ReadonlyMap<string, bigint> => {
  const ledgers = new Map<bigint, Map<bigint, bigint>>()
  for (let number = 0; number < count; number++) {
    const { added, deleted } = operation(number)
    if (deleted !== undefined) ledgers.delete(deleted)
    for (const { entryId, ledgerId, location } of added) {
      const ledger = ledgers.get(ledgerId) ?? new Map<bigint, bigint>()
      ledgers.set(ledgerId, ledger.set(entryId, location))
    }
  }
  return new Map(
    [...ledgers].flatMap(([ledgerId, entries]) =>
      Array.from(entries, ([entryId, location]) => [`${ledgerId}:${entryId}`, location] as const)
    )
  )
}
