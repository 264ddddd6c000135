/**
 * The port between a storage and where it keeps its ledgers.
 *
 * In front of it stand the order of calls, ids, groups, the bound for bytes in
 * flight, recent entries and followers; behind it, logs and an index, or memory.
 */
import type * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type {
  CheckOptions,
  CollectOptions,
  Collection,
  Entry,
  EntryKey,
  Inconsistency,
  LedgerInfo
} from "../LedgerStorage.ts"
import type { LedgerStorageError } from "../LedgerStorageError.ts"
import type { LedgerIds } from "./LedgerIds.ts"
import type { Log } from "./write/Log.ts"

type Answer<A> = Effect.Effect<A, LedgerStorageError>
type Answers<A> = Stream.Stream<A, LedgerStorageError>

/** Consecutive entries of a ledger, and in which order; both ends are included. */
export interface Span {
  readonly from: EntryId.EntryId
  readonly to: EntryId.EntryId
  readonly reverse: boolean
}

/** Where a storage keeps its ledgers. `Place` is where in its log a group is. */
export interface Backend<Place> extends Stored {
  /** Which ledger ids have ever been given. The storage goes on with them. */
  readonly ledgerIds: LedgerIds
  /** Where groups are written. */
  readonly log: Log<Place>
}

/** What has been committed. */
export interface Stored {
  /** The name of the storage. */
  readonly name: string
  /** The longest payload, in bytes. */
  readonly maxPayloadSize: number
  /** What is known of a ledger. */
  readonly ledger: (ledgerId: LedgerId.LedgerId) => Answer<LedgerInfo | undefined>
  /** The ledgers by their ids. */
  readonly ledgers: Answers<LedgerInfo>
  /** Entries in the order of their keys; `undefined` where there is none, or no such ledger. */
  readonly readMany: (keys: ReadonlyArray<EntryKey>) => Answer<ReadonlyArray<Entry | undefined>>
  /** The entries of a span, every one of them; if the ledger is deleted meanwhile, it may end early or fail. */
  readonly entries: (ledgerId: LedgerId.LedgerId, span: Span) => Answers<Entry>
  readonly collect: (options: CollectOptions) => Answer<Collection>
  readonly check: (options: CheckOptions) => Answers<Inconsistency>
}
