/**
 * What the compiler refuses. `npm run check` compiles this file; nothing runs it.
 */
import type { Effect, Stream } from "effect"
import { EntryId, EntryLog, type EntryLogError, LedgerId, Location } from "@effect-bookie/entry-log"

declare const log: EntryLog.Service

const ledgerId = LedgerId.make(1n)
const entryId = EntryId.make(1n)
const location = Location.make(1n)
const payload = new Uint8Array(0)

export const accepted: readonly [
  Effect.Effect<Location.Location, EntryLogError.EntryLogError>,
  Effect.Effect<ReadonlyArray<Location.Location>, EntryLogError.EntryLogError>,
  Effect.Effect<Uint8Array, EntryLogError.EntryLogError>,
  Stream.Stream<EntryLog.LocatedEntry, EntryLogError.EntryLogError>
] = [
  log.append(ledgerId, entryId, payload),
  log.appendAll([{ ledgerId, entryId, payload }]),
  log.read(ledgerId, entryId, location),
  log.scan({ fromLog: 1, payloads: false })
]

// @ts-expect-error: a ledger id is no entry id
export const swapped = log.append(entryId, ledgerId, payload)

// @ts-expect-error: a location is no entry id
export const shifted = log.read(ledgerId, location, entryId)

// @ts-expect-error: a bigint may be anything
export const plain = log.append(1n, 1n, payload)

// @ts-expect-error: there is no close
export const closed = log.close

// @ts-expect-error: an entry log needs a scope
export const unscoped: Effect.Effect<unknown, unknown> = EntryLog.make({ directory: "logs" })

// @ts-expect-error: a log file is not to be changed
export const changed = (file: EntryLog.LogFile) => file.ledgers.set(ledgerId, 1)
