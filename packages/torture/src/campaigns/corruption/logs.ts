/**
 * Mutants of entry logs.
 *
 * An entry whose bytes are all there is read as it was, by its location and by
 * scans up to the damage. One that was hit is read as the file holds it or
 * refused: the format has no checksum, which is why a payload brings its own.
 * Never are the bytes of one entry answered for another one.
 */
import { IndexRebuild } from "@effect-bookie/entry-location-index"
import { EntryId, EntryLog, LedgerId, Location } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Fs from "node:fs"
import type { Random } from "../../harness/Random.ts"
import { Answers } from "../../model/Answers.ts"
import * as IndexState from "../../model/IndexState.ts"
import { indexIn, keyOf, logsIn } from "../../model/Inspection.ts"
import { lastOf, type Placed, type Pristine } from "../../model/Pristine.ts"
import * as Mutation from "./Mutation.ts"

/** Damages an entry log, and reads it. */
export const mutant = Effect.fnUntraced(function* (
  pristine: Pristine,
  directory: string,
  random: Random,
  outcome: Answers,
  tell: (what: string) => void
) {
  const path = logsIn(directory)
  const names = Fs.readdirSync(path).filter((name) => name.endsWith(".log"))
  const mutation = Mutation.mutate(random, path, names)
  tell(`${mutation.file} ${mutation.what}`)
  yield* Effect.scoped(read(pristine, path, mutation, outcome))
  if (random.oneIn(3)) yield* rebuild(pristine, directory, mutation, outcome)
})

const read = Effect.fnUntraced(function* (
  pristine: Pristine,
  path: string,
  mutation: Mutation.Mutation,
  outcome: Answers
) {
  const log = yield* outcome.attempt("open", EntryLog.make({ directory: path, readOnly: true }))
  if (log === undefined) return
  for (const entry of pristine.appended) {
    const payload = yield* outcome.attempt("read", log.read(entry.ledgerId, entry.entryId, entry.location))
    const isRight = payload !== undefined && Buffer.compare(payload, entry.payload) === 0
    if (isRight) continue
    if (!isHit(mutation, entry)) outcome.wrong(`the intact entry ${describe(entry)} is not read`)
    if (payload !== undefined) outcome.note("a payload that its own checksum must refuse")
  }
  const scanned = new Map<bigint, EntryLog.LocatedEntry>()
  yield* outcome.attempt(
    "scan",
    Stream.runForEach(log.scan(), (entry) => Effect.sync(() => scanned.set(entry.location, entry)))
  )
  for (const entry of pristine.appended) {
    if (!isBefore(mutation, entry)) continue
    const found = scanned.get(entry.location)
    if (found === undefined || found.entryId !== entry.entryId || Buffer.compare(found.payload, entry.payload) !== 0) {
      outcome.wrong(`the entry ${describe(entry)} before the damage is not scanned`)
    }
  }
  yield* outcome.attempt("logs", log.logs)
})

/** The old index stays, or the new one holds what the logs do: every entry whose bytes are all there, too. */
const rebuild = Effect.fnUntraced(function* (
  pristine: Pristine,
  directory: string,
  mutation: Mutation.Mutation,
  outcome: Answers
) {
  const entryLogs = logsIn(directory)
  const rebuilt = yield* outcome.attempt(
    "rebuild",
    IndexRebuild.rebuild({ entryLogs, database: indexIn(directory), includes: (id) => !pristine.deleted.has(id) })
  )
  const after = new Answers((what) => outcome.wrong(what))
  yield* Effect.gen(function* () {
    const index = yield* after.attempt("open", IndexState.open(directory))
    if (index === undefined) return
    const found = yield* IndexState.scan(after, index)
    if (after.hasErrors)
      outcome.wrong(`after a rebuild that ${rebuilt ? "succeeded" : "failed"}, the index is not whole`)
    if (rebuilt === undefined) {
      if (!IndexState.isWhole(lastOf(pristine), found)) outcome.wrong("a rebuild that failed changed the index")
      return
    }
    if (rebuilt.entries !== BigInt(found.size)) outcome.wrong("the rebuilt index does not hold what the rebuild says")
    for (const entry of pristine.appended) {
      if (pristine.deleted.has(entry.ledgerId) || isHit(mutation, entry)) continue
      if ((found.get(keyOf(entry.ledgerId, entry.entryId)) ?? -1n) >= entry.location) continue
      outcome.wrong(`a rebuild succeeded without the intact entry ${describe(entry)}`)
    }
    const log = yield* Effect.orDie(EntryLog.make({ directory: entryLogs, readOnly: true }))
    for (const [key, location] of found) {
      const [ledgerId = "", entryId = ""] = key.split(":")
      const read = yield* Effect.result(
        log.read(LedgerId.make(BigInt(ledgerId)), EntryId.make(BigInt(entryId)), location)
      )
      if (read._tag === "Failure") outcome.wrong(`the rebuilt index says ${key} is where it is not`)
    }
  }).pipe(Effect.scoped)
})

const describe = ({ entryId, ledgerId, location }: Placed): string => `${keyOf(ledgerId, entryId)} at ${location}`

/** Whether a damage changed bytes of an entry, its size field included. */
const isHit = (mutation: Mutation.Mutation, { location, payload }: Placed): boolean => {
  const start = Location.position(location) - 4
  return (
    logsOf(mutation).includes(Location.logId(location)) &&
    mutation.from < start + 20 + payload.length &&
    start < mutation.to
  )
}

/** Whether a scan must have come to an entry before it comes to the damage; a damaged header costs the whole log. */
const isBefore = (mutation: Mutation.Mutation, entry: Placed): boolean => {
  const first = Math.min(...logsOf(mutation))
  const logId = Location.logId(entry.location)
  if (logId !== first) return logId < first
  return mutation.from >= 1024 && Location.position(entry.location) + 16 + entry.payload.length <= mutation.from
}

/** The ids of the logs that a damage changed. */
const logsOf = ({ file, what }: Mutation.Mutation): ReadonlyArray<number> =>
  [file, /^exchanged with (.*)$/.exec(what)?.[1] ?? file].map((name) => Number.parseInt(name, 16))
