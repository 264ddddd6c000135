/**
 * The rooms of the product, composed: gauges over the index over the database,
 * and the entry logs beside them. Each release is told in a line.
 */
import { EntryLocationIndex, EntryLocationMetrics } from "@effect-bookie/entry-location-index"
import { EntryLog } from "@effect-bookie/entry-log"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { PropertyGauge, RocksDB } from "@effect-bookie/rocksdb"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Where a run keeps its data. */
export interface Directories {
  readonly index: string
  readonly rebuilt: string
  readonly logs: string
  readonly metadata: string
}

/** The directories below the data directory. */
export const directories = (data: string): Directories => ({
  index: `${data}/index`,
  rebuilt: `${data}/index.check`,
  logs: `${data}/logs`,
  metadata: `${data}/ledgers.json`
})

/** Everything that a run needs, released in order when it ends. */
export const layer = ({ index, logs }: Directories) =>
  Layer.mergeAll(EntryLocationMetrics.layer, PropertyGauge.layerAll).pipe(
    Layer.provideMerge(EntryLocationIndex.layer()),
    Layer.provideMerge(RocksDB.layer({ path: index })),
    Layer.provide(Lifecycle.layer(tell)),
    Layer.merge(EntryLog.layer({ directory: logs }))
  )

const tell: Lifecycle.Listener = ({ _tag, resource }) =>
  _tag === "Released" ? Console.log(`released ${resource}`) : Effect.void
