/**
 * The index has lost its end, as in a power failure, or the logs have: what the
 * next open makes of it.
 *
 * A crash is an index as it stood at one time, beside logs as they stood later
 * while they were being written.
 */
import { assert, describe, it } from "@effect/vitest"
import type { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { logsOf, temporaryDirectory, using } from "./directories.ts"
import { blob, bytes, entry, ledger, reasonOf, tagOf } from "./support.ts"

const copy = (from: string, to: string) =>
  Effect.promise(async () => {
    await Fs.rm(to, { recursive: true, force: true })
    await Fs.cp(from, to, { recursive: true })
  })

/** A directory with an index of a storage with one empty ledger, and logs as they stand while `use` has done its work. */
const crashed = <E>(
  use: (storage: LedgerStorage.Service) => Effect.Effect<unknown, E>,
  options: Omit<LedgerStorage.DirectoryOptions, "directory"> = {}
) =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const image = yield* temporaryDirectory
    yield* using(directory, (storage) => storage.createLedger({ ledgerId: ledger(0) }))
    yield* copy(Path.join(directory, "index"), Path.join(image, "index"))
    yield* using(
      directory,
      (storage) => Effect.andThen(use(storage), copy(Path.join(directory, "logs"), Path.join(image, "logs"))),
      options
    )
    return image
  })

const sizesOf = (storage: LedgerStorage.Service, ledgerId: LedgerStorage.LedgerInfo["ledgerId"]) =>
  Effect.map(Stream.runCollect(storage.entries(ledgerId)), (entries) => entries.map(({ payload }) => payload.length))

const append = (storage: LedgerStorage.Service, ...sizes: ReadonlyArray<number>) =>
  Effect.forEach(sizes, (size) => storage.append(ledger(0), blob(size, size)), { discard: true })

const change = (path: string, by: (content: Buffer) => Buffer) =>
  Effect.promise(async () => Fs.writeFile(path, by(await Fs.readFile(path))))

describe("an index that has lost its end", () => {
  it.effect("gets back from the logs what was appended, created, fenced and deleted", () =>
    Effect.gen(function* () {
      const directory = yield* crashed((storage) =>
        Effect.gen(function* () {
          yield* append(storage, 10, 20)
          yield* storage.createLedger({ ledgerId: ledger(7), metadata: bytes("seven") })
          yield* storage.createLedger({ ledgerId: ledger(8) })
          yield* storage.append(ledger(7), blob(70))
          yield* storage.append(ledger(8), blob(80))
          yield* storage.fence(ledger(7))
          yield* storage.deleteLedger(ledger(8))
          yield* append(storage, 30)
        })
      )
      for (let time = 0; time < 2; time++) {
        yield* using(directory, (storage) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* sizesOf(storage, ledger(0)), [10, 20, 30])
            const seven = yield* storage.ledger(ledger(7))
            assert.deepStrictEqual([seven?.fenced, seven?.entries, seven?.length], [true, 1, 70])
            assert.deepStrictEqual(seven?.metadata, bytes("seven"))
            assert.isUndefined(yield* storage.ledger(ledger(8)))
            assert.strictEqual(yield* tagOf(storage.createLedger({ ledgerId: ledger(8) })), "LedgerExists")
            assert.deepStrictEqual(yield* Stream.runCollect(storage.check()), [])
          })
        )
      }
    }).pipe(Effect.scoped)
  )

  it.effect("gets back thousands of entries in many logs", () =>
    Effect.gen(function* () {
      const directory = yield* crashed(
        (storage) =>
          Effect.forEach(
            Array.from({ length: 20 }),
            () =>
              storage.appendAll(
                ledger(0),
                Array.from({ length: 1000 }, () => blob(10))
              ),
            { discard: true }
          ),
        { maxLogSize: "100 KiB" }
      )
      yield* using(directory, (storage) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* storage.ledger(ledger(0)))?.entries, 20_000)
          assert.strictEqual((yield* sizesOf(storage, ledger(0))).length, 20_000)
          assert.strictEqual(yield* storage.append(ledger(0), blob(1)), 20_000n)
        })
      )
    }).pipe(Effect.scoped)
  )
})

describe("a log that was being written", () => {
  it.effect("ends before an entry that is cut off, and the next one takes its id", () =>
    Effect.gen(function* () {
      const directory = yield* crashed((storage) => append(storage, 10, 20, 30))
      yield* change((yield* logsOf(directory)).at(-1) ?? "", (content) => content.subarray(0, content.length - 7))
      yield* using(directory, (storage) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* sizesOf(storage, ledger(0)), [10, 20])
          assert.strictEqual(yield* storage.append(ledger(0), blob(33)), 2n)
        })
      )
      yield* using(directory, (storage) =>
        Effect.map(sizesOf(storage, ledger(0)), (sizes) => assert.deepStrictEqual(sizes, [10, 20, 33]))
      )
    }).pipe(Effect.scoped)
  )

  it.effect("ends before an entry whose end is zeros", () =>
    Effect.gen(function* () {
      const directory = yield* crashed((storage) => append(storage, 10, 20, 3000))
      yield* change((yield* logsOf(directory)).at(-1) ?? "", (content) => content.fill(0, content.length - 1000))
      yield* using(directory, (storage) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* sizesOf(storage, ledger(0)), [10, 20])
          assert.deepStrictEqual(yield* Stream.runCollect(storage.check()), [])
        })
      )
    }).pipe(Effect.scoped)
  )

  it.effect("is not opened where an intact entry follows a damaged one: Corruption names the file and the byte", () =>
    Effect.gen(function* () {
      const directory = yield* crashed((storage) => append(storage, 10, 20, 30))
      const log = (yield* logsOf(directory)).at(-1) ?? ""
      yield* change(log, (content) => content.fill(0xff, content.length - 80, content.length - 78))
      const reason = yield* reasonOf(using(directory, () => Effect.void))
      assert.strictEqual(reason._tag, "Corruption")
      assert.match(reason.message, /entry 1 of ledger 0 at byte \d+ of 1\.log/)
    }).pipe(Effect.scoped)
  )

  it.effect("is not opened where a log before it, which is sealed, is damaged", () =>
    Effect.gen(function* () {
      const directory = yield* crashed((storage) => append(storage, 3000, 3001, 3002, 3003), { maxLogSize: "5 KiB" })
      const log = (yield* logsOf(directory))[1] ?? ""
      yield* change(log, (content) => content.fill(0xff, 1200, 1202))
      const reason = yield* reasonOf(using(directory, () => Effect.void))
      assert.strictEqual(reason._tag, "Corruption")
      assert.match(reason.message, /entry 0 of ledger 0 at byte \d+ of 1\.log/)
    }).pipe(Effect.scoped)
  )
})

describe("entries that were appended as buffered", () => {
  it.effect("are read before they are in the index, and are there after a crash of the process", () =>
    Effect.gen(function* () {
      const directory = yield* crashed(
        (storage) =>
          Effect.gen(function* () {
            yield* storage.appendAll(ledger(0), [blob(10), blob(20)], { durability: "buffered" })
            assert.deepStrictEqual(yield* sizesOf(storage, ledger(0)), [10, 20])
            assert.deepStrictEqual((yield* storage.read(ledger(0), entry(1)))?.payload, blob(20))
            assert.strictEqual((yield* storage.ledger(ledger(0)))?.length, 30)
          }),
        { recentEntries: 0 }
      )
      yield* using(directory, (storage) =>
        Effect.map(sizesOf(storage, ledger(0)), (sizes) => assert.deepStrictEqual(sizes, [10, 20]))
      )
    }).pipe(Effect.scoped)
  )

  it.effect("may be lost with the power, and the index has nothing of them then", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const image = yield* temporaryDirectory
      yield* using(
        directory,
        (storage) =>
          Effect.gen(function* () {
            yield* storage.createLedger({ ledgerId: ledger(0) })
            yield* append(storage, 10)
            // The logs as they were synced last, beside an index that may have reached the disk later.
            yield* copy(Path.join(directory, "logs"), Path.join(image, "logs"))
            yield* storage.appendAll(ledger(0), [blob(20), blob(30)], { durability: "buffered" })
            yield* copy(Path.join(directory, "index"), Path.join(image, "index"))
          }),
        { recentEntries: 0 }
      )
      yield* using(image, (storage) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* sizesOf(storage, ledger(0)), [10])
          assert.strictEqual(yield* storage.append(ledger(0), blob(21)), 1n)
        })
      )
    }).pipe(Effect.scoped)
  )
})
