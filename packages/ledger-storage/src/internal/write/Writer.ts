/**
 * Writes what callers ask for, one group after another: looks its ledgers up,
 * plans it, appends its frames, syncs once for all, commits. Then its calls are
 * answered, in their order, and the followers of its ledgers are woken.
 *
 * - A group that cannot be appended leaves nothing behind: its ids are given
 *   again.
 * - One that was appended may be on disk whatever fails after that, and an id
 *   that stands in the log is never given again. So it is finished before
 *   anything else is appended, and its entries turn up although their calls have
 *   failed.
 * - After a defect nobody knows what was written: every later call fails with it.
 * - On release everything that was let in is written first. What cannot be
 *   finished even then is logged, and makes the exit a failure.
 */
import type * as LedgerId from "@effect-bookie/entry-log/LedgerId"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { LedgerStorageError } from "../../LedgerStorageError.ts"
import * as EntryFrame from "../format/EntryFrame.ts"
import type { LedgerIds } from "../LedgerIds.ts"
import type { OpenLedger } from "../ledgers/OpenLedger.ts"
import type { OpenLedgers } from "../ledgers/OpenLedgers.ts"
import type { Timer } from "@effect-bookie/lifecycle/Timer"
import type { Counts } from "../Statistics.ts"
import type { Failure } from "./Call.ts"
import type { Calls } from "./Calls.ts"
import type { Group } from "./Group.ts"
import type { Change, Log } from "./Log.ts"
import { Plan, type World } from "./Plan.ts"
import type { Request } from "./Request.ts"

/** What a writer works on. */
export interface Parts<Place> {
  /** The name of the storage. */
  readonly storage: string
  readonly calls: Calls
  readonly ledgerIds: LedgerIds
  readonly ledgers: OpenLedgers
  readonly log: Log<Place>
  readonly counts: Counts
  /** Is told of what has been committed, before anyone is answered. */
  readonly onCommitted: (changes: ReadonlyArray<Change>, frames: Uint8Array) => void
}

/** Runs a writer until the scope closes. */
export const run = <Place>(parts: Parts<Place>): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.suspend(() => Effect.forkDetach(new Writer(parts).run())),
      (fiber) =>
        Effect.andThen(
          Effect.sync(() => parts.calls.end()),
          Effect.orDie(Fiber.join(fiber))
        )
    )
  )

/** Writes to the ledgers of a storage. */
class Writer<Place> {
  readonly #parts: Parts<Place>
  /** A group that was appended, and that is yet to be finished. */
  #unfinished: Unfinished<Place> | undefined
  /** Why nothing is written any more. */
  #defect: Failure | undefined
  /** Ledgers that have changed, and whose followers are yet to be woken. */
  readonly #changed = new Set<OpenLedger>()

  constructor(parts: Parts<Place>) {
    this.#parts = parts
  }

  /** Writes until nothing comes any more. */
  run(): Effect.Effect<void, LedgerStorageError> {
    return Effect.gen({ self: this }, function* () {
      while (true) {
        const group = yield* this.#parts.calls.next
        if (group === undefined) break
        yield* this.#write(group)
      }
      const failure = yield* this.#finish()
      this.#wake()
      if (failure === undefined) return
      yield* Effect.logError("What was appended last cannot be finished", failure)
      return yield* Effect.failCause(failure)
    })
  }

  /** Writes a group and answers its calls, after their room has been given to those who wait. */
  #write(group: Group): Effect.Effect<void> {
    const { calls } = this.#parts
    return Effect.gen({ self: this }, function* () {
      const before = yield* this.#finish()
      if (before !== undefined) return this.#drop(group, before)
      const world = yield* this.#look(group)
      const held = Array.from(world.ledgers.values())
      const plan = new Plan(group, world)
      const failure = yield* this.#carryOut({ group, held, plan })
      calls.leave(group)
      plan.tell(failure)
    }).pipe(
      Effect.catchCause((cause) => Effect.sync(() => this.#drop(group, this.#remember(cause)))),
      Effect.andThen(Effect.sync(() => this.#wake()))
    )
  }

  /** Looks the ledgers of a group up, and holds them. */
  #look(group: Group): Effect.Effect<World> {
    const { ledgerIds, ledgers: open, log, storage } = this.#parts
    const ledgers = new Map<LedgerId.LedgerId, OpenLedger>()
    const failures = new Map<LedgerId.LedgerId, LedgerStorageError>()
    const missing = new Set<LedgerId.LedgerId>()
    for (const { request } of group.placed) {
      for (const ledgerId of ledgersOf(request)) {
        if (ledgers.has(ledgerId) || missing.has(ledgerId)) continue
        const ledger = open.hold(ledgerId)
        if (ledger === undefined) missing.add(ledgerId)
        else ledgers.set(ledgerId, ledger)
      }
    }
    const lookUp = (ledgerId: LedgerId.LedgerId) =>
      Effect.match(open.acquire(ledgerId), {
        onSuccess: (ledger) => ledger !== undefined && ledgers.set(ledgerId, ledger),
        onFailure: (error) => failures.set(ledgerId, error)
      })
    return Effect.andThen(
      Effect.forEach(missing, lookUp, { concurrency: lookUpsAtOnce, discard: true }),
      Effect.map(Clock.currentTimeMillis, (now) => ({
        storage,
        now: Math.floor(now),
        ledgerIds,
        ledgers,
        failures,
        refusal: log.refusal()
      }))
    )
  }

  /** Answers why it has failed, if it has. */
  #carryOut(work: Work): Effect.Effect<Failure | undefined> {
    const { plan } = work
    if (plan.changes.length === 0) return Effect.sync(() => this.#release(work))
    return Effect.flatMap(Effect.exit(this.#parts.log.append(plan.frames)), (appended) => {
      if (Exit.isSuccess(appended)) {
        this.#unfinished = { ...work, place: appended.value, isSynced: false }
        return this.#finish()
      }
      plan.takeBack()
      this.#release(work)
      return Effect.succeed(this.#remember(appended.cause))
    })
  }

  /** Finishes what was appended, if there is something: sync, commit, acknowledge. Answers why it cannot. */
  #finish(): Effect.Effect<Failure | undefined> {
    const { counts, log } = this.#parts
    return Effect.gen({ self: this }, function* () {
      const unfinished = this.#unfinished
      if (this.#defect !== undefined || unfinished === undefined) return this.#defect
      const { place, plan } = unfinished
      if (plan.needsSync && !unfinished.isSynced) {
        const synced = yield* Effect.exit(timed(counts.syncs, log.sync))
        if (Exit.isFailure(synced)) return this.#remember(synced.cause)
        unfinished.isSynced = true
      }
      const { changes, frames } = plan
      const commit = Effect.suspend(() => log.commit({ changes, frames, place, isSynced: unfinished.isSynced }))
      const committed = yield* Effect.exit(timed(counts.commits, commit))
      if (Exit.isFailure(committed)) return this.#remember(committed.cause)
      this.#unfinished = undefined
      this.#acknowledge(plan)
      this.#release(unfinished)
      return undefined
    })
  }

  /** From now on readers see what the plan changes. */
  #acknowledge(plan: Plan): void {
    const { counts, ledgers, onCommitted } = this.#parts
    for (const ledger of plan.created) ledgers.add(ledger)
    for (const ledger of plan.touched) {
      ledger.acknowledge()
      if (ledger.acknowledged.deleted) ledgers.remove(ledger)
      this.#changed.add(ledger)
    }
    counts.groups += 1
    for (const change of plan.changes) {
      if (change._tag !== "Appended") continue
      const entries = Number(change.to - change.from) + 1
      counts.appendedEntries += entries
      counts.appendedBytes += change.end - change.start - entries * EntryFrame.headerSize
    }
    onCommitted(plan.changes, plan.frames)
  }

  /** Lets go of what the work has held. */
  #release({ group, held }: Work): undefined {
    const { calls, ledgers } = this.#parts
    for (const ledger of held) ledgers.release(ledger)
    calls.recycle(group)
  }

  /** Fails all calls of a group. */
  #drop(group: Group, failure: Failure): void {
    this.#parts.calls.leave(group)
    for (const { request } of group.placed) request.call.fail(failure)
  }

  /** Wakes the followers of the ledgers that have changed. */
  #wake(): void {
    for (const ledger of this.#changed) ledger.followers.wake()
    this.#changed.clear()
  }

  #remember(failure: Failure): Failure {
    if (Cause.hasDies(failure) || Cause.hasInterrupts(failure)) this.#defect ??= failure
    return failure
  }
}

/** A group, planned. */
interface Work {
  readonly group: Group
  /** The ledgers that nobody may forget before the group has ended. */
  readonly held: ReadonlyArray<OpenLedger>
  readonly plan: Plan
}

/** A group that was appended, and where. */
interface Unfinished<Place> extends Work {
  readonly place: Place
  isSynced: boolean
}

/** How many ledgers of a group are looked up at the same time. */
const lookUpsAtOnce = 16

const ledgersOf = (request: Request): ReadonlyArray<LedgerId.LedgerId> => {
  switch (request._tag) {
    case "Append":
    case "Fence":
      return [request.ledgerId]
    case "Delete":
      return request.ledgerIds
    case "Create":
      return []
  }
}

const timed = <A, E>(timer: Timer, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const start = performance.now()
    return Effect.tap(effect, () => Effect.sync(() => timer.recordSince(start)))
  })
