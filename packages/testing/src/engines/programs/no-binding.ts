/**
 * Uses the package where Node loads no native addon, and prints a line about
 * each thing that was tried. A second argument `later` means that addons cannot
 * be loaded at first, and then can.
 */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { existsSync } from "node:fs"
import { NativeEngine, PropertyGauge, RocksDB, RocksDBError } from "@effect-bookie/rocksdb"
import { LevelEngine } from "@effect-bookie/rocksdb-level"

const [path = "", when] = process.argv.slice(2)

const say = (what: string, exit: Exit.Exit<unknown, RocksDBError.RocksDBError>): void => {
  const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.findErrorOption(exit.cause)) : undefined
  if (Exit.isSuccess(exit)) console.log(`${what}: success`)
  else console.log(`${what}: ${error?.reason._tag} ${error?.message ?? String(exit)}`)
}

const attempt = <A>(what: string, layer: Layer.Layer<A, RocksDBError.RocksDBError>) =>
  Effect.map(Effect.exit(Effect.scoped(Layer.build(Layer.fresh(layer)))), (exit) => say(what, exit))

const program = Effect.gen(function* () {
  yield* attempt("layer", RocksDB.layer({ path }))
  yield* attempt("gauges", Layer.provide(PropertyGauge.layerAll, RocksDB.layer({ path })))
  yield* attempt("layerTemp", RocksDB.layerTemp())
  yield* attempt("native", NativeEngine.layer)
  yield* attempt("level", LevelEngine.layer)
  console.log(`directory: ${existsSync(path) ? "made" : "not made"}`)
  const options = yield* Config.unwrap(RocksDB.config)
  console.log(`config: ${options.path} ${options.durability}`)
  const error = RocksDBError.fromNative(new Error("no space left on device"), { operation: "write", path })
  console.log(`error: ${error.reason._tag} ${error.isRetryable}`)
}).pipe(
  Effect.provideService(
    ConfigProvider.ConfigProvider,
    ConfigProvider.fromEnvRecord({ ROCKSDB_PATH: "data", ROCKSDB_DURABILITY: "buffered" })
  )
)

if (when === "later") {
  const dlopen = process.dlopen
  process.dlopen = () => {
    throw new Error("there are too many open files")
  }
  await Effect.runPromise(attempt("layer", RocksDB.layer({ path })))
  process.dlopen = dlopen
  await Effect.runPromise(attempt("layer, later", RocksDB.layer({ path })))
} else {
  await Effect.runPromise(program)
}
