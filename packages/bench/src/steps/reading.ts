/**
 * Steps that read: each works for about as long as a turn takes, and every
 * answer is checked, outside of the time.
 */
import { type Engine, type Entries, makeEntries } from "../Engine.ts"
import { Draws } from "../Random.ts"
import { lookupSize, type Session, type Values } from "../Session.ts"
import type { Workload } from "../Workload.ts"

/** Opens the index with a cache that all of it fits in, and looks up every entry. */
export const warm = async (session: Session): Promise<Values> => {
  const { setup, workload } = session
  const { entries: total, firstLedger } = setup.shape
  await session.open("warm")
  const entries = makeEntries(lookupSize)
  for (let from = 0; from < total; from += lookupSize) {
    for (let at = 0; at < lookupSize; at++) {
      entries.ledgerIds[at] = BigInt(firstLedger + Math.floor((from + at) / workload.entriesPerLedger))
      entries.entryIds[at] = BigInt((from + at) % workload.entriesPerLedger)
    }
    entries.locations.fill(unanswered)
    await session.engine.getMany(entries, entries.locations)
    workload.check(entries, entries.locations)
  }
  return {}
}

/** Opens the index again, with a cache that a twentieth of it fits in, and fills that. */
export const cold = async (session: Session): Promise<Values> => {
  await session.close()
  await session.open("cold")
  await lookups("cold", uniform, "getMany")(session, 0)
  return {}
}

/** Closes the index. */
export const shut = async (session: Session): Promise<Values> => {
  await session.close()
  return {}
}

/** Fills in ids to look up. */
type Fill = (workload: Workload, draws: Draws, into: Entries) => void

/** Any entries. */
export const uniform: Fill = ({ entriesPerLedger, shape }, draws, into) => {
  for (let at = 0; at < lookupSize; at++) {
    into.ledgerIds[at] = BigInt(shape.firstLedger + draws.below(shape.ledgers))
    into.entryIds[at] = BigInt(draws.below(entriesPerLedger))
  }
}

/** As a reader that catches up: runs of 100 consecutive entries, each of any ledger. */
export const runs: Fill = ({ entriesPerLedger, shape }, draws, into) => {
  const runLength = Math.min(100, entriesPerLedger)
  for (let at = 0; at < lookupSize; at += runLength) {
    const ledgerId = BigInt(shape.firstLedger + draws.below(shape.ledgers))
    const first = draws.below(entriesPerLedger - runLength + 1)
    for (let nth = 0; nth < runLength; nth++) {
      into.ledgerIds[at + nth] = ledgerId
      into.entryIds[at + nth] = BigInt(first + nth)
    }
  }
}

/** Looks entries up. */
export const lookups =
  (name: string, fill: Fill, method: "getMany" | "getEach") =>
  async (session: Session, turn: number): Promise<Values> => {
    const { workload } = session
    const entries = makeEntries(lookupSize)
    const draws = new Draws(session.setup.shape.seed, turn)
    return {
      [name]: await rate(session, {
        prepare: () => {
          fill(workload, draws, entries)
          entries.locations.fill(unanswered)
        },
        run: (engine) => engine[method](entries, entries.locations),
        check: () => {
          workload.check(entries, entries.locations)
          return lookupSize
        }
      })
    }
  }

/** Reads all entries of ledgers in their order, by a method of the engine. */
export const scans =
  (name: string, methodOf: (engine: Engine) => Engine["scan"]) =>
  async (session: Session, turn: number): Promise<Values> => {
    const { workload } = session
    const { entriesPerLedger, shape } = workload
    const found = makeEntries(entriesPerLedger)
    const draws = new Draws(shape.seed, turn)
    let count = 0
    return {
      [name]: await rate(session, {
        prepare: () => {
          found.ledgerIds.fill(BigInt(shape.firstLedger + draws.below(shape.ledgers)))
          found.entryIds.fill(unanswered)
        },
        run: async (engine) => {
          count = await methodOf(engine).call(engine, found.ledgerIds[0] ?? 0n, found)
        },
        check: () => {
          if (count !== entriesPerLedger) throw new Error(`wrong answer: ${count} entries, not ${entriesPerLedger}`)
          if (found.entryIds.some((entryId, at) => entryId !== BigInt(at))) throw new Error("wrong order of entries")
          workload.check(found, found.locations)
          return count
        }
      })
    }
  }

/** Asks ledgers for their last entries. */
export const last = async (session: Session, turn: number): Promise<Values> => {
  const { entriesPerLedger, shape } = session.workload
  const ledgerIds = new BigInt64Array(lookupSize)
  const entryIds = new BigInt64Array(lookupSize)
  const draws = new Draws(shape.seed, turn)
  return {
    last: await rate(session, {
      prepare: () => {
        for (let at = 0; at < lookupSize; at++) ledgerIds[at] = BigInt(shape.firstLedger + draws.below(shape.ledgers))
        entryIds.fill(unanswered)
      },
      run: (engine) => engine.lastEntries(ledgerIds, entryIds),
      check: () => {
        const expected = BigInt(entriesPerLedger - 1)
        if (entryIds.some((entryId) => entryId !== expected)) throw new Error("wrong last entry")
        return lookupSize
      }
    })
  }
}

/** What no engine answers: a place that was left out must not keep an earlier answer. */
const unanswered = -2n

interface Task {
  readonly prepare: () => void
  readonly run: (engine: Engine) => Promise<void>
  /** Answers how many there were. */
  readonly check: () => number
}

/** How many thousands a second, once code and caches are warm. */
const rate = async (session: Session, task: Task): Promise<number> => {
  const { turnTime } = session.setup.settings
  await repeat(session, task, turnTime / 5)
  return repeat(session, task, turnTime)
}

const repeat = async ({ engine, host }: Session, task: Task, atLeast: number): Promise<number> => {
  let milliseconds = 0
  let count = 0
  while (milliseconds < atLeast) {
    task.prepare()
    milliseconds += await host.time(() => task.run(engine))
    count += task.check()
  }
  return count / milliseconds
}
