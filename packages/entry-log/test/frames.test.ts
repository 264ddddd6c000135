/**
 * Frames and records: what is appended as bytes stands where the log says,
 * whole or not at all, and scans tell of it from any place on.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import * as Fs from "node:fs"
import { EntryId, type EntryLog, LedgerId, Location } from "../src/index.ts"
import * as Fixtures from "./fixtures.ts"
import { refuse } from "./refusals.ts"
import { bytes, entry, entryBytes, reasonOf, tagOf, using } from "./support.ts"

type Log = EntryLog.EntryLog["Service"]

interface Given {
  readonly ledgerId: bigint
  readonly entryId: bigint
  readonly payload: Uint8Array
}

const record = (entryId: bigint, payload: Uint8Array = bytes(30)): Given => ({ ledgerId: -1n, entryId, payload })

const encode = (frames: ReadonlyArray<Given>): Uint8Array => Buffer.concat(frames.map(entryBytes))

/** What scanFrames tells, as what was given. */
const scanned = (log: Pick<Log, "scanFrames">, options?: EntryLog.FrameScanOptions) =>
  Effect.map(Stream.runCollect(log.scanFrames(options)), (frames) =>
    frames.map(({ body, entryId, ledgerId, location, size }) => {
      assert.strictEqual(body.length, size)
      assert.strictEqual(Buffer.from(body).readBigInt64BE(0), ledgerId)
      assert.strictEqual(Buffer.from(body).readBigInt64BE(8), entryId)
      return { ledgerId, entryId, payload: Uint8Array.from(body.subarray(16)), location: BigInt(location) }
    })
  )

const logFiles = (directory: string): ReadonlyArray<string> =>
  Fs.readdirSync(directory).filter((name) => name.endsWith(".log"))

describe("frames", () => {
  it.effect("stand in the log byte for byte, and each is where its location says", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const given = [entry(7n, 0n, "one"), record(1n), entry(7n, 1n), entry(3n, 2n ** 63n - 1n, bytes(5000))]
      const frames = encode(given)
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const locations = yield* log.appendFrames(frames)
          assert.deepStrictEqual(
            Array.from(locations),
            given.map((_, index) => BigInt(1024 + 4 + encode(given.slice(0, index)).length))
          )
          for (const [index, { entryId, ledgerId, payload }] of given.entries()) {
            if (ledgerId < 0n) continue
            const location = Location.make(locations[index] ?? 0n)
            assert.deepStrictEqual(
              yield* log.read(LedgerId.make(ledgerId), EntryId.make(entryId), location),
              Uint8Array.from(payload)
            )
          }
        })
      )
      assert.deepStrictEqual(Fs.readFileSync(`${directory}/0.log`).subarray(1024), Buffer.from(frames))
    })
  )

  it.effect("go into one log if a log has room for them all, and roll the one before over", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 4096 }, (log) =>
        Effect.gen(function* () {
          const first = yield* log.appendFrames(encode([entry(1n, 0n, bytes(2000))]))
          const second = yield* log.appendFrames(encode([entry(1n, 1n, bytes(900)), entry(2n, 0n, bytes(900))]))
          assert.deepStrictEqual(
            [...first, ...second].map((location) => Location.logId(Location.make(location))),
            [0, 1, 1]
          )
          assert.deepStrictEqual(
            (yield* log.logs).map(({ id, ledgers, sealed }) => ({ id, sealed, ledgers: [...ledgers] })),
            [
              { id: 0, sealed: true, ledgers: [[1n, 2020]] },
              {
                id: 1,
                sealed: false,
                ledgers: [
                  [1n, 920],
                  [2n, 920]
                ]
              }
            ]
          )
        })
      )
    })
  )

  it.effect(
    "that no log has room for get logs of their own, and one that is larger than a log has one for itself",
    () =>
      Effect.gen(function* () {
        const directory = yield* Fixtures.temporaryDirectory
        const given = [900, 900, 5000, 10, 900, 900].map((size, index) => entry(1n, BigInt(index), bytes(size, index)))
        yield* using({ directory, maxLogSize: 3000 }, (log) =>
          Effect.gen(function* () {
            yield* log.appendFrames(encode([entry(9n, 0n)]))
            const locations = yield* log.appendFrames(encode(given))
            assert.deepStrictEqual(
              Array.from(locations, (location) => Location.logId(Location.make(location))),
              [1, 1, 2, 3, 3, 3]
            )
            assert.deepStrictEqual(
              (yield* scanned(log)).slice(1).map(({ payload }) => payload.length),
              [900, 900, 5000, 10, 900, 900]
            )
          })
        )
      })
  )

  it.effect.each<readonly [what: string, frames: () => Uint8Array, words: string]>([
    ["a size that runs past them", () => encode([entry(1n, 0n, bytes(40))]).subarray(0, 50), "only 46 bytes follow"],
    ["less than a size and two ids", () => encode([entry(1n, 0n), entry(1n, 1n)]).subarray(0, 39), "has 19 bytes"],
    ["a size that holds no ids", () => Buffer.alloc(20), "a size of 0"],
    ["a negative size", () => Buffer.alloc(20, 0xff), "a size of -1"],
    ["a ledger id below -1", () => encode([{ ledgerId: -2n, entryId: 0n, payload: bytes(1) }]), "ledger id -2"],
    ["a negative entry id", () => encode([{ ledgerId: 1n, entryId: -1n, payload: bytes(1) }]), "entry id -1"],
    ["the ids of the ledgers map", () => encode([record(-2n)]), "ledgers map"],
    ["more than maxEntrySize", () => encode([entry(1n, 0n, bytes(985))]), "maxEntrySize allows 1000"]
  ])("with %s are refused, with all beside them", ([, frames, words]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxEntrySize: 1000 }, (log) =>
        Effect.gen(function* () {
          const reason = yield* reasonOf(log.appendFrames(Buffer.concat([encode([entry(1n, 0n, "before")]), frames()])))
          assert.strictEqual(reason._tag, "InvalidArgument")
          assert.include(reason.message, words)
          assert.deepStrictEqual(logFiles(directory), [])
        })
      )
    })
  )

  it.effect("of none create no log", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* log.appendFrames(new Uint8Array()), new BigInt64Array())
          assert.deepStrictEqual(logFiles(directory), [])
        })
      )
    })
  )

  it.effect("keep their order among appends at once", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 8192 }, (log) =>
        Effect.gen(function* () {
          yield* Effect.forEach(
            Array.from({ length: 50 }, (_, index) => index),
            (index) => {
              const added = entry(1n, BigInt(index), bytes(100 * (index % 7), index))
              return index % 3 === 0
                ? Effect.asVoid(log.append(added.ledgerId, added.entryId, added.payload))
                : Effect.asVoid(log.appendFrames(encode([added])))
            },
            { concurrency: "unbounded" }
          )
          assert.deepStrictEqual(
            (yield* scanned(log)).map(({ entryId }) => Number(entryId)),
            Array.from({ length: 50 }, (_, index) => index)
          )
        })
      )
    })
  )

  it.effect("cannot be appended where the logs are read only", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* tagOf(log.appendFrames(encode([entry(1n, 0n)]))), "ReadOnly")
          assert.strictEqual(yield* tagOf(log.rollOver), "ReadOnly")
          assert.strictEqual(yield* tagOf(log.removeLog(0)), "ReadOnly")
          assert.strictEqual(yield* tagOf(Effect.scoped(log.makeWriter())), "ReadOnly")
        })
      )
    })
  )
})

describe("frames that fail", () => {
  const before = [entry(1n, 0n, bytes(500))]
  const many = Array.from({ length: 12 }, (_, index) => entry(2n, BigInt(index), bytes(900, index)))

  /** Fails one call of an append, by its number, and answers whether there was such a call. */
  const failing = Effect.fnUntraced(function* (number: number) {
    const directory = yield* Fixtures.temporaryDirectory
    let calls = 0
    const refusing = refuse(({ name }) => {
      const isMeant = name !== "fdatasync" && name !== "fsync" && name !== "ftruncate"
      return isMeant && calls++ === number ? "ENOSPC" : undefined
    })
    yield* using({ directory, maxLogSize: 3000 }, (log) =>
      Effect.gen(function* () {
        yield* log.appendFrames(encode(before))
        const append = log.appendFrames(encode(many))
        const exit = yield* Effect.exit(Effect.scoped(Effect.andThen(refusing, append)))
        if (exit._tag === "Success") return
        assert.lengthOf(yield* scanned(log), 1, `call ${number}`)
        yield* append
      })
    )
    const frames = yield* using({ directory }, (log) => scanned(log))
    assert.deepStrictEqual(
      frames.map(({ entryId, ledgerId }) => [ledgerId, entryId]),
      [...before, ...many].map(({ entryId, ledgerId }) => [ledgerId, entryId]),
      `call ${number}`
    )
    return calls > number
  }, Effect.scoped)

  it.effect("at any call of the operating system leave nothing, and can be appended again", () =>
    Effect.gen(function* () {
      let number = 0
      while (yield* failing(number)) number += 1
      assert.isAbove(number, 20)
    })
  )

  it.effect("and cannot be taken back keep anything from coming after them", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const exit = yield* Effect.exit(
        using({ directory }, (log) =>
          Effect.gen(function* () {
            yield* log.appendFrames(encode(before))
            const refusing = refuse(({ name }) => (name === "write" || name === "ftruncate" ? "EAGAIN" : undefined))
            const append = log.appendFrames(encode(many))
            const error = yield* Effect.flip(Effect.scoped(Effect.andThen(refusing, append)))
            assert.isTrue(error.isRetryable)
            const final = yield* reasonOf(append)
            assert.include(final.message, "could not be removed")
            for (const later of [log.sync, log.append(LedgerId.make(1n), EntryId.make(1n), bytes(1))]) {
              assert.include((yield* reasonOf<unknown, never>(later)).message, "could not be removed")
            }
          })
        )
      )
      assert.strictEqual(exit._tag, "Failure")
      yield* using({ directory }, (log) => log.appendFrames(encode(many)))
    })
  )
})

const preamble = (logId: number): Uint8Array => encode([record(100n, bytes(40)), record(BigInt(logId))])

describe("a preamble", () => {
  it.effect("stands behind the header of each new log, as soon as the log does", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, maxLogSize: 2048, preamble }, (log) =>
        Effect.gen(function* () {
          yield* log.appendFrames(encode([entry(1n, 0n, bytes(800))]))
          yield* log.append(LedgerId.make(1n), EntryId.make(1n), bytes(3000))
          yield* log.append(LedgerId.make(1n), EntryId.make(2n), bytes(1))
        })
      )
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(
            (yield* scanned(log)).map(({ entryId, ledgerId, location }) => [location >> 32n, ledgerId, entryId]),
            [0n, 1n, 2n].flatMap((logId) => [
              [logId, -1n, 100n],
              [logId, -1n, logId],
              [logId, 1n, logId]
            ])
          )
          assert.deepStrictEqual(
            (yield* Stream.runCollect(log.scan())).map(({ entryId }) => entryId),
            [0n, 1n, 2n].map(EntryId.make)
          )
          for (const { ledgers } of yield* log.logs) assert.deepStrictEqual([...ledgers.keys()], [LedgerId.make(1n)])
        })
      )
    })
  )

  it.effect.each<readonly [what: string, preamble: () => Uint8Array]>([
    ["an entry", () => encode([entry(1n, 0n)])],
    ["no frames", () => bytes(30)],
    [
      "what it throws",
      () => {
        throw new Error("not now")
      }
    ]
  ])("of %s is refused with the append that needs it, which leaves no log", ([, preamble]) =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* using({ directory, preamble }, (log) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* tagOf(log.appendFrames(encode([entry(1n, 0n)]))), "InvalidArgument")
          assert.deepStrictEqual(logFiles(directory), [])
        })
      )
    })
  )
})

describe("a scan of frames", () => {
  const given = [
    ...Array.from({ length: 40 }, (_, index) => entry(BigInt(index % 3), BigInt(index), bytes(index * 20, index))),
    record(-1n),
    record(5n)
  ]
  const fill = (directory: string) =>
    using({ directory, maxLogSize: 4096 }, (log) =>
      Effect.forEach(given, (frame) => log.appendFrames(encode([frame])), { discard: true })
    )

  it.effect("begins at any frame, by its location or by the place before it, and tells the same from there on", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* fill(directory)
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.gen(function* () {
          const all = yield* scanned(log)
          assert.deepStrictEqual(
            all.map(({ entryId, ledgerId, payload }) => ({ ledgerId, entryId, payload })),
            given.map(({ entryId, ledgerId, payload }) => ({ ledgerId, entryId, payload }))
          )
          for (const [index, { location, payload }] of all.entries()) {
            assert.deepStrictEqual(yield* scanned(log, { from: Location.make(location) }), all.slice(index))
            const logId = Number(location >> 32n)
            const position = Number(location & 0xffff_ffffn) + 16 + payload.length
            assert.deepStrictEqual(yield* scanned(log, { from: { logId, position } }), all.slice(index + 1))
          }
          assert.deepStrictEqual(
            yield* scanned(log, { from: { logId: 2, position: 0 }, toLog: 3 }),
            all.filter(({ location }) => location >> 32n === 2n || location >> 32n === 3n)
          )
        })
      )
    })
  )

  it.effect("without payloads tells where each frame is, and how large", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* fill(directory)
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const frames = yield* Stream.runCollect(log.scanFrames({ payloads: false }))
          assert.deepStrictEqual(
            frames.map(({ body, entryId, ledgerId, size }) => [ledgerId, entryId, size, body.length]),
            given.map(({ entryId, ledgerId, payload }) => [ledgerId, entryId, 16 + payload.length, 0])
          )
        })
      )
    })
  )

  it.effect("from behind the end of a log is Corruption, and goes on with the next log where its log has gone", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* fill(directory)
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const all = yield* scanned(log)
          const last = all.at(-1)?.location ?? 0n
          const logId = Number(last >> 32n)
          assert.strictEqual(yield* tagOf(scanned(log, { from: { logId, position: 5000 } })), "Corruption")
          assert.strictEqual(yield* tagOf(scanned(log, { from: { logId: 1, position: 5000 } })), "Corruption")
          yield* log.removeLog(1)
          assert.deepStrictEqual(
            yield* scanned(log, { from: { logId: 1, position: 5000 } }),
            all.filter(({ location }) => location >> 32n > 1n)
          )
        })
      )
    })
  )

  it.effect("tells damage and torn tails behind the place where it begins", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      yield* fill(directory)
      const logId = Math.max(...logFiles(directory).map((name) => Number.parseInt(name, 16)))
      const path = `${directory}/${logId.toString(16)}.log`
      const { size } = Fs.statSync(path)
      const all = yield* using({ directory }, (log) => scanned(log))
      const from = { logId, position: 1024 + 4 }
      const start = {
        logId: 1,
        position: Number((all.find(({ location }) => location >> 32n === 1n)?.location ?? 0n) & 0xffffn)
      }
      Fs.truncateSync(path, size - 7)
      assert.deepStrictEqual(
        yield* using({ directory }, (log) => scanned(log, { from: { ...from, position: 0 } })),
        all.filter(({ location }) => Number(location >> 32n) === logId).slice(0, -1)
      )
      Fs.truncateSync(`${directory}/1.log`, Fs.statSync(`${directory}/1.log`).size - 500)
      const begin = Location.fromLog(1, start.position)
      assert.strictEqual(yield* using({ directory }, (log) => tagOf(scanned(log, { from: begin }))), "Corruption")
    })
  )

  it.effect.each<readonly [what: string, options: EntryLog.FrameScanOptions]>([
    ["a position before the first byte", { from: { logId: 0, position: -1 } }],
    ["a log id below 0", { from: { logId: -1, position: 0 } }],
    ["a last log that is no whole number", { toLog: 0.5 }],
    ["a place of NaN", { from: { logId: 0, position: Number.NaN } }]
  ])("with %s is refused", ([, options]) =>
    using({ directory: "/tmp", readOnly: true }, (log) =>
      Effect.map(tagOf(Stream.runDrain(log.scanFrames(options))), (tag) => assert.strictEqual(tag, "InvalidArgument"))
    )
  )
})

describe("random frames", () => {
  const Given = Schema.Struct({
    ledgerId: Schema.Literals([-1n, 0n, 1n, 2n ** 40n, 2n ** 63n - 1n]),
    entryId: Schema.Literals([0n, 1n, 2n ** 63n - 1n]),
    size: Schema.Literals([0, 1, 100, 900, 1004, 3000])
  })
  const Step = Schema.Struct({ frames: Schema.Array(Given).check(Schema.isMaxLength(8)), isReopened: Schema.Boolean })

  it.effect.prop(
    "are all read, scanned and counted as they were appended, over rolls and reopens",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(12)) },
    ({ steps }) =>
      Effect.gen(function* () {
        const directory = yield* Fixtures.temporaryDirectory
        const expected: Array<Given & { readonly location: bigint }> = []
        const append = (log: Log, step: typeof Step.Type) =>
          Effect.gen(function* () {
            const given = step.frames.map(({ entryId, ledgerId, size }, index) => ({
              ledgerId,
              entryId,
              payload: bytes(size, expected.length + index)
            }))
            const locations = yield* log.appendFrames(encode(given))
            for (const [index, frame] of given.entries()) expected.push({ ...frame, location: locations[index] ?? -1n })
          })
        const sessions: Array<Array<typeof Step.Type>> = [[]]
        for (const step of steps) {
          if (step.isReopened) sessions.push([])
          sessions.at(-1)?.push(step)
        }
        for (const session of sessions) {
          yield* using({ directory, maxLogSize: 2048 }, (log) =>
            Effect.gen(function* () {
              for (const step of session) yield* append(log, step)
              assert.deepStrictEqual(yield* scanned(log), expected)
            })
          )
        }
        yield* using({ directory, readOnly: true }, (log) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* scanned(log), expected)
            const keys = expected
              .filter(({ ledgerId }) => ledgerId >= 0n)
              .toReversed()
              .map(({ entryId, ledgerId, location }) => ({
                ledgerId: LedgerId.make(ledgerId),
                entryId: EntryId.make(entryId),
                location: Location.make(location)
              }))
            const bodies = yield* log.readBodies(keys)
            assert.deepStrictEqual(
              bodies.map((body) => Buffer.from(body?.subarray(16) ?? "missing").toString("hex")),
              expected
                .filter(({ ledgerId }) => ledgerId >= 0n)
                .toReversed()
                .map(({ payload }) => Buffer.from(payload).toString("hex"))
            )
            for (const { id, ledgers } of yield* log.logs) {
              const counted = new Map<bigint, number>()
              for (const { ledgerId, location, payload } of expected) {
                if (ledgerId < 0n || Number(location >> 32n) !== id) continue
                counted.set(ledgerId, (counted.get(ledgerId) ?? 0) + 20 + payload.length)
              }
              assert.deepStrictEqual(new Map<bigint, number>(ledgers), counted)
            }
          })
        )
      }).pipe(Effect.scoped),
    { arbitrary: { runs: 50 } }
  )
})
