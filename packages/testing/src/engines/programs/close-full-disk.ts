/**
 * Lets a disk become full while a database writes what is in memory to a file,
 * closes it there, and makes room meanwhile. Prints what was seen, as JSON.
 * Arguments: the engine, the directory of the database, a file on the same disk
 * to fill it with, and how many seconds after the close began there is room.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import * as Fs from "node:fs"
import { RocksDB } from "@effect-bookie/rocksdb"
import { args, engine } from "./engine.ts"

const [path = "", filler = "", secondsUntilRoom = ""] = args

const layer = Layer.provide(
  RocksDB.layerWithoutEngine({ path, writeBufferSize: "64 KiB", shutdownDeadline: "5 seconds" }),
  engine
)

const fill = () => {
  const file = Fs.openSync(filler, "a")
  try {
    while (true) Fs.writeSync(file, Buffer.alloc(4096))
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "ENOSPC")) throw cause
  } finally {
    Fs.closeSync(file)
  }
}

let acknowledged = 0

/** The disk becomes full just before the write with which RocksDB begins to write a file. */
const work = Effect.gen(function* () {
  const database = yield* RocksDB.RocksDB
  const put = (size: number) =>
    Effect.suspend(() => database.put(Buffer.from(`key${acknowledged}`), randomBytes(size))).pipe(
      Effect.tap(() => Effect.sync(() => (acknowledged += 1)))
    )
  while (true) {
    yield* put(100_000)
    fill()
    const { reason } = yield* Effect.flip(Effect.forever(put(1_000)))
    // RocksDB is between two of its own attempts by then.
    yield* Effect.sleep("3 seconds")
    const unwritten = Number(yield* database.property("rocksdb.num-immutable-mem-table"))
    if (unwritten > 0) return { refusal: reason._tag, unwritten }
    // The write was refused before RocksDB saw it.
    Fs.rmSync(filler)
  }
})

const program = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const services = yield* Layer.buildWithScope(layer, scope)
  const seen = yield* Effect.provideContext(work, services)
  setTimeout(() => Fs.rmSync(filler), Number(secondsUntilRoom) * 1000)
  const closed = yield* Effect.exit(Scope.close(scope, Exit.void))
  const hasRoom = !Fs.existsSync(filler)
  while (Fs.existsSync(filler)) yield* Effect.sleep("50 millis")
  // A handle that was not let go in time is let go once there is room.
  const entries = yield* Effect.flatMap(RocksDB.RocksDB, (database) => Stream.runCount(database.stream())).pipe(
    Effect.provide(layer),
    Effect.retry({
      while: ({ reason }) => reason._tag === "Locked",
      times: 100,
      schedule: Schedule.spaced("100 millis")
    })
  )
  const problem = Exit.isFailure(closed) ? Cause.pretty(closed.cause) : ""
  console.log(JSON.stringify({ ...seen, acknowledged, entries, hasRoom, problem }))
})

await Effect.runPromise(Effect.timeout(program, "50 seconds"))
