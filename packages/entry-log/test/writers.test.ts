/**
 * What a collector of garbage needs: writers of copies beside the log, what
 * each log holds in bounded memory, reads of many entries, and logs that go.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import * as Fs from "node:fs"
import { EntryId, EntryLog, type EntryLogError, LedgerId, Location } from "../src/index.ts"
import * as Fixtures from "./fixtures.ts"
import { refuse } from "./refusals.ts"
import { bytes, descriptorsIn, entry, entryBytes, numbered, tagOf, using } from "./support.ts"

type Log = EntryLog.EntryLog["Service"]

const encode = (entries: ReadonlyArray<Parameters<typeof entryBytes>[0]>): Uint8Array =>
  Buffer.concat(entries.map(entryBytes))

const copyMark = (): Uint8Array => encode([{ ledgerId: -1n, entryId: 9n, payload: bytes(8) }])

/** Appends entries, and answers them as keys. */
const fill = Effect.fnUntraced(function* (log: Pick<Log, "appendFrames">, entries: ReadonlyArray<EntryLog.Entry>) {
  const locations = yield* log.appendFrames(encode(entries))
  return entries.map(({ entryId, ledgerId }, index) => ({
    ledgerId,
    entryId,
    location: Location.make(locations[index] ?? 0n)
  }))
})

const hex = (body: Uint8Array | undefined): string | undefined =>
  body === undefined ? undefined : Buffer.from(body).toString("hex")

const bodyOf = (added: EntryLog.Entry): string => entryBytes(added).subarray(4).toString("hex")

const describeLogs = (log: Log) =>
  Effect.map(log.logSummaries, (logs) => logs.map(({ id, sealed, writing }) => ({ id, sealed, writing })))

describe("a writer", () => {
  it.effect("writes logs of its own beside those of the log, with ids from the same sequence", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 4096 }, (log) =>
        Effect.gen(function* () {
          const writer = yield* log.makeWriter({ preamble: copyMark })
          const entries = Array.from({ length: 40 }, (_, index) => entry(1n, BigInt(index), bytes(500, index)))
          const keys = yield* Effect.forEach(entries, (added, index) => fill(index % 2 === 0 ? log : writer, [added]))
          const logIds = keys.flat().map(({ location }) => Location.logId(location))
          const ofLog = new Set(logIds.filter((_, index) => index % 2 === 0))
          const ofWriter = new Set(logIds.filter((_, index) => index % 2 === 1))
          assert.deepStrictEqual(
            [...ofLog].filter((id) => ofWriter.has(id)),
            []
          )
          assert.isAbove(ofWriter.size, 2)
          for (const [index, { entryId, ledgerId, location }] of keys.flat().entries()) {
            assert.deepStrictEqual(yield* log.read(ledgerId, entryId, location), entries[index]?.payload)
          }
          const records = (yield* Stream.runCollect(log.scanFrames())).filter(({ ledgerId }) => ledgerId < 0n)
          assert.deepStrictEqual(new Set(records.map(({ location }) => Location.logId(location))), ofWriter)
          assert.strictEqual(Fs.readFileSync(`${directory}/lastId`, "latin1"), `${Math.max(...logIds).toString(16)}\n`)
        })
      )
    })
  )

  it.effect("seals its log when its scope closes, and is closed from then on", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* fill(log, [entry(1n, 0n)])
          const writer = yield* Effect.scoped(
            Effect.gen(function* () {
              const writer = yield* log.makeWriter()
              yield* fill(writer, [entry(1n, 0n), entry(2n, 0n)])
              yield* writer.sync
              assert.deepStrictEqual(yield* describeLogs(log), [
                { id: 0, sealed: false, writing: true },
                { id: 1, sealed: false, writing: true }
              ])
              return writer
            })
          )
          assert.deepStrictEqual(yield* describeLogs(log), [
            { id: 0, sealed: false, writing: true },
            { id: 1, sealed: true, writing: false }
          ])
          for (const call of [writer.sync, writer.rollOver, writer.appendFrames(copyMark())]) {
            assert.strictEqual(yield* tagOf<unknown, never>(call), "Closed")
          }
          assert.deepStrictEqual(
            (yield* log.logs).map(({ ledgers }) => [...ledgers]),
            [
              [[1n, 20]],
              [
                [1n, 20],
                [2n, 20]
              ]
            ]
          )
        })
      )
    })
  )

  it.effect("that has appended nothing leaves no log", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) => Effect.scoped(log.makeWriter({ preamble: copyMark })))
      assert.deepStrictEqual(
        Fs.readdirSync(directory).filter((name) => name.endsWith(".log")),
        []
      )
    })
  )

  it.effect("is synced and closed with the entry log, where that is released first", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const [outer, inner] = [yield* Scope.make(), yield* Scope.make()]
      const log = yield* Scope.provide(EntryLog.make({ directory }), outer)
      const writer = yield* Scope.provide(log.makeWriter(), inner)
      yield* fill(writer, [entry(1n, 0n, "kept")])
      yield* Scope.close(outer, Exit.void)
      assert.strictEqual(yield* tagOf(writer.sync), "Closed")
      yield* Scope.close(inner, Exit.void)
      assert.deepStrictEqual([...descriptorsIn(directory).values()], [])
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.map(Stream.runCount(log.scan()), (count) => assert.strictEqual(count, 1))
      )
    }).pipe(Effect.scoped)
  )

  it.effect("whose sync fails fails for good, and the log beside it goes on", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* fill(log, [entry(1n, 0n)])
          yield* log.sync
          const scope = yield* Scope.make()
          const writer = yield* Scope.provide(log.makeWriter(), scope)
          yield* fill(writer, [entry(2n, 0n)])
          const refusing = refuse(({ name }) => (name === "fdatasync" ? "EIO" : undefined))
          assert.strictEqual(yield* tagOf(Effect.scoped(Effect.andThen(refusing, writer.sync))), "IOError")
          assert.strictEqual(yield* tagOf(fill(writer, [entry(2n, 1n)])), "IOError")
          assert.isTrue(Exit.isFailure(yield* Effect.exit(Scope.close(scope, Exit.void))))
          yield* fill(log, [entry(1n, 1n)])
          yield* log.sync
        })
      )
    })
  )
})

describe("a roll", () => {
  it.effect("seals the log that is being written, and the next append goes to another", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* log.rollOver
          yield* fill(log, [entry(1n, 0n)])
          yield* log.rollOver
          yield* log.rollOver
          assert.deepStrictEqual(yield* describeLogs(log), [{ id: 0, sealed: true, writing: false }])
          yield* fill(log, [entry(1n, 1n)])
          assert.deepStrictEqual(yield* describeLogs(log), [
            { id: 0, sealed: true, writing: false },
            { id: 1, sealed: false, writing: true }
          ])
        })
      )
    })
  )

  it.effect("of records alone seals a log that has no ledgers", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* log.appendFrames(copyMark())
          yield* log.rollOver
        })
      )
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(
            (yield* log.logs).map(({ ledgers, sealed }) => [sealed, ledgers.size]),
            [[true, 0]]
          )
          assert.strictEqual(yield* Stream.runCount(log.scanFrames()), 1)
        })
      )
    })
  )
})

const ledgersOf = (log: Log, logId: number) =>
  Effect.map(Stream.runCollect(log.ledgersOf(logId)), (parts) =>
    parts.flatMap(({ bytes, ledgerIds }) => Array.from(ledgerIds, (ledgerId, index) => [ledgerId, bytes[index]]))
  )

describe("the ledgers of a log", () => {
  it.effect("come in parts, the same ones before and after it was sealed and from a log of a session before", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const entries = Array.from({ length: 25_000 }, (_, index) => entry(BigInt(index), 0n, bytes(index % 5)))
      const expected = entries.map(({ ledgerId, payload }) => [ledgerId, 20 + payload.length])
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          yield* fill(log, entries)
          assert.deepStrictEqual(yield* ledgersOf(log, 0), expected)
          yield* log.rollOver
          assert.deepStrictEqual(yield* ledgersOf(log, 0), expected)
          assert.strictEqual(yield* Stream.runCount(log.ledgersOf(0)), 3)
          yield* fill(log, entries.slice(0, 3))
        })
      )
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* ledgersOf(log, 1), expected.slice(0, 3))
          assert.strictEqual(yield* tagOf(ledgersOf(log, 2)), "NotFound")
        })
      )
    })
  )

  it.effect("are counted from the entries where the map does not hold, and fail where these do not either", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.andThen(fill(log, [entry(1n, 0n, bytes(100)), entry(2n, 0n, bytes(50))]), log.rollOver)
      )
      const path = `${directory}/0.log`
      const sealed = Fs.readFileSync(path)
      const damaged = (change: (bytes: Buffer) => void) => {
        const bytes = Buffer.from(sealed)
        change(bytes)
        Fs.writeFileSync(path, bytes)
        return using({ directory }, (log) => ledgersOf(log, 0))
      }
      const expected = [
        [1n, 120],
        [2n, 70]
      ]
      assert.deepStrictEqual(yield* damaged((bytes) => bytes.writeInt32BE(0, 16)), expected)
      assert.deepStrictEqual(yield* damaged((bytes) => bytes.writeInt32BE(3, 16)), expected)
      assert.deepStrictEqual(yield* damaged((bytes) => bytes.writeInt32BE(7, 1024 + 190)), expected)
      assert.strictEqual(
        yield* tagOf(
          damaged((bytes) => {
            bytes.writeInt32BE(0, 16)
            bytes.writeInt32BE(3, 1024)
          })
        ),
        "Corruption"
      )
    })
  )
})

describe("a log that is removed", () => {
  it.effect("is gone with its descriptor, and its id is not taken again", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const [key] = yield* fill(log, [entry(1n, 0n, "going")])
          yield* log.rollOver
          if (key === undefined) return assert.fail("no key")
          const { entryId, ledgerId, location } = key
          yield* log.read(ledgerId, entryId, location)
          assert.include([...descriptorsIn(directory).values()], `${directory}/0.log`)
          yield* log.removeLog(0)
          assert.notInclude([...descriptorsIn(directory).values()].join(), "0.log")
          assert.isFalse(Fs.existsSync(`${directory}/0.log`))
          assert.strictEqual(yield* tagOf(log.read(ledgerId, entryId, location)), "NotFound")
          assert.deepStrictEqual(yield* log.readBodies([key]), [undefined])
          assert.strictEqual(yield* tagOf(log.removeLog(0)), "NotFound")
        })
      )
      yield* using({ directory }, (log) =>
        Effect.map(fill(log, [entry(1n, 0n)]), ([key]) =>
          assert.strictEqual(Location.logId(key?.location ?? Location.make(0)), 1)
        )
      )
    })
  )

  it.effect("must not be one that is being written", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const writer = yield* log.makeWriter()
          yield* fill(log, [entry(1n, 0n)])
          yield* fill(writer, [entry(1n, 0n)])
          assert.strictEqual(yield* tagOf(log.removeLog(0)), "InvalidArgument")
          assert.strictEqual(yield* tagOf(log.removeLog(1)), "InvalidArgument")
          assert.strictEqual(yield* tagOf(log.removeLog(-1)), "InvalidArgument")
          yield* log.rollOver
          yield* log.removeLog(0)
        })
      )
      // Not sealed, and nobody's.
      yield* using({ directory }, (log) => log.removeLog(1))
    })
  )

  it.effect("under readers lets each one come through, or answers it that the log is not there", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const entries = Array.from({ length: 100 }, (_, index) => entry(1n, BigInt(index), bytes(20_000, index)))
          const keys = yield* fill(log, entries)
          yield* log.rollOver
          const read = yield* Effect.forkChild(
            Effect.forEach(
              keys,
              (key, index) =>
                Effect.map(
                  Effect.exit(log.read(key.ledgerId, key.entryId, key.location)),
                  (exit): EntryLogError.Reason["_tag"] | undefined => {
                    if (Exit.isSuccess(exit)) {
                      assert.deepStrictEqual(exit.value, entries[index]?.payload)
                      return undefined
                    }
                    return exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error.reason._tag
                  }
                ),
              { concurrency: 10 }
            )
          )
          yield* Effect.yieldNow
          yield* log.removeLog(0)
          const tags = new Set(yield* Fiber.join(read))
          for (const tag of tags) assert.include([undefined, "NotFound"], tag)
        })
      )
    })
  )
})

describe("reads of many", () => {
  it.effect("answer bodies in the order of the keys, however these lie, and however large they are", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: "1 MiB" }, (log) =>
        Effect.gen(function* () {
          const entries = Array.from({ length: 1500 }, (_, index) =>
            index % 100 === 99 ? entry(9n, BigInt(index), bytes(300_000, index)) : numbered(index)
          )
          const keys = yield* Effect.forEach(entries, (added) => fill(log, [added]))
          const shuffled = keys.flat().map((key, index) => ({ key, added: entries[index], by: (index * 7919) % 1500 }))
          shuffled.sort((left, right) => left.by - right.by)
          for (const order of [keys.flat().map((key, index) => ({ key, added: entries[index] })), shuffled]) {
            const bodies = yield* log.readBodies(order.map(({ key }) => key))
            assert.deepStrictEqual(
              bodies.map(hex),
              order.map(({ added }) => added && bodyOf(added))
            )
          }
        })
      )
    })
  )

  it.effect("answer undefined where an entry is not, and the others all the same", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const added = entry(1n, 0n, "here")
          const [key] = yield* fill(log, [added])
          if (key === undefined) return assert.fail("no key")
          const at = (logId: number, position: number) => ({ ...key, location: Location.fromLog(logId, position) })
          const bodies = yield* log.readBodies([
            { ...key, entryId: EntryId.make(1n) },
            { ...key, ledgerId: LedgerId.make(2n) },
            at(0, 0),
            at(0, 1000),
            at(0, 1029),
            at(0, 2 ** 32 - 1),
            at(7, 1028),
            key,
            key
          ])
          assert.deepStrictEqual(bodies.map(hex), [
            ...Array.from({ length: 7 }, () => undefined),
            bodyOf(added),
            bodyOf(added)
          ])
          assert.deepStrictEqual(yield* log.readBodies([]), [])
        })
      )
    })
  )

  it.effect("fail where the size of an entry cannot be, or runs past the end", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const path = `${directory}/0.log`
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const keys = yield* fill(log, [entry(1n, 0n, bytes(10))])
          for (const size of [3, 0x7fff_ffff, 100]) {
            const descriptor = Fs.openSync(path, "r+")
            const field = Buffer.alloc(4)
            field.writeInt32BE(size)
            Fs.writeSync(descriptor, field, 0, 4, 1024)
            Fs.closeSync(descriptor)
            assert.strictEqual(yield* tagOf(log.readBodies(keys)), "Corruption", String(size))
          }
        })
      )
    })
  )

  it.effect("with keys that cannot be are refused", () =>
    using({ directory: "/tmp", readOnly: true }, (log) =>
      Effect.gen(function* () {
        const key = { ledgerId: LedgerId.make(1), entryId: EntryId.make(1), location: Location.make(1) }
        // @ts-expect-error keys are an array
        assert.strictEqual(yield* tagOf(log.readBodies(key)), "InvalidArgument")
        // @ts-expect-error a location is no number
        assert.strictEqual(yield* tagOf(log.readBodies([{ ...key, location: 7 }])), "InvalidArgument")
      })
    )
  )
})
