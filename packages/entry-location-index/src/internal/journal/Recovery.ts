/**
 * What an index is at its open: the metadata of its pages, and the memtable that
 * the journal makes anew. Nothing is written.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Changes } from "../Changes.ts"
import * as Call from "../Changes.ts"
import * as Errors from "../errors.ts"
import * as Foreign from "../foreign.ts"
import * as Keys from "../keys.ts"
import * as Records from "../records.ts"
import { Turn } from "../turns.ts"
import * as JournalRecord from "./JournalRecord.ts"
import type { Memtable } from "./Memtable.ts"
import { Runs } from "./Runs.ts"

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
    // No more of them are there than the write buffer and a commit allow.
    yield* Stream.runForEach(database.stream(Keys.journalFrom(replay.sequence + 1)), (entry) => {
      const problem = replay.apply(entry)
      if (problem !== undefined) return Effect.fail(Errors.corruption(problem, where(database.path)))
      return turn.isOver ? turn.pass : Effect.void
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

/** Applies journal records to a memtable, in their order. */
class Replay {
  readonly #memtable: Memtable
  /** Buffers. */
  readonly #changes = new Changes()
  readonly #runs = new Runs()
  entries: number
  sequence: number
  journalSize = 0

  constructor(memtable: Memtable, { checkpoint, entries }: Records.CheckpointMetadata) {
    this.#memtable = memtable
    this.entries = entries
    this.sequence = checkpoint
  }

  /** Applies the next record, or says what is wrong with it. */
  apply({ key, value }: RocksDB.Entry): string | undefined {
    const sequence = Keys.sequenceIn(key)
    if (sequence !== this.sequence + 1) return `the journal goes on with ${sequence} after ${this.sequence}`
    const record = JournalRecord.decode(value, this.#changes, this.#runs)
    if (typeof record === "string") return `journal record ${sequence} is rotten: ${record}`
    const memtable = this.#memtable
    const { words } = record.changes
    let slot = -1
    memtable.apply(record.changes, record.runs, (nth) => {
      const at = record.runs.start(nth) * Call.stride
      slot = memtable.slotAfter(slot, words[at + Call.ledgerHighAt] ?? 0, words[at + Call.ledgerLowAt] ?? 0)
      return slot
    })
    this.sequence = sequence
    this.journalSize += value.length
    this.entries = record.entries
    return undefined
  }
}
