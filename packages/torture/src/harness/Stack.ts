/**
 * What an application has: gauges over an index over a database, and entry logs
 * beside them; and the order in which they were released.
 */
import { EntryLocationIndex, EntryLocationMetrics } from "@effect-bookie/entry-location-index"
import { EntryLog } from "@effect-bookie/entry-log"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { PropertyGauge, RocksDB } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ThisEngine from "./ThisEngine.ts"

/** How to open them. */
export interface Options {
  readonly directory: string
  readonly index?: EntryLocationIndex.Options | undefined
  readonly database?: Omit<RocksDB.Options, "path"> | undefined
  readonly logs?: Omit<EntryLog.Options, "directory"> | undefined
  /** Is told of each resource that was released. */
  readonly onRelease?: ((resource: string) => void) | undefined
}

/** The directories below the one of the options. */
export const directories = (directory: string) => ({ index: `${directory}/index`, logs: `${directory}/logs` })

/** Provides all of it. */
export const layer = ({ database, directory, index, logs, onRelease }: Options) =>
  Layer.mergeAll(EntryLocationMetrics.layer, PropertyGauge.layerAll).pipe(
    Layer.provideMerge(EntryLocationIndex.layer(index)),
    Layer.provideMerge(RocksDB.layerWithoutEngine({ ...database, path: directories(directory).index })),
    Layer.provide(ThisEngine.layer),
    Layer.provide(
      Lifecycle.layer(({ _tag, resource }) =>
        Effect.sync(() => {
          if (_tag === "Released") onRelease?.(resource)
        })
      )
    ),
    Layer.merge(EntryLog.layer({ ...logs, directory: directories(directory).logs }))
  )

/** What is wrong with the order of releases; `undefined` if it is as promised. */
export const problemOf = (released: ReadonlyArray<string>): string | undefined => {
  const expected = ["entry-location-index", "rocksdb.operations", "rocksdb.wal", "rocksdb"]
  const gauges = released.slice(0, -expected.length)
  const isInOrder =
    gauges.length > 0 &&
    gauges.every((resource) => resource.startsWith("gauge:")) &&
    released.slice(-expected.length).join() === expected.join()
  return isInOrder ? undefined : `released in the order ${released.join(", ")}`
}
