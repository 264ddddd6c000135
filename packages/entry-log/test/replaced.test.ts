/**
 * Logs that their owner removes, and logs that are put back from a copy, while a
 * reader has them open.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { setTimeout } from "node:timers/promises"
import { EntryLog, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { refuse } from "./refusals.ts"
import { bytes, descriptorsIn, entry, logBytes, reasonOf, tagOf, using } from "./support.ts"

const count = 8

const entries = Array.from({ length: count }, (_, id) => entry(1n, BigInt(id), bytes(2000, id)))

/** A directory with a log an entry, and a reader that has read all of them. */
const opened = Effect.gen(function* () {
  const directory = yield* Fixtures.temporaryDirectory
  const locations = yield* using({ directory, maxLogSize: 2048 }, (log) => log.appendAll(entries))
  const reader = yield* EntryLog.make({ directory, readOnly: true })
  const read = (id: number) => {
    const { entryId, ledgerId } = entries[id] ?? entry(0n, 0n)
    return reader.read(ledgerId, entryId, locations[id] ?? Location.make(0n))
  }
  yield* Effect.forEach(entries.keys(), read)
  assert.strictEqual(descriptorsIn(directory).size, count)
  return { directory, reader, read, pathOf: (id: number) => Path.join(directory, `${id}.log`) }
})

/** Waits, for as long as the test may take, until it is so. */
const until = (isSo: () => boolean) =>
  Effect.promise(async () => {
    while (!isSo()) await setTimeout(20)
  })

/** The names of the logs that this process has open. */
const openLogs = (directory: string) =>
  [...descriptorsIn(directory).values()].map((path) => Path.basename(path)).toSorted()

describe("a log that was removed", () => {
  it.effect.each<
    readonly [how: string, look: (reader: EntryLog.EntryLog["Service"]) => Effect.Effect<unknown, unknown>]
  >([
    ["logs", (reader) => reader.logs],
    ["a scan", (reader) => Stream.runDrain(reader.scan({ fromLog: count - 1 }))]
  ])("is let go of when %s lists the logs", ([, look]) =>
    Effect.gen(function* () {
      const { directory, pathOf, reader } = yield* opened
      for (const id of [1, 2, 5]) Fs.rmSync(pathOf(id))
      yield* look(reader)
      assert.deepStrictEqual(openLogs(directory), ["0.log", "3.log", "4.log", "6.log", "7.log"])
      assert.strictEqual((yield* reader.logs).length, count - 3)
    })
  )

  it.effect("is let go of although it is read all the time and nobody lists the logs", () =>
    Effect.gen(function* () {
      const { directory, pathOf, read } = yield* opened
      Fs.rmSync(pathOf(3))
      while ((yield* Effect.result(read(3)))._tag === "Success") yield* Effect.promise(() => setTimeout(20))
      assert.strictEqual(yield* tagOf(read(3)), "NotFound")
      assert.notInclude(openLogs(directory).join(), "deleted")
    })
  )

  it.effect("is let go of although nobody does anything", () =>
    Effect.gen(function* () {
      const { directory, pathOf, read } = yield* opened
      for (let id = 0; id < count; id += 1) Fs.rmSync(pathOf(id))
      yield* until(() => descriptorsIn(directory).size === 0)
      assert.strictEqual(yield* tagOf(read(0)), "NotFound")
    })
  )

  it.effect("while logs are described is left out", () =>
    Effect.gen(function* () {
      const { directory, pathOf } = yield* opened
      yield* using({ directory, readOnly: true }, (reader) =>
        Effect.gen(function* () {
          yield* refuse(({ name }) => {
            if (name === "read") for (const id of [1, 2, 6]) Fs.rmSync(pathOf(id), { force: true })
            return undefined
          })
          assert.deepStrictEqual(
            (yield* reader.logs).map(({ id }) => id),
            [0, 3, 4, 5, 7]
          )
        })
      )
    })
  )

  it.effect("while it is scanned fails the scan, which says to begin again", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      for (const id of [0, 1]) Fs.writeFileSync(Path.join(directory, `${id}.log`), logBytes([entry(1n, BigInt(id))]))
      const reader = yield* EntryLog.make({ directory, readOnly: true })
      const reason = yield* reasonOf(
        Stream.runForEach(reader.scan(), () =>
          Effect.sync(() => Fs.rmSync(Path.join(directory, "1.log"), { force: true }))
        )
      )
      assert.strictEqual(reason._tag, "NotFound")
      assert.include(reason.message, "again")
    })
  )
})

describe("a log that nobody reads", () => {
  it.effect("is closed, and opened again when it is read", () =>
    Effect.gen(function* () {
      const { directory, read } = yield* opened
      yield* until(() => descriptorsIn(directory).size === 0)
      assert.deepStrictEqual(yield* read(2), bytes(2000, 2))
      assert.deepStrictEqual(openLogs(directory), ["2.log"])
    })
  )
})

describe("a log that was put back from a copy", () => {
  it.effect("by a rename is what the next read finds", () =>
    Effect.gen(function* () {
      const { directory, pathOf, read } = yield* opened
      Fs.copyFileSync(pathOf(4), `${directory}/copy`)
      damage(pathOf(4))
      assert.strictEqual(yield* tagOf(read(4)), "Corruption")
      Fs.renameSync(`${directory}/copy`, pathOf(4))
      assert.deepStrictEqual(yield* read(4), bytes(2000, 4))
      assert.notInclude(openLogs(directory).join(), "deleted")
    })
  )

  it.effect("after the old one was moved away is what the next read finds", () =>
    Effect.gen(function* () {
      const { directory, pathOf, read } = yield* opened
      Fs.copyFileSync(pathOf(4), `${directory}/copy`)
      Fs.truncateSync(pathOf(4), 1500)
      assert.strictEqual(yield* tagOf(read(4)), "Corruption")
      Fs.renameSync(pathOf(4), `${directory}/4.log.damaged`)
      assert.strictEqual(yield* tagOf(read(4)), "NotFound")
      Fs.renameSync(`${directory}/copy`, pathOf(4))
      assert.deepStrictEqual(yield* read(4), bytes(2000, 4))
    })
  )

  it.effect("is what the next scan finds", () =>
    Effect.gen(function* () {
      const { directory, pathOf, reader } = yield* opened
      Fs.copyFileSync(pathOf(0), `${directory}/copy`)
      damage(pathOf(0))
      assert.strictEqual(yield* tagOf(Stream.runDrain(reader.scan())), "Corruption")
      Fs.renameSync(`${directory}/copy`, pathOf(0))
      assert.strictEqual(yield* Stream.runCount(reader.scan()), count)
    })
  )

  it.effect("is found by many readers at once, one of which had failed", () =>
    Effect.gen(function* () {
      const { directory, pathOf, read } = yield* opened
      Fs.copyFileSync(pathOf(4), `${directory}/copy`)
      damage(pathOf(4))
      Fs.renameSync(`${directory}/copy`, pathOf(4))
      const found = yield* Effect.all(
        Array.from({ length: 50 }, () => read(4)),
        { concurrency: "unbounded" }
      )
      for (const payload of found) assert.deepStrictEqual(payload, bytes(2000, 4))
      assert.strictEqual(openLogs(directory).filter((name) => name.startsWith("4.log")).length, 1)
    })
  )
})

/** Makes the entry of a log larger than an entry may be. */
const damage = (path: string): void => {
  const descriptor = Fs.openSync(path, "r+")
  Fs.writeSync(descriptor, Uint8Array.of(0x7f), 0, 1, 1024)
  Fs.closeSync(descriptor)
}
