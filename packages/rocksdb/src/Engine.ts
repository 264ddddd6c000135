/**
 * The port to a native RocksDB binding: what one must be able to do, and no
 * more.
 *
 * `RocksDB` checks arguments before it calls an engine, counts what is in
 * flight, classifies what is thrown, and never calls an engine's database
 * again once it has called `close`. So an engine is a thin translation. Its
 * promises reject with whatever the binding reports. What engines share is in
 * `EngineSupport`.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RocksDBError } from "./RocksDBError.ts"

/** A key and its value. */
export interface Entry {
  readonly key: Uint8Array
  /** Empty where only keys were asked for. */
  readonly value: Uint8Array
}

/** One step of an atomic batch. */
export type Operation =
  | { readonly type: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: "remove"; readonly key: Uint8Array }
  /** Removes every key from `gte` up to, and without, `lt`; none if `lt` is not above `gte`. */
  | { readonly type: "removeRange"; readonly gte: Uint8Array; readonly lt: Uint8Array }

/** One end of an interval of keys. */
export interface Bound {
  readonly key: Uint8Array
  readonly inclusive: boolean
}

/** A non-empty interval of keys; an absent bound leaves that side open. */
export interface Interval {
  readonly lower: Bound | undefined
  readonly upper: Bound | undefined
}

/** What a cursor visits, and how. */
export interface CursorOptions extends Interval {
  readonly reverse: boolean
  readonly keysOnly: boolean
  /** How many entries to visit at most. */
  readonly limit: number
}

/** Visits the entries that stood in the database when the cursor was made. */
export interface Cursor {
  /** The next entries, a bounded number of them; none at the end. Not called again before it has answered. */
  readonly next: () => Promise<ReadonlyArray<Entry>>
  /** Lets go of the native iterator. Called once, never while `next` is under way. */
  readonly end: () => Promise<void>
}

/** Whether the caller of a call has been interrupted since. */
export interface Interruption {
  readonly happened: boolean
}

/** An open database of an engine. */
export interface Database {
  /** The values in the order of the keys; `undefined` where there is none. */
  readonly getMany: (keys: ReadonlyArray<Uint8Array>) => Promise<ReadonlyArray<Uint8Array | undefined>>
  /**
   * Writes all or nothing. `sync`: on disk before the promise resolves. `operations` is not empty, and the ranges in it
   * are not: RocksDB fails at one that is upside down, and from then on at every write. A write that has been held back
   * may be given up instead, once its caller has been interrupted.
   */
  readonly write: (
    operations: ReadonlyArray<Operation>,
    sync: boolean,
    interruption?: Interruption | undefined
  ) => Promise<void>
  readonly cursor: (options: CursorOptions) => Cursor
  /** The value of a RocksDB property, or `undefined` if the engine has no such property. */
  readonly property: (name: string) => Promise<string | undefined>
  readonly compact: (interval: Interval) => Promise<void>
  /** Brings everything that has been written to disk. */
  readonly syncWal: () => Promise<void>
  /**
   * Whether RocksDB may be recovering from a full disk by itself, so that a `close` would not come back. Left out where
   * a `close` ends such a recovery.
   */
  readonly isRecovering?: (() => Promise<boolean>) | undefined
  /** Lets the native handle go. Called once, when every cursor has ended, nothing is in flight and nothing recovering. */
  readonly close: () => Promise<void>
}

/** How to open a database; sizes in bytes. What is absent is the engine's choice. */
export interface OpenOptions {
  readonly path: string
  readonly readOnly: boolean
  readonly createIfMissing: boolean
  readonly writeBufferSize: number
  readonly blockCacheSize: number | undefined
  readonly bloomBitsPerKey: number | undefined
  readonly maxOpenFiles: number | undefined
  /** Rejects unless the directory is still the one at its path, which an engine asks before it opens it anew. */
  readonly checkDirectory: () => Promise<void>
}

/** A native RocksDB binding. */
export interface Service {
  /** Names the engine in a database directory: one that another engine wrote is refused. */
  readonly name: string
  /** Opens a directory, or fails; an option that the binding lacks is an `InvalidArgument`. */
  readonly open: (options: OpenOptions) => Effect.Effect<Database, RocksDBError>
}

/** The service of a binding. */
export class Engine extends Context.Service<Engine, Service>()("@effect-bookie/rocksdb/Engine") {}
