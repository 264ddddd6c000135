/**
 * Entry logs where modules run in a realm of their own, as in Jest and in
 * vitest's vmThreads: what Node throws, and bytes that were made elsewhere, are
 * no `instanceof` anything here.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { isArrayBuffer } from "node:util/types"
import { runInNewContext } from "node:vm"
import { EntryId, EntryLog, LedgerId, Location } from "../src/index.ts"
import * as Fixtures from "@effect-bookie/testing/bookkeeperLogs"
import { bytes, entry, reasonOf, tagOf, using } from "./support.ts"

describe("another realm", () => {
  it("is where this file runs", () => {
    const cause = thrownBy(() => Fs.readFileSync(Path.join(import.meta.dirname, "missing")))
    assert.include(String(cause), "ENOENT")
    assert.isFalse(cause instanceof Error)
  })

  it.effect("opens new entry logs, rolls them over, and reads them again", () =>
    Effect.gen(function* () {
      const directory = Path.join(yield* Fixtures.temporaryDirectory, "above", "logs")
      const entries = Array.from({ length: 20 }, (_, id) => entry(1n, BigInt(id), bytes(300, id)))
      for (const half of [entries.slice(0, 10), entries.slice(10)]) {
        yield* using({ directory, maxLogSize: 2000 }, (log) => Effect.andThen(log.appendAll(half), log.sync))
      }
      yield* using({ directory, readOnly: true }, (log) =>
        Effect.gen(function* () {
          const scanned = yield* Stream.runCollect(log.scan())
          assert.deepStrictEqual(
            scanned.map(({ payload }) => payload),
            entries.map(({ payload }) => payload)
          )
          for (const { entryId, ledgerId, location, payload } of scanned) {
            assert.deepStrictEqual(yield* log.read(ledgerId, entryId, location), payload)
          }
          for (const { payload } of scanned) {
            assert.throws(() => structuredClone(payload, { transfer: [bufferOf(payload)] }))
          }
        })
      )
    })
  )

  it.effect("takes bytes and arrays of a third realm, and no others for bytes", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const foreign: ReadonlyArray<EntryLog.Entry> = runInNewContext(
        "[{ ledgerId: 1n, entryId: 1n, payload: Uint8Array.of(97, 98) }]"
      )
      yield* using({ directory }, (log) =>
        Effect.gen(function* () {
          const locations = yield* log.appendAll(foreign)
          assert.deepStrictEqual(
            yield* log.read(LedgerId.make(1n), EntryId.make(1n), locations[0] ?? Location.make(0n)),
            Uint8Array.of(97, 98)
          )
          const numbers: Uint8Array = runInNewContext("new Uint16Array(2)")
          assert.strictEqual(yield* tagOf(log.append(LedgerId.make(1n), EntryId.make(2n), numbers)), "InvalidArgument")
        })
      )
    })
  )

  it.effect("tells what the operating system says by its code", () =>
    Effect.gen(function* () {
      const directory = yield* Fixtures.temporaryDirectory
      const missing = Path.join(directory, "missing")
      assert.strictEqual(yield* tagOf(EntryLog.make({ directory: missing, readOnly: true })), "MissingDirectory")
      const log = yield* EntryLog.make({ directory })
      assert.strictEqual(yield* tagOf(EntryLog.make({ directory })), "Locked")
      const read = log.read(LedgerId.make(1n), EntryId.make(1n), Location.fromLog(0, 1028))
      assert.strictEqual(yield* tagOf(read), "NotFound")
      Fs.writeFileSync(Path.join(directory, "0.log"), "someone else's")
      assert.deepStrictEqual(yield* log.appendAll([entry(1n, 1n)]), [Location.fromLog(1, 1028)])
      Fs.mkdirSync(Path.join(directory, "2.log"))
      const reason = yield* reasonOf(log.read(LedgerId.make(1n), EntryId.make(1n), Location.fromLog(2, 1028)))
      assert.strictEqual(reason._tag === "IOError" ? reason.code : reason._tag, "EISDIR")
    })
  )
})

const thrownBy = (call: () => unknown): unknown => {
  try {
    return call()
  } catch (cause) {
    return cause
  }
}

const bufferOf = ({ buffer }: Uint8Array): ArrayBuffer => {
  if (!isArrayBuffer(buffer)) throw new Error("the bytes are shared")
  return buffer
}
