/**
 * What an index is at its open: the metadata of its pages, and the memtable that
 * the journal makes anew. Nothing is written.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { WriteBatch } from "../WriteBatch.ts"
import * as Mutation from "../WriteBatch.ts"
import * as Errors from "../errors.ts"
import * as Foreign from "../foreign.ts"
import * as Keys from "../pages/keys.ts"
import * as Records from "../pages/records.ts"
import { Turn } from "../turns.ts"
import * as JournalRecord from "./JournalRecord.ts"
import type { Memtable } from "../memtable/Memtable.ts"
import { LedgerGroups } from "../LedgerGroups.ts"

/** An index as it was found. */
export interface Recovered {
  /** Whether it has a metadata record: a new one has not. */
  readonly hasMetadata: boolean
  /** How many entries it holds. */
  readonly entries: number
  /** The sequence number of its last journal record. */
  readonly sequence: number
  /** The size of the journal records that are in the memtable, in bytes. */
  readonly journalSize: number
}

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** Reads the index of a database, and fills a memtable, which is empty, with its journal. */
export const recover: (database: RocksDB.RocksDB["Service"], memtable: Memtable) => Answer<Recovered> =
  Effect.fnUntraced(function* (database: RocksDB.RocksDB["Service"], memtable: Memtable) {
    const bytes = yield* database.get(Keys.metadata)
    const metadata = bytes === undefined ? undefined : yield* decode(bytes, database.path)
    yield* Foreign.check(database, metadata !== undefined)
    if (metadata === undefined) return { hasMetadata: false, entries: 0, sequence: 0, journalSize: 0 }
    const replay = new Replay(memtable, metadata)
    const turn = new Turn()
    const goOn: Answer<void> = Effect.suspend(() => {
      while (!turn.isOver) {
        const answer = replay.step()
        if (typeof answer === "string") return Effect.fail(Errors.corruption(answer, where(database.path)))
        if (answer) return Effect.void
      }
      return Effect.andThen(turn.pass, goOn)
    })
    // No more of them are there than the memtables and a commit allow.
    yield* Stream.runForEach(database.stream(Keys.journalFrom(replay.sequence + 1)), (entry) => {
      replay.begin(entry)
      return goOn
    })
    const { entries, journalSize, sequence } = replay
    return { hasMetadata: true, entries, sequence, journalSize }
  })

const where = (path: string): RocksDBError.Where => ({ operation: "open", path })

const decode = (bytes: Uint8Array, path: string): Answer<Records.CheckpointMetadata> => {
  const metadata = Records.decodeMetadata(bytes)
  switch (metadata._tag) {
    case "Metadata":
      return Effect.succeed(metadata)
    case "Malformed":
      return Effect.fail(Errors.corruption("the metadata record is malformed", where(path)))
    case "OtherVersion": {
      const problem = `the index has format version ${metadata.version}, not ${Records.formatVersion}`
      return Effect.fail(Errors.unsupportedFormat(problem, where(path)))
    }
  }
}

/** Applies journal records to a memtable, in their order and in steps. */
class Replay {
  readonly #memtable: Memtable
  /** What the record under way says, in buffers. */
  readonly #changes = new WriteBatch()
  readonly #groups = new LedgerGroups()
  /** Reads the record under way, until it has been read. */
  #decoder: JournalRecord.Decoder | undefined
  /** How many of its groups have been applied, and the slot of the last one. */
  #applied = 0
  #slot = -1
  entries: number
  sequence: number
  journalSize = 0
  /** What is wrong with the place of the record under way. */
  #gap: string | undefined

  constructor(memtable: Memtable, { checkpoint, entries }: Records.CheckpointMetadata) {
    this.#memtable = memtable
    this.entries = entries
    this.sequence = checkpoint
  }

  /** Begins with the next record. */
  begin({ key, value }: RocksDB.Entry): void {
    const sequence = Keys.sequenceIn(key)
    const next = this.sequence + 1
    this.#gap = sequence === next ? undefined : `the journal goes on with ${sequence} after ${this.sequence}`
    this.#changes.clear()
    this.#groups.clear()
    this.#decoder = new JournalRecord.Decoder(value, this.#changes, this.#groups)
    this.#applied = 0
    this.#slot = -1
    this.sequence = next
    this.journalSize += value.length
  }

  /** Reads or applies some of its groups, and answers whether all have been applied, or what is wrong with it. */
  step(): boolean | string {
    if (this.#gap !== undefined) return this.#gap
    const decoder = this.#decoder
    if (decoder !== undefined) {
      if (!decoder.step()) return false
      this.#decoder = undefined
      const { record } = decoder
      if (typeof record === "string") return `journal record ${this.sequence} is damaged: ${record}`
      this.entries = record.entries
    }
    const end = Math.min(this.#applied + groupsPerStep, this.#groups.size)
    this.#memtable.apply(this.#changes, this.#groups, (nth) => this.#slotOf(nth), this.#applied, end)
    this.#applied = end
    return end === this.#groups.size
  }

  #slotOf(nth: number): number {
    const { words } = this.#changes
    const at = this.#groups.start(nth) * Mutation.stride
    const high = words[at + Mutation.ledgerHighAt] ?? 0
    this.#slot = this.#memtable.slotAfter(this.#slot, high, words[at + Mutation.ledgerLowAt] ?? 0)
    return this.#slot
  }
}

/** How many groups a step applies. */
const groupsPerStep = 1024
