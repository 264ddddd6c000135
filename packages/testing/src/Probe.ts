/**
 * Watches a real engine: writes down when each native call begins and ends, and
 * the acquisitions and releases between them, in one log. It can hold the
 * answer of a call back, and can turn it into a failure once the call is done.
 * What is watched gets over a full disk as a real engine does.
 */
import { Effect, Latch, Layer } from "effect"
import type { Scope } from "effect"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { Engine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { withFullDisk } from "@effect-bookie/rocksdb/EngineSupport"

/** The native calls, by name. */
export type Call = "getMany" | "write" | "next" | "end" | "property" | "compact" | "syncWal" | "close"

/** The log of one test, and the hands on its native calls. */
export class Probe {
  /** Such as `begin compact`, `end compact`, `acquired rocksdb.wal`, `released rocksdb.wal`. */
  readonly log: Array<string> = []
  readonly #held = new Map<Call, Latch.Latch>()
  readonly #failures = new Map<Call, Error>()
  #watchers: Array<() => void> = []

  /** Opens a database with the engine of the context, watched. */
  open(
    options: RocksDB.Options
  ): Effect.Effect<RocksDB.RocksDB["Service"], RocksDBError.RocksDBError, Scope.Scope | Engine.Engine> {
    return Effect.flatMap(Engine.Engine, (engine) =>
      RocksDB.make(options).pipe(
        Effect.provideService(Engine.Engine, this.#engine(engine)),
        Effect.provideService(Lifecycle.Lifecycle, this.listener)
      )
    )
  }

  /** Provides the engine of the context, watched, and the listener. */
  readonly layer: Layer.Layer<Engine.Engine, never, Engine.Engine> = Layer.merge(
    Layer.effect(
      Engine.Engine,
      Effect.map(Engine.Engine, (engine) => this.#engine(engine))
    ),
    Lifecycle.layer((event) => this.listener(event))
  )

  readonly listener: Lifecycle.Listener = ({ _tag, resource }) =>
    Effect.sync(() => this.#write(`${_tag.toLowerCase()} ${resource}`))

  /** Holds back the answers to a call until the function that it returns is called. */
  hold(call: Call): () => void {
    const latch = Latch.makeUnsafe()
    this.#held.set(call, latch)
    return () => {
      if (this.#held.get(call) === latch) this.#held.delete(call)
      latch.openUnsafe()
    }
  }

  /** Lets a call fail once the real one has been done. */
  fail(call: Call, message: string): void {
    this.#failures.set(call, new Error(message))
  }

  /** Waits until the log has a line. */
  until(line: string): Effect.Effect<void> {
    return Effect.promise(
      () =>
        new Promise<void>((resolve) => {
          const watcher = () => this.log.includes(line) && resolve()
          this.#watchers.push(watcher)
          watcher()
        })
    )
  }

  /** The log's lines about the given subjects, in their order. */
  only(...subjects: ReadonlyArray<string>): ReadonlyArray<string> {
    return this.log.filter((line) => subjects.includes(line.slice(line.indexOf(" ") + 1)))
  }

  #write(line: string): void {
    this.log.push(line)
    for (const watcher of this.#watchers) watcher()
  }

  async #watch<A>(call: Call, run: () => Promise<A>): Promise<A> {
    this.#write(`begin ${call}`)
    try {
      const answer = await run()
      const latch = this.#held.get(call)
      if (latch !== undefined) await Effect.runPromise(latch.await)
      const failure = this.#failures.get(call)
      if (failure !== undefined) throw failure
      return answer
    } finally {
      this.#write(`end ${call}`)
    }
  }

  #engine(engine: Engine.Engine["Service"]): Engine.Engine["Service"] {
    return withFullDisk({
      name: engine.name,
      open: (options) => Effect.map(engine.open(options), (database) => this.#database(database))
    })
  }

  #database(database: Engine.Database): Engine.Database {
    return {
      getMany: (keys) => this.#watch("getMany", () => database.getMany(keys)),
      write: (operations, sync) => this.#watch("write", () => database.write(operations, sync)),
      cursor: (options) => {
        const cursor = database.cursor(options)
        return {
          next: () => this.#watch("next", () => cursor.next()),
          end: () => this.#watch("end", () => cursor.end())
        }
      },
      property: (name) => this.#watch("property", () => database.property(name)),
      compact: (interval) => this.#watch("compact", () => database.compact(interval)),
      syncWal: () => this.#watch("syncWal", () => database.syncWal()),
      isRecovering: database.isRecovering,
      close: () => this.#watch("close", () => database.close())
    }
  }
}
