/**
 * The port that groups are written through.
 *
 * The writer calls it for one group after another: append, sync unless every
 * append of the group is "buffered", commit. It never calls again before the
 * last call has ended, and is never interrupted in one.
 */
import type * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type * as Effect from "effect/Effect"
import type { LedgerInfo } from "../../LedgerStorage.ts"
import type { LedgerStorageError } from "../../LedgerStorageError.ts"

type Answer<A> = Effect.Effect<A, LedgerStorageError>

/** Where groups are written. `Place` is where in it a group is. */
export interface Log<Place> {
  /** Why no more can be appended and created at present, if so. Ledgers can be fenced and deleted all the same. */
  readonly refusal: () => LedgerStorageError | undefined
  /**
   * Appends frames, one after another, which are entries and records of ledger -1. If it fails, nothing of them is left
   * and nothing of them will turn up again. The bytes are the log's until it has answered.
   */
  readonly append: (frames: Uint8Array) => Answer<Place>
  /** Brings to disk what has been appended. */
  readonly sync: Answer<void>
  /**
   * Makes what a group changes visible to readers, all of it or nothing. If it fails, it is called again for the same
   * group before anything else is appended.
   */
  readonly commit: (written: Written<Place>) => Answer<void>
}

/** A group that has been appended. */
export interface Written<Place> {
  /** What it changes, in order. */
  readonly changes: ReadonlyArray<Change>
  readonly frames: Uint8Array
  /** Where in the log its frames are. */
  readonly place: Place
  /** Whether it has been synced since. */
  readonly isSynced: boolean
}

/** What a group changes. */
export type Change = Appended | Created | Fenced | Deleted

/** Consecutive entries were appended to a ledger, whose frames stand one after another in those of the group. */
export interface Appended {
  readonly _tag: "Appended"
  readonly ledgerId: LedgerId.LedgerId
  readonly from: EntryId.EntryId
  readonly to: EntryId.EntryId
  /** Where their frames begin in those of the group. */
  readonly start: number
  /** Where they end. */
  readonly end: number
}

/** A ledger was created. */
export interface Created {
  readonly _tag: "Created"
  readonly info: LedgerInfo
}

/** A ledger was fenced. */
export interface Fenced {
  readonly _tag: "Fenced"
  readonly ledgerId: LedgerId.LedgerId
}

/** Ledgers were deleted. */
export interface Deleted {
  readonly _tag: "Deleted"
  readonly ledgerIds: ReadonlyArray<LedgerId.LedgerId>
}
