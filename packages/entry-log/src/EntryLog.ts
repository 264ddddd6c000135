/**
 * BookKeeper entry logs as a scoped service: append entries, read them back by
 * location, scan them all.
 */
import type * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { EntryId } from "./EntryId.ts"
import type { EntryLogError } from "./EntryLogError.ts"
import type { LedgerId } from "./LedgerId.ts"
import type { Location } from "./Location.ts"

/** An entry of a ledger. */
export interface Entry {
  readonly ledgerId: LedgerId
  readonly entryId: EntryId
  readonly payload: Uint8Array
}

/** An entry, and where it is. */
export interface LocatedEntry extends Entry {
  readonly location: Location
}

/** The options of a scan. */
export interface ScanOptions {
  /** The id of the first log to scan. Default: 0. */
  readonly fromLog?: number | undefined
  /** Whether to read the payloads too; without, they are empty. Default: true. */
  readonly payloads?: boolean | undefined
}

/** An entry log file. */
export interface LogFile {
  readonly id: number
  /** In bytes. */
  readonly size: number
  /** Whether the log was rolled over, and ends with its ledgers map. */
  readonly sealed: boolean
  /** How many bytes each ledger takes up in the log, size fields included. */
  readonly ledgers: ReadonlyMap<LedgerId, number>
}

/** How to open a directory of entry logs. */
export interface Options {
  /** The directory of the logs. It is created unless `readOnly`. */
  readonly directory: string
  /** The size at which a log is sealed and the next one begun, at most 2 GiB - 1. Default: 1 GiB. */
  readonly maxLogSize?: ByteSize.Input | undefined
  /** The largest entry, its ids (16 bytes) included; a larger one is not written, and is corruption where it is read. */
  readonly maxEntrySize?: ByteSize.Input | undefined
  /** Reads what another one writes: takes no lock, creates and changes nothing. Default: false. */
  readonly readOnly?: boolean | undefined
}

/** A directory of entry logs. */
export class EntryLog extends Context.Service<
  EntryLog,
  {
    /** The directory of the logs. */
    readonly directory: string
    /** Appends an entry; it can be read at its location at once, and is on disk after the next `sync`. */
    readonly append: (
      ledgerId: LedgerId,
      entryId: EntryId,
      payload: Uint8Array
    ) => Effect.Effect<Location, EntryLogError>
    /** Appends entries in their order, and answers their locations in that order. */
    readonly appendAll: (entries: ReadonlyArray<Entry>) => Effect.Effect<ReadonlyArray<Location>, EntryLogError>
    /** Brings every appended entry to disk. */
    readonly sync: Effect.Effect<void, EntryLogError>
    /** The payload of the entry at a location. */
    readonly read: (
      ledgerId: LedgerId,
      entryId: EntryId,
      location: Location
    ) => Effect.Effect<Uint8Array, EntryLogError>
    /** The entries of all logs by log id, then position. */
    readonly scan: (options?: ScanOptions | undefined) => Stream.Stream<LocatedEntry, EntryLogError>
    /** The logs by their ids. */
    readonly logs: Effect.Effect<ReadonlyArray<LogFile>, EntryLogError>
  }
>()("@effect-bookie/entry-log/EntryLog") {}
