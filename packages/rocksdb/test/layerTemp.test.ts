import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, Latch, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { setImmediate, setTimeout } from "node:timers/promises"
import { DirectoryLock, Engine, NativeEngine, RocksDB } from "@effect-bookie/rocksdb"
import { bytes } from "@effect-bookie/testing/bytes"
import { Disk } from "@effect-bookie/testing/Disk"
import { temporaryDirectory } from "@effect-bookie/testing/directory"
import { Probe } from "@effect-bookie/testing/Probe"

/** Lets the temporary directories of this process be made in one of its own. */
const ownTmp = Effect.flatMap(temporaryDirectory, (directory) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const before = process.env.TMPDIR
      process.env.TMPDIR = directory
      return { before, directory }
    }),
    ({ before }) =>
      Effect.sync(() => {
        if (before === undefined) delete process.env.TMPDIR
        else process.env.TMPDIR = before
      })
  )
).pipe(Effect.map(({ directory }) => directory))

const interruptedAlone = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)

// Elsewhere the directory has another name in the environment.
describe.skipIf(process.platform === "win32")("layerTemp", () => {
  it.live("a build that is interrupted at any time removes its directory, and is interrupted and nothing else", () =>
    Effect.gen(function* () {
      const tmp = yield* ownTmp
      assert.strictEqual(Os.tmpdir(), tmp)
      for (let build = 0; build < 60; build++) {
        const building = yield* Effect.forkChild(Effect.scoped(Layer.build(RocksDB.layerTemp())))
        const until = performance.now() + (build % 20) / 2
        while (performance.now() < until) yield* Effect.promise(() => setImmediate())
        yield* Fiber.interrupt(building)
        const exit = yield* Fiber.await(building)
        assert.isTrue(interruptedAlone(exit), String(exit))
      }
      assert.deepStrictEqual(Fs.readdirSync(tmp), [])
    })
  )

  it.live("one that is interrupted while the directory is prepared waits for that", () =>
    Effect.gen(function* () {
      const path = yield* temporaryDirectory
      const disk = yield* Disk.watch
      const reached = yield* Latch.make()
      const goOn = yield* Latch.make()
      disk.afterNextOpen(Path.join(path, DirectoryLock.fileName), () =>
        Effect.runPromise(Effect.asVoid(Effect.andThen(reached.open, goOn.await)))
      )
      const building = yield* Effect.forkChild(
        Effect.scoped(Effect.provide(RocksDB.make({ path }), NativeEngine.layer))
      )
      yield* reached.await
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(building))
      yield* Effect.sleep("20 millis")
      assert.isUndefined(interrupting.pollUnsafe())
      yield* goOn.open
      yield* Fiber.join(interrupting)
      assert.isTrue(interruptedAlone(yield* Fiber.await(building)))
      // Nothing touches it any more.
      yield* Effect.scoped(DirectoryLock.acquire(path))
    })
  )

  it.live("a build that is interrupted while the engine opens waits for it, and then removes the directory", () =>
    Effect.gen(function* () {
      const tmp = yield* ownTmp
      const opening = yield* Latch.make()
      const goOn = yield* Latch.make()
      const slow = Layer.effect(
        Engine.Engine,
        Effect.map(Engine.Engine, ({ name, open }) =>
          Engine.Engine.of({
            name,
            open: (options) => Effect.andThen(Effect.andThen(opening.open, goOn.await), open(options))
          })
        )
      ).pipe(Layer.provide(NativeEngine.layer))
      const building = yield* Layer.build(Layer.provide(RocksDB.layerTempWithoutEngine(), slow)).pipe(
        Effect.scoped,
        Effect.forkChild
      )
      yield* opening.await
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(building))
      yield* Effect.sleep("20 millis")
      assert.lengthOf(Fs.readdirSync(tmp), 1)
      yield* goOn.open
      yield* Fiber.join(interrupting)
      assert.isTrue(interruptedAlone(yield* Fiber.await(building)))
      assert.deepStrictEqual(Fs.readdirSync(tmp), [])
    })
  )

  it.effect("the directory stays for as long as the handle does, also where the release does not wait for it", () =>
    Effect.gen(function* () {
      const tmp = yield* ownTmp
      const probe = new Probe()
      const scope = yield* Scope.make()
      const layer = RocksDB.layerTempWithoutEngine({ shutdownDeadline: "5 seconds" }).pipe(
        Layer.provide(Layer.provide(probe.layer, NativeEngine.layer))
      )
      const database = yield* Effect.map(Layer.buildWithScope(layer, scope), Context.get(RocksDB.RocksDB))
      const release = probe.hold("getMany")
      yield* Effect.forkChild(database.get(bytes("a")))
      yield* probe.until("begin getMany")
      const closing = yield* Effect.forkChild(Effect.exit(Scope.close(scope, Exit.void)))
      while (!database.isClosed()) yield* Effect.yieldNow
      yield* TestClock.adjust("5 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(closing)))
      assert.lengthOf(Fs.readdirSync(tmp), 1)
      release()
      yield* probe.until("end close")
      while (Fs.readdirSync(tmp).length > 0) yield* Effect.promise(() => setTimeout(5))
    })
  )
})
