/**
 * Appends to ledgers of the storage in a directory from several fibers, creates,
 * fences and deletes some, and prints a line once each has been acknowledged:
 * until it is killed. Its arguments are the directory and the durability.
 */
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect } from "effect"
import { writeSync } from "node:fs"
import { payloadOf } from "./payloads.ts"

const [directory = "", durability = "sync"] = process.argv.slice(2)

const fiber = Effect.gen(function* () {
  const storage = yield* LedgerStorage.LedgerStorage
  while (true) {
    const { ledgerId } = yield* storage.createLedger()
    writeSync(1, `created ${ledgerId}\n`)
    for (let round = 0; round < 4; round++) {
      const payloads = Array.from({ length: 5 }, (_, index) => payloadOf(ledgerId, BigInt(round * 6 + index)))
      yield* storage.appendAll(ledgerId, payloads, { durability: durability === "sync" ? "sync" : "buffered" })
      writeSync(1, `appended ${ledgerId} ${round * 6 + 4}\n`)
      const last = yield* storage.append(ledgerId, payloadOf(ledgerId, BigInt(round * 6 + 5)))
      writeSync(1, `appended ${ledgerId} ${last}\n`)
    }
    if (ledgerId % 3n === 0n) {
      yield* storage.fence(ledgerId)
      writeSync(1, `fenced ${ledgerId}\n`)
    }
    if (ledgerId % 5n === 0n) {
      writeSync(1, `deleting ${ledgerId}\n`)
      yield* storage.deleteLedger(ledgerId)
      writeSync(1, `deleted ${ledgerId}\n`)
    }
  }
})

await Effect.runPromise(
  Effect.provide(
    Effect.all([fiber, fiber, fiber, fiber], { concurrency: "unbounded" }),
    LedgerStorage.layerDirectory({ directory, maxLogSize: "256 KiB" })
  )
)
