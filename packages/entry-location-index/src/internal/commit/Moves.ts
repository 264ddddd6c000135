/**
 * Entries that are to be moved from one location to another, each only if it is
 * still where it is said to be.
 */
import type * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type * as Location from "@effect-bookie/entry-log/Location"
import type { EntryMove, EntryMoveColumns } from "../../EntryLocationIndex.ts"
import * as Arguments from "../arguments.ts"
import { WriteBatch } from "../WriteBatch.ts"

/** Moves that are to be made. */
export class Moves {
  readonly entries: ReadonlyArray<EntryMove>
  /** How many of them there are to be made: how many have been, once they have been committed. */
  moved = 0

  private constructor(entries: ReadonlyArray<EntryMove>) {
    this.entries = entries
  }

  /** Takes moves, or says what is wrong with them. */
  static of(moves: ReadonlyArray<EntryMove> | EntryMoveColumns): Moves | string {
    return Arguments.look(() => {
      const list = isColumns(moves) ? rows(moves) : moves
      if (typeof list === "string") return list
      const taken: Array<EntryMove> = []
      for (const [nth, move] of list.entries()) {
        const problem = problemOf(move)
        if (problem !== undefined) return `move ${nth}: ${problem}`
        const { entryId, from, ledgerId, to } = move
        taken.push({ ledgerId, entryId, from, to })
      }
      return new Moves(taken)
    })
  }

  /** What is to be changed, of entries that are where they are now. */
  changes(locations: ReadonlyArray<Location.Location | undefined>): WriteBatch {
    const changes = new WriteBatch(this.entries.length)
    for (const [nth, { entryId, from, ledgerId, to }] of this.entries.entries()) {
      if (locations[nth] === from) changes.add(ledgerId, entryId, to)
    }
    this.moved = changes.size
    return changes
  }
}

const isColumns = (moves: ReadonlyArray<EntryMove> | EntryMoveColumns): moves is EntryMoveColumns =>
  !Array.isArray(moves)

/** The rows of columns, or what is wrong with these. */
const rows = ({ entryIds, from, ledgerIds, to }: EntryMoveColumns): ReadonlyArray<EntryMove> | string => {
  const { length } = ledgerIds
  if (entryIds.length !== length || from.length !== length || to.length !== length) {
    return "the columns of moves must be as long as one another"
  }
  // They are checked as ids and locations below.
  return Array.from(ledgerIds, (ledgerId, nth) => ({
    ledgerId: ledgerId as LedgerId.LedgerId,
    entryId: entryIds[nth] as EntryId.EntryId,
    from: from[nth] as Location.Location,
    to: to[nth] as Location.Location
  }))
}

const problemOf = (move: EntryMove): string | undefined => {
  if (!Arguments.isObject(move)) return `it must be an object, not ${Arguments.describe(move)}`
  const { entryId, from, ledgerId, to } = move
  return Arguments.checkLocation(ledgerId, entryId, from) ?? Arguments.checkLocation(ledgerId, entryId, to)
}
