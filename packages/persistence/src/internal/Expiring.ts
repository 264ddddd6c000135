/**
 * Records that are swept some time after they have expired.
 *
 * A record begins with its format, one byte, and with the time at which it
 * expires. An index has an entry for each that does, by time, which changes in
 * the same batch. A sweep goes through what has expired by now, a bounded number
 * at a time, and looks at each record again before it removes it.
 */
import type { RocksDBError } from "@effect-bookie/rocksdb"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { concat, plain, readTime, successor, time } from "./keys.ts"
import * as KeySpace from "./KeySpace.ts"
import type { View } from "./Transactions.ts"

/** What a record holds. */
export interface Expirable {
  /** In milliseconds since the epoch; infinite for never. */
  readonly expires: number
  readonly content: Uint8Array
}

/** The records of one section. */
export class Expiring {
  readonly #space: KeySpace.KeySpace
  readonly #section: number
  readonly #index: number

  constructor(space: KeySpace.KeySpace, sections: { readonly records: number; readonly index: number }) {
    this.#space = space
    this.#section = sections.records
    this.#index = sections.index
  }

  /** The key of a record. */
  key(id: Uint8Array): Uint8Array {
    return this.#space.keys.key(this.#section, id)
  }

  get(view: View, id: Uint8Array): Expirable | undefined {
    return this.decode(view.get(this.key(id)))
  }

  /** Sets a record, which is there at once and until it is swept. */
  put(view: View, id: Uint8Array, { content, expires }: Expirable): void {
    const key = this.key(id)
    const before = this.decode(view.get(key))?.expires ?? Infinity
    if (before !== expires) {
      if (before !== Infinity) view.remove(this.#indexKey(before, id))
      if (expires !== Infinity) view.put(this.#indexKey(expires, id), empty)
    }
    view.put(key, concat([Uint8Array.of(format), time(expires), content]))
  }

  remove(view: View, id: Uint8Array): void {
    const key = this.key(id)
    const before = this.decode(view.get(key))
    if (before === undefined) return
    if (before.expires !== Infinity) view.remove(this.#indexKey(before.expires, id))
    view.remove(key)
  }

  /** Removes all records whose ids begin so; their entries of the index go with the sweeps. */
  removeAll(view: View, prefix: Uint8Array): void {
    view.removeRange(this.#space.keys.range(this.#section, prefix))
  }

  /** What a record holds; throws if it is in a format that this build does not know. */
  decode(record: Uint8Array | undefined): Expirable | undefined {
    if (record === undefined) return undefined
    if (record[0] !== format || record.length < headerLength) throw KeySpace.unreadable(this.#space, "A record")
    return { expires: readTime(record, 1), content: plain(record).subarray(headerLength) }
  }

  /** Removes, now and at each interval, what has expired by then; in the current scope. */
  sweepEvery(interval: Duration.Input, options: { readonly durability: KeySpace.Options["durability"] }) {
    return Effect.flatMap(Clock.currentTimeMillis, (now) => this.#sweep(now, options)).pipe(
      Effect.catch((error) => Effect.logWarning(`"${this.#space.name}" could not remove what has expired`, error)),
      Effect.repeat(Schedule.spaced(interval)),
      Effect.forkScoped,
      Effect.asVoid
    ) satisfies Effect.Effect<void, never, Scope.Scope>
  }

  #sweep(now: number, options: { readonly durability: KeySpace.Options["durability"] }) {
    return this.#sweepStep(now, options).pipe(
      Effect.repeat({ while: (swept) => swept === stepSize, schedule: Schedule.spaced(stepPause) }),
      Effect.asVoid
    )
  }

  /** Removes the first that have expired; says how many it has looked at. */
  #sweepStep(
    now: number,
    options: { readonly durability: KeySpace.Options["durability"] }
  ): Effect.Effect<number, RocksDBError.RocksDBError> {
    const { keys } = this.#space
    const expired = { gte: keys.key(this.#index), lt: successor(keys.key(this.#index, time(now))) }
    return Effect.flatMap(KeySpace.firstKeys(this.#space, "sweep", expired, stepSize), (found) => {
      if (found.length === 0) return Effect.succeed(0)
      const entries = found.map((key) => {
        const rest = keys.rest(key)
        return { key, expires: readTime(rest), id: rest.subarray(timeLength) }
      })
      const body = (view: View) => {
        const records = view.getMany(entries.map(({ id }) => this.key(id)))
        for (const [at, { expires, id, key }] of entries.entries()) {
          if (this.decode(records[at])?.expires === expires) view.remove(this.key(id))
          view.remove(key)
        }
      }
      return Effect.as(this.#space.run("sweep", body, options), found.length)
    })
  }

  #indexKey(expires: number, id: Uint8Array): Uint8Array {
    return this.#space.keys.key(this.#index, time(expires), id)
  }
}

const format = 1

const timeLength = 8

const headerLength = 1 + timeLength

/** How many records a sweep removes in one batch, and how long it leaves the database to others then. */
const stepSize = 1_000
const stepPause = Duration.millis(10)

const empty = new Uint8Array(0)
