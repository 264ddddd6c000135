/**
 * An index that is made anew, from the logs alone.
 */
import { assert, describe, it } from "@effect/vitest"
import { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { temporaryDirectory, using } from "./directories.ts"
import { blob, bytes, ledger, tagOf } from "./support.ts"

/** A storage with a ledger of two logs, a fenced one, and one that was deleted. */
const filled = Effect.gen(function* () {
  const directory = yield* temporaryDirectory
  yield* using(
    directory,
    (storage) =>
      Effect.gen(function* () {
        for (const id of [0, 1, 9]) yield* storage.createLedger({ ledgerId: ledger(id), metadata: bytes(`${id}`) })
        for (const size of [3000, 3001, 3002]) yield* storage.append(ledger(0), blob(size))
        yield* storage.append(ledger(1), blob(1))
        yield* storage.append(ledger(9), blob(9))
        yield* storage.fence(ledger(1))
        yield* storage.deleteLedger(ledger(9))
      }),
    { maxLogSize: "8 KiB" }
  )
  return directory
})

const everything = (directory: string) =>
  using(directory, (storage) =>
    Effect.gen(function* () {
      const infos = yield* Stream.runCollect(storage.ledgers)
      const entries = yield* Effect.forEach(infos, ({ ledgerId }) => Stream.runCollect(storage.entries(ledgerId)))
      return { infos, entries }
    })
  )

describe("a rebuild", () => {
  it.effect.each(["missing", "present"])(
    "makes the ledgers and entries anew, and nothing of the deleted ones: %s",
    (old) =>
      Effect.gen(function* () {
        const directory = yield* filled
        const before = yield* everything(directory)
        if (old === "missing") yield* Effect.promise(() => Fs.rm(Path.join(directory, "index"), { recursive: true }))
        const told: Array<LedgerStorage.RebuildProgress> = []
        const summary = yield* LedgerStorage.rebuild({
          directory,
          onProgress: (progress) => Effect.sync(() => told.push(progress))
        })
        assert.deepStrictEqual(summary, { ledgers: 2, entries: 4n })
        assert.deepStrictEqual(told.at(-1), { logs: told.length, ofLogs: told.length })
        assert.deepStrictEqual(yield* everything(directory), before)
        yield* using(directory, (storage) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* tagOf(storage.createLedger({ ledgerId: ledger(9) })), "LedgerExists")
            assert.strictEqual((yield* storage.createLedger()).ledgerId, 10n)
            assert.deepStrictEqual(yield* Stream.runCollect(storage.check()), [])
          })
        )
        assert.deepStrictEqual((yield* Effect.promise(() => Fs.readdir(directory))).toSorted(), ["index", "logs"])
      }).pipe(Effect.scoped)
  )

  it.effect("is refused while the storage has an owner", () =>
    Effect.gen(function* () {
      const directory = yield* filled
      yield* using(directory, () =>
        Effect.map(tagOf(LedgerStorage.rebuild({ directory })), (tag) => assert.strictEqual(tag, "Locked"))
      )
    }).pipe(Effect.scoped)
  )

  it.effect("of a directory without logs is refused, and makes nothing there", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      assert.strictEqual(yield* tagOf(LedgerStorage.rebuild({ directory })), "IOError")
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(directory)), [])
    }).pipe(Effect.scoped)
  )
})
