/**
 * Creating ledgers, and what is known of them.
 */
import { assert } from "@effect/vitest"
import { LedgerId, LedgerStorage } from "@effect-bookie/ledger-storage"
import { Clock, DateTime, Effect, Stream } from "effect"
import { blob, bytes, endOf, id, type It, newLedger, tagOf, unusedLedgerId } from "./support.ts"

export const ledgers = (it: It): void => {
  it.effect("a new ledger is empty, not fenced, and known by its id", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const created = yield* storage.createLedger()
      assert.isFalse(created.fenced)
      assert.isUndefined(created.lastEntryId)
      assert.strictEqual(created.entries, 0)
      assert.strictEqual(created.length, 0)
      assert.strictEqual(created.metadata.length, 0)
      assert.deepStrictEqual(yield* storage.ledger(created.ledgerId), created)
    })
  )

  it.effect("a ledger knows when it was created", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const { createdAt, ledgerId } = yield* storage.createLedger()
      yield* storage.append(ledgerId, bytes("a"))
      const later = yield* storage.ledger(ledgerId)
      assert.strictEqual(
        later === undefined ? undefined : DateTime.toEpochMillis(later.createdAt),
        DateTime.toEpochMillis(createdAt)
      )
      // The clock may be that of another machine.
      const apart = Math.abs((yield* Clock.currentTimeMillis) - DateTime.toEpochMillis(createdAt))
      assert.isBelow(apart, 86_400_000)
    })
  )

  it.effect("a ledger counts its entries and the bytes of their payloads", () =>
    Effect.gen(function* () {
      const { ledgerId, storage } = yield* newLedger("a", "", "ccc")
      yield* storage.append(ledgerId, blob(1000))
      const info = yield* storage.ledger(ledgerId)
      assert.strictEqual(info?.lastEntryId, id(3))
      assert.strictEqual(info?.entries, 4)
      assert.strictEqual(info?.length, 1004)
    })
  )

  it.effect("metadata come back as they were given", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const metadata = blob(64 * 1024)
      const created = yield* storage.createLedger({ metadata })
      assert.deepStrictEqual(created.metadata, metadata)
      assert.deepStrictEqual((yield* storage.ledger(created.ledgerId))?.metadata, metadata)
    })
  )

  it.effect("metadata of more than 64 KiB are refused", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      assert.strictEqual(yield* tagOf(storage.createLedger({ metadata: blob(64 * 1024 + 1) })), "InvalidArgument")
    })
  )

  it.effect("metadata are the storage's own: nobody changes them by changing theirs", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const metadata = bytes("given")
      const created = yield* storage.createLedger({ metadata })
      metadata.fill(0)
      created.metadata.fill(0)
      const first = yield* storage.ledger(created.ledgerId)
      first?.metadata.fill(0)
      assert.deepStrictEqual((yield* storage.ledger(created.ledgerId))?.metadata, bytes("given"))
    })
  )

  it.effect("ledgers that are created at the same time get ids of their own", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const created = yield* Effect.all(
        Array.from({ length: 100 }, () => storage.createLedger()),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(created.map(({ ledgerId }) => ledgerId)).size, 100)
    })
  )

  it.effect("a ledger can be given an id, once", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const ledgerId = yield* unusedLedgerId
      assert.strictEqual((yield* storage.createLedger({ ledgerId })).ledgerId, ledgerId)
      yield* storage.append(ledgerId, bytes("kept"))
      assert.strictEqual(yield* tagOf(storage.createLedger({ ledgerId })), "LedgerExists")
      assert.strictEqual((yield* storage.ledger(ledgerId))?.entries, 1)
    })
  )

  it.effect("of those who want the same id at the same time, one gets it", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const ledgerId = yield* unusedLedgerId
      const ends = yield* Effect.all(
        Array.from({ length: 20 }, () => endOf(Effect.as(storage.createLedger({ ledgerId }), "created"))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(ends.filter((end) => end === "created").length, 1)
      assert.strictEqual(ends.filter((end) => end === "LedgerExists").length, 19)
    })
  )

  it.effect("an id that was chosen is not given to another ledger", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const { ledgerId } = yield* storage.createLedger()
      const chosen = LedgerId.make(ledgerId + 1n)
      // It may be taken by now if others use the storage, which is as good.
      yield* endOf(storage.createLedger({ ledgerId: chosen }))
      const next = yield* Effect.all([storage.createLedger(), storage.createLedger()], { concurrency: "unbounded" })
      assert.isFalse(next.some((created) => created.ledgerId === chosen))
      assert.notStrictEqual(next[0].ledgerId, next[1].ledgerId)
    })
  )

  it.effect("there is nothing known of a ledger that does not exist", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      assert.isUndefined(yield* storage.ledger(yield* unusedLedgerId))
    })
  )

  it.effect("all ledgers are listed by their ids", () =>
    Effect.gen(function* () {
      const storage = yield* LedgerStorage.LedgerStorage
      const { ledgerId } = yield* newLedger("a", "b")
      const chosen = yield* storage.createLedger({ ledgerId: yield* unusedLedgerId, metadata: bytes("chosen") })
      yield* storage.fence(ledgerId)
      const listed = yield* Stream.runCollect(storage.ledgers)
      const found = listed.map((info) => info.ledgerId)
      assert.deepStrictEqual(
        found,
        found.toSorted((one, other) => (one < other ? -1 : 1))
      )
      assert.strictEqual(new Set(found).size, found.length)
      assert.deepStrictEqual(
        listed.find((info) => info.ledgerId === ledgerId),
        yield* storage.ledger(ledgerId)
      )
      assert.deepStrictEqual(
        listed.find((info) => info.ledgerId === chosen.ledgerId),
        chosen
      )
    })
  )
}
