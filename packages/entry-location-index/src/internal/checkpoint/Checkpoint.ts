/**
 * Writes a memtable that does not change any more into the pages, some pages at
 * a time, so that nothing else has to wait for long.
 *
 * One that fails, or is interrupted between two writes, is simply done again:
 * each part writes what the ledgers hold, and the journal stays until the end.
 */
import type { LedgerId } from "@effect-bookie/entry-log/LedgerId"
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as LocationPage from "../pages/LocationPage.ts"
import * as Keys from "../pages/keys.ts"
import * as Errors from "../errors.ts"
import { damaged, type PageStore, type PageWrite } from "../pages/PageStore.ts"
import type { PageId } from "../pages/pages.ts"
import * as Records from "../pages/records.ts"
import { inTurns } from "../turns.ts"
import type { AddedPage, Memtable } from "../memtable/Memtable.ts"
import type { SnapshotLock } from "./SnapshotLock.ts"

/** A memtable that does not change any more. */
export interface Frozen {
  readonly memtable: Memtable
  /** The last journal record that is in it. */
  readonly sequence: number
  /** How many entries the index had then. */
  readonly entries: number
}

/** Where a checkpoint writes. */
export interface Target {
  readonly database: RocksDB.RocksDB["Service"]
  readonly pages: PageStore
  readonly snapshotLock: SnapshotLock
  /** Whether a ledger has been deleted since the memtable was frozen: then its pages, damaged or not, are of no use. */
  readonly isDeletedSince: (ledgerId: LedgerId) => boolean
}

/** Writes a memtable into the pages, and drops its journal. */
export const write: (frozen: Frozen, target: Target) => Effect.Effect<void, RocksDBError.RocksDBError> =
  Effect.fnUntraced(function* ({ entries, memtable, sequence }: Frozen, target: Target) {
    const { database, pages, snapshotLock } = target
    const encoder = new PageEncoder()
    const remaining = steps(memtable, target)
    for (;;) {
      const part = new Part()
      yield* inTurns(() => part.take(remaining))
      if (part.steps.length === 0) break
      const merging = new Merging(part.steps, memtable, encoder, yield* pages.stored(part.steps.filter(mayCover)))
      yield* inTurns(() => merging.step())
      if (merging.problem !== undefined) {
        return yield* Effect.fail(Errors.corruption(merging.problem, { operation: "checkpoint", path: database.path }))
      }
      // It has run long enough for others to wait.
      yield* Effect.yieldNow
      // Not abandoned: while it may still be written, nobody else goes on.
      yield* snapshotLock.exclusive(pages.write(merging.writes))
    }
    const end: ReadonlyArray<RocksDB.Operation> = [
      { type: "put", key: Keys.metadata, value: Records.encodeMetadata(entries, sequence) },
      { type: "removeRange", ...Keys.journalBefore(sequence + 1) }
    ]
    yield* snapshotLock.exclusive(database.write(end, { durability: "buffered" }))
  })

/**
 * How much is written at once: few enough pages that others do not have to wait for long, and not fewer, because between
 * two steps of a checkpoint a commit may take its turn.
 */
const partSize = 4096

/** How much of that is gathered, and merged, in a step of a millisecond or two. */
const takenAtOnce = 512
const mergedAtOnce = 256

/** Something to be written: all of it is in a {@link PageWrite} but the page, of which this has what was added. */
type Step = Exclude<PageWrite, { readonly _tag: "Page" }> | AddedStep

interface AddedStep extends PageId {
  readonly _tag: "Added"
  readonly added: AddedPage
  /** Whether there may be a page below. */
  readonly mayCover: boolean
}

/** What a step counts in a part: what is made for a page is larger the more entries it has, and lives until it is written. */
const weightOf = (step: Step): number => (step._tag === "Added" ? 1 + step.added.chunks.length : 1)

/** What is written at once. */
class Part {
  readonly steps: Array<Step> = []
  #size = 0

  /** Takes some of the steps, and answers whether it is full, or none is left. */
  take(remaining: Generator<Step, void>): boolean {
    const pause = this.#size + takenAtOnce
    while (this.#size < partSize) {
      if (this.#size >= pause) return false
      const next = remaining.next()
      if (next.done === true) return true
      this.steps.push(next.value)
      this.#size += weightOf(next.value)
    }
    return true
  }
}

/** What is to be written: a ledger is deleted first, and its record comes last. */
function* steps(memtable: Memtable, { isDeletedSince }: Target): Generator<Step, void> {
  for (let slot = 0; slot < memtable.ledgers; slot++) {
    if (!memtable.isChanged(slot)) continue
    const ledgerId = memtable.ledgerId(slot)
    if (isDeletedSince(ledgerId)) {
      yield { _tag: "Delete", ledgerId }
      yield { _tag: "Record", ledgerId, record: undefined }
      continue
    }
    if (memtable.isDeleted(slot)) yield { _tag: "Delete", ledgerId }
    for (const added of memtable.addedPages(slot)) {
      const { number } = added
      yield { _tag: "Added", ledgerId, number, added, mayCover: memtable.mayCover(slot, number) }
    }
    yield { _tag: "Record", ledgerId, record: memtable.record(slot) }
  }
}

const mayCover = (step: Step): step is AddedStep => step._tag === "Added" && step.mayCover

/** Puts what was added over the pages below. */
class Merging {
  readonly writes: Array<PageWrite> = []
  /** What is wrong with a page. */
  problem: string | undefined
  readonly #steps: ReadonlyArray<Step>
  readonly #memtable: Memtable
  readonly #encoder: PageEncoder
  readonly #below: ReadonlyArray<Uint8Array | undefined>
  #nextBelow = 0

  constructor(
    steps: ReadonlyArray<Step>,
    memtable: Memtable,
    encoder: PageEncoder,
    below: ReadonlyArray<Uint8Array | undefined>
  ) {
    this.#steps = steps
    this.#memtable = memtable
    this.#encoder = encoder
    this.#below = below
    encoder.begin()
  }

  /** Does some of it, and answers whether all is done, or there is a problem. */
  step(): boolean {
    const end = Math.min(this.writes.length + mergedAtOnce, this.#steps.length)
    for (const step of this.#steps.slice(this.writes.length, end)) {
      const write = step._tag === "Added" ? this.#merge(step) : step
      if (typeof write === "string") {
        this.problem = write
        return true
      }
      this.writes.push(write)
    }
    return end === this.#steps.length
  }

  #merge(step: AddedStep): PageWrite | string {
    const { page } = this.#encoder
    LocationPage.clear(page)
    const stored = step.mayCover ? this.#below[this.#nextBelow++] : undefined
    const problem = stored === undefined ? undefined : LocationPage.decodeInto(page, stored)
    if (problem !== undefined) return damaged(step, problem)
    this.#memtable.addTo(page, step.added)
    return { _tag: "Page", ledgerId: step.ledgerId, number: step.number, value: this.#encoder.encode() }
  }
}

/**
 * Encodes the pages of a part into one buffer, which the next part uses again: what is made anew for each page, and lives
 * until it is written, costs the garbage collector much.
 */
class PageEncoder {
  /** What is to be encoded next. */
  readonly page = LocationPage.make(LocationPage.slotCount)
  #bytes = new Uint8Array(16 * LocationPage.maxEncodedLength)
  #end = 0

  /** Nobody needs the bytes of the part before any more. */
  begin(): void {
    this.#end = 0
  }

  /** The bytes of the page. */
  encode(): Uint8Array {
    if (this.#end + LocationPage.maxEncodedLength > this.#bytes.length) {
      // What is in the smaller one stays there.
      this.#bytes = new Uint8Array(2 * this.#bytes.length)
      this.#end = 0
    }
    const start = this.#end
    this.#end = LocationPage.encodeInto(this.#bytes, start, this.page)
    return this.#bytes.subarray(start, this.#end)
  }
}
