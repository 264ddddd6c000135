/**
 * What a storage on disk holds after it has been closed and opened again, and
 * what it refuses to open.
 */
import { assert, describe, it } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Lifecycle } from "@effect-bookie/lifecycle"
import { Effect, Layer, Stream } from "effect"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { logsOf, temporaryDirectory, using } from "./directories.ts"
import { blob, bytes, reasonOf, tagOf, text } from "./support.ts"

const textsOf = (storage: LedgerStorage.Service, ledgerId: LedgerStorage.LedgerInfo["ledgerId"]) =>
  Effect.map(Stream.runCollect(storage.entries(ledgerId)), (entries) => entries.map(({ payload }) => text(payload)))

/** Makes a storage with a ledger of some entries. */
const filled = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  const ledgerId = yield* using(directory, (storage) =>
    Effect.gen(function* () {
      const { ledgerId } = yield* storage.createLedger({ metadata: bytes("metadata") })
      yield* storage.appendAll(ledgerId, ["a", "b", "c"].map(bytes))
      return ledgerId
    })
  )
  return { directory, ledgerId }
})

describe("a storage that is opened again", () => {
  it.effect("holds ledgers, entries and fences, and nothing of what was deleted", () =>
    Effect.gen(function* () {
      const { directory, ledgerId } = yield* filled
      const { deleted, fenced } = yield* using(directory, (storage) =>
        Effect.gen(function* () {
          const { ledgerId: fenced } = yield* storage.createLedger()
          const { ledgerId: deleted } = yield* storage.createLedger()
          yield* storage.append(fenced, bytes("f"))
          yield* storage.append(deleted, bytes("d"))
          yield* storage.append(ledgerId, bytes("d"), { durability: "buffered" })
          yield* storage.fence(fenced)
          yield* storage.deleteLedger(deleted)
          return { fenced, deleted }
        })
      )
      yield* using(directory, (storage) =>
        Effect.gen(function* () {
          const info = yield* storage.ledger(ledgerId)
          assert.strictEqual(text(info?.metadata ?? bytes("")), "metadata")
          assert.deepStrictEqual([info?.entries, info?.length, info?.fenced], [4, 4, false])
          assert.deepStrictEqual(yield* textsOf(storage, ledgerId), ["a", "b", "c", "d"])
          assert.strictEqual(yield* tagOf(storage.append(fenced, bytes("x"))), "Fenced")
          assert.strictEqual(yield* tagOf(textsOf(storage, deleted)), "NoLedger")
          assert.strictEqual(yield* tagOf(storage.createLedger({ ledgerId: deleted })), "LedgerExists")
          assert.isTrue((yield* storage.createLedger()).ledgerId > deleted)
          assert.strictEqual(yield* storage.append(ledgerId, bytes("e")), 4n)
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("goes on where it was, however often, over logs of a few entries", () =>
    Effect.gen(function* () {
      const { directory, ledgerId } = yield* filled
      for (let round = 0; round < 5; round++) {
        yield* using(
          directory,
          (storage) => Effect.forEach([1, 2, 3], () => storage.append(ledgerId, blob(3000, round)), { discard: true }),
          { maxLogSize: "8 KiB" }
        )
      }
      yield* using(directory, (storage) =>
        Effect.gen(function* () {
          const entries = yield* Stream.runCollect(storage.entries(ledgerId))
          assert.strictEqual(entries.length, 18)
          entries
            .slice(3)
            .forEach(({ payload }, index) => assert.deepStrictEqual(payload, blob(3000, Math.floor(index / 3))))
        })
      )
      assert.isAbove((yield* logsOf(directory)).length, 5)
    }).pipe(Effect.scoped)
  )

  it.effect("is released in its order", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const events: Array<string> = []
      const lifecycle = Lifecycle.layer((event) => Effect.sync(() => events.push(`${event._tag} ${event.resource}`)))
      yield* Effect.provide(
        LedgerStorage.LedgerStorage,
        Layer.provide(LedgerStorage.layerDirectory({ directory }), lifecycle)
      )
      assert.deepStrictEqual(events.slice(-6), [
        "Released ledger-storage",
        "Released entry-location-index",
        "Released entry-log",
        "Released rocksdb.operations",
        "Released rocksdb.wal",
        "Released rocksdb"
      ])
    }).pipe(Effect.scoped)
  )
})

describe("a storage is not opened", () => {
  it.effect("by a second owner", () =>
    Effect.gen(function* () {
      const { directory } = yield* filled
      yield* using(directory, () =>
        Effect.gen(function* () {
          assert.strictEqual(yield* tagOf(using(directory, () => Effect.void)), "Locked")
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("with logs beside an index that is missing: the error names rebuild, and nothing is written", () =>
    Effect.gen(function* () {
      const { directory } = yield* filled
      const logs = yield* logsOf(directory)
      yield* Effect.promise(() => Fs.rm(Path.join(directory, "index"), { recursive: true }))
      for (let attempt = 0; attempt < 2; attempt++) {
        const reason = yield* reasonOf(using(directory, () => Effect.void))
        assert.strictEqual(reason._tag, "Corruption")
        assert.include(reason.message, "LedgerStorage.rebuild")
      }
      assert.deepStrictEqual(yield* logsOf(directory), logs)
    }).pipe(Effect.scoped)
  )

  it.effect("with the index of another storage", () =>
    Effect.gen(function* () {
      const { directory } = yield* filled
      const other = yield* filled
      yield* Effect.promise(async () => {
        await Fs.rm(Path.join(directory, "index"), { recursive: true })
        await Fs.rename(Path.join(other.directory, "index"), Path.join(directory, "index"))
      })
      const reason = yield* reasonOf(using(directory, () => Effect.void))
      assert.strictEqual(reason._tag, "Corruption")
      assert.include(reason.message, "LedgerStorage.rebuild")
    }).pipe(Effect.scoped)
  )

  it.effect("without the logs that its index knows", () =>
    Effect.gen(function* () {
      const { directory } = yield* filled
      for (const log of yield* logsOf(directory)) yield* Effect.promise(() => Fs.rm(log))
      const reason = yield* reasonOf(using(directory, () => Effect.void))
      assert.strictEqual(reason._tag, "Corruption")
      assert.include(reason.message, "0.log")
    }).pipe(Effect.scoped)
  )

  it.effect("read-only, yet", () =>
    Effect.gen(function* () {
      const { directory } = yield* filled
      assert.strictEqual(yield* tagOf(using(directory, () => Effect.void, { readOnly: true })), "InvalidArgument")
    }).pipe(Effect.scoped)
  )
})

describe("rot in a log", () => {
  it.effect("fails the read of the entry, is found by a check, and lets the others be read", () =>
    Effect.gen(function* () {
      const { directory, ledgerId } = yield* filled
      const [log = ""] = yield* logsOf(directory)
      yield* Effect.promise(async () => {
        const content = await Fs.readFile(log)
        // The payload of the second entry is the only b behind its header.
        content[content.indexOf("b", 1200)] = 0x78
        await Fs.writeFile(log, content)
      })
      yield* using(directory, (storage) =>
        Effect.gen(function* () {
          const problems = yield* Stream.runCollect(storage.check())
          assert.deepStrictEqual(
            problems.map(({ _tag, entryId }) => [_tag, Number(entryId)]),
            [["DamagedEntry", 1]]
          )
          assert.strictEqual(yield* tagOf(textsOf(storage, ledgerId)), "Corruption")
          const key = { ledgerId, entryId: problems[0]?.entryId ?? assert.fail("no problem") }
          assert.strictEqual(yield* tagOf(storage.read(key.ledgerId, key.entryId)), "Corruption")
        })
      )
    }).pipe(Effect.scoped)
  )
})
