/**
 * A scope of its own, against the one around it at each moment.
 */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Latch, Scope } from "effect"
import * as OwnScope from "../src/OwnScope.ts"

/** A resource of two parts, of which the second comes when it may; and what has become of them. */
const resource = Effect.gen(function* () {
  const told: Array<string> = []
  const begun = yield* Latch.make()
  const goOn = yield* Latch.make()
  const part = (name: string) =>
    Effect.acquireRelease(
      Effect.sync(() => void told.push(`+${name}`)),
      () =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => void told.push(`-${name}`))
        )
    )
  const open = part("a").pipe(
    Effect.andThen(begun.open),
    Effect.andThen(goOn.await),
    Effect.andThen(part("b")),
    Effect.as("open")
  )
  return { told, begun, goOn, open: OwnScope.open(open, () => "closed" as const) }
})

it.effect("is closed in the opposite order of its parts, also by a scope that closes all at once", () =>
  Effect.gen(function* () {
    const { goOn, open, told } = yield* resource
    yield* goOn.open
    const scope = yield* Scope.make("parallel")
    assert.strictEqual(yield* Scope.provide(open, scope), "open")
    yield* Scope.close(scope, Exit.void)
    assert.deepStrictEqual(told, ["+a", "+b", "-b", "-a"])
  })
)

it.effect("does not open in a scope that is closed", () =>
  Effect.gen(function* () {
    const { open, told } = yield* resource
    const scope = yield* Scope.make()
    yield* Scope.close(scope, Exit.void)
    assert.strictEqual(yield* Effect.flip(Scope.provide(open, scope)), "closed")
    assert.deepStrictEqual(told, [])
  })
)

it.effect("is waited for by a scope that closes while it opens, and is not open then", () =>
  Effect.gen(function* () {
    const { begun, goOn, open, told } = yield* resource
    const scope = yield* Scope.make()
    const opening = yield* Effect.forkChild(Effect.flip(Scope.provide(open, scope)))
    yield* begun.await
    const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
    yield* Effect.yieldNow
    assert.deepStrictEqual(told, ["+a"])
    yield* goOn.open
    yield* Fiber.join(closing)
    assert.deepStrictEqual(told, ["+a", "+b", "-b", "-a"])
    assert.strictEqual(yield* Fiber.join(opening), "closed")
  })
)

it.effect("leaves nothing open, and nothing to the scope around, where it fails or is interrupted", () =>
  Effect.gen(function* () {
    const { begun, open, told } = yield* resource
    const scope = yield* Scope.make()
    const opening = yield* Effect.forkChild(Scope.provide(open, scope))
    yield* begun.await
    yield* Fiber.interrupt(opening)
    assert.deepStrictEqual(told, ["+a", "-a"])
    const failing = OwnScope.open(
      Effect.andThen(
        Effect.addFinalizer(() => Effect.sync(() => void told.push("-c"))),
        Effect.fail("no" as const)
      ),
      () => "closed" as const
    )
    assert.strictEqual(yield* Effect.flip(Scope.provide(failing, scope)), "no")
    assert.deepStrictEqual(told, ["+a", "-a", "-c"])
    yield* Scope.close(scope, Exit.void)
    assert.deepStrictEqual(told, ["+a", "-a", "-c"])
  })
)
