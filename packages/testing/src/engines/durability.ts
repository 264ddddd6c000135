/**
 * What has been acknowledged survives, on every engine: `suite(name, layer)`.
 */
import { assert, it } from "@effect/vitest"
import { Effect, type Layer, Stream } from "effect"
import { Engine, RocksDB, type RocksDBError } from "@effect-bookie/rocksdb"
import { pair } from "../bytes.ts"
import { temporaryDirectory } from "../directory.ts"
import * as Program from "./program.ts"

/** Declares the tests of an engine. */
export const suite = (name: string, layer: Layer.Layer<Engine.Engine, RocksDBError.RocksDBError>): void => {
  it.layer(layer)(name, (it) => {
    it.effect("every acknowledged write survives that the process is killed, again and again", () =>
      Effect.gen(function* () {
        const { name } = yield* Engine.Engine
        const path = yield* temporaryDirectory
        const acknowledged = new Set<string>()
        for (const lines of [1, 300, 1500]) {
          for (const key of yield* killAfter(lines, name, path)) acknowledged.add(key)
          const left = yield* entriesAt(path)
          for (const key of acknowledged) assert.strictEqual(left.get(key), key.repeat(100))
          // What was written in one batch is there as a whole: of the two keys of a batch only the second stays.
          for (const key of left.keys()) assert.match(key, /^\d-\d{6}$/)
        }
      })
    )
  })
}

/** The keys that a writer had acknowledged when it was killed, after so many of them or some more. */
const killAfter = (lines: number, engine: string, path: string) =>
  Effect.gen(function* () {
    const child = yield* Program.start("write", engine, path)
    yield* child.lines(lines)
    yield* child.kill("SIGKILL")
    const { signal, stderr, stdout } = yield* child.ended
    assert.strictEqual(signal, "SIGKILL", stderr)
    // The last line may have been cut in two.
    return stdout.split("\n").slice(0, -1)
  }).pipe(Effect.scoped)

const entriesAt = (path: string) =>
  RocksDB.make({ path, createIfMissing: false }).pipe(
    Effect.flatMap((database) => Stream.runCollect(database.stream())),
    Effect.map((entries) => new Map(entries.map(pair).map((entry) => [entry.slice(0, 8), entry.slice(9)] as const))),
    Effect.scoped
  )
