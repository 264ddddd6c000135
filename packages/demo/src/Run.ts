/**
 * One run of the demo: store, compare, delete, rebuild, and show the gauges.
 */
import { EntryLocationIndex, IndexRebuild } from "@effect-bookie/entry-location-index"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"
import * as Comparison from "./Comparison.ts"
import * as Corpus from "./Corpus.ts"
import * as Ingest from "./Ingest.ts"
import * as LedgerMetadata from "./LedgerMetadata.ts"
import * as Progress from "./Progress.ts"
import * as Readback from "./Readback.ts"
import * as Rebuilding from "./Rebuilding.ts"
import * as Removal from "./Removal.ts"
import * as Storage from "./Storage.ts"

/** Runs `after` while everything is still open, once every comparison has held. */
export const run = Effect.fnUntraced(function* <E, R>(
  data: string,
  names: ReadonlyArray<string>,
  after: Effect.Effect<void, E, R>
) {
  const fs = yield* FileSystem.FileSystem
  yield* fs.makeDirectory(data, { recursive: true })
  const directories = Storage.directories(data)
  const files = yield* Corpus.files(names, data)
  const metadata = yield* LedgerMetadata.open(directories.metadata)
  yield* recover(directories, metadata)
  yield* work(directories, files, metadata).pipe(Effect.andThen(after), Effect.provide(Storage.layer(directories)))
})

/** An index that may lag behind its logs, because a run was killed, is built anew from them. */
const recover = Effect.fnUntraced(function* (
  { index, logs }: Storage.Directories,
  metadata: LedgerMetadata.LedgerMetadata
) {
  const fs = yield* FileSystem.FileSystem
  if (!metadata.interrupted || !(yield* fs.exists(logs))) return
  const { entries } = yield* IndexRebuild.rebuild({ entryLogs: logs, database: index, includes: metadata.includes })
  yield* Console.log(`recovered  ${entries} entries: the run before did not come to its end`)
})

const work = Effect.fnUntraced(function* (
  directories: Storage.Directories,
  files: ReadonlyArray<string>,
  metadata: LedgerMetadata.LedgerMetadata
) {
  const comparison = yield* Comparison.make
  const ledgers = yield* store(files, metadata)
  yield* readBack(ledgers, comparison)
  yield* showLastEntries(ledgers)
  const [smallest] = ledgers
  if (smallest !== undefined) yield* Removal.show(smallest.file, metadata, comparison)
  yield* Rebuilding.show({ database: directories.rebuilt, entryLogs: directories.logs }, metadata, comparison)
  yield* metadata.end
  yield* Console.log(`\n${(yield* PrometheusMetrics.format()).trimEnd()}\n`)
  yield* comparison.conclude
})

interface Ledger extends Ingest.Stored {
  readonly file: string
}

const store = Effect.fnUntraced(function* (files: ReadonlyArray<string>, metadata: LedgerMetadata.LedgerMetadata) {
  const progress = yield* Progress.start("stored", yield* sizeOf(files))
  const ledgers: Array<Ledger> = []
  for (const file of files) ledgers.push({ file, ...(yield* Ingest.file(file, metadata, progress)) })
  const added = sum(ledgers.map((ledger) => ledger.added))
  const known = sum(ledgers.map((ledger) => ledger.known))
  yield* progress.done(`${ledgers.length} files as ledgers: ${added} lines added as entries, ${known} known already`)
  return ledgers
})

const readBack = Effect.fnUntraced(function* (ledgers: ReadonlyArray<Ledger>, comparison: Comparison.Comparison) {
  const progress = yield* Progress.start("read back", yield* sizeOf(ledgers.map(({ file }) => file)))
  let lines = 0
  for (const { file, ledgerId } of ledgers) lines += yield* Readback.compare(file, ledgerId, comparison, progress)
  yield* progress.done(`${lines} lines through the index, compared with the files byte for byte`)
})

const showLastEntries = Effect.fnUntraced(function* (ledgers: ReadonlyArray<Ledger>) {
  const index = yield* EntryLocationIndex.EntryLocationIndex
  const path = yield* Path.Path
  yield* Console.log("last entries")
  for (const { file, ledgerId } of ledgers) {
    const last = yield* index.getLastEntryInLedger(ledgerId)
    yield* Console.log(
      `  ledger ${ledgerId}: ${last === undefined ? "no entries" : `entry ${last}`}, ${path.relative(".", file)}`
    )
  }
})

const sizeOf = (files: ReadonlyArray<string>) =>
  FileSystem.FileSystem.use((fs) =>
    Effect.map(
      Effect.forEach(files, (file) => fs.stat(file)),
      (infos) => sum(infos.map(({ size }) => Number(size)))
    )
  )

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((total, number) => total + number, 0)
