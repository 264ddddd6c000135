/**
 * Commits ten entries at a time to the index at a path, and a record that counts
 * the commits with them, neither of them synced, and prints the count: until it
 * is killed. Its arguments are the path and the size of the memtables.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RocksDB } from "@effect-bookie/rocksdb"
import { writeSync } from "node:fs"
import { EntryId, EntryLocationIndex, LedgerId, Location } from "../../src/index.ts"

const [path = "", memtableSize = "0"] = process.argv.slice(2)

const key = Uint8Array.of(0x0a, 0)

const program = Effect.gen(function* () {
  const index = yield* EntryLocationIndex.EntryLocationIndex
  const mark = yield* index.records.get(key)
  const batch = yield* index.makeBatch
  for (let count = Number(new TextDecoder().decode(mark)) + 1; ; count++) {
    for (let nth = (count - 1) * 10; nth < count * 10; nth++) {
      batch.add(LedgerId.make(1n), EntryId.make(BigInt(nth)), Location.make(1_000_000n + BigInt(nth)))
    }
    batch.put(key, new TextEncoder().encode(`${count}`))
    yield* batch.commitWith({ durability: "buffered" })
    writeSync(1, `${count}\n`)
  }
})

await Effect.runPromise(
  Effect.provide(
    program,
    Layer.provide(
      EntryLocationIndex.layer({ memtableSize: Number(memtableSize) }),
      RocksDB.layer({ path, writeBufferSize: "64 KiB" })
    )
  )
)
