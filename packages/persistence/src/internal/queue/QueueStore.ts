/**
 * The queues of a key space: who takes which element, and what becomes of it.
 *
 * A claim is on disk before its element is handed out, so that the attempt
 * counts also if the process dies; and it has a token, so that nothing of an
 * older claim settles a newer one. This process is the only one that has the
 * database: whatever is claimed when it is opened, a dead process had claimed.
 */
import { RocksDBError } from "@effect-bookie/rocksdb"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as KeySpace from "../KeySpace.ts"
import type { Body, View } from "../Transactions.ts"
import { elementOf, type ElementId, Elements, type Ended } from "./Elements.ts"
import { capacity, type Pending, Ready } from "./Ready.ts"

/** An element that has been handed out. */
export interface Claimed extends ElementId {
  readonly attempts: number
  readonly token: number
  readonly content: Uint8Array
}

/** What becomes of a claimed element. */
export type Settlement =
  | { readonly _tag: "complete" }
  | { readonly _tag: "fail"; readonly failure: string }
  /** It was not tried: the attempt does not count. */
  | { readonly _tag: "giveBack" }
  | { readonly _tag: "retry"; readonly delay: Duration.Duration; readonly failure: string }

/** How its transactions are done. */
export type WriteOptions = Pick<KeySpace.Options, "durability">

/** The queues of one key space. */
export class QueueStore {
  readonly space: KeySpace.KeySpace
  readonly #elements: Elements
  readonly #queues = new Map<string, Ready>()
  #isClosed = false

  private constructor(space: KeySpace.KeySpace) {
    this.space = space
    this.#elements = new Elements(space)
  }

  /** Opens the queues of a key space, and releases the claims of the process that had it before. */
  static readonly make: (
    space: KeySpace.KeySpace
  ) => Effect.Effect<QueueStore, RocksDBError.RocksDBError, Scope.Scope> = Effect.fnUntraced(function* (space) {
    const store = new QueueStore(space)
    yield* store.#releaseClaims
    yield* Effect.addFinalizer(() => Effect.sync(() => store.#close()))
    return store
  })

  /** Adds an element, unless its id is known. */
  offer(
    element: ElementId,
    content: Uint8Array,
    visibleAt: () => number,
    options: WriteOptions
  ): Effect.Effect<void, RocksDBError.RocksDBError> {
    const ready = this.#ready(element.queue)
    const body = (view: View) => {
      if (this.#elements.state(view, element) !== undefined) return
      const pending = { id: element.id, sequence: this.space.numbers.take(view), visibleAt: visibleAt() }
      this.#elements.offer(view, element, pending, content)
      view.afterWritten(() => ready.add(pending))
    }
    return this.space.run("offer", body, options)
  }

  /** Waits for the next element of a queue and claims it; it must not be interrupted, but where it says `restore`. */
  claim(
    queue: string,
    maxAttempts: number,
    clock: Clock.Clock,
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>,
    options: WriteOptions
  ): Effect.Effect<Claimed, RocksDBError.RocksDBError> {
    const ready = this.#ready(queue)
    const next = Effect.andThen(restore(ready.turn.take(1)), () =>
      Effect.ensuring(this.#next(queue, ready, clock, restore), ready.turn.release(1))
    )
    return Effect.flatMap(next, (pending) => {
      const element = { queue, id: pending.id }
      const claiming = this.space.run("take", this.#claiming(element, pending, maxAttempts, clock), options)
      return Effect.flatMap(
        Effect.onError(claiming, () => Effect.sync(() => ready.reset())),
        (claimed) =>
          claimed === undefined ? this.claim(queue, maxAttempts, clock, restore, options) : Effect.succeed(claimed)
      )
    })
  }

  /** Settles a claim, if it still holds. */
  settle(
    { attempts, id, queue, token }: Claimed,
    settlement: Settlement,
    clock: Clock.Clock,
    options: WriteOptions
  ): Effect.Effect<void, RocksDBError.RocksDBError> {
    const element = { queue, id }
    const ready = this.#ready(queue)
    const body: Body<void> = (view) => {
      const state = this.#elements.state(view, element)
      if (state?.phase !== "claimed" || state.token !== token) return
      const now = clock.currentTimeMillisUnsafe()
      switch (settlement._tag) {
        case "complete":
          return this.#elements.end(view, element, state, "completed", now)
        case "fail":
          return this.#elements.end(view, element, state, "failed", now, settlement.failure)
        case "giveBack": {
          const { sequence, visibleAt } = this.#elements.release(view, element, state, { attempts: attempts - 1 })
          return view.afterWritten(() => ready.add({ id, sequence, visibleAt }))
        }
        case "retry": {
          const changed = { visibleAt: now + Duration.toMillis(settlement.delay), lastFailure: settlement.failure }
          const { sequence, visibleAt } = this.#elements.release(view, element, state, changed)
          return view.afterWritten(() => ready.add({ id, sequence, visibleAt }))
        }
      }
    }
    return this.space.run("settle", body, options)
  }

  /** Forgets the elements that have ended so not later than a time, a bounded number at a time. */
  forget(phase: Ended, endedAt: number, options: WriteOptions): Effect.Effect<void, RocksDBError.RocksDBError> {
    const range = this.#elements.endedUpTo(phase, endedAt)
    const step = Effect.flatMap(
      Stream.runCollect(this.space.stream("cleanup", range, { limit: cleanupStep })),
      (entries) => {
        const ended = entries.map(({ value }) => elementOf(value))
        const body = (view: View) => {
          const states = this.#elements.states(view, ended)
          for (const [at, element] of ended.entries()) {
            const state = states[at]
            if (state?.phase === phase) this.#elements.forget(view, element, state)
          }
        }
        return Effect.as(this.space.run("cleanup", body, options), entries.length)
      }
    )
    return Effect.asVoid(Effect.repeat(step, { while: (forgotten) => forgotten === cleanupStep }))
  }

  #ready(queue: string): Ready {
    let ready = this.#queues.get(queue)
    if (ready === undefined) {
      ready = new Ready()
      this.#queues.set(queue, ready)
    }
    return ready
  }

  /** Tells those who wait for an element that there will be none. */
  #close(): void {
    this.#isClosed = true
    for (const ready of this.#queues.values()) ready.reset()
  }

  /** Waits until the first element of a queue may be taken, and takes it out of those that are next. */
  #next(
    queue: string,
    ready: Ready,
    clock: Clock.Clock,
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  ): Effect.Effect<Pending, RocksDBError.RocksDBError> {
    return Effect.suspend(() => {
      if (this.#isClosed || this.space.transactions.isClosed) {
        return Effect.fail(RocksDBError.closed({ operation: "take", path: this.space.path }))
      }
      // Closed before the look, so that a change after it opens it again.
      ready.changed.closeUnsafe()
      const now = clock.currentTimeMillisUnsafe()
      const { head } = ready
      if (head !== undefined && head.visibleAt <= now) {
        ready.shift()
        return Effect.succeed(head)
      }
      const wait =
        head !== undefined ? until(ready, head.visibleAt - now) : ready.isComplete ? ready.changed.await : undefined
      return Effect.flatMap(restore(wait ?? this.#refill(queue, ready)), () => this.#next(queue, ready, clock, restore))
    })
  }

  #refill(queue: string, ready: Ready): Effect.Effect<void, RocksDBError.RocksDBError> {
    return Effect.gen({ self: this }, function* () {
      const { beyond, position } = ready.mark
      const range = this.#elements.pendingAfter(queue, position)
      const entries = yield* Stream.runCollect(this.space.stream("take", range, { limit: capacity }))
      if (ready.mark.position !== position) return
      ready.refill(
        entries.map((entry) => this.#elements.pendingOf(queue, entry)),
        beyond
      )
    })
  }

  #claiming(
    element: ElementId,
    { sequence, visibleAt }: Pending,
    maxAttempts: number,
    clock: Clock.Clock
  ): Body<Claimed | undefined> {
    return (view) => {
      const loaded = this.#elements.load(view, element)
      if (loaded === undefined) return undefined
      const { content, state } = loaded
      // Someone else has it: what is next was read from disk while that was written.
      if (state.phase !== "pending" || state.sequence !== sequence || state.visibleAt !== visibleAt) return undefined
      if (state.attempts >= maxAttempts) {
        const failure = state.lastFailure ?? "The process ended during the last attempt"
        this.#elements.end(view, element, state, "failed", clock.currentTimeMillisUnsafe(), failure)
        return undefined
      }
      const token = this.space.numbers.take(view)
      const { attempts } = this.#elements.claim(view, element, state, token)
      return { ...element, attempts, token, content }
    }
  }

  /** A bounded number at a time. */
  get #releaseClaims(): Effect.Effect<void, RocksDBError.RocksDBError> {
    const step = Effect.flatMap(KeySpace.firstKeys(this.space, "open", this.#elements.claimed, cleanupStep), (keys) => {
      if (keys.length === 0) return Effect.succeed(0)
      const elements = keys.map((key) => this.#elements.claimedOf(key))
      const body = (view: View) => {
        const states = this.#elements.states(view, elements)
        for (const [at, element] of elements.entries()) {
          const state = states[at]
          if (state?.phase === "claimed") this.#elements.release(view, element, state, {})
        }
      }
      return Effect.as(this.space.run("open", body), keys.length)
    })
    return Effect.asVoid(Effect.repeat(step, { while: (released) => released === cleanupStep }))
  }
}

/** How many elements are cleaned up, or released, in one batch. */
const cleanupStep = 1_000

/** Waits for a change, or until the time has come; a timer of more than 24 days would end at once. */
const until = (ready: Ready, millis: number): Effect.Effect<void> =>
  Effect.raceFirst(ready.changed.await, Effect.sleep(Math.min(millis, longestSleep)))

const longestSleep = 24 * 60 * 60 * 1000
