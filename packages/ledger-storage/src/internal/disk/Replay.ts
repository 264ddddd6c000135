/**
 * Applies what stands in the logs to the index and the catalog, in its order.
 */
import type { Batch } from "@effect-bookie/entry-location-index/EntryLocationIndex"
import type { EntryLog, Frame, LogPosition } from "@effect-bookie/entry-log/EntryLog"
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Location from "@effect-bookie/entry-log/Location"
import * as Effect from "effect/Effect"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import * as LedgerRecord from "../format/LedgerRecord.ts"
import type { LedgerIds } from "../LedgerIds.ts"
import { above } from "./below.ts"
import * as Catalog from "./Catalog.ts"
import type { Ledger } from "./CatalogRecord.ts"
import type { StoredEntries } from "./StoredEntries.ts"

type Answer<A> = Effect.Effect<A, LedgerStorageError.LedgerStorageError>

/** What a replay works on. */
export interface Parts {
  readonly storage: string
  readonly entryLog: EntryLog["Service"]
  readonly batch: Batch
  readonly catalog: Catalog.Catalog
  readonly stored: StoredEntries
  readonly ledgerIds: LedgerIds
  readonly mark: LogPosition
}

/** Applies frames. */
export class Replay {
  readonly #parts: Parts
  readonly #where: LedgerStorageError.Where
  #mark: LogPosition
  /** The ledgers that frames were about since the last commit; `undefined` if there is no such ledger. */
  readonly #ledgers = new Map<LedgerId.LedgerId, State | undefined>()
  #applied = 0
  #sinceCommit = 0
  #told = performance.now()

  constructor(parts: Parts) {
    this.#parts = parts
    this.#where = { operation: "open", storage: parts.storage }
    this.#mark = parts.mark
  }

  /** Up to where the index will be complete after `finish`. */
  get mark(): LogPosition {
    return this.#mark
  }

  /** Applies a frame that has been verified. */
  apply(frame: Frame): Answer<void> {
    return Effect.gen({ self: this }, function* () {
      if (frame.ledgerId === LedgerRecord.ledgerId) yield* this.#record(frame)
      else yield* this.#entry(frame)
      const position = Location.position(frame.location) + frame.size
      this.#mark = { logId: Location.logId(frame.location), position }
      this.#applied += 1
      this.#sinceCommit += 1
      if (this.#sinceCommit >= framesBetweenCommits) yield* this.#commit("buffered")
    })
  }

  /** Brings to disk what has been applied. */
  finish(): Answer<void> {
    return this.#applied === 0 ? Effect.void : this.#commit("sync")
  }

  /** Which frame, in words. */
  placeOf({ entryId, ledgerId, location }: Frame): string {
    const what = ledgerId === LedgerRecord.ledgerId ? "the record" : `entry ${entryId} of ledger ${ledgerId}`
    const { directory } = this.#parts.entryLog
    return `${what} at byte ${Location.position(location)} of ${Location.logId(location).toString(16)}.log in ${directory}`
  }

  #record(frame: Frame): Answer<void> {
    return Effect.gen({ self: this }, function* () {
      const { batch, ledgerIds } = this.#parts
      const record = LedgerRecord.decode(frame.body)
      switch (record._tag) {
        case "LedgerCreated": {
          const { createdAt, ledgerId, metadata } = record
          // A record that was handed on by a collection tells nothing new.
          if (ledgerIds.has(ledgerId)) return
          ledgerIds.add(ledgerId)
          Catalog.putIds(batch, ledgerIds, ledgerId)
          return this.#set(ledgerId, { fenced: false, createdAt, metadata, last: -1n })
        }
        case "LedgerFenced": {
          const state = yield* this.#stateOf(record.ledgerId)
          if (state !== undefined) this.#set(record.ledgerId, { ...state, fenced: true })
          return
        }
        case "LedgersDeleted":
          for (const ledgerId of record.ledgerIds) {
            this.#ledgers.set(ledgerId, undefined)
            Catalog.removeLedger(batch, ledgerId)
          }
          return
        case "Log":
        case "LedgerIdsGiven":
          return
        default:
          return yield* Effect.fail(this.#refused(frame, record.problem))
      }
    })
  }

  #entry(frame: Frame): Answer<void> {
    return Effect.gen({ self: this }, function* () {
      const ledgerId = LedgerId.make(frame.ledgerId)
      const state = yield* this.#stateOf(ledgerId)
      if (state === undefined) return yield* Effect.fail(this.#refused(frame, "there is no such ledger"))
      if (state.fenced) return yield* Effect.fail(this.#refused(frame, "the ledger had been fenced"))
      if (frame.entryId !== state.last + 1n) {
        return yield* Effect.fail(this.#refused(frame, `the last entry before it is ${state.last}`))
      }
      this.#ledgers.set(ledgerId, { ...state, last: frame.entryId })
      this.#parts.batch.add(ledgerId, EntryId.make(frame.entryId), frame.location)
    })
  }

  #stateOf(ledgerId: LedgerId.LedgerId): Answer<State | undefined> {
    return Effect.gen({ self: this }, function* () {
      if (this.#ledgers.has(ledgerId)) return this.#ledgers.get(ledgerId)
      const ledger = yield* this.#parts.catalog.ledger(ledgerId)
      const last = ledger === undefined ? undefined : yield* this.#parts.stored.last(ledgerId)
      const state = ledger === undefined ? undefined : { ...ledger, last: last ?? -1n }
      this.#ledgers.set(ledgerId, state)
      return state
    })
  }

  #set(ledgerId: LedgerId.LedgerId, state: State): void {
    this.#ledgers.set(ledgerId, state)
    Catalog.putLedger(this.#parts.batch, ledgerId, state)
  }

  #commit(durability: "sync" | "buffered"): Answer<void> {
    return Effect.gen({ self: this }, function* () {
      const { batch, storage } = this.#parts
      Catalog.putMark(batch, this.#mark)
      yield* above(this.#where)(batch.commitWith({ durability }))
      this.#ledgers.clear()
      this.#sinceCommit = 0
      if (performance.now() - this.#told < millisBetweenTold) return
      this.#told = performance.now()
      const place = `byte ${this.#mark.position} of ${this.#mark.logId.toString(16)}.log`
      yield* Effect.logInfo(
        `${storage}: reading what the index does not have yet, ${this.#applied} so far, at ${place}`
      )
    })
  }

  #refused(frame: Frame, why: string): LedgerStorageError.LedgerStorageError {
    return LedgerStorageError.corruption(`${this.placeOf(frame)} cannot stand there: ${why}`, this.#where)
  }
}

/** A ledger, and how far it reaches; -1 if it has no entries. */
interface State extends Ledger {
  readonly last: bigint
}

const framesBetweenCommits = 16_384

const millisBetweenTold = 5000
