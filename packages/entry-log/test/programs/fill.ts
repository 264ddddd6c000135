/**
 * Appends entries of 1000 bytes, each of a ledger of its own, to the logs of a
 * directory until the operating system refuses one, then three without a
 * payload. Prints what it was told, and whether everything that was
 * acknowledged, and nothing else, is there.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { EntryLog } from "../../src/index.ts"
import { bytes, entry } from "../support.ts"

const [, , directory = "", maxLogSize = ""] = process.argv

const acknowledged: Array<EntryLog.LocatedEntry> = []

const append = Effect.fnUntraced(function* (added: EntryLog.Entry) {
  const log = yield* EntryLog.EntryLog
  const location = yield* log.append(added.ledgerId, added.entryId, added.payload)
  acknowledged.push({ ...added, location })
})

const program = Effect.gen(function* () {
  const log = yield* EntryLog.EntryLog
  const { reason } = yield* Effect.flip(
    Effect.forEach(Array.from({ length: 1000 }).keys(), (n) => append(entry(BigInt(n), 0n, bytes(1000, n))))
  )
  console.log(reason._tag)
  yield* Effect.forEach([0n, 1n, 2n], (entryId) => append(entry(0n, entryId)))
  yield* log.sync
  const scanned = yield* Stream.runCollect(log.scan())
  const same = scanned.length === acknowledged.length && scanned.every((found, index) => isSame(found, index))
  console.log(same ? "whole" : "not whole")
}).pipe(Effect.provide(EntryLog.layer({ directory, maxLogSize: Number(maxLogSize) })))

const isSame = (found: EntryLog.LocatedEntry, index: number): boolean => {
  const expected = acknowledged[index]
  return (
    expected !== undefined &&
    found.location === expected.location &&
    found.entryId === expected.entryId &&
    Buffer.compare(found.payload, expected.payload) === 0
  )
}

await Effect.runPromise(program)
