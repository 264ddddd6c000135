/**
 * `rebuild`: rebuilds that are killed at any moment, also in the midst of
 * putting the new index in its place.
 */
import { IndexRebuild } from "@effect-bookie/entry-location-index"
import { EntryId, EntryLog, LedgerId } from "@effect-bookie/entry-log"
import { NativeEngine } from "@effect-bookie/rocksdb"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Path from "node:path"
import type { Campaign, Outcome, Settings } from "../../harness/Campaign.ts"
import * as Directory from "../../harness/Directory.ts"
import { Findings } from "../../harness/Findings.ts"
import * as Kill from "../../harness/Kill.ts"
import * as Process from "../../harness/Process.ts"
import * as Random from "../../harness/Random.ts"
import { repeat } from "../../harness/Rounds.ts"
import { Answers } from "../../model/Answers.ts"
import * as IndexState from "../../model/IndexState.ts"
import { indexIn, keyOf, logsIn } from "../../model/Inspection.ts"
import type { Placed } from "../../model/Pristine.ts"

/** The campaign. */
export const rebuild: Campaign = {
  name: "rebuild",
  promise:
    "A rebuild that is killed leaves the old index or the new one, whole, and nothing that the next one does not remove.",
  run: (settings) => Effect.scoped(Effect.flatMap(Directory.inMemory, (room) => run(settings, room)))
}

const kills = 100

/** Fewer kills meet too few of the steps of a rebuild. */
const leastScale = 0.24

/** How many rebuilds work at a time. */
const lanes = 2

/** In milliseconds: some rebuilds of the logs below. */
const longestLife = 700

const ledgers = 50
const entriesOfLedger = 400

interface Totals {
  older: number
  newer: number
  cleared: number
}

const run = (settings: Settings, room: string): Effect.Effect<Outcome> =>
  Effect.gen(function* () {
    const findings = new Findings()
    const totals: Totals = { older: 0, newer: 0, cleared: 0 }
    const done = yield* Effect.forEach(
      Array.from({ length: lanes }, (_, lane) => lane),
      Effect.fnUntraced(function* (lane: number) {
        const random = Random.make(settings.seed * lanes + lane)
        const directory = Path.join(room, String(lane))
        const written = yield* Effect.orDie(Effect.scoped(write(directory)))
        yield* rebuildOnce(directory, BigInt(ledgers) - 1n, findings)
        let next = 0n
        return yield* repeat({ ...settings, scale: Math.max(leastScale, settings.scale) }, kills / lanes, () =>
          Effect.map(killOnce(random, directory, next, written, findings, totals), (following) => {
            next = following
            return findings.none
          })
        )
      }),
      { concurrency: "unbounded" }
    )
    return {
      did:
        `${done.reduce((sum, count) => sum + count, 0)} kills: the old index ${totals.older} times, the new one ` +
        `${totals.newer} times, ${totals.cleared} times with something beside it to remove`,
      found: findings.all
    }
  })

/** Appends the entries of some ledgers, each of them twice, and answers where they are. */
const write = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<IndexState.State, unknown, Scope.Scope> {
  const log = yield* EntryLog.make({ directory: logsIn(directory), maxLogSize: "1 MiB" })
  const written = new Map<string, Placed>()
  for (let pass = 0; pass < 2; pass++) {
    for (let ledger = 0; ledger < ledgers; ledger++) {
      const entries = Array.from({ length: entriesOfLedger }, (_, entry) => ({
        ledgerId: LedgerId.make(BigInt(ledger)),
        entryId: EntryId.make(BigInt(entry)),
        payload: new Uint8Array(pass + (entry % 50))
      }))
      for (const [at, location] of (yield* log.appendAll(entries)).entries()) {
        const entry = entries[at]
        if (entry !== undefined) written.set(keyOf(entry.ledgerId, entry.entryId), { ...entry, location })
      }
    }
  }
  return written
})

/** The ledger that the next rebuild leaves out. */
const after = (left: bigint): bigint => (left + 1n) % BigInt(ledgers)

/** Rebuilds in this process, to the end. */
const rebuildOnce = Effect.fnUntraced(function* (directory: string, left: bigint, findings: Findings) {
  const rebuilt = yield* Effect.result(
    IndexRebuild.rebuild({
      entryLogs: logsIn(directory),
      database: indexIn(directory),
      includes: (ledgerId) => ledgerId !== left
    })
  )
  if (rebuilt._tag === "Failure") findings.add(`the next rebuild fails: ${rebuilt.failure.message}`)
})

/** Kills a rebuild, and answers the ledger that the next one is to leave out. */
const killOnce = Effect.fnUntraced(function* (
  random: Random.Random,
  directory: string,
  first: bigint,
  written: IndexState.State,
  findings: Findings,
  totals: Totals
) {
  const { ended, when } = yield* random.oneIn(2)
    ? killedAfter(random, directory, first)
    : killedAtChange(random, directory, first)
  const lines = ended.stdout.split("\n").slice(0, -1)
  const underWay = BigInt(lines.findLast((line) => line.startsWith("begin"))?.slice("begin ".length) ?? first)
  const where = `killed ${when}, the rebuild without ledger ${underWay} under way`
  if (ended.signal !== "SIGKILL" || ended.hung) findings.add(`${where}: it ${Process.describe(ended)}`)

  const isOver = lines.at(-1) === `end ${underWay}`
  const before = (underWay + BigInt(ledgers) - 1n) % BigInt(ledgers)
  const holds = yield* whatIsThere(directory, written, findings, where)
  if (holds === underWay) totals.newer += 1
  else if (holds === before && !isOver) totals.older += 1
  else findings.add(`${where}: the index is that of ${holds === undefined ? "no rebuild" : `the one without ${holds}`}`)

  if (Fs.readdirSync(directory).length > 2) totals.cleared += 1
  if (random.oneIn(2)) return holds === underWay ? after(underWay) : underWay
  yield* rebuildOnce(directory, underWay, findings)
  const left = Fs.readdirSync(directory).toSorted()
  if (left.join() !== "index,logs") findings.add(`${where}: after the next rebuild there is ${left.join(" and ")}`)
  return after(underWay)
})

/** Which ledger the index at the path leaves out; `undefined` if it is none of these indexes, or not whole. */
const whatIsThere = Effect.fnUntraced(
  function* (directory: string, written: IndexState.State, findings: Findings, where: string) {
    const outcome = new Answers((wrong) => findings.add(`${where}: ${wrong}`))
    const index = yield* outcome.attempt("open", IndexState.open(directory))
    if (index === undefined) return undefined
    const found = yield* IndexState.scan(outcome, index)
    const count = yield* outcome.attempt("entryCount", index.entryCount)
    if (outcome.hasErrors) findings.add(`${where}: ${outcome.summary}`)
    if (count !== BigInt(found.size)) findings.add(`${where}: it counts ${count} entries and holds ${found.size}`)
    const missing = [...written].find(([key]) => !found.has(key))?.[1].ledgerId
    const expected = new Map([...written].filter(([, { ledgerId }]) => ledgerId !== missing))
    return IndexState.isWhole(expected, found) ? (missing ?? -1n) : undefined
  },
  Effect.scoped,
  Effect.provide(Layer.orDie(NativeEngine.layer))
)

const killedAfter = Effect.fnUntraced(function* (random: Random.Random, directory: string, first: bigint) {
  const millis = random.below(longestLife)
  const moment = { after: "\n", millis }
  const ended = yield* Kill.at(
    moment,
    Process.program("campaigns/rebuild/rebuilder", directory, String(first), String(ledgers))
  )
  return { ended, when: `after ${millis} ms` }
})

/** Kills a rebuild as soon as so many names have changed beside the index: it makes, exchanges and removes them. */
const killedAtChange = Effect.fnUntraced(function* (random: Random.Random, directory: string, first: bigint) {
  const changes = 1 + random.below(8)
  const child = yield* Process.start(
    Process.program("campaigns/rebuild/rebuilder", directory, String(first), String(ledgers))
  )
  const watcher = Fs.watch(directory)
  yield* Effect.callback<void>((resume) => {
    let seen = 0
    watcher.on("change", (event) => {
      if (event === "rename") seen += 1
      if (seen >= changes) resume(Effect.void)
    })
  }).pipe(Effect.timeoutOption("20 seconds"), Effect.ensuring(Effect.sync(() => watcher.close())))
  yield* child.kill("SIGKILL")
  return { ended: yield* child.ended, when: `at change ${changes}` }
}, Effect.scoped)
