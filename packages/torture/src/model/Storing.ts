/**
 * Writers that store entries with one ledger each, as an application does it:
 * append, sync, index. What an entry holds follows from its ids.
 */
import { EntryId, EntryLocationIndex, LedgerId } from "@effect-bookie/entry-location-index"
import { EntryLog } from "@effect-bookie/entry-log"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import type { Findings } from "../harness/Findings.ts"

/** The line by which a process tells how many entries of a ledger are acknowledged. */
export const acknowledgedLine = (ledger: number, count: number): string => `acknowledged ${ledger} ${count}\n`

/** What the last of these lines tell of each ledger. */
export const readAcknowledged = (printed: string): ReadonlyMap<number, number> => {
  const counts = new Map<number, number>()
  for (const [, ledger, count] of printed.matchAll(/^acknowledged (\d+) (\d+)\n/gm)) {
    counts.set(Number(ledger), Number(count))
  }
  return counts
}

/** How many writers there are. */
export const writers = 8

/**
 * Stores until so many batches were acknowledged; the writers go on after that for as long as the fiber does. Tells how
 * many entries of a ledger are acknowledged, each time that there are more. Each writer pauses after a batch.
 */
export const until = (
  batches: number,
  onAcknowledged: (ledger: number, count: number) => void,
  pause: Effect.Effect<void> = Effect.void
) =>
  Effect.gen(function* () {
    const index = yield* EntryLocationIndex.EntryLocationIndex
    const entryLog = yield* EntryLog.EntryLog
    const enough = yield* Latch.make()
    let acknowledged = 0
    const write = Effect.fnUntraced(function* (ledger: number) {
      for (let count = 0; ;) {
        const size = 1 + ((ledger * 7 + count) % 40)
        const entries = Array.from({ length: size }, (_, at) => entryOf(ledger, count + at))
        const locations = yield* entryLog.appendAll(entries)
        yield* entryLog.sync
        yield* index.addLocations(
          entries.flatMap(({ entryId, ledgerId }, at) => {
            const location = locations[at]
            return location === undefined ? [] : [{ ledgerId, entryId, location }]
          })
        )
        count += size
        onAcknowledged(ledger, count)
        acknowledged += 1
        if (acknowledged === batches) enough.openUnsafe()
        yield* pause
      }
    })
    const running: Array<Fiber.Fiber<unknown, unknown>> = []
    for (let ledger = 0; ledger < writers; ledger++) running.push(yield* Effect.forkChild(write(ledger)))
    const failed = Effect.raceAllFirst(running.map((fiber) => Fiber.join(fiber)))
    yield* Effect.raceFirst(enough.await, Effect.asVoid(failed))
  })

/** Holds a directory against what was acknowledged: how many entries of each ledger. */
export const verify = (acknowledged: ReadonlyMap<number, number>, findings: Findings) =>
  Effect.gen(function* () {
    const index = yield* EntryLocationIndex.EntryLocationIndex
    const entryLog = yield* EntryLog.EntryLog
    let total = 0n
    for (let ledger = 0; ledger < writers; ledger++) {
      let next = 0n
      const entries = index.entries(LedgerId.make(BigInt(ledger)))
      yield* Stream.runForEach(entries, ({ entryId, ledgerId, location }) =>
        Effect.map(entryLog.read(ledgerId, entryId, location), (payload) => {
          const expected = entryOf(ledger, Number(entryId)).payload
          const isWhole = entryId === next && Buffer.compare(payload, expected) === 0
          findings.check(isWhole, `entry ${entryId} of ledger ${ledger} has other bytes, or comes after a gap`)
          next += 1n
          total += 1n
        })
      )
      const least = acknowledged.get(ledger) ?? 0
      findings.check(next >= least, `ledger ${ledger} has ${next} entries, and ${least} were acknowledged`)
    }
    const count = yield* index.entryCount
    findings.check(count === total, `the index counts ${count} entries and has ${total}`)
    return Number(total)
  })

/** The entry with a key, `ledger:entry`. */
export const entryOfKey = (key: string): EntryLog.Entry => {
  const [ledger, entry] = key.split(":")
  return entryOf(Number(ledger), Number(entry))
}

const entryOf = (ledger: number, entry: number): EntryLog.Entry => {
  const payload = Buffer.alloc((ledger * 31 + entry * 17) % 900, `${ledger}:${entry} `)
  return { ledgerId: LedgerId.make(BigInt(ledger)), entryId: EntryId.make(BigInt(entry)), payload }
}
