/**
 * Groups, written to entry logs and committed to the index.
 *
 * - The entry logs are the journal. A commit adds the locations of a group to the
 *   index together with the mark, the place in the logs up to which the index is
 *   complete, so it need not be synced: if the index loses its end, it loses the
 *   mark with it, and the next open goes on from there.
 * - The index never holds what is not yet on disk in the logs. What has not been
 *   synced is found in memory, up to a bound, and goes into the index with the
 *   next group that is.
 * - Between two syncs of the index lie 64 MiB of logs at the most, or one log.
 */
import type { Batch, EntryLocationIndex } from "@effect-bookie/entry-location-index/EntryLocationIndex"
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type { LogPosition, Writer } from "@effect-bookie/entry-log/EntryLog"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Location from "@effect-bookie/entry-log/Location"
import * as Effect from "effect/Effect"
import type { LedgerStorageError, Where } from "../../LedgerStorageError.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import type { LedgerIds } from "../LedgerIds.ts"
import type { Change, Log, Written } from "../write/Log.ts"
import { above } from "./below.ts"
import * as Catalog from "./Catalog.ts"
import type { Ledger } from "./CatalogRecord.ts"
import type { Pending } from "./Pending.ts"

type Answer<A> = Effect.Effect<A, LedgerStorageError>

/** What a log works on. */
export interface Parts {
  readonly storage: string
  readonly writer: Writer
  readonly index: EntryLocationIndex["Service"]
  /** Of the index; the log is the only one who commits it. */
  readonly batch: Batch
  readonly catalog: Catalog.Catalog
  readonly pending: Pending
  readonly ledgerIds: LedgerIds
  readonly mark: LogPosition
}

/** Where the frames of a group are. */
export type Places = BigInt64Array

/** The logs of a storage on disk. */
export class DiskLog implements Log<Places> {
  readonly #parts: Parts
  readonly #where: Where
  /** Up to where groups are in the batch. */
  #end: LogPosition
  /** The group that was put into the batch last. */
  #gathered: Places | undefined
  /** Bytes in the logs since then, and the log at that time. */
  #sinceIndexSync = 0
  #logOfIndexSync: number

  constructor(parts: Parts) {
    this.#parts = parts
    this.#where = { operation: "append", storage: parts.storage }
    this.#end = parts.mark
    this.#logOfIndexSync = parts.mark.logId
  }

  refusal(): undefined {}

  append(frames: Uint8Array): Answer<Places> {
    return above(this.#where)(this.#parts.writer.appendFrames(frames))
  }

  get sync(): Answer<void> {
    return above(this.#where)(this.#parts.writer.sync)
  }

  commit(written: Written<Places>): Answer<void> {
    return Effect.gen({ self: this }, function* () {
      if (this.#gathered !== written.place) {
        const ledgers = yield* this.#fencedLedgers(written.changes)
        this.#gather(written, ledgers)
        this.#gathered = written.place
      }
      if (!written.isSynced) {
        if (this.#parts.pending.entries < maxPending && this.#sinceIndexSync < maxBytesBetweenSyncs) return
        yield* this.sync
      }
      yield* this.#flush()
    })
  }

  /** Brings everything to disk, logs first. */
  close(): Answer<void> {
    return Effect.gen({ self: this }, function* () {
      yield* this.sync
      yield* this.#flush()
      yield* above(this.#where)(this.#parts.index.sync)
    })
  }

  /** What is known of the ledgers that a group fences, but for those that it creates. */
  #fencedLedgers(changes: ReadonlyArray<Change>): Answer<Map<LedgerId.LedgerId, Ledger>> {
    const { catalog } = this.#parts
    const ledgers = new Map<LedgerId.LedgerId, Ledger>()
    return Effect.as(
      Effect.forEach(
        changes,
        (change) =>
          change._tag !== "Fenced"
            ? Effect.void
            : Effect.map(catalog.ledger(change.ledgerId), (ledger) => {
                if (ledger !== undefined) ledgers.set(change.ledgerId, ledger)
              }),
        { discard: true }
      ),
      ledgers
    )
  }

  /** Puts what a group changes into the batch, and where its entries are into memory. */
  #gather({ changes, frames, place }: Written<Places>, ledgers: Map<LedgerId.LedgerId, Ledger>): void {
    const { batch, ledgerIds } = this.#parts
    const cursor = new FrameCursor(frames, place)
    for (const change of changes) {
      switch (change._tag) {
        case "Appended":
          this.#add(change.ledgerId, change.from, cursor.locations(change.start, change.end))
          break
        case "Created": {
          const { createdAt, ledgerId, metadata } = change.info
          const ledger = { fenced: false, createdAt: createdAt.epochMilliseconds, metadata }
          ledgers.set(ledgerId, ledger)
          Catalog.putLedger(batch, ledgerId, ledger)
          Catalog.putIds(batch, ledgerIds, ledgerId)
          break
        }
        case "Fenced": {
          const ledger = ledgers.get(change.ledgerId)
          if (ledger === undefined) throw new Error(`ledger ${change.ledgerId} was fenced, and is not in the catalog`)
          Catalog.putLedger(batch, change.ledgerId, { ...ledger, fenced: true })
          break
        }
        case "Deleted":
          for (const ledgerId of change.ledgerIds) Catalog.removeLedger(batch, ledgerId)
      }
    }
    this.#moveTo(cursor.end)
    this.#sinceIndexSync += frames.length
  }

  #add(ledgerId: LedgerId.LedgerId, from: EntryId.EntryId, locations: BigInt64Array): void {
    const { batch, pending } = this.#parts
    locations.forEach((location, index) => {
      batch.add(ledgerId, EntryId.make(from + BigInt(index)), Location.make(location))
    })
    pending.add(ledgerId, from, locations)
  }

  #moveTo(end: LogPosition): void {
    const before = this.#end
    const isForward = end.logId > before.logId || (end.logId === before.logId && end.position > before.position)
    if (!isForward) {
      throw new Error(
        `the logs went on at byte ${end.position} of log ${end.logId}, before byte ${before.position} of log ${before.logId}`
      )
    }
    this.#end = end
  }

  /** Commits the batch, with the mark. The logs have been synced since the last group in it. */
  #flush(): Answer<void> {
    const { batch, pending } = this.#parts
    return Effect.suspend(() => {
      if (batch.size === 0) return Effect.void
      const { logId } = this.#end
      const isDue = this.#sinceIndexSync >= maxBytesBetweenSyncs || logId !== this.#logOfIndexSync
      Catalog.putMark(batch, this.#end)
      return Effect.map(above(this.#where)(batch.commitWith({ durability: isDue ? "sync" : "buffered" })), () => {
        pending.clear()
        if (!isDue) return
        this.#sinceIndexSync = 0
        this.#logOfIndexSync = logId
      })
    })
  }
}

const maxBytesBetweenSyncs = 64 * 1024 * 1024

/** How many entries wait in memory at most until the logs are synced. */
const maxPending = 65_536

/** Walks through the frames of a group. */
class FrameCursor {
  readonly #view: DataView
  readonly #places: Places
  #offset = 0
  #index = 0

  constructor(frames: Uint8Array, places: Places) {
    this.#view = new DataView(frames.buffer, frames.byteOffset, frames.length)
    this.#places = places
  }

  /** The locations of the frames between two offsets. */
  locations(start: number, end: number): BigInt64Array {
    this.#goTo(start)
    const from = this.#index
    this.#goTo(end)
    return this.#places.subarray(from, this.#index)
  }

  /** The place in the logs behind the last frame. */
  get end(): LogPosition {
    const last = this.#places.at(-1)
    if (last === undefined) throw new Error("a group without frames was written")
    this.#goTo(this.#view.byteLength)
    const location = Location.make(last)
    const size = this.#lastSize - EntryFrame.sizeFieldSize
    return { logId: Location.logId(location), position: Location.position(location) + size }
  }

  #lastSize = 0

  #goTo(offset: number): void {
    while (this.#offset < offset) {
      this.#lastSize = EntryFrame.frameSizeAt(this.#view, this.#offset)
      this.#offset += this.#lastSize
      this.#index += 1
    }
  }
}
