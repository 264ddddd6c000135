/**
 * Shutdown.expectOrder: what it accepts, and what it refuses.
 */
import { Lifecycle, Shutdown } from "@effect-bookie/lifecycle"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Layer } from "effect"

class Name extends Context.Service<Name, string>()("test/Name") {}

const resource = (name: string, release: Effect.Effect<void> = Effect.void) =>
  Layer.effectDiscard(Lifecycle.scoped(name, Effect.void, release))

/** The database, then the index on it, then the gauges on that. */
const application = resource("gauge:one").pipe(
  Layer.merge(resource("gauge:two")),
  Layer.provideMerge(resource("index")),
  Layer.provideMerge(resource("database"))
)

const messageOf = (effect: Effect.Effect<unknown, Shutdown.UnexpectedShutdown>) =>
  Effect.map(Effect.flip(effect), ({ message }) => message)

describe("Shutdown.expectOrder", () => {
  it.effect("answers what was released, in order", () =>
    Effect.gen(function* () {
      const released = yield* Shutdown.expectOrder(application, ["gauge:*", "index", "database"])
      assert.deepStrictEqual(released.slice(-2), ["index", "database"])
      assert.sameMembers([...released], ["gauge:one", "gauge:two", "index", "database"])
    })
  )

  it.effect("lets what is not named go at any time", () =>
    Effect.asVoid(Shutdown.expectOrder(application, ["gauge:two", "database"]))
  )

  it.effect("fails where a resource goes before one that is named before it", () =>
    Effect.gen(function* () {
      const message = yield* messageOf(Shutdown.expectOrder(application, ["database", "index"]))
      assert.match(
        message,
        /^index was released before database, and should go after database\. Released: .*index, database\.$/
      )
    })
  )

  it.effect("fails where one of many of a kind goes too late", () =>
    Effect.gen(function* () {
      const late = Layer.provideMerge(application, resource("gauge:late"))
      const message = yield* messageOf(Shutdown.expectOrder(late, ["gauge:*", "database"]))
      assert.include(message, "database was released before gauge:late, and should go after gauge:*.")
    })
  )

  it.effect("fails where nothing of a name was released", () =>
    Effect.gen(function* () {
      const message = yield* messageOf(Shutdown.expectOrder(Layer.empty, ["rocksdb"]))
      assert.strictEqual(message, "Nothing named rocksdb was released. Nothing was released.")
    })
  )

  it.effect("fails where something is never released", () =>
    Effect.gen(function* () {
      const leak = Layer.effectDiscard(Lifecycle.acquired("leak"))
      const message = yield* messageOf(Shutdown.expectOrder(Layer.merge(application, leak), ["database"]))
      assert.match(message, /^Acquired and not released: leak\./)
    })
  )

  it.effect("fails where something is released twice", () =>
    Effect.gen(function* () {
      const twice = resource("twice", Lifecycle.released("twice"))
      const message = yield* messageOf(Shutdown.expectOrder(twice, ["twice"]))
      assert.match(message, /^Released more often than acquired: twice\./)
    })
  )

  it.effect("runs with the layer before it lets it go", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const named = Layer.merge(
        Layer.succeed(Name, "Ada"),
        resource(
          "database",
          Effect.sync(() => seen.push("released"))
        )
      )
      yield* Shutdown.expectOrder(named, ["database"], { use: Effect.map(Name, (name) => seen.push(name)) })
      assert.deepStrictEqual(seen, ["Ada", "released"])
    })
  )

  it.effect("lets a layer go that the test has built already and still holds", () =>
    Effect.gen(function* () {
      yield* Layer.build(application)
      yield* Shutdown.expectOrder(application, ["index", "database"])
    }).pipe(Effect.scoped)
  )

  it.effect("fails with what the release died of", () =>
    Effect.gen(function* () {
      const broken = resource("broken", Effect.die(new Error("the disk has gone")))
      const exit = yield* Effect.exit(Shutdown.expectOrder(broken, ["broken"]))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.include(String(exit), "the disk has gone")
    })
  )

  it.effect("fails with what the layer fails with", () =>
    Effect.gen(function* () {
      const broken = Layer.effectDiscard(Effect.fail("no disk" as const))
      assert.strictEqual(yield* Effect.flip(Shutdown.expectOrder(broken, [])), "no disk")
    })
  )
})
