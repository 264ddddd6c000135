/**
 * Records that callers keep beside the index, in the database's keys from 0a on,
 * and change in the same atomic write as a commit.
 *
 * A write that fails may have been done all the same. What it has left in the
 * journal is dropped; its records are set back to what they were. So before each
 * write it is known what they are: of those that were written last from memory,
 * of others by a read.
 */
import { type RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { isUint8Array } from "node:util/types"
import * as Arguments from "./arguments.ts"
import * as Keys from "./pages/keys.ts"

/** A change of records. Keys and values belong to it. */
export type RecordOperation =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "remove"; readonly key: Uint8Array }
  | { readonly type: "removeRange"; readonly gte: Uint8Array; readonly lt: Uint8Array }

/** What a write is to do, and what takes it back. */
export interface RecordWrite {
  readonly operations: ReadonlyArray<RocksDB.Operation>
  readonly undo: ReadonlyArray<RocksDB.Operation>
  /** What each record that changes will be. */
  readonly values: ReadonlyMap<string, Value>
}

type Answer<A> = Effect.Effect<A, RocksDBError.RocksDBError>

/** A record, and its value if it has one. */
interface Value {
  readonly key: Uint8Array
  readonly value: Uint8Array | undefined
}

/** What is wrong with the key of a record. */
export const checkKey = (key: unknown): string | undefined => {
  if (!isUint8Array(key)) return `the key of a record must be a Uint8Array, not ${Arguments.describe(key)}`
  const [first] = key
  if (first === undefined || first < Keys.firstOfRecords) {
    return `the key of a record must begin with a byte from ${Keys.firstOfRecords} on, not ${first ?? "be empty"}`
  }
  return undefined
}

/** What is wrong with the value of a record. */
export const checkValue = (value: unknown): string | undefined =>
  isUint8Array(value) ? undefined : `the value of a record must be a Uint8Array, not ${Arguments.describe(value)}`

/** The records of one database. */
export class CallerRecords {
  readonly #database: RocksDB.RocksDB["Service"]
  /** What the records are that were written last; the one written longest ago comes first. */
  readonly #known = new Map<string, Uint8Array | undefined>()

  constructor(database: RocksDB.RocksDB["Service"]) {
    this.#database = database
  }

  /** Prepares a write of changes in their order. Nothing may write to the records until it has been done. */
  prepare(changes: ReadonlyArray<RecordOperation>): Answer<RecordWrite> {
    if (changes.length === 0) return Effect.succeed(noWrite)
    return Effect.gen({ self: this }, function* () {
      const before = new Map<string, Value>()
      const values = new Map<string, Value>()
      for (const change of changes) {
        if (change.type === "removeRange") yield* this.#removeRange(change, before, values)
        else
          values.set(nameOf(change.key), { key: change.key, value: change.type === "put" ? change.value : undefined })
      }
      yield* this.#readMissing(values, before)
      return {
        operations: Array.from(values.values(), operationOf),
        undo: Array.from(before.values(), operationOf),
        values
      }
    })
  }

  /** Remembers what has been written. */
  accept({ values }: RecordWrite): void {
    for (const [name, { value }] of values) {
      this.#known.delete(name)
      if (name.length + (value?.length ?? 0) <= largestKnown) this.#known.set(name, value)
    }
    for (const name of this.#known.keys()) {
      if (this.#known.size <= mostKnown) break
      this.#known.delete(name)
    }
  }

  /** Removes what there is in a range, before these changes and by them. */
  #removeRange(
    { gte, lt }: { readonly gte: Uint8Array; readonly lt: Uint8Array },
    before: Map<string, Value>,
    values: Map<string, Value>
  ): Answer<void> {
    for (const [name, { key }] of values) {
      if (Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0) values.set(name, { key, value: undefined })
    }
    let room = mostBytesInRange
    return Stream.runForEach(this.#database.stream({ gte, lt }), ({ key, value }) => {
      room -= key.length + value.length + bytesOfRecord
      if (room < 0) return this.#tooLarge
      before.set(nameOf(key), { key, value })
      values.set(nameOf(key), { key, value: undefined })
      return Effect.void
    })
  }

  get #tooLarge(): Answer<never> {
    return Effect.fail(
      RocksDBError.invalidArgument(
        `the range has more records than one commit removes, ${mostBytesInRange} bytes. Remove it in parts.`,
        { operation: "commit", path: this.#database.path }
      )
    )
  }

  /** Finds what the records are that change. */
  #readMissing(values: ReadonlyMap<string, Value>, before: Map<string, Value>): Answer<void> {
    const missing: Array<Uint8Array> = []
    for (const [name, { key }] of values) {
      if (before.has(name)) continue
      if (this.#known.has(name)) before.set(name, { key, value: this.#known.get(name) })
      else missing.push(key)
    }
    if (missing.length === 0) return Effect.void
    return Effect.map(this.#database.getMany(missing), (found) => {
      for (const [at, key] of missing.entries()) before.set(nameOf(key), { key, value: found[at] })
    })
  }
}

const noWrite: RecordWrite = { operations: [], undo: [], values: new Map() }

const operationOf = ({ key, value }: Value): RocksDB.Operation =>
  value === undefined ? { type: "remove", key } : { type: "put", key, value }

const nameOf = (key: Uint8Array): string => Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1")

/** How many records are remembered, and how large one is at most, with its key, in bytes. */
const mostKnown = 1024
const largestKnown = 1024

/** What the records of a range that is removed may take up in memory, in bytes, and about how much each does beside its own. */
const mostBytesInRange = 16 * 1024 * 1024
const bytesOfRecord = 256
