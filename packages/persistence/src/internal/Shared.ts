/**
 * What is open once a database and a name, however many layers ask for it: it is
 * acquired by the first, and released with the last.
 *
 * Two layers over one key space must share what it keeps in memory; a layer that
 * is called twice is two layers.
 */
import type { RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"

/** The open things of one kind. */
export class Shared<A> {
  readonly #databases = new WeakMap<RocksDB.RocksDB["Service"], Database<A>>()

  /** Takes part in what is open under a name, for as long as the scope. */
  get<E>(
    database: RocksDB.RocksDB["Service"],
    name: string,
    acquire: Effect.Effect<A, E, Scope.Scope>
  ): Effect.Effect<A, E, Scope.Scope> {
    return Effect.suspend(() => {
      let shared = this.#databases.get(database)
      if (shared === undefined) {
        shared = new Database()
        this.#databases.set(database, shared)
      }
      const { enter, leave } = shared
      return Effect.acquireRelease(enter(name, acquire), () => leave(name))
    })
  }
}

interface Open<A> {
  readonly value: A
  readonly scope: Scope.Closeable
  holders: number
}

class Database<A> {
  readonly #open = new Map<string, Open<A>>()
  /** One is opened or closed at a time, so that none is opened again before it has been closed. */
  readonly #turn = Semaphore.makeUnsafe(1)

  enter = <E>(name: string, acquire: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
    this.#turn.withPermit(
      Effect.suspend(() => {
        const open = this.#open.get(name)
        if (open !== undefined) {
          open.holders += 1
          return Effect.succeed(open.value)
        }
        const scope = Scope.makeUnsafe()
        return acquire.pipe(
          Scope.provide(scope),
          Effect.tap((value) => Effect.sync(() => this.#open.set(name, { value, scope, holders: 1 }))),
          Effect.onExit((exit) => (Exit.isSuccess(exit) ? Effect.void : Scope.close(scope, exit)))
        )
      })
    )

  leave = (name: string): Effect.Effect<void> =>
    this.#turn.withPermit(
      Effect.suspend(() => {
        const open = this.#open.get(name)
        if (open === undefined) return Effect.void
        open.holders -= 1
        if (open.holders > 0) return Effect.void
        this.#open.delete(name)
        return Scope.close(open.scope, Exit.void)
      })
    )
}
