/**
 * Examines a copy that was taken of an open directory, file by file: opens its
 * index and reads everything, then rebuilds the index from its entry logs, and
 * reports. Arguments: the copy, and as JSON pairs of ledgers and counts what its
 * logs must hold at least.
 */
import { IndexRebuild } from "@effect-bookie/entry-location-index"
import { EntryLog } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Fs from "node:fs"
import { Findings } from "../../harness/Findings.ts"
import * as Report from "../../harness/Report.ts"
import * as Stack from "../../harness/Stack.ts"
import * as ThisEngine from "../../harness/ThisEngine.ts"
import { Answers } from "../../model/Answers.ts"
import * as IndexState from "../../model/IndexState.ts"
import * as Storing from "../../model/Storing.ts"

const [directory = "", least = ""] = process.argv.slice(2)

const findings = new Findings()
const figures = { opened: 0, rebuilt: 0 }

/** The index opens as it may, and what it says is read as it was stored, or refused. */
const read = Effect.gen(function* () {
  const answers = new Answers((wrong) => findings.add(wrong))
  const index = yield* answers.attempt("open", IndexState.open(directory))
  const log = yield* answers.attempt("open", EntryLog.make({ directory: Stack.directories(directory).logs }))
  if (index === undefined || log === undefined) return
  figures.opened = 1
  for (const [key, location] of yield* IndexState.scan(answers, index)) {
    const { entryId, ledgerId, payload } = Storing.entryOfKey(key)
    const found = yield* answers.attempt("read", log.read(ledgerId, entryId, location))
    if (found !== undefined && Buffer.compare(found, payload) !== 0) findings.add(`entry ${key} has other bytes`)
  }
  yield* answers.attempt("entryCount", index.entryCount)
}).pipe(Effect.scoped)

/** The logs alone are enough. */
const rebuild = Effect.gen(function* () {
  const { index, logs } = Stack.directories(directory)
  Fs.rmSync(index, { recursive: true, force: true })
  const rebuilt = yield* Effect.result(IndexRebuild.rebuildWithoutEngine({ entryLogs: logs, database: index }))
  if (rebuilt._tag === "Failure") return findings.add(`no index can be rebuilt: ${rebuilt.failure.message}`)
  figures.rebuilt = 1
  const verify = Storing.verify(new Map<number, number>(JSON.parse(least)), findings)
  yield* Effect.orDie(Effect.provide(verify, Stack.layer({ directory })))
})

// What RocksDB 6.17 scans of a damaged file may end the process; no copy is promised to be whole.
const program = ThisEngine.isLevel ? rebuild : Effect.andThen(read, rebuild)
await Effect.runPromise(program.pipe(Effect.provide([ThisEngine.layer, Logger.layer([])])))
Report.print({ figures, found: findings.all })
