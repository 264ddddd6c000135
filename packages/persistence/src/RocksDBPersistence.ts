/**
 * Effect's `Persistence` in a RocksDB database: exits of requests, with a time to
 * live.
 *
 * - A value has expired when its time is not later than Effect's `Clock` says,
 *   also after a restart. It is not answered any more from then on, and removed
 *   in the background.
 * - `setMany` is one atomic batch, and `clear` one range delete.
 * - `getMany` answers by position, with one read.
 * - No two store ids and keys are one, whatever they hold.
 * - A value that cannot be read is an error, also of `getMany`, never an absent
 *   value: what asks for it would compute it anew.
 */
import type { RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Persistence from "effect/persistence/Persistence"
import type * as Scope from "effect/Scope"
import { checkInterval } from "./internal/arguments.ts"
import { Expiring } from "./internal/Expiring.ts"
import { concat, type Kind, terminated } from "./internal/keys.ts"
import * as KeySpace from "./internal/KeySpace.ts"
import { Shared } from "./internal/Shared.ts"
import * as Strings from "./internal/strings.ts"
import type { Body } from "./internal/Transactions.ts"

/** How to open the stores. */
export interface Options extends KeySpace.Options {
  /** How often what has expired is removed; infinite for never. Default: 5 minutes. */
  readonly sweepInterval?: Duration.Input | undefined
}

/** Opens the stores in the current scope. */
export const make: (
  options?: Options | undefined
) => Effect.Effect<
  Persistence.BackingPersistence["Service"],
  RocksDBError.RocksDBError,
  RocksDB.RocksDB | Scope.Scope
> = Effect.fnUntraced(function* (options?: Options | undefined) {
  const problem = checkInterval("sweepInterval", options?.sweepInterval)
  const { database, durability, prefix } = yield* KeySpace.settings(kind, options, problem)
  const space = yield* spaces.get(database, prefix, KeySpace.open(kind, prefix, database))
  const records = new Expiring(space, { records: 2, index: 3 })
  yield* records.sweepEvery(options?.sweepInterval ?? "5 minutes", { durability })
  return Persistence.BackingPersistence.of({
    make: (storeId) => Effect.map(Clock.Clock, (clock) => store(space, records, storeId, clock, durability))
  })
})

/** Provides `Persistence.BackingPersistence` with stores in the database. */
export const layerBacking = (
  options?: Options | undefined
): Layer.Layer<Persistence.BackingPersistence, RocksDBError.RocksDBError, RocksDB.RocksDB> =>
  Layer.effect(Persistence.BackingPersistence, make(options))

/** Provides `Persistence`, and the `BackingPersistence` that it stands on. */
export const layer = (
  options?: Options | undefined
): Layer.Layer<Persistence.Persistence | Persistence.BackingPersistence, RocksDBError.RocksDBError, RocksDB.RocksDB> =>
  Layer.provideMerge(Persistence.layer, layerBacking(options))

const kind: Kind = { name: "persistence", firstByte: 0x71, format: 1 }

const spaces = new Shared<KeySpace.KeySpace>()

const store = (
  space: KeySpace.KeySpace,
  records: Expiring,
  storeId: string,
  clock: Clock.Clock,
  durability: RocksDB.Durability | undefined
): Persistence.BackingPersistenceStore => {
  const prefix = terminated(storeId)
  const idOf = (key: string) => concat([prefix, Strings.encode(key)])
  const run = <A>(method: string, body: Body<A>) => space.run(method, body, { durability })

  const valueOf = (key: string, record: Uint8Array | undefined): object | undefined => {
    const found = records.decode(record)
    if (found === undefined || found.expires <= clock.currentTimeMillisUnsafe()) return undefined
    return parse(space, key, found.content)
  }

  const entryOf = ([key, value, ttl]: readonly [string, object, Duration.Duration | undefined]) => ({
    id: idOf(key),
    content: stringify(value),
    expires: Persistence.unsafeTtlToExpires(clock, ttl) ?? Infinity
  })

  return {
    get: (key) =>
      attempt(`Failed to get key ${key} from the store ${storeId}`, () =>
        Effect.flatMap(space.get("get", records.key(idOf(key))), (record) =>
          KeySpace.orFail(() => valueOf(key, record))
        )
      ),
    getMany: (keys) =>
      attempt(`Failed to getMany from the store ${storeId}`, () =>
        Effect.flatMap(
          space.getMany(
            "getMany",
            Arr.map(keys, (key) => records.key(idOf(key)))
          ),
          (found) => KeySpace.orFail(() => Arr.map(keys, (key, at) => valueOf(key, found[at])))
        )
      ),
    set: (key, value, ttl) =>
      attempt(`Failed to set key ${key} in the store ${storeId}`, () => {
        const { id, ...record } = entryOf([key, value, ttl])
        return run("set", (view) => records.put(view, id, record))
      }),
    setMany: (entries) =>
      attempt(`Failed to setMany in the store ${storeId}`, () => {
        const all = entries.map(entryOf)
        return run("setMany", (view) => {
          // Asked for together, they are one read.
          view.getMany(all.map(({ id }) => records.key(id)))
          for (const { id, ...record } of all) records.put(view, id, record)
        })
      }),
    remove: (key) =>
      attempt(`Failed to remove key ${key} from the store ${storeId}`, () => {
        const id = idOf(key)
        return run("remove", (view) => records.remove(view, id))
      }),
    clear: attempt(`Failed to clear the store ${storeId}`, () =>
      run("clear", (view) => records.removeAll(view, prefix))
    )
  }
}

/** Runs a method, and tells its failure as Effect's own stores do: also one to make JSON of a value. */
const attempt = <A>(
  message: string,
  evaluate: () => Effect.Effect<A, RocksDBError.RocksDBError>
): Effect.Effect<A, Persistence.PersistenceError> =>
  Effect.suspend(() => {
    try {
      return Effect.mapError(
        evaluate(),
        (cause) => new Persistence.PersistenceError({ message: `${message}: ${cause.message}`, cause })
      )
    } catch (cause) {
      return Effect.fail(new Persistence.PersistenceError({ message: `${message}: it cannot be made JSON`, cause }))
    }
  })

const stringify = (value: object): Uint8Array => {
  const json = JSON.stringify(value)
  if (json === undefined) throw new TypeError("there is no JSON of it")
  return encoder.encode(json)
}

const parse = (space: KeySpace.KeySpace, key: string, content: Uint8Array): object => {
  try {
    return JSON.parse(Strings.utf8(content))
  } catch {
    throw KeySpace.unreadable(space, `The value of ${key}`)
  }
}

const encoder = new TextEncoder()
