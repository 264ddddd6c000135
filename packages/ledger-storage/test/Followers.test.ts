/**
 * Those who wait for something new.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Followers } from "../src/internal/ledgers/Followers.ts"

describe("Followers", () => {
  it.effect("all who wait are woken, once", () =>
    Effect.gen(function* () {
      const followers = new Followers()
      let woken = 0
      const waiting = Effect.tap(followers.waitAfter(0), () => Effect.sync(() => (woken += 1)))
      const fibers = yield* Effect.all(
        Array.from({ length: 3 }, () => Effect.forkChild(waiting, { startImmediately: true }))
      )
      assert.strictEqual(followers.waiting, 3)
      followers.wake()
      yield* Effect.forEach(fibers, Fiber.join)
      assert.strictEqual(woken, 3)
      assert.strictEqual(followers.waiting, 0)
      followers.wake()
      assert.strictEqual(woken, 3)
    })
  )

  it.effect("one that waits again while it is woken waits for the next time", () =>
    Effect.gen(function* () {
      const followers = new Followers()
      let woken = 0
      const fiber = yield* Effect.forkChild(
        Effect.gen(function* () {
          while (true) {
            yield* followers.waitAfter(followers.wakes)
            woken += 1
          }
        }),
        { startImmediately: true }
      )
      followers.wake()
      assert.strictEqual(woken, 1)
      assert.strictEqual(followers.waiting, 1)
      followers.wake()
      assert.strictEqual(woken, 2)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("one that looked before it was woken, and comes to wait after that, does not wait", () =>
    Effect.gen(function* () {
      const followers = new Followers()
      const { wakes } = followers
      followers.wake()
      yield* followers.waitAfter(wakes)
      assert.strictEqual(followers.waiting, 0)
    })
  )

  it.effect("one that is interrupted waits no more", () =>
    Effect.gen(function* () {
      const followers = new Followers()
      const fiber = yield* Effect.forkChild(followers.waitAfter(0), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.strictEqual(followers.waiting, 0)
    })
  )
})
