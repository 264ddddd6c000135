/**
 * Imports the packages that stand on native code where there is none, and prints
 * what their layers answer. Its argument is a directory.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { readdirSync, writeSync } from "node:fs"
import { join } from "node:path"

const [directory = ""] = process.argv.slice(2)

const { RocksDB } = await import("@effect-bookie/rocksdb")
const { EntryLog } = await import("@effect-bookie/entry-log")
const { EntryLocationIndex, IndexRebuild } = await import("@effect-bookie/entry-location-index")
const { RocksDBKeyValueStore } = await import("../../src/index.ts")
writeSync(1, "imported\n")

const database = RocksDB.layer({ path: join(directory, "database") })
const rebuild = IndexRebuild.rebuild({ entryLogs: directory, database: join(directory, "index") })

const layers: Record<string, Layer.Layer<never, { readonly reason: { readonly _tag: string } }>> = {
  RocksDB: database,
  EntryLocationIndex: EntryLocationIndex.layer().pipe(Layer.provide(database)),
  RocksDBKeyValueStore: RocksDBKeyValueStore.layer().pipe(Layer.provide(database)),
  IndexRebuild: Layer.effectDiscard(rebuild),
  EntryLog: EntryLog.layer({ directory: join(directory, "logs") }),
  "EntryLog, read-only": EntryLog.layer({ directory, readOnly: true })
}

for (const [name, layer] of Object.entries(layers)) {
  const answer = Layer.build(layer).pipe(
    Effect.scoped,
    Effect.match({ onSuccess: () => "opens", onFailure: ({ reason }) => reason._tag })
  )
  writeSync(1, `${name}: ${await Effect.runPromise(answer)}\n`)
}
writeSync(1, `left: ${readdirSync(directory).join(", ")}\n`)
