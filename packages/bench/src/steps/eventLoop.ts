/**
 * How long the event loop is held up while flushes are added as fast as they
 * go, and a reader looks up 1,000 entries at a time beside them.
 *
 * An application has the entries of a flush one after another, so 1,000 are
 * handed over at a time, and the loop turns between them: what is measured is
 * what the engine does with them.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setImmediate } from "node:timers/promises"
import { type Entries, makeEntries } from "../Engine.ts"
import { Draws } from "../Random.ts"
import { lookupSize, type Session, type Values } from "../Session.ts"
import { Workload } from "../Workload.ts"
import { uniform } from "./reading.ts"

/** Adds ten flushes to new ledgers and reads old ones. Opens and closes the index. */
export const eventLoop = async (session: Session, turn: number): Promise<Values> => {
  if (!session.host.onEventLoop) return {}
  const { shape } = session.setup
  const added = new Workload({
    ...shape,
    entries: 10 * shape.flushSize,
    firstLedger: shape.firstLedger + turn * shape.ledgers
  })
  const flushes = Array.from({ length: added.flushes }, (_, nth) => {
    const entries = makeEntries(shape.flushSize)
    added.flush(nth, entries)
    return entries
  })
  await session.open("usual")
  const delays = monitorEventLoopDelay({ resolution })
  const reader = new Reader(session, turn)
  delays.enable()
  await Promise.all([write(session, flushes).finally(() => reader.stop()), reader.run()])
  delays.disable()
  reader.check()
  await session.check(added, turn)
  await session.close()
  return { "loop-p99": delayOf(delays.percentile(99)), "loop-max": delayOf(delays.max) }
}

/** How often the delay is looked at, in milliseconds; the histogram counts this time in. */
const resolution = 1

const delayOf = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolution)

const write = async ({ engine }: Session, flushes: ReadonlyArray<Entries>): Promise<void> => {
  for (const entries of flushes) {
    for (let from = 0; from < entries.locations.length; from += lookupSize) {
      engine.put(entries, from, Math.min(from + lookupSize, entries.locations.length))
      await setImmediate()
    }
    await engine.commit()
  }
}

/** Looks up the same entries again and again; the answers are checked at the end. */
class Reader {
  readonly #session: Session
  readonly #lookups: ReadonlyArray<Entries>
  #stopped = false

  constructor(session: Session, turn: number) {
    this.#session = session
    const draws = new Draws(session.setup.shape.seed, turn)
    this.#lookups = Array.from({ length: 64 }, () => {
      const entries = makeEntries(lookupSize)
      uniform(session.workload, draws, entries)
      return entries
    })
  }

  async run(): Promise<void> {
    while (true) {
      for (const entries of this.#lookups) {
        await this.#session.engine.getMany(entries, entries.locations)
        await setImmediate()
      }
      if (this.#stopped) return
    }
  }

  stop(): void {
    this.#stopped = true
  }

  check(): void {
    for (const entries of this.#lookups) this.#session.workload.check(entries, entries.locations)
  }
}
