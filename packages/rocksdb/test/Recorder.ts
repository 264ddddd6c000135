/**
 * Records what `Lifecycle` is told, and checks the order of the releases.
 */
import { assert } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Lifecycle } from "@effect-bookie/lifecycle"

/** The events of one test. */
export class Recorder {
  readonly events: Array<Lifecycle.Event> = []

  readonly listener: Lifecycle.Listener = (event) => Effect.sync(() => this.events.push(event))

  /** Sets the listener for a layer. */
  readonly watch = <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
    Layer.provide(layer, Lifecycle.layer(this.listener))

  /** The names of what was acquired, or released, in their order. */
  names(tag: Lifecycle.Event["_tag"]): ReadonlyArray<string> {
    return this.events.filter(({ _tag }) => _tag === tag).map(({ resource }) => resource)
  }
}

/**
 * What holds after every shutdown: what was acquired has been released, once;
 * everything that reads the database before its operations, then the WAL, and
 * last the database.
 */
export const assertShutdownOrder = (recorder: Recorder): void => {
  const acquired = recorder.names("Acquired")
  const released = recorder.names("Released")
  assert.deepStrictEqual(released.toSorted(), acquired.toSorted())
  assert.deepStrictEqual(acquired.slice(0, 3), ["rocksdb", "rocksdb.wal", "rocksdb.operations"])
  assert.deepStrictEqual(released.slice(-3), ["rocksdb.operations", "rocksdb.wal", "rocksdb"])
  const sequences = recorder.events.map(({ sequence }) => sequence)
  assert.deepStrictEqual(
    sequences,
    sequences.toSorted((left, right) => left - right)
  )
}
