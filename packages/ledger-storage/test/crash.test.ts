/**
 * A real process that is killed in the middle of its work, again and again.
 */
import { assert, describe, it } from "@effect/vitest"
import type { LedgerStorage } from "@effect-bookie/ledger-storage"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Path from "node:path"
import { entry, ledger, text } from "./support.ts"
import { temporaryDirectory, using } from "./directories.ts"
import { startCommand } from "@effect-bookie/testing/process"
import { payloadOf } from "./programs/payloads.ts"

/** What a program has printed, by ledger. */
const acknowledged = (lines: ReadonlyArray<string>) => {
  const last = new Map<string, number>()
  const fenced = new Set<string>()
  const deleting = new Set<string>()
  const deleted = new Set<string>()
  for (const line of lines) {
    const [what, id = "", entryId = ""] = line.split(" ")
    if (what === "created") last.set(id, -1)
    else if (what === "appended") last.set(id, Math.max(Number(entryId), last.get(id) ?? -1))
    else if (what === "fenced") fenced.add(id)
    else if (what === "deleting") deleting.add(id)
    else if (what === "deleted") deleted.add(id)
  }
  return { last, fenced, deleting, deleted }
}

/** Checks that everything is there that was acknowledged. */
const verify = (storage: LedgerStorage.Service, lines: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { deleted, deleting, fenced, last } = acknowledged(lines)
    for (const [id, lastEntry] of last) {
      const ledgerId = ledger(BigInt(id))
      const info = yield* storage.ledger(ledgerId)
      if (deleted.has(id)) assert.isUndefined(info, `ledger ${id} was deleted`)
      if (deleted.has(id) || (deleting.has(id) && info === undefined)) continue
      assert.isAtLeast(Number(info?.lastEntryId ?? -1), lastEntry, `the last entry of ledger ${id}`)
      if (fenced.has(id)) assert.isTrue(info?.fenced)
    }
    const infos = yield* Stream.runCollect(storage.ledgers)
    for (const { ledgerId, lastEntryId, length } of infos) {
      const entries = yield* Stream.runCollect(storage.entries(ledgerId))
      assert.deepStrictEqual(
        entries.map(({ entryId }) => entryId),
        Array.from({ length: Number((lastEntryId ?? -1n) + 1n) }, (_, index) => entry(index))
      )
      for (const { entryId, payload } of entries) {
        assert.strictEqual(text(payload), text(payloadOf(ledgerId, entryId)))
      }
      assert.strictEqual(
        length,
        entries.reduce((sum, { payload }) => sum + payload.length, 0)
      )
    }
    assert.deepStrictEqual(yield* Stream.runCollect(storage.check()), [])
  })

describe("a storage whose process is killed", () => {
  it.effect.each(["sync", "buffered"])("holds everything that had been acknowledged: %s", (durability) =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const lines: Array<string> = []
      const program = Path.join(import.meta.dirname, "programs", "append.ts")
      for (const [count, millis] of [
        [1, 0],
        [60, 3],
        [700, 1],
        [20, 7],
        [2, 12],
        [350, 0]
      ] as const) {
        const child = yield* startCommand(process.execPath, [program, directory, durability], import.meta.dirname)
        yield* child.lines(count)
        yield* TestClock.withLive(Effect.sleep(millis))
        yield* child.kill
        assert.isNull(yield* child.ended)
        const created = child.printed().filter((line) => line.startsWith("created "))
        assert.isTrue(
          created.every((line) => !lines.includes(line)),
          "an id was given twice"
        )
        lines.push(...child.printed())
        yield* using(directory, (storage) => verify(storage, lines))
      }
    }).pipe(Effect.scoped)
  )
})
