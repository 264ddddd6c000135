/**
 * Goes through the entries of a ledger from one id to another, in either
 * direction.
 *
 * It looks locations up some thousand at a time, and reads as many entries at
 * once as take up the bytes of the read-ahead, about. While one part is with the
 * reader the next is being read, and none after it until he asks for more.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Location from "@effect-bookie/entry-log/Location"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import type { Entry } from "../../LedgerStorage.ts"
import type { LedgerStorageError } from "../../LedgerStorageError.ts"
import type { Span } from "../Backend.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import type { LocatedKey, StoredEntries } from "./StoredEntries.ts"

type Entries = readonly [Entry, ...Array<Entry>]

/** Where a reader is in a ledger. */
export class EntryCursor {
  readonly #stored: StoredEntries
  readonly #ledgerId: LedgerId.LedgerId
  readonly #readAhead: number
  readonly #scope: Scope.Scope
  readonly #reverse: boolean
  /** The ids that have not been looked up. */
  #from: bigint
  #to: bigint
  /** Those that have been looked up, and not yet been read. */
  #keys: ReadonlyArray<LocatedKey> = []
  #next = 0
  /** How many bytes an entry took up, of those that were read last. */
  #averageSize = 4096
  /** How many were read at once. */
  #count = 8
  #ahead: Fiber.Fiber<ReadonlyArray<Entry>, LedgerStorageError> | undefined

  constructor(
    stored: StoredEntries,
    ledgerId: LedgerId.LedgerId,
    { from, reverse, to }: Span,
    readAhead: number,
    scope: Scope.Scope
  ) {
    this.#stored = stored
    this.#ledgerId = ledgerId
    this.#from = from
    this.#to = to
    this.#reverse = reverse
    this.#readAhead = readAhead
    this.#scope = scope
  }

  /** The next entries. */
  get pull(): Pull.Pull<Entries, LedgerStorageError> {
    return Effect.gen({ self: this }, function* () {
      // One who is interrupted here finds it again.
      const entries = yield* Fiber.join((this.#ahead ??= yield* this.#begin()))
      this.#ahead = undefined
      if (!isNonEmpty(entries)) return yield* Cause.done()
      if (this.#next < this.#keys.length || this.#from <= this.#to) this.#ahead = yield* this.#begin()
      return entries
    })
  }

  #begin(): Effect.Effect<Fiber.Fiber<ReadonlyArray<Entry>, LedgerStorageError>> {
    return Effect.forkIn(this.#read(), this.#scope, { startImmediately: true })
  }

  /** Reads the next entries; none if there are none any more, or if one that should be there has been deleted. */
  #read(): Effect.Effect<ReadonlyArray<Entry>, LedgerStorageError> {
    return Effect.gen({ self: this }, function* () {
      if (this.#next === this.#keys.length) yield* this.#lookUp()
      const keys = this.#keys.slice(this.#next, this.#next + this.#countNext())
      if (keys.length === 0) return []
      const found = yield* this.#stored.read(keys)
      this.#next += keys.length
      const entries: Array<Entry> = []
      let size = 0
      for (const entry of found) {
        if (entry === undefined) break
        const { entryId, ledgerId, payload } = entry
        entries.push({ ledgerId, entryId, payload: payload.slice() })
        size += EntryFrame.frameSize(payload)
      }
      if (entries.length < keys.length) this.#end()
      this.#averageSize = size / Math.max(entries.length, 1)
      this.#count = keys.length
      return entries
    })
  }

  #lookUp(): Effect.Effect<void, LedgerStorageError> {
    return Effect.suspend(() => {
      const from = this.#reverse ? higher(this.#from, this.#to - window + 1n) : this.#from
      const to = this.#reverse ? this.#to : lower(this.#to, this.#from + window - 1n)
      if (from > to) return Effect.void
      return Effect.map(this.#stored.range(this.#ledgerId, EntryId.make(from), EntryId.make(to)), (keys) => {
        const ordered = this.#reverse ? keys.toReversed() : keys
        const first = this.#reverse ? to : from
        const gap = ordered.findIndex(
          ({ entryId }, index) => entryId !== first + BigInt(this.#reverse ? -index : index)
        )
        if (this.#reverse) this.#to = from - 1n
        else this.#from = to + 1n
        if (BigInt(keys.length) <= to - from) this.#end()
        this.#keys = gap === -1 ? ordered : ordered.slice(0, gap)
        this.#next = 0
      })
    })
  }

  /** Nothing comes behind an entry that is missing. */
  #end(): void {
    this.#keys = []
    this.#next = 0
    this.#from = this.#to + 1n
  }

  /** How many entries to read: their sizes are not known, but mostly their distances in the log are. */
  #countNext(): number {
    const most = Math.min(this.#keys.length - this.#next, this.#count * 4)
    let bytes = 0
    let count = 0
    while (count < most && bytes < this.#readAhead) {
      bytes += this.#guessSize(this.#next + count)
      count += 1
    }
    return count
  }

  #guessSize(at: number): number {
    const one = this.#keys[at]?.location
    const other = this.#keys[at + 1]?.location
    const most = Math.max(this.#averageSize * 2, unknownSize)
    if (one === undefined || other === undefined || Location.logId(one) !== Location.logId(other)) return most
    return Math.min(most, Math.abs(Location.position(other) - Location.position(one)))
  }
}

/** In bytes: what an entry is taken to have behind which others stand before the next one of its ledger. */
const unknownSize = 64 * 1024

/** How many locations are looked up at once. */
const window = 4096n

const lower = (one: bigint, other: bigint): bigint => (one < other ? one : other)
const higher = (one: bigint, other: bigint): bigint => (one > other ? one : other)

const isNonEmpty = (entries: ReadonlyArray<Entry>): entries is Entries => entries.length > 0
