/**
 * Ledgers in memory: the log is nothing, and a commit keeps the bodies of the
 * entries as they would stand in a log, so that reads and checks verify them like
 * any others.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { CheckOptions, Collection, Entry, EntryKey, Inconsistency, LedgerInfo } from "../../LedgerStorage.ts"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import { toBytes } from "../arguments.ts"
import type { Backend, Span } from "../Backend.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import { LedgerIds } from "../LedgerIds.ts"
import type { Appended, Change } from "../write/Log.ts"

type Error = LedgerStorageError.LedgerStorageError

/** A storage of ledgers in memory. */
export const make = (): Backend<void> => {
  made += 1
  const name = `memory-${made}`
  const ledgers = new Map<LedgerId.LedgerId, Ledger>()
  return {
    name,
    maxPayloadSize,
    ledgerIds: new LedgerIds(),
    log: {
      refusal: () => undefined,
      append: () => Effect.void,
      sync: Effect.void,
      commit: ({ changes, frames }) => Effect.sync(() => changes.forEach((change) => apply(ledgers, change, frames)))
    },
    ledger: (ledgerId) => Effect.sync(() => infoOf(ledgers.get(ledgerId))),
    ledgers: Stream.suspend(() =>
      Stream.fromIterable(sorted(ledgers)).pipe(
        // One of them may have been deleted since the stream began.
        Stream.flatMap((ledgerId) => Stream.fromIterable([infoOf(ledgers.get(ledgerId))].filter(isPresent)))
      )
    ),
    readMany: (keys) => Effect.suspend(() => Effect.forEach(keys, (key) => read(name, ledgers.get(key.ledgerId), key))),
    entries: (ledgerId, span) => Stream.suspend(() => entries(name, ledgers.get(ledgerId), ledgerId, span)),
    collect: () => Effect.succeed(nothing),
    check: (options) => Stream.suspend(() => check(ledgers, options))
  }
}

/** How many have been made in this process, so that each has a name, and gauges, of its own. */
let made = 0

/** In bytes: as long as BookKeeper's largest, by default. */
const maxPayloadSize = 5 * 1024 * 1024

/** There are no entry logs to collect. */
const nothing: Collection = { removedLogs: [], removedBytes: 0, copiedEntries: 0, copiedBytes: 0, left: [] }

/** A ledger, with the bodies of its entries by their ids. */
interface Ledger {
  readonly created: LedgerInfo
  readonly bodies: Array<Uint8Array>
  length: bigint
  fenced: boolean
}

const apply = (ledgers: Map<LedgerId.LedgerId, Ledger>, change: Change, frames: Uint8Array): void => {
  switch (change._tag) {
    case "Created":
      ledgers.set(change.info.ledgerId, { created: change.info, bodies: [], length: 0n, fenced: false })
      return
    case "Appended":
      return append(presentIn(ledgers, change.ledgerId), change, frames)
    case "Fenced":
      presentIn(ledgers, change.ledgerId).fenced = true
      return
    case "Deleted":
      for (const ledgerId of change.ledgerIds) ledgers.delete(ledgerId)
      return
  }
}

const append = (ledger: Ledger, { end, start }: Appended, frames: Uint8Array): void => {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.length)
  for (let offset = start; offset < end;) {
    const size = EntryFrame.frameSizeAt(view, offset)
    ledger.bodies.push(frames.slice(offset + EntryFrame.sizeFieldSize, offset + size))
    ledger.length += BigInt(size - EntryFrame.headerSize)
    offset += size
  }
}

const infoOf = (ledger: Ledger | undefined): LedgerInfo | undefined => {
  if (ledger === undefined) return undefined
  const { bodies, created, fenced, length } = ledger
  return {
    ...created,
    // The caller may do with it as he likes.
    metadata: created.metadata.slice(),
    fenced,
    lastEntryId: bodies.length === 0 ? undefined : EntryId.make(bodies.length - 1),
    entries: bodies.length,
    length: Number(length)
  }
}

const sorted = (ledgers: ReadonlyMap<LedgerId.LedgerId, Ledger>): ReadonlyArray<LedgerId.LedgerId> =>
  Array.from(ledgers.keys()).toSorted((one, other) => (one < other ? -1 : 1))

const read = (
  storage: string,
  ledger: Ledger | undefined,
  { entryId, ledgerId }: EntryKey
): Effect.Effect<Entry | undefined, Error> => {
  const body = ledger?.bodies[Number(entryId)]
  if (body === undefined) return Effect.succeed(undefined)
  const entry = decode(body, ledgerId, entryId)
  return "problem" in entry ? Effect.fail(damaged(storage, entry.problem)) : Effect.succeed(entry)
}

/** Some entries at a time, so that a reader who stops has read no more than it wanted. */
const entries = (
  storage: string,
  ledger: Ledger | undefined,
  ledgerId: LedgerId.LedgerId,
  span: Span
): Stream.Stream<Entry, Error> => {
  let from = Number(span.from)
  let to = Number(span.to)
  return Stream.fromPull(
    Effect.succeed(
      Effect.suspend(() => {
        const ids: Array<number> = []
        for (; from <= to && ids.length < entriesAtOnce;) ids.push(span.reverse ? to-- : from++)
        const keys = ids.map((id) => ({ ledgerId, entryId: EntryId.make(BigInt(id)) }))
        return Effect.flatMap(
          Effect.forEach(keys, (key) => read(storage, ledger, key)),
          (found) => {
            const present = found.filter(isPresent)
            return isNonEmpty(present) ? Effect.succeed(present) : Cause.done()
          }
        )
      })
    )
  )
}

const entriesAtOnce = 64

const check = (
  ledgers: ReadonlyMap<LedgerId.LedgerId, Ledger>,
  { rate }: CheckOptions
): Stream.Stream<Inconsistency, Error> => {
  const bodies = Stream.fromIterable(sorted(ledgers)).pipe(
    Stream.flatMap((ledgerId) =>
      Stream.fromIterable(Array.from(ledgers.get(ledgerId)?.bodies ?? [], (body, id) => ({ ledgerId, body, id })))
    )
  )
  const paced =
    rate === undefined
      ? bodies
      : Stream.throttle(bodies, {
          cost: (chunk) => chunk.reduce((bytes, { body }) => bytes + body.length, 0),
          duration: "1 second",
          units: toBytes(rate)
        })
  return Stream.flatMap(paced, ({ body, id, ledgerId }) => {
    const entryId = EntryId.make(BigInt(id))
    const entry = decode(body, ledgerId, entryId)
    return "problem" in entry
      ? Stream.succeed<Inconsistency>({ _tag: "DamagedEntry", ledgerId, entryId, message: entry.problem })
      : Stream.empty
  })
}

/** The entry of a body, with a payload of its own, or why it cannot be the one that was asked for. */
const decode = (
  body: Uint8Array,
  ledgerId: LedgerId.LedgerId,
  entryId: EntryId.EntryId
): Entry | { readonly problem: string } => {
  const decoded = EntryFrame.decode(body)
  const what = `entry ${entryId} of ledger ${ledgerId}`
  if ("problem" in decoded) return { problem: `${what} in memory is damaged: ${decoded.problem}` }
  if (decoded.ledgerId !== ledgerId || decoded.entryId !== entryId) {
    return { problem: `in the place of ${what} is entry ${decoded.entryId} of ledger ${decoded.ledgerId}` }
  }
  return { ledgerId, entryId, payload: decoded.payload.slice() }
}

const damaged = (storage: string, problem: string): Error =>
  LedgerStorageError.corruption(problem, { operation: "read", storage })

const presentIn = (ledgers: ReadonlyMap<LedgerId.LedgerId, Ledger>, ledgerId: LedgerId.LedgerId): Ledger => {
  const ledger = ledgers.get(ledgerId)
  if (ledger === undefined) throw new Error(`a change of ledger ${ledgerId}, which is not there`)
  return ledger
}

const isPresent = <A>(value: A | undefined): value is A => value !== undefined

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is readonly [A, ...Array<A>] => values.length > 0
