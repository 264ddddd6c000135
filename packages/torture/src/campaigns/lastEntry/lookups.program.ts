/**
 * Times lookups of last entries in two indexes, turn about: one from which many
 * ledgers were deleted, and one from which none were. Reports. Arguments: the
 * directory, the seed, how many ledgers to delete, how many turns.
 */
import { EntryId, EntryLocationIndex, LedgerId, Location } from "@effect-bookie/entry-location-index"
import { RocksDB } from "@effect-bookie/rocksdb"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Findings } from "../../harness/Findings.ts"
import * as Random from "../../harness/Random.ts"
import * as Report from "../../harness/Report.ts"

const [directory = "", seed = "", deleted = "", turns = ""] = process.argv.slice(2)

type Index = EntryLocationIndex.EntryLocationIndex["Service"]

const findings = new Findings()
const random = Random.make(Number(seed))
const figures: Record<string, number> = { lookups: 0 }

/** How many ledgers live, with as many deleted ones in a row below them as above. */
const living = 1_000
const deletedBelow = Math.floor(Number(deleted) / 2)

const livingLedger = (number: number) => LedgerId.make(BigInt(deletedBelow + number))
const deletedLedger = (number: number) => LedgerId.make(BigInt(number < deletedBelow ? number : living + number))

/** In entries: the last one of each ledger, on the second page. */
const lastEntry = EntryId.make(300n)

const addLedgers = Effect.fnUntraced(function* (
  index: Index,
  count: number,
  ledger: (number: number) => LedgerId.LedgerId
) {
  for (let start = 0; start < count; start += 500) {
    const ledgers = Array.from({ length: Math.min(500, count - start) }, (_, at) => ledger(start + at))
    yield* index.addLocations(
      ledgers.flatMap((ledgerId) =>
        [EntryId.make(0n), lastEntry].map((entryId) => ({ ledgerId, entryId, location: Location.make(1n) }))
      )
    )
  }
})

const deleteLedgers = Effect.fnUntraced(function* (index: Index, count: number) {
  for (let start = 0; start < count; start += 500) {
    yield* index.deleteLedgers(
      Array.from({ length: Math.min(500, count - start) }, (_, at) => deletedLedger(start + at))
    )
  }
})

/** With hardly a cache or a journal, so that each lookup reads pages; without compaction, so that what was deleted lies in its way. */
const open = (name: string) =>
  Effect.map(
    Layer.build(
      Layer.provide(
        EntryLocationIndex.layer({
          pageCacheSize: 0,
          memtableSize: "4 KiB",
          compactionInterval: "1 day",
          durability: "buffered"
        }),
        RocksDB.layer({ path: `${directory}/${name}` })
      )
    ),
    (context) => Context.get(context, EntryLocationIndex.EntryLocationIndex)
  )

/** In milliseconds, for some lookups. */
const time = Effect.fnUntraced(function* (index: Index, ledgers: ReadonlyArray<LedgerId.LedgerId>, isThere: boolean) {
  const start = performance.now()
  for (const ledgerId of ledgers) {
    const last = yield* index.getLastEntryInLedger(ledgerId)
    if (last !== (isThere ? lastEntry : undefined)) findings.add(`the last entry of ledger ${ledgerId} is ${last}`)
  }
  figures["lookups"] = (figures["lookups"] ?? 0) + ledgers.length
  return performance.now() - start
})

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? 0

/**
 * By how much the lookups are slower where ledgers were deleted: the median of turns in which both are timed, so that
 * what else the machine does falls on both.
 */
const compare = Effect.fnUntraced(function* (clean: Index, worn: Index, isThere: boolean) {
  const choose = isThere ? () => livingLedger(random.below(living)) : () => deletedLedger(random.below(Number(deleted)))
  const ratios: Array<number> = []
  for (let turn = 0; turn < Number(turns); turn++) {
    const ledgers = Array.from({ length: 50 }, choose)
    const timeClean = time(clean, ledgers, isThere)
    const timeWorn = time(worn, ledgers, isThere)
    // Whichever comes first warms what both use.
    if (turn % 2 === 0) {
      const cleanMillis = yield* timeClean
      ratios.push((yield* timeWorn) / cleanMillis)
    } else {
      const wornMillis = yield* timeWorn
      ratios.push(wornMillis / (yield* timeClean))
    }
  }
  return median(ratios)
})

const compareBoth = Effect.fnUntraced(function* (when: string) {
  const clean = yield* open("clean")
  const worn = yield* open("worn")
  if (when === "at once") {
    yield* addLedgers(clean, living, livingLedger)
    yield* addLedgers(worn, living, livingLedger)
    yield* addLedgers(worn, Number(deleted), deletedLedger)
    yield* deleteLedgers(worn, Number(deleted))
  }
  for (const isThere of [true, false]) {
    const what = isThere ? "an existing" : "a missing"
    // What else the machine does may still fall on one of the two, but not time and again.
    let ratio = Infinity
    for (let measurement = 0; measurement < maxMeasurements && ratio > bound; measurement++) {
      ratio = Math.min(ratio, yield* compare(clean, worn, isThere))
    }
    figures[`${what} ledger ${when}`] = ratio
    findings.check(ratio <= bound, `${when}, the last entry of ${what} ledger costs ${ratio.toFixed(2)} times as much`)
  }
}, Effect.scoped)

/** How many times the cost over no deleted ledgers it may be. */
const bound = 2

const maxMeasurements = 5

await Effect.runPromise(Effect.andThen(compareBoth("at once"), compareBoth("reopened")))
Report.print({ figures, found: findings.all })
