/**
 * What happens to everything when the storage is released.
 */
import { assert } from "@effect/vitest"
import { LedgerStorage, type LedgerStorageError } from "@effect-bookie/ledger-storage"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Queue, Scope, Stream } from "effect"
import { bytes, endOf, id, type It, numbered, type Storage, tagOf } from "./support.ts"

/** A storage of its own, and what releases it. */
interface Own {
  readonly storage: Storage
  readonly release: Effect.Effect<void>
}

export const releases = (
  it: It,
  layer: Layer.Layer<LedgerStorage.LedgerStorage, LedgerStorageError.LedgerStorageError>
): void => {
  const own: Effect.Effect<Own, LedgerStorageError.LedgerStorageError, Scope.Scope> = Effect.gen(function* () {
    const scope = yield* Scope.fork(yield* Effect.scope)
    const context = yield* Layer.buildWithScope(Layer.fresh(layer), scope)
    return {
      storage: Context.get(context, LedgerStorage.LedgerStorage),
      release: Scope.close(scope, Exit.void)
    }
  })

  it.effect("after it every operation answers Closed", () =>
    Effect.gen(function* () {
      const { release, storage } = yield* own
      const { ledgerId } = yield* storage.createLedger()
      yield* storage.append(ledgerId, bytes("a"))
      yield* release
      const operations: ReadonlyArray<Effect.Effect<unknown, LedgerStorageError.LedgerStorageError>> = [
        storage.createLedger(),
        storage.ledger(ledgerId),
        Stream.runDrain(storage.ledgers),
        storage.append(ledgerId, bytes("b")),
        storage.appendAll(ledgerId, [bytes("b")]),
        storage.read(ledgerId, id(0)),
        storage.readMany([{ ledgerId, entryId: id(0) }]),
        Stream.runDrain(storage.entries(ledgerId)),
        Stream.runDrain(storage.entries(ledgerId, { reverse: true })),
        Stream.runDrain(storage.tail(ledgerId)),
        storage.fence(ledgerId),
        storage.deleteLedger(ledgerId),
        storage.deleteLedgers([ledgerId]),
        storage.collect(),
        Stream.runDrain(storage.check())
      ]
      const tags = yield* Effect.forEach(operations, tagOf)
      assert.deepStrictEqual(
        tags,
        operations.map(() => "Closed")
      )
    })
  )

  it.effect("it ends the tails that wait, with Closed", () =>
    Effect.gen(function* () {
      const { release, storage } = yield* own
      const { ledgerId } = yield* storage.createLedger()
      yield* storage.append(ledgerId, bytes("a"))
      const seen = yield* Queue.unbounded<bigint>()
      const tail = storage.tail(ledgerId).pipe(Stream.runForEach(({ entryId }) => Queue.offer(seen, entryId)))
      const fibers = yield* Effect.all(Array.from({ length: 10 }, () => Effect.forkChild(tagOf(tail))))
      yield* Effect.replicateEffect(Queue.take(seen), 10)
      // Time for them to come to wait for the next entry.
      yield* Effect.sleep("50 millis")
      yield* release
      assert.deepStrictEqual(
        yield* Effect.forEach(fibers, Fiber.join),
        fibers.map(() => "Closed")
      )
    })
  )

  it.effect("it ends streams that are read slowly, with Closed", () =>
    Effect.gen(function* () {
      const { release, storage } = yield* own
      const { ledgerId } = yield* storage.createLedger()
      yield* storage.appendAll(
        ledgerId,
        Array.from({ length: 300 }, () => new Uint8Array(50_000))
      )
      for (const reverse of [false, true]) {
        const seen = yield* Deferred.make<void>()
        const goOn = yield* Deferred.make<void>()
        const reading = storage
          .entries(ledgerId, { reverse })
          .pipe(Stream.tap(() => Effect.andThen(Deferred.succeed(seen, undefined), Deferred.await(goOn))))
        const fiber = yield* Effect.forkChild(tagOf(Stream.runDrain(reading)))
        yield* Deferred.await(seen)
        if (reverse) yield* release
        yield* Deferred.succeed(goOn, undefined)
        if (reverse) assert.strictEqual(yield* Fiber.join(fiber), "Closed")
        else yield* Fiber.interrupt(fiber)
      }
    })
  )

  it.effect("what is in flight is answered: done, or Closed", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 4; round += 1) {
        const { release, storage } = yield* own
        const { ledgerId } = yield* storage.createLedger()
        const { ledgerId: other } = yield* storage.createLedger()
        const append = (text: string) => Effect.as(storage.append(ledgerId, bytes(text)), "done")
        const fibers = yield* Effect.forEach(
          [
            ...numbered("", 200).map(append),
            Effect.as(storage.fence(other), "done"),
            Effect.as(storage.createLedger(), "done"),
            Effect.as(storage.deleteLedger(other), "done"),
            Effect.as(Stream.runDrain(storage.entries(ledgerId)), "done"),
            Effect.as(storage.collect(), "done")
          ],
          (operation) => Effect.forkChild(endOf(operation))
        )
        for (let turn = 0; turn < round; turn += 1) yield* Effect.yieldNow
        yield* release
        const ends = yield* Effect.forEach(fibers, Fiber.join)
        assert.deepStrictEqual(
          ends.filter((end) => end !== "done" && end !== "Closed" && end !== "NoLedger"),
          []
        )
      }
    })
  )

  it.effect("it comes to an end while fibers go on calling", () =>
    Effect.gen(function* () {
      const { release, storage } = yield* own
      const { ledgerId } = yield* storage.createLedger()
      const forever = Effect.forever(storage.append(ledgerId, bytes("again")))
      const fibers = yield* Effect.all(Array.from({ length: 20 }, () => Effect.forkChild(tagOf(forever))))
      yield* storage.append(ledgerId, bytes("once"))
      yield* release
      assert.deepStrictEqual(
        yield* Effect.forEach(fibers, Fiber.join),
        fibers.map(() => "Closed")
      )
    })
  )

  it.effect("a storage that was not used is released as well", () => Effect.flatMap(own, ({ release }) => release))
}
