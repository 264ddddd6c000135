/**
 * Reads entries: those that came last out of memory, the others from where they
 * are stored.
 *
 * Readers see what has been acknowledged, and no more. A stream holds its ledger
 * in memory and goes by it: how far it reaches, and whether it is still there, is
 * one look at plain fields. Where it finds its next entry no longer among the
 * recent ones, because nobody pulled for a while, it reads what is stored up to
 * the last one, and looks again.
 */
import * as EntryId from "@effect-bookie/entry-log/EntryId"
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Entry, EntryKey, Range, TailRange } from "../../LedgerStorage.ts"
import * as LedgerStorageError from "../../LedgerStorageError.ts"
import type { Stored } from "../Backend.ts"
import type { InFlight } from "../InFlight.ts"
import type { OpenLedger } from "../ledgers/OpenLedger.ts"
import type { OpenLedgers } from "../ledgers/OpenLedgers.ts"
import type { Counts } from "../Statistics.ts"
import type { RecentEntries } from "./RecentEntries.ts"

type Error = LedgerStorageError.LedgerStorageError
type Answer<A> = Effect.Effect<A, Error>
type Entries = readonly [Entry, ...Array<Entry>]
type EntryPull = Pull.Pull<Entries, Error>

/** What a reader works on. */
export interface Parts {
  readonly inFlight: InFlight
  readonly backend: Pick<Stored, "entries" | "readMany">
  readonly ledgers: OpenLedgers
  readonly recent: RecentEntries
  readonly counts: Counts
}

/** Reads the entries of a storage. */
export class Reader {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Entries in the order of their keys, `undefined` where there is none. */
  readMany(operation: string, keys: ReadonlyArray<EntryKey>): Answer<ReadonlyArray<Entry | undefined>> {
    const { backend, counts, inFlight, recent } = this.#parts
    const read = Effect.suspend(() => {
      const entries: Array<Entry | undefined> = []
      const elsewhere: Array<number> = []
      keys.forEach(({ entryId, ledgerId }, index) => {
        const payload = recent.payload(ledgerId, entryId)
        entries.push(payload === undefined ? undefined : { ledgerId, entryId, payload })
        if (payload === undefined) elsewhere.push(index)
      })
      counts.readRecently(entries)
      if (elsewhere.length === 0) return Effect.succeed(entries)
      return Effect.flatMap(backend.readMany(elsewhere.flatMap((index) => keys[index] ?? [])), (stored) => {
        counts.readStored(stored)
        elsewhere.forEach((index, at) => {
          entries[index] = stored[at]
        })
        const absent = keys.filter((_, index) => entries[index] === undefined)
        return Effect.as(this.#checkLedgers(operation, absent), entries)
      })
    })
    return inFlight.run(operation, read)
  }

  /** The entries of a ledger as it stood when the stream began. */
  entries(ledgerId: LedgerId.LedgerId, { from, reverse, to }: Range): Stream.Stream<Entry, Error> {
    return this.#stream("entries", ledgerId, (ledger, scope) => {
      const first = from ?? firstEntryId
      const last = lower(to, ledger.acknowledged.lastEntryId)
      return reverse === true
        ? this.#stored("entries", ledger, scope, first, last, true)
        : this.#forwards("entries", ledger, scope, first, last)
    })
  }

  /** The entries of a ledger, and then each one as it is acknowledged. */
  tail(ledgerId: LedgerId.LedgerId, { from, to }: TailRange): Stream.Stream<Entry, Error> {
    const { counts } = this.#parts
    return this.#stream("tail", ledgerId, (ledger, scope) =>
      Effect.andThen(
        Effect.acquireRelease(
          Effect.sync(() => (counts.followers += 1)),
          () => Effect.sync(() => (counts.followers -= 1))
        ).pipe(Scope.provide(scope)),
        this.#forwards("tail", ledger, scope, from ?? firstEntryId, to ?? lastEntryId)
      )
    )
  }

  /** A stream that holds its ledger. */
  #stream(
    operation: string,
    ledgerId: LedgerId.LedgerId,
    open: (ledger: OpenLedger, scope: Scope.Scope) => Effect.Effect<EntryPull>
  ): Stream.Stream<Entry, Error> {
    const { inFlight, ledgers } = this.#parts
    return Stream.unwrap(
      Effect.gen({ self: this }, function* () {
        const scope = yield* Effect.scope
        const ledger = yield* Effect.acquireRelease(inFlight.run(operation, ledgers.acquire(ledgerId)), (held) =>
          Effect.sync(() => held !== undefined && ledgers.release(held))
        )
        if (ledger === undefined) return Stream.fail(this.#noLedger(operation, ledgerId))
        return Stream.fromPull(open(ledger, scope))
      })
    )
  }

  /** From an id upwards to another, as far as there are entries; a tail waits for more. */
  #forwards(
    operation: "entries" | "tail",
    ledger: OpenLedger,
    scope: Scope.Scope,
    from: bigint,
    to: bigint
  ): Effect.Effect<EntryPull> {
    const { counts, recent } = this.#parts
    let next = from
    let stored: EntryPull | undefined
    const advance = (entries: Entries): Entries => {
      next += BigInt(entries.length)
      return entries
    }
    const loop = (): EntryPull => {
      const { wakes } = ledger.followers
      const problem = this.#problemOf(operation, ledger)
      if (problem !== undefined) return Effect.fail(problem)
      if (stored !== undefined) {
        return Pull.catchDone(Effect.map(stored, advance), () => {
          stored = undefined
          return loop()
        })
      }
      const { fenced, lastEntryId } = ledger.acknowledged
      if (next > to) return Cause.done()
      if (next > lastEntryId) {
        return operation === "entries" || fenced
          ? Cause.done()
          : Effect.flatMap(ledger.followers.waitAfter(wakes), loop)
      }
      const upTo = lower(to, lastEntryId)
      const entries = recent.read(ledger.ledgerId, next, upTo, maxChunk)
      counts.readRecently(entries)
      if (isNonEmpty(entries)) return Effect.succeed(advance(entries))
      return Effect.flatMap(this.#stored(operation, ledger, scope, next, upTo, false), (pull) => {
        stored = pull
        return loop()
      })
    }
    return Effect.succeed(Effect.suspend(loop))
  }

  /** The entries from one id to another out of where they are stored. */
  #stored(
    operation: string,
    ledger: OpenLedger,
    scope: Scope.Scope,
    from: bigint,
    to: bigint,
    reverse: boolean
  ): Effect.Effect<EntryPull> {
    const { backend, counts, inFlight } = this.#parts
    return Effect.gen({ self: this }, function* () {
      if (from > to) return Cause.done()
      const child = yield* Scope.fork(scope)
      const span = { from: EntryId.make(from), to: EntryId.make(to), reverse }
      const pull = yield* Scope.provide(Stream.toPull(backend.entries(ledger.ledgerId, span)), child)
      let left = to - from + 1n
      return Effect.suspend((): EntryPull => {
        const problem = this.#problemOf(operation, ledger)
        return problem === undefined ? inFlight.run(operation, pull) : Effect.fail(problem)
      }).pipe(
        Effect.map((entries) => {
          left -= BigInt(entries.length)
          counts.readStored(entries)
          return entries
        }),
        Pull.catchDone((): EntryPull =>
          left === 0n ? Cause.done() : Effect.fail(this.#endedEarly(operation, ledger, left))
        ),
        Effect.mapError((error) =>
          // Whatever it met, the reason is that the ledger is going away.
          Cause.isDone(error) ? error : (this.#problemOf(operation, ledger) ?? error)
        ),
        Effect.onError((cause) => Scope.close(child, Exit.failCause(cause)))
      )
    })
  }

  /** Why a stream cannot go on, if so. */
  #problemOf(operation: string, ledger: OpenLedger): Error | undefined {
    const { inFlight } = this.#parts
    if (inFlight.closed) return inFlight.closedError(operation)
    return ledger.acknowledged.deleted ? this.#noLedger(operation, ledger.ledgerId) : undefined
  }

  /** Fails if an entry is absent because there is no such ledger. */
  #checkLedgers(operation: string, absent: ReadonlyArray<EntryKey>): Answer<void> {
    const { ledgers } = this.#parts
    return Effect.forEach(
      new Set(absent.map(({ ledgerId }) => ledgerId)),
      (ledgerId) =>
        Effect.acquireUseRelease(
          ledgers.acquire(ledgerId),
          (ledger) => (ledger === undefined ? Effect.fail(this.#noLedger(operation, ledgerId)) : Effect.void),
          (ledger) => Effect.sync(() => ledger !== undefined && ledgers.release(ledger))
        ),
      { discard: true }
    )
  }

  #noLedger(operation: string, ledgerId: LedgerId.LedgerId): Error {
    return LedgerStorageError.noLedger(ledgerId, { operation, storage: this.#parts.inFlight.storage })
  }

  #endedEarly(operation: string, { ledgerId }: OpenLedger, left: bigint): Error {
    const { storage } = this.#parts.inFlight
    const problem = `${left} entries of ledger ${ledgerId} are missing in ${storage}`
    return LedgerStorageError.corruption(problem, { operation, storage })
  }
}

/** How many bytes of recent entries a stream hands out at once. */
const maxChunk = 256 * 1024

const firstEntryId = 0n
const lastEntryId = 0x7fff_ffff_ffff_ffffn

const lower = (one: bigint | undefined, other: bigint): bigint => (one === undefined || one > other ? other : one)

const isNonEmpty = (entries: ReadonlyArray<Entry>): entries is Entries => entries.length > 0
